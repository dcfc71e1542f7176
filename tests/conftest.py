import gc
import logging
import os
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

import streamtag  # noqa: F401 - keeps libraries quiet before any of them is imported
from tests.run_folder import run_folder
from tests.scheduling import pytest_xdist_make_scheduler  # noqa: F401 - a hook

HERE = Path(__file__).parent

# Several workers share the cores: PyTorch's threads would wait for each other at every layer, and burn the time that
# the other workers need. Before PyTorch is imported, and for the processes that tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A shared machine may be slow at any moment: tests have a time limit, examples have none.
# Where a change is judged the examples are the same each time, so that what fails is the change and not chance.
settings.register_profile(
    "shared", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize="CI" in os.environ
)
settings.load_profile("shared")


# What takes longest goes first, so that no worker is left with it when the others have nothing more to do. What
# computes stands beside what waits.
SLOW_FIRST = (
    "train/",
    "deploy/",
    "fleet/test_on_ray.py",
    "real/test_network_sources.py",
    "real/test_browser",
    "test_packaging.py",
    "archive/test_cluster.py",
    "real/test_page_visitors.py",
    "runtimes/test_tensorrt.py",
    "real/test_receiver_pool.py",
    "real/test_page_access.py",
    "cli/test_archive.py",
    "real/test_teaching.py",
    "engine/test_pcm_streams.py",
    "real/",
    "cli/",
    "engine/",
    "runtimes/",
    "sources/",
    "test_fuzz.py",
    "test_ray_cluster.py",
    "dashboard/",
    "sinks/",
    "benchmark",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def place(item: pytest.Item) -> int:
        file = str(item.path.relative_to(HERE))
        return next((rank for rank, part in enumerate(SLOW_FIRST) if file.startswith(part)), len(SLOW_FIRST))

    items.sort(key=place)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What collecting makes stays: to look again and again for what of it may go costs a second in each worker."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


@pytest.fixture(autouse=True)
def _own_log_level() -> Iterator[None]:
    """Forget the level that a command set, when it ran in this process."""
    yield
    logging.getLogger("streamtag").setLevel(logging.NOTSET)


@pytest.fixture(scope="session", autouse=True)
def _own_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Leave the caches, settings and histories of the person who runs the tests alone.

    All workers of a run have one cache: what this machine is best at is measured once, and not in each of them.
    """
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("XDG_CACHE_HOME", str(run_folder(tmp_path_factory) / "cache"))
        for name in ("CONFIG", "DATA", "STATE"):
            environment.setenv(f"XDG_{name}_HOME", str(home / name.lower()))
        yield
