"""A service whose model is on a server that goes away and comes back."""

from collections.abc import Callable
from pathlib import Path

from streamtag.bundle import Bundle
from streamtag.engine import Service
from streamtag.settings import Stream
from tests.engine.listening import Listener
from tests.runtimes.triton_server import TritonServer
from tests.sounds import tone, write

Begin = Callable[..., tuple[Service, Listener]]


def test_streams_are_told_and_patches_counted_while_the_server_is_away(
    begin: Begin, tiny: Path, tmp_path: Path
) -> None:
    write(tmp_path / "tone.wav", tone(5.0))
    server = TritonServer(Bundle.open(str(tiny))).start()
    try:
        source = f"file:{tmp_path / 'tone.wav'}"
        streams = (Stream(id="a", source=source, realtime=True, loop=True),)
        service, listener = begin(*streams, runtime="triton", triton=server.address)
        listener.until(lambda message: message.header["kind"] == "scores")
        server.stop()
        told = listener.until(lambda message: message.header.get("state") == "stalled").header
        assert told["reason"] == f"the Triton server at {server.address}: it cannot be reached"
        server.start()
        told = listener.until(
            lambda message: message.header.get("state") == "live" and message.header["patches"]
        ).header
        assert told["dropped_patches"] > 0
        last = listener.until(lambda message: message.header["kind"] == "scores").header
        assert last["lost_samples"] == 0
        assert service.wait(0) is False
    finally:
        server.stop()
