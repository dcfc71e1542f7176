"""Small made recordings of four kinds of sound, and a run's settings over them."""

import csv
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
import soundfile
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file

from train.data.render import RenderSettings
from train.published import efficientat
from train.published.efficientat import Mn04
from train.settings import DataSettings, FitSettings, Settings

SHARED = Path(__file__).parents[3] / "shared" / "models"
KINDS = ("Whistle", "Rain", "Tick", "Siren")
CLIPS_A_KIND = 10


def sound_of(kind: str, seed: int, seconds: float = 2.0) -> NDArray[np.float32]:
    """A made sound that tells its kind: a tone, noise, clicks, a sweep."""
    rng = np.random.default_rng(seed)
    time = np.arange(int(16000 * seconds)) / 16000
    if kind == "Whistle":
        wave = np.sin(2 * np.pi * rng.uniform(1500, 2500) * time)
    elif kind == "Rain":
        wave = rng.standard_normal(len(time)) * 0.3
    elif kind == "Tick":
        wave = (np.sin(2 * np.pi * 2 * time) > 0.99) * rng.standard_normal(len(time))
    else:
        wave = np.sin(2 * np.pi * (600 * time + 80 * np.sin(2 * np.pi * rng.uniform(0.8, 1.2) * time)))
    return (0.3 * wave).astype(np.float32)


def shared_models(file: str) -> list[Path | None]:
    """The folder of a published model that lies beside the repository, or [None] where it does not."""
    return [(SHARED / file).parent if (SHARED / file).is_file() else None]


@pytest.fixture(scope="session")
def mn04_names() -> dict[str, torch.Tensor]:
    """Weights in exactly the published file's shape, by its names, drawn by chance."""
    return _published(_made_mn04())


@pytest.fixture(scope="session")
def mn04_file(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Mn04]:
    """A safetensors file of mn04's shape, and the network whose weights it holds."""
    path = tmp_path_factory.mktemp("mn04") / "mn04.safetensors"
    network = _made_mn04()
    save_file(_published(network), path)
    rows = "".join(f'{index},/m/{index},"{name}"\n' for index, name in enumerate(_names(527)))
    (path.parent / "class_labels_indices.csv").write_text(f"index,mid,display_name\n{rows}")
    return path, network


def _names(count: int) -> list[str]:
    return [*KINDS, *(f"Other {number}" for number in range(count - len(KINDS)))]


def _made_mn04() -> Mn04:
    torch.manual_seed(5)
    return Mn04().eval()


def _published(network: Mn04) -> dict[str, torch.Tensor]:
    theirs = {ours: name for name, ours in (efficientat._body_names() | _ENDS).items()}
    made = {}
    for name, value in network.state_dict().items():
        layer, _, kind = name.rpartition(".")
        if layer in theirs and kind != "num_batches_tracked":
            excite = kind == "weight" and theirs[layer].endswith((".fc1", ".fc2"))
            made[f"{theirs[layer]}.{kind}"] = (value[:, :, 0, 0] if excite else value).clone()
    return made


_ENDS = {"classifier.2": "hidden", "classifier.5": "head"}


@pytest.fixture(scope="session")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a set `made`: `made/made.csv` and the files that it names."""
    root = tmp_path_factory.mktemp("recordings")
    folder = root / "made"
    (folder / "sounds").mkdir(parents=True)
    with (folder / "made.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["file", "label", "source", "fold", "licence", "credit"])
        for kind in KINDS:
            for number in range(CLIPS_A_KIND):
                name = f"sounds/{kind.lower()}-{number}.wav"
                soundfile.write(folder / name, sound_of(kind, number), 16000)
                fold = 1 if number < 2 else 2 if number < 6 else 0
                table.writerow([name, kind, f"{kind} {number}", fold, "CC0", "made"])
    return root


@pytest.fixture
def quick_last_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fit the last layer in a few steps, where nobody asks how good it is."""
    monkeypatch.setattr("train.last_layer.STEPS", 5)
    monkeypatch.setattr("train.last_layer.SILENT", 32)


@pytest.fixture(scope="session")
def windows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the windows of all tiny runs are: made by the first that needs them."""
    return tmp_path_factory.mktemp("windows")


@pytest.fixture
def settings(recordings: Path, windows: Path, tmp_path: Path) -> Callable[..., Settings]:
    """Return a tiny run's settings; keywords replace [fit] keys. Runs with windows of their own have `cache=None`."""

    def make(**fit: object) -> Settings:
        tiny = FitSettings(steps=12, batch=16, warmup_steps=2, threads=1, checkpoint_every=4, report_every=4)
        return Settings(
            name="tiny",
            data=DataSettings(root=recordings, sets=("made",), test_fold=1, calibration_share=0.15),
            output=tmp_path / "run",
            render=RenderSettings(windows=64, seed=3),
            fit=msgspec.structs.replace(tiny, **fit),
            cache=windows,
            processes=1,
        )

    return make
