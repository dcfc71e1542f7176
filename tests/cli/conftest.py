from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pytest

from streamtag.cli import main
from tests.bundles import make_bundle
from tests.ports import free_port
from tests.sounds import noise, tone, write


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("bundles") / "tiny")


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    """A folder with recordings, some in a folder of their own, and with what is none."""
    folder = tmp_path / "recordings"
    (folder / "deeper").mkdir(parents=True)
    beeps = np.concatenate([noise(1.92) * 0.001, tone(1.92, 1000), noise(1.92) * 0.001])
    write(folder / "beeps.wav", beeps)
    write(folder / "beeps.flac", beeps)
    write(folder / "deeper" / "short.wav", tone(0.3))
    (folder / "notes.txt").write_text("no recording")
    return folder


@pytest.fixture
def config(bundle: Path, tmp_path: Path) -> Path:
    """A configuration with the tiny bundle and ports of its own."""
    path = tmp_path / "streamtag.toml"
    path.write_text(
        f'[service]\nendpoint = "tcp://127.0.0.1:{free_port()}"\ninput = "tcp://127.0.0.1:{free_port()}"\n'
        f'processes = 1\n[model]\nbundle = "{bundle}"\n'
    )
    return path


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Callable[..., CompletedProcess[str]]:
    """Run a command in this process, which is sooner there."""

    def run(*arguments: object) -> CompletedProcess[str]:
        words = [str(argument) for argument in arguments]
        status = main(words)
        return CompletedProcess(words, status, *capsys.readouterr())

    return run
