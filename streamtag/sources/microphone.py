"""Microphones, through PortAudio: found by name, watched, and opened again when they come back.

The one module that imports sounddevice.
"""

import re
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamtag.errors import SourceError
from streamtag.sources.capture import CaptureClock
from streamtag.sources.feed import Feed, Lost, Piece
from streamtag.sources.live_source import LiveSource
from streamtag.sources.source import Request, Source

try:
    import sounddevice
except OSError:  # sounddevice found no PortAudio
    raise SourceError("microphones need PortAudio; install it: apt install libportaudio2 libasound2-plugins") from None

__all__ = ["InputDevice", "choose", "list_devices", "microphone_clock", "named", "open_request"]

_BLOCK_SECONDS = 0.04
_HANG_SECONDS = 10.0
# Callbacks jitter by less than this; and a hole is what stays for so long.
_SLACK_SECONDS = 0.25
_SURE_SECONDS = 0.5
_LONGEST_SECONDS = 2.0
_CARD_NUMBER = re.compile(r" \(hw:\d+,\d+\)$")


@dataclass(frozen=True, slots=True)
class InputDevice:
    """A device with inputs, as PortAudio lists it now."""

    name: str
    """What to write after `mic:`; without the card number, which changes when devices come and go."""
    index: int
    """Only good until the next device comes or goes."""
    full_name: str
    host_api: str
    channels: int
    rate: int
    is_default: bool


class _Library:
    """PortAudio, which is one for the whole process: its list of devices is frozen while a stream is open.

    It can hang, and then nobody else may call it; whoever waits for it gives up after a while. A service receives each
    microphone in a process of its own, so that this is no other microphone.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open_streams = 0

    @contextmanager
    def _alone(self) -> Iterator[None]:
        if not self._lock.acquire(timeout=_HANG_SECONDS):
            raise Lost(f"the sound system hangs: it has not answered for {_HANG_SECONDS:g} s", stalled=True)
        try:
            yield
        finally:
            self._lock.release()

    def devices(self) -> list[InputDevice]:
        """The input devices; the list is fresh if no stream is open."""
        with self._alone():
            return self._devices()

    def open(self, named: str, rate: int | None, channels: int, feed: Feed) -> Any:
        """Find a device and start a stream from it; raises Lost with a reason if that fails."""
        with self._alone():
            device = choose(self._devices(), named)
            rate = rate or device.rate
            stream = None
            try:
                stream = sounddevice.InputStream(
                    samplerate=rate,
                    blocksize=round(rate * _BLOCK_SECONDS),
                    device=device.index,
                    channels=channels,
                    dtype="float32",
                    callback=_Callback(feed, rate),
                    finished_callback=partial(feed.end, Lost("the sound system ended the stream")),
                )
                stream.start()
            except sounddevice.PortAudioError as error:
                if stream is not None:
                    stream.close(ignore_errors=True)
                raise Lost(f"{device.name!r} does not open; is it unplugged or in use? ({_plain(error)})") from None
            self._open_streams += 1
            return stream

    def close(self, stream: Any) -> None:
        """Drop a stream; `stop` would wait for a device that is gone."""
        with self._alone():
            stream.abort(ignore_errors=True)
            stream.close(ignore_errors=True)
            self._open_streams -= 1

    def _devices(self) -> list[InputDevice]:
        try:
            if not self._open_streams:
                sounddevice._terminate()
                sounddevice._initialize()
            apis = [api["name"] for api in sounddevice.query_hostapis()]
            default = sounddevice.default.device[0]
            found = [d for d in sounddevice.query_devices() if d["max_input_channels"] > 0]
        except sounddevice.PortAudioError as error:
            raise Lost(f"PortAudio does not start: {_plain(error)}") from None
        return named(found, apis, default)


_library = _Library()


def open_request(request: Request) -> Source:
    """Open `mic:`, `mic:NAME` or `mic:#INDEX`."""
    if request.rest.startswith("#") and not request.rest[1:].isdigit():
        raise SourceError(f"{request.uri}: an index is a number, as 'streamtag devices' lists it")
    connect = partial(_listen, request.rest, request.rate, request.channels or 1)
    return LiveSource(request.uri, connect, request.timeouts, request.on_state)


def list_devices() -> list[InputDevice]:
    """The input devices.

    Raises:
        SourceError: if PortAudio does not start.
    """
    try:
        return _library.devices()
    except Lost as error:
        raise SourceError(str(error)) from None


def choose(devices: list[InputDevice], named: str) -> InputDevice:
    """The device that `mic:NAME` means; a name may be cut short as long as it means one device.

    Raises:
        Lost: if there is none, or more than one.
    """
    if not devices:
        raise Lost("no input device found; plug in a microphone, or start the sound server")
    if named.startswith("#"):
        fitting = [device for device in devices if device.index == int(named[1:])]
    elif not named:
        fitting = [device for device in devices if device.is_default] or devices[:1]
    else:
        wanted = named.casefold()
        fitting = [d for d in devices if wanted in (d.name.casefold(), d.full_name.casefold())]
        fitting = fitting or [d for d in devices if wanted in f"{d.full_name}, {d.host_api}".casefold()]
    if len(fitting) == 1:
        return fitting[0]
    known = ", ".join(repr(device.name) for device in fitting or devices)
    raise Lost(
        f"{named!r} fits several input devices: {known}" if fitting else f"no input device {named!r}; here are: {known}"
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Recorded:
    """What a callback got; whoever takes it relates it to the clock."""

    piece: Piece
    arrival: float
    overflowed: bool
    clock: CaptureClock

    @property
    def seconds(self) -> float:
        return self.piece.seconds

    @property
    def bytes(self) -> int:
        return self.piece.bytes

    def pieces(self, dropped_seconds: float) -> list[Piece]:
        piece = replace(self.piece, lost_seconds=dropped_seconds) if dropped_seconds else self.piece
        return self.clock.feed(piece, self.arrival, flagged=self.overflowed)


class _Callback:
    """PortAudio's callback: copies, and looks at the clock."""

    def __init__(self, feed: Feed, rate: int) -> None:
        self._feed = feed
        self._rate = rate
        self._clock = microphone_clock()
        feed.finish = self._clock.finish

    def __call__(self, data: NDArray[np.float32], frames: int, times: Any, status: Any) -> None:
        now = self._feed.clock()
        # The device's clock has an origin of its own; not every driver fills it in.
        age = times.currentTime - times.inputBufferAdcTime - frames / self._rate
        captured = now - (age if 0.0 < age < 1.0 else 0.0)
        piece = Piece(data.copy(), self._rate, 0.0, captured)
        self._feed.put(_Recorded(piece, now, bool(status.input_overflow), self._clock))


