"""A machine with a GPU and TensorRT, where there is neither, and a small model that it runs."""

import fcntl
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import Tensor, nn

from deploy.untrained import write_untrained
from streamtag.bundle import Bundle
from tests.bundles import LABELS
from tests.run_folder import run_folder
from tests.runtimes.fake_cuda import FakeCuda
from tests.runtimes.fake_tensorrt import FakeTensorRt

_OURS = [
    f"streamtag.runtimes.{name}"
    for name in ("cuda", *(f"tensorrt{part}" for part in ("", "_build", "_cache", "_engine")))
]


class SmallNetwork(nn.Module):
    """Few layers, with outputs that depend on every part of a patch."""

    def __init__(self, labels: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(nn.Conv2d(1, 8, 8, 8), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 12 * 8, 16), nn.ReLU())
        self.head = nn.Linear(16, labels)

    def forward(self, patches: Tensor) -> tuple[Tensor, Tensor]:
        embedding = self.body(patches)
        return self.head(embedding), embedding


def small_bundle(folder: Path, labels: list[str] = LABELS) -> Bundle:
    """Write a bundle with everything that the export writes, of a small network."""
    return write_untrained(SmallNetwork(len(labels)), labels, folder)


def shared_bundle(factory: pytest.TempPathFactory, labels: list[str] = LABELS) -> Bundle:
    """Return such a bundle for reading alone, which the first worker of this run that needs it writes for all."""
    folder, part = (run_folder(factory) / f"small-{len(labels)}{end}" for end in ("", ".part"))
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            part.mkdir(exist_ok=True)
            small_bundle(part, labels)
            part.rename(folder)
    return Bundle.open(folder)


@contextmanager
def modules(**others: ModuleType) -> Iterator[None]:
    """Put modules in the place of `tensorrt` and of `cuda.bindings.runtime`, and load ours that use them anew."""
    names = {"tensorrt": others["tensorrt"], "cuda.bindings.runtime": others["cuda"]}
    names["cuda.bindings"] = ModuleType("cuda.bindings")
    names["cuda.bindings"].runtime = others["cuda"]  # type: ignore[attr-defined]
    before = {name: sys.modules.pop(name) for name in [*names, *_OURS] if name in sys.modules}
    sys.modules.update(names)
    try:
        yield
    finally:
        for name in [*names, *_OURS]:
            sys.modules.pop(name, None)
        sys.modules.update(before)


@contextmanager
def gpu(cuda: FakeCuda, version: str) -> Iterator[FakeTensorRt]:
    """Stand in for a machine with a GPU and that version of TensorRT; in the end nothing was asked that must not be."""
    tensorrt = FakeTensorRt(cuda, version)
    with modules(tensorrt=tensorrt, cuda=cuda):
        yield tensorrt
    assert not cuda.misuse
