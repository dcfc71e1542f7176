import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator

import msgspec
import pytest

from streamtag.process import Link, LinkError, SilentError


class Ask(msgspec.Struct, frozen=True, tag=True):
    number: int


class Tell(msgspec.Struct, frozen=True, tag=True):
    text: str


@pytest.fixture
def ends() -> Iterator[tuple[Link, socket.socket]]:
    """A link, and the bare other end of it."""
    ours, theirs = socket.socketpair()
    link = Link(ours, Ask | Tell)
    yield link, theirs
    link.close()
    theirs.close()


def framed(text: bytes, payload: bytes = b"") -> bytes:
    return struct.pack("<II", len(text), len(payload)) + text + payload


def test_words_and_the_bytes_behind_them_come_as_they_were_sent(ends: tuple[Link, socket.socket]) -> None:
    link, theirs = ends
    other = Link(theirs, Ask | Tell)
    payload = bytes(range(256)) * 40_000  # more than a socket holds

    def send() -> None:
        other.send(Ask(3))
        other.send(Tell("x"), payload)

    sending = threading.Thread(target=send)
    sending.start()
    received: list[tuple[object, object]] = [link.receive(), link.receive()]
    assert received == [(Ask(3), b""), (Tell("x"), payload)]
    sending.join()


@pytest.mark.parametrize(
    "message",
    [
        framed(b"no words at all"),
        framed(msgspec.msgpack.encode({"type": "Run", "code": "import os"})),
        framed(msgspec.msgpack.encode({"type": "Ask", "number": "three"})),
        struct.pack("<II", 0xFFFFFFFF, 0),
        struct.pack("<II", 4, 0xFFFFFFFF),
    ],
)
def test_what_is_no_word_is_refused_and_not_run(ends: tuple[Link, socket.socket], message: bytes) -> None:
    link, theirs = ends
    theirs.sendall(message)
    with pytest.raises(LinkError):
        link.receive()


def test_a_word_that_breaks_off_is_the_end(ends: tuple[Link, socket.socket]) -> None:
    link, theirs = ends
    theirs.sendall(framed(msgspec.msgpack.encode(Ask(3)))[:-1])
    theirs.close()
    with pytest.raises(EOFError):
        link.receive()


def test_silence_is_told_and_what_comes_later_is_heard(ends: tuple[Link, socket.socket]) -> None:
    link, theirs = ends
    with pytest.raises(SilentError):
        link.receive(0.01)
    Link(theirs, Ask).send(Ask(1))
    word, payload = link.receive(1.0)
    assert word == Ask(1)
    assert not payload


@pytest.mark.parametrize("until", [3, 12, 30])  # in its sizes, its text and its payload
def test_silence_in_the_middle_of_a_word_is_told_and_its_rest_is_heard(
    ends: tuple[Link, socket.socket], until: int
) -> None:
    link, theirs = ends
    word = framed(msgspec.msgpack.encode(Tell("x")), b"of samples")
    theirs.sendall(word[:until])
    for _ in range(2):
        with pytest.raises(SilentError):
            link.receive(0.01)
    theirs.sendall(word[until:] + framed(msgspec.msgpack.encode(Ask(3))))
    received: list[tuple[object, object]] = [link.receive(0.01) for _ in range(2)]
    assert received == [(Tell("x"), b"of samples"), (Ask(3), b"")]


def test_a_process_takes_no_more_memory_than_it_may() -> None:
    code = """
import numpy
from streamtag.process import limit_memory
limit_memory(200 << 20)
kept = numpy.ones(100 << 20, numpy.uint8)
try:
    numpy.ones(200 << 20, numpy.uint8)
except MemoryError:
    print("refused")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "refused\n"
