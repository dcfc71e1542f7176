import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import soundfile
from onnx import TensorProto, helper, numpy_helper

from streamtag.bundle import Bundle, installed
from streamtag.errors import ConfigError
from tests.train.conftest import KINDS, shared_models, sound_of
from train.cli import main
from train.export.graphs import run_graph
from train.judges import Judge, judge_of
from train.published.efficientat import Mn04
from train.score_card import as_markdown, recordings, score_card

LABELS = ("Rain", "Siren", "Tick", "Whistle")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four labels of three clips, one of them at 8 kHz, one silent and one shorter than a patch."""
    found = tmp_path_factory.mktemp("judged")
    for kind in KINDS:
        (found / kind).mkdir()
        for number in range(3):
            seconds = 0.4 if (kind, number) == ("Tick", 0) else 1.5
            sound, rate = sound_of(kind, number, seconds), 16000
            if (kind, number) == ("Siren", 1):
                sound, rate = sound[::2], 8000
            soundfile.write(found / kind / f"{number}.wav", sound, rate)
    soundfile.write(found / "Rain" / "silent.wav", np.zeros(16000), 16000)
    return found


def _knowing(labels: tuple[str, ...], *, right: bool = True) -> Judge:
    """A model that hears each clip's label by its name."""
    return Judge(
        "knowing" if right else "wrong",
        labels,
        lambda clips: np.array(
            [[float((label in clip.labels) == right) for label in labels] for clip in clips.clips], np.float32
        ),
    )


def _graph(path: Path, shape: list[int | str], outputs: int, labels: str | None = None) -> Path:
    """A graph that scores the mean of its input, scaled by a weight an output."""
    weight = numpy_helper.from_array(np.linspace(-1, 1, outputs, dtype=np.float32)[None], "weight")
    axes = list(range(1, len(shape)))
    nodes = [
        helper.make_node("ReduceMean", ["input"], ["mean"], axes=axes, keepdims=0),
        helper.make_node("Unsqueeze", ["mean", "last"], ["column"]),
        helper.make_node("MatMul", ["column", "weight"], ["scores"]),
    ]
    last = numpy_helper.from_array(np.array([1]), "last")
    given = helper.make_tensor_value_info("input", TensorProto.FLOAT, shape)
    given_back = helper.make_tensor_value_info("scores", TensorProto.FLOAT, [shape[0], outputs])
    graph = helper.make_graph(nodes, "made", [given], [given_back], [weight, last])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    if labels is not None:
        path.with_suffix(".csv").write_text(labels)
    return path


def test_each_model_is_judged_on_what_it_can_name_and_all_on_what_all_can(folder: Path) -> None:
    card = score_card(folder, [_knowing((*LABELS, "Dog")), _knowing(("whistle", "Rain"), right=False)])
    assert (card["clips"], card["labels"], card["common_labels"]) == (12, 4, ["Rain", "Whistle"])
    assert [line.split(":")[0] for line in card["skipped"]] == [f"clip {folder.name}/Rain/silent.wav"]
    knowing, wrong = card["models"]
    assert (knowing["labels"], wrong["labels"], wrong["cannot_name"]) == (4, 2, ["Siren", "Tick"])
    assert (knowing["own"]["items"], knowing["own"]["top_1"], knowing["own"]["map"]) == (12, 1.0, 1.0)
    assert (wrong["own"]["items"], wrong["common"]["items"], knowing["common"]["items"]) == (6, 6, 6)
    assert wrong["common"]["top_1"] < 1
    table = as_markdown(card).splitlines()
    assert table[0] == "12 recordings, 4 labels; 2 of these every model can name."
    assert table[4].startswith("| knowing | 4 | 12 | 1.000 | 1.000 | - | 6 | 1.000 |")


def test_labels_that_nobody_can_name_are_said(folder: Path) -> None:
    card = score_card(folder, [_knowing(("Rain", "Siren"))])
    assert card["unnamed"] == ["Tick", "Whistle"]
    assert as_markdown(card).endswith("No model can name: Tick, Whistle.")
    with pytest.raises(ConfigError, match="no model can name any of its labels: Rain, Siren, Tick, Whistle"):
        score_card(folder, [_knowing(("Dog",))])


