"""The same on a Ray cluster of two nodes, of which one is lost, with the driver and a process of the other."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamtag.cli import main
from tests.archive.reading import shown, table
from tests.cli.commands import running
from tests.media import encode
from tests.ray_nodes import Nodes, ray_nodes
from tests.real.servers import wait_until

COUNT = 600  # more than is tagged between two looks, on a fast machine too


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    with ray_nodes() as found:
        yield found


@pytest.fixture
def many(tmp_path: Path) -> Path:
    folder = tmp_path / "many"
    folder.mkdir()
    first = encode(folder / "0.flac", seconds=15.0, rate=16000)
    for number in range(1, COUNT):
        (folder / f"{number}.flac").hardlink_to(first)
    (folder / "bad.wav").write_text("no sound")
    return folder


@pytest.mark.timeout(600)
def test_driver_process_and_node_are_killed_and_the_archive_is_that_of_one_machine(
    nodes: Nodes, bundle: Path, many: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def archive(folder: Path) -> dict[str, int]:
        main(["archive", "--bundle", str(bundle), str(many), "--embeddings", "--out", str(folder)])
        told: dict[str, int] = json.loads(capsys.readouterr().out)
        return told

    out, here = tmp_path / "out", tmp_path / "here"
    on_ray = ("archive", "--bundle", bundle, many, "--embeddings", "--out", out, "--ray", nodes.address)
    nodes.add()
    lost = nodes.add()
    with running(*on_ray, environment=nodes.environment) as driver:
        wait_until(lambda: shown(out) if out.exists() else None, 200, "a part")
        driver.process.kill()
        driver.process.wait()
    wait_until(lambda: not nodes.workers("Archivist"), 200, "the end of those who worked for it")
    kept = len(shown(out))
    with running(*on_ray, environment=nodes.environment) as driver:
        wait_until(lambda: nodes.workers("Archivist"), 200, "a process that tags")
        archivist = nodes.workers("Archivist")[0]
        wait_until(lambda: len(shown(out)) > kept, 200, "another part")
        archivist.kill()
        nodes.kill(lost)
        assert driver.process.wait(400) == 0  # it says nothing until it is done
        told = driver.wait_message(left=0)
    assert told["done_before"] >= 1
    assert told["done_before"] + told["tagged"] + told["failed"] == COUNT + 1
    assert told["failed"] == 1
    assert archive(here)["tagged"] == COUNT
    assert table(out).equals(table(here))
    assert archive(out)["done_before"] == COUNT + 1
