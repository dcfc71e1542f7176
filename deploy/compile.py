"""`python -m deploy compile`: a bundle's engines, built, tried and put into the user's cache."""

import time
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from deploy.gate import Trial, judge
from deploy.material import read_material
from streamtag.bundle import Bundle
from streamtag.runtimes import load_runtime

if TYPE_CHECKING:
    from streamtag.runtimes.tensorrt_engine import Engine


def compile_bundle(bundle: Bundle, precision: str, max_batch: int, clips: Path | None = None) -> dict[str, "Engine"]:
    """Build every graph of a precision for this machine's GPU, unless it is there, and return the engines by input.

    Each is tried on real and generated sound before it is installed; progress goes to standard error.

    Raises:
        RuntimeUnavailableError: TensorRT or the GPU is missing or cannot do it, or an engine scores otherwise.
        BundleError: the bundle has no graphs of that precision.
        StreamtagError: the recordings to judge by cannot be read.
    """
    tensorrt = load_runtime("tensorrt")
    files = tensorrt.graphs(bundle, precision)
    keys = {kind: tensorrt.engine_key(bundle, file, max_batch) for kind, file in files.items()}
    trial: list[Trial] = []  # made at the first build: a second run needs none
    engines: dict[str, Engine] = {}
    for kind, file in files.items():
        begin = time.perf_counter()
        what = f"{file} ({precision}, batches of 1 to {max_batch}, {keys[kind].gpu.name})"

        def accept(engine: "Engine", kind: str = kind, what: str = what) -> None:
            if not trial:
                trial.append(Trial.of(bundle, read_material(bundle, clips)))
            judge(what, kind, precision, engine.run, engine.poison, trial[0]).require()

        with _Bar(file) as bar:
            engines[kind] = tensorrt.install(bundle, file, accept, max_batch=max_batch, progress=bar)
        print(f"{tensorrt.engine_file(keys[kind])}: ready after {time.perf_counter() - begin:.1f} s")
    return engines


class _Bar:
    """A line that shows how far a build is; TensorRT's phases lie within phases, and the outermost is shown."""

    def __init__(self, title: str) -> None:
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
        self._progress = Progress(*columns, console=Console(stderr=True), transient=True)
        self._title = title
        self._task = self._progress.add_task(title, total=None)
        self._outermost = ""

    def __enter__(self) -> "_Bar":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def __call__(self, phase: str, done: int, steps: int) -> None:
        self._outermost = self._outermost or phase
        if phase == self._outermost:
            self._progress.update(self._task, description=f"{self._title}: {phase}", completed=done, total=steps)