def microphone_clock() -> CaptureClock:
    """Return the clock of one stream of a microphone.

    A driver that throws sound away says so, but not every loss is a driver's. Nor does the device's own clock tell
    what is lost: a sound server only estimates it.
    """
    return CaptureClock(_SLACK_SECONDS, _SURE_SECONDS, _LONGEST_SECONDS)


def _listen(named: str, rate: int | None, channels: int, feed: Feed) -> None:
    stream = _library.open(named, rate, channels, feed)
    try:
        feed.closed.wait()
    finally:
        _library.close(stream)


def named(found: list[dict[str, Any]], apis: list[str], default: int) -> list[InputDevice]:
    """Devices with the shortest name that tells each from the others."""
    short = [_CARD_NUMBER.sub("", device["name"]) for device in found]
    with_api = [f"{name}, {apis[device['hostapi']]}" for name, device in zip(short, found, strict=True)]
    counts = Counter(short) + Counter(with_api)
    return [
        InputDevice(
            name=next((n for n in (short[i], with_api[i]) if counts[n] == 1), device["name"]),
            index=device["index"],
            full_name=device["name"],
            host_api=apis[device["hostapi"]],
            channels=device["max_input_channels"],
            rate=round(device["default_samplerate"]),
            is_default=device["index"] == default,
        )
        for i, device in enumerate(found)
    ]


def _plain(error: Exception) -> str:
    """PortAudio's words without its numbers."""
    return str(error.args[0]) if error.args else type(error).__name__
