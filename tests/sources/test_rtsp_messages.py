"""Taking RTSP apart, and saying it again in one way only."""

import hashlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtag.sources.rtsp_messages import Message, Parser, RtspError, signed

REPLY = b"RTSP/1.0 200 OK\r\nCSeq: 2\r\nContent-Length: 4\r\n\r\nv=0\n"
PACKET = b"$\x00\x00\x03abc"
REQUEST = b"GET_PARAMETER rtsp://h:554/x RTSP/1.0\r\nCSeq: 3\r\n\r\n"


def parse(data: bytes, cuts: list[int] | None = None) -> list[bytes | Message]:
    parser = Parser()
    found: list[bytes | Message] = []
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts or [])})
    for begin, end in pairwise(edges):
        found += parser.feed(data[begin:end])
    return found


@given(st.lists(st.sampled_from([REPLY, PACKET, REQUEST]), max_size=8), st.lists(st.integers(0, 500), max_size=20))
def test_what_comes_in_pieces_is_taken_apart_as_if_it_were_whole(parts: list[bytes], cuts: list[int]) -> None:
    data = b"".join(parts)
    assert b"".join(part if isinstance(part, bytes) else part.encode() for part in parse(data, cuts)) == data


@pytest.mark.parametrize(
    "data",
    [
        b" \n RTSP/1.0\t 0302   Moved\nLocation: x\n\n",
        b"RTSP/1.0 302\r\nContent-Length: 1\r\nContent-Length: 5\r\n\r\nx",
        b"RTSP/2.0 302 Moved\r\nLocation\0: x\r\r\n\r\n",
    ],
)
def test_whatever_liberties_a_redirect_takes_it_is_seen(data: bytes) -> None:
    (message,) = parse(data)
    assert isinstance(message, Message)
    assert message.status == 302


def test_a_message_is_passed_on_in_one_reading_only() -> None:
    (message,) = parse(b"RTSP/1.0 200 OK\nA\r: b\nno header\nContent-length: 2\nContent-Length: 9\n\nxy")
    assert isinstance(message, Message)
    assert message.encode() == b"RTSP/1.0 200 OK\r\nA: b\r\nContent-Length: 2\r\n\r\nxy"


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 302 Found\r\n\r\n",
        b"RTSP/1.0 ok\r\n\r\n",
        b"RTSP/1.0 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"RTSP/1.0 200 OK\r\nContent-Length: 99999999\r\n\r\n",
        b"x" * 70_000,
    ],
)
def test_what_is_no_rtsp_or_too_much_of_it_ends_the_connection(data: bytes) -> None:
    with pytest.raises(RtspError):
        parse(data)


def test_a_signature_for_one_address_becomes_that_for_another() -> None:
    def md5(text: str) -> str:
        return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()

    def header(address: str, extra: str, middle: str) -> str:
        response = md5(f"{md5('us er:a, b:se:cret')}:n{middle}:{md5(f'DESCRIBE:{address}')}")
        return f'Digest username="us er", realm="a, b", nonce="n", uri="{address}", response="{response}"{extra}'

    for extra, middle in (("", ""), (', opaque="q", qop="auth", cnonce="c", nc=00000001', ":00000001:c:auth")):
        there = "rtsp://host:554/x"
        changed = signed(header("rtsp://127.0.0.1:40000/x", extra, middle), "DESCRIBE", there, "us%20er:se%3Acret")
        assert changed == header(there, extra, middle)
    assert signed("Basic abc", "DESCRIBE", "rtsp://host/x", "a:b") == "Basic abc"
