import logging
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

from streamtag.audio import Block
from streamtag.errors import InputError
from streamtag.intake.intake import Intake
from streamtag.token_bucket import TokenBucket
from streamtag.wire.pcm_messages import PcmBlock, PcmEnd, PcmFault

__all__ = ["PushedStreams", "PushedTimes"]

_MOST_TOLD = 100
# To begin a conversion to a model's rate takes up to a millisecond of the thread that serves all: a stream may do so
# this often at once, and then so often a second.
_CONVERSIONS = 20.0
_CONVERSIONS_A_SECOND = 2.0

# So few streams are waited for; of more one is always about to complete a patch.
_FEW = 4
_EARLY_SECONDS = 0.03
_SHORT_REST_SECONDS = 0.06
"""For so long at most sound waits where somebody watches it, or where it may come faster than the clock."""

logger = logging.getLogger(__name__)


class PushedTimes(NamedTuple):
    """Seconds without a message.

    Attributes:
        stalled: After which a stream is stalled.
        forget: After which one that has ended is no longer told of.
        abandon: After which one that has not is neither: programs that break off without an end must not fill the
            service.
    """

    stalled: float = 10.0
    forget: float = 60.0
    abandon: float = 3600.0


class _Pushed:
    """A stream that another program pushes."""

    def __init__(self, intake: Intake, conversions: TokenBucket, *, declared: bool) -> None:
        self.intake = intake
        self.conversions = conversions
        """What conversions of its name may still begin, for however many streams follow each other under it."""
        self.owner: str | None = None
        """Name of the key that began it, which alone may feed and end it; None before anybody gave sound."""
        self.declared = declared
        """Whether the configuration names it, so that it stays whatever becomes of the program."""
        self.next_start = 0
        self.last = time.monotonic()


