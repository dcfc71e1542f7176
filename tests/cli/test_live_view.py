import io

import numpy as np
import pytest
from rich.console import Console

from streamtag.cli.live_state import LiveState
from streamtag.cli.live_view import Caption, draw, label_rows
from streamtag.wire import Message

LABELS = ["Speech", "Vehicle horn, car horn, honking", *(f"Label {index}" for index in range(60))]
CAPTION = Caption("the porch", "streamtag subscribe tcp://127.0.0.1:5556", "http://127.0.0.1:7860")


def picture(state: LiveState, width: int, height: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width, height=height)
    with console.capture() as capture:
        console.print(draw(state, CAPTION, width, height))
    return capture.get().splitlines()


@pytest.fixture
def state() -> LiveState:
    state = LiveState("demo", LABELS, 10, lambda: 0.0)
    patch = np.linspace(1, 0.2, len(LABELS)).astype(np.float32)
    header = {"stream": "demo", "rms_dbfs": -21.5, "peak_dbfs": -3.0}
    state.update(Message({**header, "kind": "scores", "start": 64.32, "end": 65.28, "rolling": 5}, patch, patch))
    state.update(Message({**header, "kind": "levels"}))
    for index in (0, 1):
        state.update(
            Message(
                {
                    "kind": "event",
                    "stream": "demo",
                    "id": index,
                    "label": LABELS[index],
                    "index": index,
                    "onset": 61.44,
                    "offset": None if index else 64.32,
                    "peak": 0.9,
                }
            )
        )
    state.update(Message({"kind": "service", "model": "default", "runtime": "onnxruntime CPU int8"}))
    return state


@pytest.mark.parametrize(("width", "height"), [(60, 16), (80, 24), (100, 30), (200, 60)])
def test_the_view_fits_the_terminal_to_the_character(state: LiveState, width: int, height: int) -> None:
    state.board.resize(label_rows(height))
    lines = picture(state, width, height)
    assert len(lines) == height
    assert max(map(len, lines)) <= width
    assert all(line.endswith(("│", "╮", "╯")) for line in lines if line.startswith(("│", "╭", "╰")))


def test_the_view_tells_level_labels_events_and_where_to_subscribe(state: LiveState) -> None:
    text = "\n".join(picture(state, 100, 30))
    for part in (
        "\N{MINUS SIGN}21.5 dBFS",
        "● Vehicle horn",
        "1:01.4",
        "streamtag subscribe tcp://127.0.0.1:5556",
        ":7860",
    ):
        assert part in text
    assert "default on onnxruntime CPU int8" in text


@pytest.mark.parametrize(
    ("name", "words"),
    [("live", "live"), ("reconnecting", "trying to connect again"), ("stalled", "no sound arrives")],
)
def test_the_state_is_told_in_plain_words_with_its_reason(state: LiveState, name: str, words: str) -> None:
    status = {"kind": "status", "stream": "demo", "state": name, "reason": "refused", "dropped_patches": 3}
    state.update(Message(status))
    lines = picture(state, 120, 30)
    assert f"{words}: refused" in lines[0]
    assert "3 dropped" in lines[-1]


def test_a_long_reason_leaves_the_title_and_stays_on_its_line(state: LiveState) -> None:
    status = {"kind": "status", "stream": "demo", "state": "failed", "reason": "x" * 300, "dropped_patches": 0}
    state.update(Message(status))
    first = picture(state, 80, 24)[0]
    assert len(first) <= 80
    assert "the porch" in first
    assert "failed: xxx" in first
