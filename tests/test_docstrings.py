"""The docstrings of public names: their examples, run as they stand, and their one dialect."""

import doctest
import inspect
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import streamtag
from streamtag.bundle import Bundle
from streamtag.wire import PcmPuller, Publisher
from tests.wire import samples

FIRST_MET = [
    "Event",
    "EventSettings",
    "Message",
    "PcmPusher",
    "Result",
    "Scores",
    "StreamtagError",
    "Subscriber",
    "Tagger",
    "log_mel",
]
ANY_PORT = "tcp://127.0.0.1:*"


@pytest.fixture
def clip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with a recording `clip.flac`, as the one in which a command is typed."""
    shutil.copy(next(Bundle.open().path.glob("demo.flac")), tmp_path / "clip.flac")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def endpoint() -> Iterator[str]:
    """Where a service tells what it scored."""
    publisher = Publisher(ANY_PORT)
    publisher.start()
    publisher.publish([samples.scores()])
    yield publisher.endpoint
    publisher.stop()


@pytest.fixture
def pcm_endpoint() -> Iterator[str]:
    """Where a service takes sound."""
    puller = PcmPuller(ANY_PORT, lambda _: None)
    puller.start()
    yield puller.endpoint
    puller.stop()


@pytest.mark.usefixtures("clip")
@pytest.mark.parametrize("name", FIRST_MET)
def test_the_example_of_a_name_does_what_it_says(
    name: str, endpoint: str, pcm_endpoint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = getattr(streamtag, name).__doc__.replace("tcp://127.0.0.1:5556", endpoint)
    text = text.replace("tcp://127.0.0.1:5557", pcm_endpoint)
    example = doctest.DocTestParser().get_doctest(text, {"streamtag": streamtag, "np": np}, name, None, 0)
    assert example.examples
    done = doctest.DocTestRunner().run(example)
    assert done.failed == 0, capsys.readouterr().out


@pytest.mark.parametrize("name", streamtag.__all__)
def test_a_public_name_is_described_in_one_dialect(name: str) -> None:
    value = getattr(streamtag, name)
    members = (
        [member for key, member in vars(value).items() if not key.startswith("_")] if inspect.isclass(value) else []
    )
    texts = [inspect.getdoc(each) or "" for each in (value, *members) if each is value or inspect.isfunction(each)]
    assert all(texts)
    for text in texts:
        sections = re.findall(r"^(?:Args|Attributes|Raises):\n((?:    .*\n?)+)", text, re.MULTILINE)
        said = [line for section in sections for line in re.findall(r"^    [\w, ]+: (.*)", section, re.MULTILINE)]
        assert [line for line in said if re.match(r"[A-Z][a-z]* ", line)] == []
