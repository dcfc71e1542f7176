import pytest

from streamtag.settings import Config, ModelSettings
from tests.bundles import make_bundle


@pytest.fixture(scope="session")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    """Settings of a service with the tiny bundle."""
    folder = make_bundle(tmp_path_factory.mktemp("bundles") / "tiny")
    return Config(model=ModelSettings(bundle=str(folder), runtime="onnxruntime"))
