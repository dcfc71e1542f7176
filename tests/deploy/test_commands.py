"""`python -m deploy`, on a machine without a GPU and on one where a stand-in plays it."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from platformdirs import user_cache_path

from deploy import bench
from deploy.cli import main
from deploy.health import healthy
from deploy.material import read_material
from streamtag.bundle import Bundle
from streamtag.errors import InputError
from streamtag.runtimes import load_runtime
from tests.runtimes.fake_tensorrt import FakeTensorRt
from tests.runtimes.stand_ins import SmallNetwork
from train.networks import NETWORKS


@pytest.fixture(autouse=True)
def _own_cache_and_quick_trials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    for module in ("deploy.gate", "streamtag.runtimes.parity"):
        monkeypatch.setattr(f"{module}.BATCHES", (1, 7))


def _engines() -> list[str]:
    return sorted(path.name.partition("-")[2] for path in user_cache_path("streamtag").rglob("*.engine"))


def test_compile_installs_an_engine_for_each_graph(
    trt: FakeTensorRt, small: Bundle, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compile", str(small.path), "--precision", "fp16", "--max-batch", "64"]) == 0
    assert _engines() == ["float16-64-trt11.4.0.106-Fake-GPU-sm9.0.engine"] * 3
    assert capsys.readouterr().out.count("ready after") == 3


def test_a_second_compile_builds_nothing(trt: FakeTensorRt, small: Bundle) -> None:
    for _ in range(2):
        assert main(["compile", str(small.path), "--max-batch", "64"]) == 0
    assert len(trt.builds) == 3


def test_compile_refuses_an_engine_that_scores_otherwise(
    trt: FakeTensorRt, small: Bundle, capsys: pytest.CaptureFixture[str]
) -> None:
    trt.wrong_by = 0.05
    assert main(["compile", str(small.path)]) == 1
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith(
        "error: tensorrt/waveform.float16.onnx (float16, batches of 1 to 1024, Fake GPU) is refused"
    )
    assert error.endswith("scores up to 0.05 off, and float16 may cost 0.01")
    assert _engines() == []


def test_int8_is_refused_by_the_map_that_it_costs(
    trt: FakeTensorRt, small: Bundle, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deploy.gate.MAP_POINTS", -1000)
    assert main(["compile", str(small.path), "--precision", "int8", "--max-batch", "64"]) == 1
    assert "points of mAP lost, and int8 may cost" in capsys.readouterr().err
    assert _engines() == []


def test_verify_shows_every_way_to_run_the_model(
    trt: FakeTensorRt, small: Bundle, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compile", str(small.path), "--max-batch", "64"]) == 0
    assert main(["verify", str(small.path), "--max-batch", "64"]) == 0
    table = capsys.readouterr().out
    for what in (
        "torch ",
        "waveform.float16.onnx by ONNX Runtime",
        "pcm.float16.onnx by TensorRT 11.4.0.106 on Fake GPU",
    ):
        assert what in table
    assert table.count("passed") == 7


def test_verify_throws_out_an_engine_that_fails(
    trt: FakeTensorRt, small: Bundle, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compile", str(small.path), "--max-batch", "64"]) == 0
    trt.forgets_rows = 1
    assert main(["verify", str(small.path), "--max-batch", "64"]) == 1
    assert capsys.readouterr().out.count("REFUSED") == 3
    assert _engines() == []


def test_verify_without_a_gpu_shows_the_rest_and_says_so(small: Bundle, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(small.path)]) == 1
    shown = capsys.readouterr()
    assert shown.out.count("passed") == 4
    assert shown.err.startswith("error: the engines are not verified: runtime tensorrt cannot be loaded")


def test_everything_runs_on_what_the_service_needs_itself(small: Bundle) -> None:
    extras = ["scipy", "sklearn", "torch", "soundfile", "onnx", "matplotlib", "gradio"]
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({extras}))\n"
        "from streamtag.runtimes import parity\n"
        "parity.BATCHES = (1, 7)\n"
        "from deploy.cli import main\n"
        "sys.exit(main(sys.argv[1:]))"
    )
    done = subprocess.run([sys.executable, "-c", code, "verify", small.path], capture_output=True, text=True)
    assert done.returncode == 1
    assert "runtime tensorrt cannot be loaded" in done.stderr
    assert "Traceback" not in done.stderr


def test_compile_without_a_gpu_is_one_line(small: Bundle, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compile", str(small.path)]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: runtime tensorrt cannot be loaded")
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    "arguments", [["compile"], ["compile", "x", "--precision", "bf16"], ["verify", "--max-batch", "0"]]
)
def test_wrong_usage_is_status_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    assert exit_.value.code == 2


def test_bench_without_a_gpu_measures_the_cpu_and_says_what_is_missing(
    small: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "CPU_BATCHES", (1, 8))
    assert main(["bench", str(small.path), "--seconds", "0.01", "--output", str(tmp_path / "out" / "here")]) == 0
    report = json.loads((tmp_path / "out" / "here.json").read_text())
    assert report["machine"]["gpu"].startswith("none used: ")
    assert {row["device"] for row in report["rows"]} == {"CPU"}
    assert {row["batch"] for row in report["rows"]} == {1, 8}
    assert any(note.startswith("TensorRT: not measured: ") for note in report["notes"])
    table = (tmp_path / "out" / "here.md").read_text()
    for part in (report["machine"]["date"], report["machine"]["onnxruntime"], "not measured", "| patches/s |"):
        assert part in table
    for row in report["rows"]:
        assert row["streams"] == int(row["patches_a_second"] * 0.96)


def test_bench_with_a_gpu_measures_every_graph_and_copies_and_compute_apart(
    trt: FakeTensorRt, small: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "CPU_BATCHES", (1,))
    monkeypatch.setattr(bench, "GPU_BATCHES", (1, 4))
    monkeypatch.setattr(bench, "AT_ONCE", 2)
    trt_module = load_runtime("tensorrt")
    monkeypatch.setattr(trt_module, "MAX_BATCH", 4)
    assert main(["bench", str(small.path), "--seconds", "0.01"]) == 0
    report = json.loads((tmp_path / "deploy-bench.json").read_text())
    rows = [row for row in report["rows"] if row["device"] == "Fake GPU"]
    assert {row["runtime"] for row in rows} == {"TensorRT 11.4.0.106"}
    graphs = {(row["graph"], row["precision"]) for row in rows}
    assert graphs >= {("pcm", "float16"), ("waveform", "float16"), ("patches", "float32")}
    assert {row["batch"] for row in rows} == {1, 4, 8}
    for row in rows:
        assert set(row["parts_ms"]) == ({"copy_in", "compute", "copy_out"} if row["batch"] < 8 else set())


def test_a_network_with_fresh_weights_is_measured_beside_the_bundle(
    small: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "CPU_BATCHES", (1,))
    monkeypatch.setitem(NETWORKS, "another", lambda labels, _: SmallNetwork(labels))
    assert main(["bench", str(small.path), "--seconds", "0.01", "--networks", "another"]) == 0
    rows = json.loads((tmp_path / "deploy-bench.json").read_text())["rows"]
    assert {row["network"] for row in rows} == {"SmallNetwork", "another"}


def test_networks_without_pytorch_are_one_line(
    small: Bundle, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "deploy.untrained", raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)
    assert main(["bench", str(small.path), "--networks", "resnet50"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: other networks cannot be made here (")
    assert error.endswith("pip install '.[train]'\n")


def _table(folder: Path, rows: list[tuple[str, str]]) -> Path:
    tone = np.sin(np.arange(3 * 16000) / 10).astype(np.float32) / 4
    soundfile.write(folder / "tone.wav", tone, 16000)
    with (folder / "clips.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("file", "label"), *rows])
    return folder / "clips.csv"


def test_a_table_of_recordings_says_what_is_heard(small: Bundle, tmp_path: Path) -> None:
    material = read_material(small, _table(tmp_path, [("tone.wav", "Siren"), ("tone.wav", "Music")]))
    assert len(material.windows) == 3
    assert [small.labels[index] for index in np.flatnonzero(material.truth[0])] == ["Music", "Siren"]


def test_the_demo_s_recording_has_every_label_for_a_part_of_its_time(small: Bundle) -> None:
    material = read_material(small, None)
    heard = {name: int(count) for name, count in zip(small.labels, material.truth.sum(axis=0), strict=True)}
    assert heard == {"Speech": 5, "Music": 5, "Siren": 5, "Rain": 5, "Knock": 5, "Dog": 0}


def test_a_table_with_a_label_that_the_model_lacks_is_refused(small: Bundle, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"clips\.csv: the model has no label 'Trumpet'$"):
        read_material(small, _table(tmp_path, [("tone.wav", "Trumpet")]))


def test_a_service_that_is_not_there_is_not_healthy() -> None:
    assert not healthy("tcp://127.0.0.1:9", seconds=0.3)
