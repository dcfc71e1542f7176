"""The published YAMNet as a whole bundle: every graph that a trained one has, out of one file."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from streamtag.audio.frontend import BANDS, FRAMES, parameters
from streamtag.bundle import Bundle
from streamtag.errors import BundleError, RuntimeUnavailableError
from streamtag.foreign.bundle_folder import file_entry, write_bundle
from streamtag.foreign.label_files import Labels, read_labels
from streamtag.foreign.trial import try_bundle
from streamtag.foreign.yamnet_file import Yamnet, read_yamnet_labels, read_yamnet_tables

__all__ = ["CLASS_MAP", "write_yamnet_bundle"]

CLASS_MAP: Final = "yamnet_class_map.csv"
_FOLDER: Final = "tensorrt"
_GRAPHS: Final = (
    ("model.onnx", "patches", "float32", "float32"),
    ("model.int8.onnx", "patches", "int8", "int8"),
    ("waveform.onnx", "waveform", "float32", "float32"),
    (f"{_FOLDER}/patches.float32.onnx", "patches", "float32", "float32"),
    (f"{_FOLDER}/patches.float16.onnx", "patches", "float16", "float16"),
    (f"{_FOLDER}/patches.int8.onnx", "patches", "signed", "int8"),
    (f"{_FOLDER}/waveform.float32.onnx", "waveform", "float32", "float32"),
    (f"{_FOLDER}/waveform.float16.onnx", "waveform", "float16", "float16"),
    (f"{_FOLDER}/waveform.int8.onnx", "waveform", "signed", "int8"),
    (f"{_FOLDER}/pcm.float16.onnx", "pcm", "float16", "float16"),
)
"""File, what goes in, the network's arithmetic, and what the manifest calls it."""


def write_yamnet_bundle(source: Path, name: str, folder: Path, note: Callable[[str], None]) -> None:
    """Write the bundle of the published `yamnet.tflite` to an empty folder.

    Args:
        source: the file; AudioSet's identifiers are read from `yamnet_class_map.csv` beside it.
        name: of the model.
        folder: where to write.
        note: takes what the user should know.

    Raises:
        BundleError: it is another network, or damaged.
        RuntimeUnavailableError: what reads it or writes graphs is not installed.
    """
    tables = read_yamnet_tables(source)
    labels = _labels(source, note)
    try:
        from streamtag.foreign.yamnet_graphs import EMBEDDING, yamnet_graph
    except ImportError as error:
        raise RuntimeUnavailableError(
            f"{source}: what writes ONNX graphs is not installed: pip install 'streamtag[models]'"
        ) from error
    (folder / _FOLDER).mkdir()
    files: dict[str, dict[str, Any]] = {}
    for file, taken, arithmetic, precision in _GRAPHS:
        graph = yamnet_graph(tables, taken, arithmetic)  # type: ignore[arg-type] # the table's words are those types'
        (folder / file).write_bytes(graph)
        files[file] = {
            "precision": precision,
            "inputs": {taken: _AXES[taken]},
            "outputs": {"scores": ["N", len(labels.names)], "embedding": ["N", EMBEDDING]},
        }
    (folder / "card.md").write_text(_card(source, name), encoding="utf-8")
    files["card.md"] = {}
    weights, multiplies = _counts(tables)
    write_bundle(folder, name, labels, files, {
        "summary": "AudioSet's 521 labels of YAMNet",
        "frontend": {**parameters(), "log_offset": tables.log_offset},
        "network": {"name": "yamnet", "weights": weights, "multiplies": multiplies},
        # The published network is of 8 bits: there is nothing more exact that it could have lost anything against.
        "parity": {"int8_map_points_lost": 0.0},
    })  # fmt: skip
    try_bundle(Bundle(folder))


_AXES: Final = {
    "patches": ["N", 1, FRAMES, BANDS],
    "waveform": ["N", 15600],
    "pcm": ["N", 7800],
}


def _labels(source: Path, note: Callable[[str], None]) -> Labels:
    names = read_yamnet_labels(source)
    table = source.with_name(CLASS_MAP)
    if table.is_file():
        found = read_labels(table)
        if found.names == names:
            return found
        raise BundleError(f"{table}: its labels are not those that {source.name} carries")
    note(f"without {CLASS_MAP} beside {source.name} the labels have no AudioSet identifiers")
    return Labels(names, [""] * len(names))


def _counts(tables: Yamnet) -> tuple[int, int]:
    """Return how many weights the network has, and how many multiplications a patch takes."""
    weights = tables.last.weight.size + tables.last.bias.size
    multiplies = tables.last.weight.size
    height, width = FRAMES, BANDS
    for layer in tables.convolutions:
        height, width = height // layer.stride, width // layer.stride
        weights += layer.weight.size + layer.bias.size
        multiplies += layer.weight.size * height * width
    return weights, multiplies


def _card(source: Path, name: str) -> str:
    digest = file_entry(source)["sha256"]
    return f"""# {name}

The published YAMNet (MobileNetV1 on log-mel patches, 521 labels of AudioSet), made from `{source.name}` of SHA-256
`{digest}` by `streamtag models add`. Whatever licence that file came with is this bundle's.

`model.int8.onnx` computes in the published whole numbers; `model.onnx` in what these stand for. The front end is
Streamtag's but for what is added before the logarithm, which the manifest says.
"""
