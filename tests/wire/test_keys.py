"""Sockets that ask for keys: who gets in, who does not, and what either hears of it."""

import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from socket import create_connection

import numpy as np
import pytest
import zmq

from streamtag.errors import WireError
from streamtag.keys import ClientKey, ServerKeys, add_client, read_client_key, write_server
from streamtag.wire import PcmInput, PcmPuller, PcmPusher, Publisher, Subscriber
from tests.wire.conftest import ANY_PORT
from tests.wire.receiving import received
from tests.wire.samples import scores

SOUND = np.zeros(160, np.int16)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_server(tmp_path / "keys")
    return tmp_path / "keys"


@pytest.fixture
def key(folder: Path) -> ClientKey:
    return read_client_key(add_client(folder, "porch"))


@pytest.fixture
def keys(folder: Path, key: ClientKey) -> ServerKeys:
    return ServerKeys(folder)


@pytest.fixture
def guarded(keys: ServerKeys) -> Iterator[Publisher]:
    """A publisher that asks for keys."""
    publisher = Publisher(ANY_PORT, keys=keys)
    publisher.start()
    publisher.publish([scores()])
    yield publisher
    publisher.stop()


@pytest.fixture
def guarded_input(keys: ServerKeys, pcm: SimpleQueue[PcmInput]) -> Iterator[PcmPuller]:
    """A PCM input that goes by the same keys."""
    puller = PcmPuller(ANY_PORT, pcm.put, keys=keys)
    puller.start()
    yield puller
    puller.stop()


def stranger(key: ClientKey | None) -> ClientKey | None:
    """Somebody who knows the server's key and has none that it knows."""
    public, secret = zmq.curve_keypair()
    return key and replace(key, public=public, secret=secret)


def impostor(key: ClientKey | None) -> ClientKey | None:
    """A client of another server."""
    return key and replace(key, server=zmq.curve_keypair()[0])


def nobody(key: ClientKey | None) -> None:
    """Somebody without a key."""


def test_a_client_hears_and_is_heard_under_its_name(
    guarded: Publisher, guarded_input: PcmPuller, folder: Path, pcm: SimpleQueue[PcmInput]
) -> None:
    file = folder / "porch.key_secret"
    with Subscriber(guarded.endpoint, key=file) as subscriber:
        assert received(subscriber, 10).header["kind"] == "scores"
    with PcmPusher(guarded_input.endpoint, key=str(file)) as pusher:
        pusher.push("desk", SOUND, 16000)
        pusher.end("desk")
    assert [pcm.get(timeout=60).sender for _ in range(2)] == ["porch", "porch"]


@pytest.mark.parametrize("who", [nobody, stranger, impostor])
def test_nobody_else_hears_or_is_heard_and_both_are_told(
    guarded: Publisher,
    guarded_input: PcmPuller,
    key: ClientKey,
    pcm: SimpleQueue[PcmInput],
    who: Callable[[ClientKey], ClientKey | None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    other = who(key)
    with Subscriber(guarded.endpoint, key=other) as subscriber, Subscriber(guarded.endpoint, key=key) as client:
        while "does not let this program in" not in caplog.text:
            assert subscriber.receive(0.1) is None
        with (
            PcmPusher(guarded_input.endpoint, timeout_seconds=0.5, key=other) as pusher,
            pytest.raises(WireError, match="where it asks for keys, is this one of its clients"),
        ):
            pusher.push("desk", SOUND, 16000)
        assert client.receive(10) is not None
        assert subscriber.receive(0) is None
    assert pcm.empty()
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert {warning.split()[3] for warning in warnings} <= {guarded.endpoint, guarded_input.endpoint}
    assert len(warnings) == len(set(warnings))  # each once, however often it is tried


def test_a_client_that_is_let_in_later_needs_no_new_start(
    guarded: Publisher,
    guarded_input: PcmPuller,
    folder: Path,
    pcm: SimpleQueue[PcmInput],
    caplog: pytest.LogCaptureFixture,
) -> None:
    late = add_client(folder, "late")
    card = (folder / "late.key").rename(folder.parent / "late.key")
    with (
        Subscriber(guarded.endpoint, key=late) as subscriber,
        PcmPusher(guarded_input.endpoint, timeout_seconds=0.3, key=late) as pusher,
    ):
        with pytest.raises(WireError):
            pusher.push("desk", SOUND, 16000)
        while "does not let this program in" not in caplog.text:
            assert subscriber.receive(0.1) is None
        card.rename(folder / "late.key")
        assert subscriber.receive(20) is not None
        while pcm.empty():
            with suppress(WireError):
                pusher.push("desk", SOUND, 16000)
    assert pcm.get().sender == "late"


def test_a_client_with_a_key_does_not_talk_to_a_service_without(
    publisher: Publisher, key: ClientKey, caplog: pytest.LogCaptureFixture
) -> None:
    publisher.publish([scores()])
    with Subscriber(publisher.endpoint, key=key) as subscriber:
        while "does not let this program in" not in caplog.text:
            assert subscriber.receive(0.1) is None


@pytest.mark.parametrize("socket", ["guarded", "guarded_input"])
@pytest.mark.parametrize("mechanism", [b"NULL", b"PLAIN", b"CURVE"])
def test_a_stranger_is_cut_off_before_it_can_send_anything(
    guarded: Publisher, key: ClientKey, socket: str, mechanism: bytes, request: pytest.FixtureRequest
) -> None:
    port = int(request.getfixturevalue(socket).endpoint.rpartition(":")[2])
    with create_connection(("127.0.0.1", port), timeout=60) as greedy:
        greedy.sendall(b"\xff" + bytes(8) + b"\x7f\x03\x00" + mechanism.ljust(20, b"\0") + bytes(32))
        with pytest.raises(ConnectionError):
            greedy.sendall(bytes(64 << 20))
    with Subscriber(guarded.endpoint, key=key) as subscriber:
        assert subscriber.receive(10) is not None
