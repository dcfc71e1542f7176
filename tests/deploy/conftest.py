from collections.abc import Iterator

import pytest

from streamtag.bundle import Bundle
from tests.runtimes.fake_cuda import FakeCuda
from tests.runtimes.fake_tensorrt import FakeTensorRt
from tests.runtimes.stand_ins import gpu, small_bundle

DEMO_LABELS = ["Speech", "Music", "Siren", "Rain", "Knock", "Dog"]


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return small_bundle(tmp_path_factory.mktemp("small"), DEMO_LABELS)


@pytest.fixture
def trt() -> Iterator[FakeTensorRt]:
    with gpu(FakeCuda(), "11.4.0.106") as tensorrt:
        yield tensorrt
