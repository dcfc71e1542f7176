"""Which tests one worker of pytest-xdist runs: a file's, and those of all files that load the same large libraries."""

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

# PyTorch's compiler, scikit-learn and TensorRT's builder take seconds to load, and each a gigabyte where it is loaded.
TOGETHER = ("tests/deploy", "tests/train")


class LargeLibrariesTogether(LoadFileScheduling):  # type: ignore[misc]  # it has no types
    """As `--dist loadfile`, but a folder of `TOGETHER` is one worker's."""

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        folder = file.rpartition("/")[0]
        return folder if folder in TOGETHER else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LargeLibrariesTogether:
    return LargeLibrariesTogether(config, log)
