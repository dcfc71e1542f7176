"""A training run's TOML file, typed."""

import tomllib
from pathlib import Path
from typing import Literal

import msgspec

from streamtag.errors import ConfigError
from train.data.render import RenderSettings
from train.data.split import Licences


class DataSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which recordings, and how they are parted."""

    root: Path
    sets: tuple[str, ...] = ("esc50",)
    licences: Licences = "all"
    held: tuple[str, ...] = ()
    """Repositories of which everything is held back for judging."""
    test_fold: int = 0
    others_share: float = 0.0
    calibration_share: float = 0.0
    split_seed: int = 1
    extra_labels: tuple[str, ...] = ("Silence",)
    alarms: Path | None = None
    """Recordings that nothing learns, by kind of sound, on which false alarms are counted at export."""
    own_labels: dict[str, str] = {}
    """Names that AudioSet's list lacks, with a MID or ""."""


class TeacherSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Published networks whose embeddings are imitated; a head on them is trained here, on the labels wanted."""

    yamnet: Path
    """The published `yamnet.tflite`."""
    mn04: Path
    """EfficientAT's `mn04_as.safetensors`."""
    hidden: int = 512
    dropout: float = 0.5
    steps: int = 2500
    learning_rate: float = 1e-3
    share: float = 0.7
    """Weight of the teacher's score in the target; the label has the rest."""
    embedding: float = 4.0
    """Weight of the embeddings' squared error."""
    elder: Path | None = None
    """Another run's output: its network, which hears no more than this one, teaches beside the published ones."""


class FitSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The loop."""

    network: str = "tagnet"
    weights: Path | None = None
    """EfficientAT's `mn04_as.safetensors`, for network "mobilenet_v3" to begin with."""
    begun_rate: float = 0.33
    """Learning rate of layers that begin with trained weights, as a share of the others'."""
    bottleneck: int = 0
    """Units of a layer before the last one; 0 for none."""
    loss: Literal["sigmoid", "softmax"] = "sigmoid"
    """Softmax is for recordings of one label each."""
    steps: int = 15_000
    batch: int = 128
    optimiser: Literal["adamw", "adam"] = "adamw"
    learning_rate: float = 3e-3
    weight_decay: float = 0.02
    schedule: Literal["cosine", "constant"] = "cosine"
    warmup_steps: int = 500
    average: float = 0.999
    """Decay of the averaged weights; 0 keeps none."""
    masks: int = 2
    """SpecAugment: this many bands and this many spans are masked."""
    mask_bands: int = 10
    mask_frames: int = 14
    shift_frames: int = 4
    """Each patch moves by up to this many frames, wrapping round."""
    mix_up: float = 0.0
    """Share of a batch's windows that are mixed with another one of it, labels and all."""
    bf16: bool = False
    compile: bool = False
    threads: int = 0
    """Of each process; 0 shares the machine's cores among the processes."""
    seed: int = 1
    checkpoint_every: int = 1000
    patience: int = 0
    """Stop with the best weights when so many checkpoints gained no mAP on the calibration set; 0 for never."""
    report_every: int = 100


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that decides a run's outcome."""

    name: str
    data: DataSettings
    output: Path
    summary: str = ""
    """What the model is for, in a line of the manifest."""
    render: RenderSettings = RenderSettings()
    teacher: TeacherSettings | None = None
    fit: FitSettings = FitSettings()
    cache: Path | None = None
    """Where the windows and the teacher's head are kept, for runs that share them; in `output` if not given."""
    processes: int = 2
    """How many render windows."""
    shard: int = 4096
    """Windows in one shard of the cache."""
    narrow: int = 1
    """What `experiment architectures` divides the channels of the paper's networks by."""


def cache_folder(settings: Settings) -> Path:
    """Return where a run's windows are kept."""
    return settings.cache or settings.output / "cache"


def teacher_file(settings: Settings) -> Path:
    """Return where the teacher's head is kept: with windows that several runs share, else with the run."""
    return (settings.cache or settings.output) / "teacher.pt"


def _decode(kind: type, value: object) -> object:
    if kind is Path and isinstance(value, str):
        return Path(value)
    raise NotImplementedError(f"expected {kind.__name__}")


def load_settings(path: Path) -> Settings:
    """Read a run's TOML file.

    Raises:
        ConfigError: no such file, not TOML, an unknown key or a wrong type.
    """
    try:
        return msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), Settings, dec_hook=_decode)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ConfigError(f"{path}: {error}") from error
