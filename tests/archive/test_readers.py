"""Other programs read an archive as the documents say."""

import re
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from tests.cli.commands import run

SCALE = (Path(__file__).parents[2] / "docs" / "scale.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", SCALE[: SCALE.index("\n## A fleet")], flags=re.DOTALL)


@pytest.fixture
def archive(bundle: Path, recordings: Path, tmp_path: Path) -> Path:
    done = run("archive", "--bundle", bundle, recordings, "--out", tmp_path / "archive")
    assert done.returncode == 0, done.stderr
    return tmp_path / "archive"


def test_duckdb_and_pandas_read_it(archive: Path) -> None:
    (queries,) = blocks("sql")
    heard, wrong = queries.replace("/archive", str(archive)).replace("'Dog'", "'Hum'").split("\n\n")
    found = duckdb.connect().execute(heard).fetchall()
    assert sorted(Path(path).name for path, _ in found) == ["0.flac", "1.flac", "2.flac"]
    assert [seconds for _, seconds in found] == pytest.approx([1.92] * 3)
    assert duckdb.connect().execute(wrong).fetchall() == [("it is not audio that FFmpeg can read", 1)]
    (program,) = blocks("python")
    program = program.replace("/archive", str(archive)).replace('"Dog"', '"Hum"')
    command = [sys.executable, "-c", f"{program}\nprint(len(dog), min(dog) > 0.9)"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["3", "True"], done.stderr
