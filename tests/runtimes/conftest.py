from collections.abc import Iterator

import pytest

from streamtag.bundle import Bundle
from tests.runtimes.fake_cuda import FakeCuda
from tests.runtimes.fake_tensorrt import FakeTensorRt
from tests.runtimes.stand_ins import gpu, shared_bundle


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return shared_bundle(tmp_path_factory)


@pytest.fixture
def cuda() -> FakeCuda:
    return FakeCuda()


@pytest.fixture(params=["8.6.0", "10.0.1", "10.16.1.11", "11.4.0.106"])
def trt(request: pytest.FixtureRequest, cuda: FakeCuda) -> Iterator[FakeTensorRt]:
    """TensorRT of each supported version."""
    with gpu(cuda, request.param) as tensorrt:
        yield tensorrt