class PushedStreams:
    """The streams that other programs push over ZeroMQ: made by their first message, ended by their last.

    Attributes:
        faults: Messages that could not be used, those of no stream too.
    """

    def __init__(
        self,
        create: Callable[[str], Intake | None],
        forget: Callable[[str], None],
        is_watched: Callable[[str], bool] = lambda _: False,
        times: PushedTimes | None = None,
    ) -> None:
        """Take streams up and let them go through the service.

        Args:
            create: makes a stream of a name, or returns None where no more can be served or it is another source's.
            forget: lets go of the stream of a name.
            is_watched: tells whether somebody sees or hears the sound of a stream while it comes.
            times: after how much silence a stream is what.
        """
        self.faults = 0
        self._create = create
        self._forget = forget
        self._times = times or PushedTimes()
        self._is_watched = is_watched
        self._patches = 0  # of all streams when it was last asked for how long their sound may wait
        self._pushed: dict[str, _Pushed] = {}
        self._warned: set[str] = set()  # of messages and streams that were refused
        self._lock = threading.Lock()  # between the thread that brings sound and the one that looks for stalled streams
        self._closed = False

    def declare(self, name: str) -> None:
        """Expect a stream that the configuration names; one that is pushed already is taken for it."""
        with self._lock:
            pushed = self._pushed.get(name) or self._make(name)
            if pushed is not None:
                pushed.declared = True

    def withdraw(self, name: str) -> None:
        """Let go of a stream that the configuration names no longer."""
        with self._lock:
            pushed = self._pushed.pop(name, None)
            if pushed is not None:
                if pushed.intake.newest.state == "live":
                    pushed.intake.end("the stream was removed")
                self._forget(name)

    def handle(self, message: PcmBlock | PcmEnd | PcmFault) -> None:
        """Take in one message; called in the thread that owns the socket."""
        if self._closed:
            return
        with self._lock:
            if self._closed:
                return
            pushed = self._pushed.get(message.stream or "")
            if pushed is not None and pushed.owner not in (None, message.sender):
                self.faults += 1
                whose = f"PCM for stream {pushed.intake.stream} by key {message.sender}"
                self._warn_once(whose, f"{whose} is refused: the stream belongs to key {pushed.owner}")
                return
            if pushed is None or pushed.intake.is_over:
                pushed = self._begin(message, pushed)
                if pushed is None:
                    self.faults += not isinstance(message, PcmEnd)  # the end of what is over already is none
                    return
            if pushed.owner is None and message.sender and isinstance(message, PcmEnd):
                return  # nobody began it, so it is nobody's to end
            pushed.last = time.monotonic()
            if isinstance(message, PcmBlock):
                pushed.owner = message.sender
                try:
                    self._feed(pushed, message)
                except Exception as error:  # it costs this stream this message, and the others nothing
                    pushed.intake.stumble(error)
            elif isinstance(message, PcmEnd):
                pushed.intake.end()
            else:
                self._blame(pushed, message.reason)

    def rest_seconds(self) -> float:
        """Return for how long sound may wait where it is without any patch being late: 0 where there are many streams.

        Sound that comes at the pace of the clock completes no patch before.
        """
        with self._lock:
            if not 0 < len(self._pushed) <= _FEW:
                return 0.0
            patchers = [pushed.intake.patcher for pushed in self._pushed.values()]
            missing = min(patcher.missing_seconds for patcher in patchers)
            before, self._patches = self._patches, sum(patcher.patches for patcher in patchers)
            is_watched = any(map(self._is_watched, self._pushed))
        # What completed a patch may be a recording's, of which the next patch is on its way already.
        most = _SHORT_REST_SECONDS if is_watched or self._patches != before else missing
        return max(0.0, min(most, missing - _EARLY_SECONDS))

    def owner_of(self, name: str) -> str | None:
        """Return the name of the key that a pushed stream belongs to; None where it is nobody's."""
        with self._lock:
            pushed = self._pushed.get(name)
            return None if pushed is None else pushed.owner

    def look(self) -> None:
        """Find streams that stalled, and those of nobody any more; to be called about once a second."""
        now = time.monotonic()
        with self._lock:
            for name, pushed in list(self._pushed.items()):
                idle = now - pushed.last
                # One that never gave sound was made by a message that could not be used.
                is_over = pushed.intake.is_over or not pushed.intake.rate
                if not pushed.declared and idle >= (self._times.forget if is_over else self._times.abandon):
                    del self._pushed[name]
                    self._forget(name)
                elif pushed.intake.newest.state in ("starting", "live") and idle >= self._times.stalled:
                    pushed.intake.set_state("stalled", f"no audio for {self._times.stalled:.0f} s")

    def close(self) -> None:
        """End all streams and take nothing more."""
        self._closed = True  # before the lock, or a flood keeps it
        with self._lock:
            for pushed in self._pushed.values():
                if pushed.intake.newest.state == "live":
                    pushed.intake.end("the service stopped")

    def _begin(self, message: PcmBlock | PcmEnd | PcmFault, before: _Pushed | None) -> _Pushed | None:
        """Return whose a message is that no stream, or one that has ended, goes by; None: it is nobody's."""
        name = message.stream
        if name is None:
            self._warn_once("", f"a message at the PCM input was dropped: {getattr(message, 'reason', '')}")
            return None
        if isinstance(message, PcmEnd):
            return None
        if before is None:
            return self._make(name, sender=message.sender)
        if isinstance(message, PcmBlock):
            self._forget(name)
            return self._make(name, before)
        return before

    def _make(self, name: str, before: _Pushed | None = None, sender: str | None = None) -> _Pushed | None:
        intake = self._create(name)
        if intake is None and before is None and self._make_room(sender):
            intake = self._create(name)
        if intake is None:
            self._warn_once(name, f"PCM for stream {name} is refused: the name is taken, or max_streams is reached")
            self._pushed.pop(name, None)
            return None
        conversions = before.conversions if before else TokenBucket(_CONVERSIONS, _CONVERSIONS_A_SECOND)
        self._pushed[name] = _Pushed(intake, conversions, declared=before is not None and before.declared)
        return self._pushed[name]

    def _make_room(self, sender: str | None) -> bool:
        """Let go of the stream of the same key, or of nobody's, that has stalled for longest; False: there is none."""
        stalled = [
            (pushed.last, name)
            for name, pushed in self._pushed.items()
            if not pushed.declared
            and pushed.owner in (None, sender)
            and time.monotonic() - pushed.last >= self._times.stalled
        ]
        if not stalled:
            return False
        _, name = min(stalled)
        self._pushed.pop(name).intake.end("another stream needed its place")
        self._forget(name)
        return True

    def _warn_once(self, name: str, warning: str) -> None:
        """Log a warning once for each name, and for no more names than one can read."""
        if name not in self._warned and len(self._warned) < _MOST_TOLD:
            self._warned.add(name)
            logger.warning("%s", warning)

    def _feed(self, pushed: _Pushed, message: PcmBlock) -> None:
        intake = pushed.intake
        expected = pushed.next_start
        is_new_rate = message.rate != intake.rate
        if is_new_rate and intake.rate:
            expected = round(expected * message.rate / intake.rate)
        start = expected if message.start is None else message.start
        is_begun = is_new_rate or start != expected
        wanted = intake.patcher.geometry.rate
        if is_begun and message.rate != wanted and not pushed.conversions.spend():
            most = f"at most {_CONVERSIONS_A_SECOND:.0f} times a second where the rate is not {wanted} Hz"
            self._blame(pushed, f"the sound breaks off or changes its rate too often; {most}")
            return
        try:
            intake.add_block(Block(message.samples, start, message.rate, message.time))
        except InputError as error:
            self._blame(pushed, str(error))
            return
        pushed.next_start = start + len(message.samples)

    def _blame(self, pushed: _Pushed, reason: str) -> None:
        self.faults += 1
        pushed.intake.blame(f"a message was dropped: {reason}")
