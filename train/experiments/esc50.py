"""ESC-50 by its own protocol: five folds, clip accuracy by the mean over patches, without and with other recordings."""

import contextlib
import json
import multiprocessing
import time
from concurrent.futures import Future, ProcessPoolExecutor, as_completed

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray

from streamtag.atomic_file import write_whole
from streamtag.errors import ConfigError
from train.clipset import ClipSet
from train.data.sets import Collection
from train.evaluate import teacher_scores
from train.experiments.fold_page import ALONE, ALONE_NETWORK, OTHERS, TAUGHT, TEACHER, Found, Key, as_page, steps_of
from train.experiments.folds import FOLDS, FoldWindows, make_windows, without_twins
from train.experiments.trial import with_fit
from train.fit import begun
from train.labels import LabelTable
from train.last_layer import fit_last_layer, save_last_layer
from train.loop import LAST, score_patches, train, trained_network
from train.metrics import top_1
from train.parallel import DistributedContext
from train.prepare import say
from train.settings import Settings
from train.workers import end_with_parent

_MIX_UP = 0.7
"""Share of windows mixed with another one where there is no teacher, which would have to hear the mixture."""
_RUNS: tuple[Key, ...] = ((OTHERS, 0), *((ALONE, fold) for fold in FOLDS), *((TAUGHT, fold) for fold in FOLDS))


def esc50(settings: Settings, collection: Collection) -> str:
    """Train and judge every fold under both conditions, several at a time; what is done is not done again.

    Raises:
        ConfigError: a test fold is set, the teacher or a fold is missing, or there are too few windows.
    """
    if settings.data.test_fold or not settings.teacher:
        raise ConfigError("experiment esc50 tests each fold in turn, with a teacher: no test_fold, but [teacher]")
    windows = make_windows(collection, settings)
    jobs: dict[Future[Found], Key] = {}
    found: dict[Key, Found] = {}
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(settings.processes, mp_context=spawn, initializer=end_with_parent) as pool:
        try:
            for name, fold in _RUNS:
                if (name, fold) == (TAUGHT, FOLDS[0]):
                    next(iter(jobs)).result()  # they begin with what was learnt from the other sets
                jobs[pool.submit(outcome, settings, collection, windows, name, fold)] = (name, fold)
            for job in as_completed(jobs):
                found[jobs[job]] = job.result()
                say(f"{jobs[job][0]}, fold {jobs[job][1] or 'none'}: {job.result()}")
        finally:
            pool.shutdown(cancel_futures=True)
    return as_page(found, settings)


def _settings(settings: Settings, name: str, fold: int) -> Settings:
    settings = msgspec.structs.replace(settings, cache=None)  # each run's teacher has heard what the run may hear
    steps = steps_of(name, settings)
    if name == OTHERS:
        return with_fit(settings, "others", steps=steps)
    if name == TAUGHT:
        return with_fit(settings, f"taught-{fold}", steps=steps)
    alone = with_fit(
        settings, f"alone-{fold}", steps=steps, loss="softmax", mix_up=_MIX_UP, network=ALONE_NETWORK, weights=None
    )
    return msgspec.structs.replace(alone, teacher=None)


def outcome(settings: Settings, collection: Collection, windows: FoldWindows, name: str, fold: int) -> Found:
    """Return what a run found, running it where that is not on disk; its lines go to `log.txt` in its folder."""
    run = _settings(settings, name, fold)
    path = run.output / "outcome.json"
    if path.is_file():
        return dict(json.loads(path.read_text(encoding="utf-8")))
    run.output.mkdir(parents=True, exist_ok=True)
    resumed = (run.output / LAST).is_file()
    start = time.monotonic()
    with (run.output / "log.txt").open("a", encoding="utf-8") as log, contextlib.redirect_stderr(log):
        found = _train(run, collection, windows, name, fold)
    found |= {"minutes": (time.monotonic() - start) / 60, "resumed": float(resumed)}
    write_whole(path, json.dumps(found).encode())
    return found


def _train(run: Settings, collection: Collection, windows: FoldWindows, name: str, fold: int) -> Found:
    """Train without one fold and return the accuracy on its clips."""
    context = DistributedContext(0, 1, torch.device("cuda" if torch.cuda.is_available() else "cpu"))
    every = collection.labels
    own = tuple(sorted({label for clip in collection.split.train if clip.fold for label in clip.labels}))
    if name == OTHERS:
        others = [clip for clip in collection.split.train if not clip.fold]
        train(run, windows.others(), every.names, {}, context, begun(run, others, every) if run.fit.weights else None)
        return {}
    begin = None
    if name == TAUGHT:
        begin, _ = trained_network(run, every.names, run.output.parent / "others")
        cache, labels = windows.without(fold, others=True), every
    else:
        cache, labels = windows.without(fold).narrowed([every.index(label) for label in own]), LabelTable(own)
    network = train(run, cache, labels.names, {}, context, begin)
    if run.render.plain and name == TAUGHT:  # without a teacher the labels alone have been learnt already
        heard = [clip for clip in without_twins(collection.split.train) if clip.fold != fold]
        fit_last_layer(network, cache, heard, labels, run.fit.seed)
        save_last_layer(run, network, labels.names)
    tests = ClipSet.of([clip for clip in collection.split.train if clip.fold == fold], LabelTable(own))
    columns = [labels.index(label) for label in own]

    def accuracy(scores: NDArray[np.float32]) -> float:
        return top_1(tests.means(scores[:, columns]), tests.truth)

    found = {name: accuracy(score_patches(network, tests.patches, run.fit.loss))}
    if name == TAUGHT:
        found[TEACHER] = accuracy(teacher_scores(run, tests, len(every)))
    return found
