from collections.abc import Iterator
from types import ModuleType

import pytest
import tensorrt_rtx_bindings

from streamtag.bundle import Bundle
from streamtag.runtimes import load_runtime
from tests.runtimes.fake_cuda import FakeCuda
from tests.runtimes.fake_tensorrt import FakeTensorRt
from tests.runtimes.stand_ins import gpu, modules, shared_bundle

DEMO_LABELS = ["Speech", "Music", "Siren", "Rain", "Knock", "Dog"]


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return shared_bundle(tmp_path_factory, DEMO_LABELS)


@pytest.fixture
def trt() -> Iterator[FakeTensorRt]:
    with gpu(FakeCuda(), "11.4.0.106") as tensorrt:
        yield tensorrt


@pytest.fixture
def building(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The building code, with TensorRT-RTX in TensorRT's place: the same names, another version."""
    with modules(tensorrt=tensorrt_rtx_bindings, cuda=FakeCuda()):
        load_runtime("tensorrt")
        from streamtag.runtimes import tensorrt_build

        monkeypatch.setattr(tensorrt_build, "supported_version", lambda: "11")
        yield tensorrt_build