def test_a_packaged_bundle_and_mn04_are_judged_side_by_side(
    folder: Path, mn04_file: tuple[Path, Mn04], capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["evaluate", "--folder", str(folder), "--models", "default", "--weights", str(mn04_file[0]), "--json"]
    assert main(command) == 0
    card = json.loads(capsys.readouterr().out)
    assert [row["model"].split()[0] for row in card["models"]] == ["default", "mn04"]
    assert card["models"][1]["labels"] == 4
    assert all(0 <= row["own"]["top_1"] <= 1 for row in card["models"])


def test_a_bundle_is_judged_by_the_graph_that_runs(folder: Path) -> None:
    clips, _ = recordings(folder)
    for name in installed():  # int8 of one, float32 of the other
        bundle = Bundle.open(name)
        expected = clips.means(run_graph(bundle.read(bundle.manifest["judged_by"]), clips.patches[:, None]))
        np.testing.assert_array_equal(judge_of(name).score(clips), expected)


@pytest.mark.parametrize("models", shared_models("yamnet/yamnet.tflite"))
def test_yamnet_is_judged_from_its_published_file(
    models: Path | None, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = str(models / "yamnet.tflite") if models else str(folder / "yamnet.tflite")
    status = main(["evaluate", "--folder", str(folder), "--models", "default", "--yamnet-file", file])
    assert status == (0 if models else 2)
    printed = capsys.readouterr()
    assert "| YAMNet | 4 | 12 |" in printed.out if models else "no such file" in printed.err


@pytest.mark.parametrize("shape", [["N", 1, 96, 64], ["N", 96, 64], ["N", 15600], [1, 15600], [4, 1, 96, 64]])
def test_any_graph_that_takes_patches_or_windows_is_judged(
    folder: Path, tmp_path: Path, shape: list[int | str]
) -> None:
    path = _graph(tmp_path / "theirs.onnx", shape, 4, "index,name\n" + "".join(f"0,{label}\n" for label in LABELS))
    card = score_card(folder, [judge_of(str(path))])
    assert (card["models"][0]["model"], card["models"][0]["labels"]) == ("theirs", 4)
    assert card["models"][0]["own"]["items"] == 12


def test_labels_beside_a_graph_may_be_lines_of_text(folder: Path, tmp_path: Path) -> None:
    path = _graph(tmp_path / "theirs.onnx", ["N", 15600], 4)
    (tmp_path / "labels.txt").write_text("\n".join(LABELS) + "\n")
    assert judge_of(str(path)).labels == LABELS


def _one_line(model: str | Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["evaluate", "--folder", str(folder), "--models", str(model)]) != 0
    said = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("skipped: ")]
    assert len(said) == 1
    return said[0]


def test_a_model_that_cannot_be_judged_is_one_line(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = "name\nRain\nSiren\n"
    few = _graph(tmp_path / "few.onnx", ["N", 15600], 4, names)
    assert "gives [n, 4], and few.csv has 2 labels" in _one_line(few, folder, capsys)
    alone = _graph(tmp_path / "alone.onnx", ["N", 15600], 4)
    assert "no labels beside it: write alone.csv" in _one_line(alone, folder, capsys)
    other = _graph(tmp_path / "other.onnx", ["N", 3, 224, 224], 2, names)
    assert "and neither patches [n, 1, 96, 64] nor windows [n, 15600]" in _one_line(other, folder, capsys)
    (tmp_path / "no.onnx").write_bytes(b"nothing")
    (tmp_path / "no.csv").write_text(names)
    assert "not a graph that ONNX Runtime takes" in _one_line(tmp_path / "no.onnx", folder, capsys)
    (tmp_path / "few.csv").write_text("a,b\n1,2\n")
    assert "has none of the columns name, display_name, label" in _one_line(few, folder, capsys)
    assert "no such file" in _one_line(tmp_path / "absent.onnx", folder, capsys)
    assert "absent: no such bundle" in _one_line("absent", folder, capsys)


def test_a_folder_that_cannot_be_judged_on_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "No such file" in _one_line("default", tmp_path / "absent", capsys)
    (tmp_path / "Rain").mkdir()
    assert "no recordings in folders named by label" in _one_line("default", tmp_path, capsys)
    soundfile.write(tmp_path / "Rain" / "silent.wav", np.zeros(1000), 16000)
    assert "no recording to judge on" in _one_line("default", tmp_path, capsys)
    (tmp_path / "rain").mkdir()
    soundfile.write(tmp_path / "rain" / "one.wav", sound_of("Rain", 1), 16000)
    assert "labels 'Rain' and 'rain' differ in case or blanks alone" in _one_line("default", tmp_path, capsys)
    assert main(["evaluate"]) == 2
    assert "name a run's TOML file, or a folder of recordings" in capsys.readouterr().err


def test_a_table_of_the_folders_name_names_its_recordings(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    soundfile.write(folder / "a.wav", sound_of("Rain", 1), 16000)
    (folder / "mine.csv").write_text("file,label\na.wav,Rain; Wind\n")
    clips, names = recordings(folder)
    assert names == ("Rain", "Wind")
    assert clips.truth.tolist() == [[True, True]]
