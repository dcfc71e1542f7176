"""The thread that takes in what other programs push, at a socket of its own: however much comes, messages out go on."""

import logging
import time
from collections.abc import Callable
from typing import Final

import zmq

from streamtag.keys import ServerKeys
from streamtag.threads import Worker
from streamtag.wire.admission import LOOK_MS, Admission
from streamtag.wire.pcm_messages import PcmFault, PcmInput, decode_message
from streamtag.wire.wakeup import Wakeup

__all__ = ["PcmPuller"]

_log = logging.getLogger(__name__)

_QUEUE_MESSAGES: Final = 256
"""Messages that wait from one pusher; beyond it the pusher's own queue fills, and then the pusher waits."""
_FRAME_BYTES: Final = 2 << 20
"""Larger frames end the pusher's connection before they take memory; between 1 MiB and this they are faults."""
_MOST_FRAMES: Final = 16
"""So many frames of a message are kept to tell of it: a message has two."""
_ANSWERING_SECONDS: Final = 0.005
"""How long PCM, or strangers, are taken in one go."""
_REST_SECONDS: Final = 0.001
"""How long the thread rests where more waits after that: under a flood the interpreter must be had by others too."""
_LONGEST_REST_SECONDS: Final = 0.25
"""How long messages may wait where that makes no patch late: ends and requests are late by as much."""
_MOST_AT_ONCE: Final = 128
_FLOOD_SECONDS: Final = 1.0
"""For so long after more messages than those came at once none are left to wait."""
_COMPLAINT_SECONDS: Final = 60.0
_NOBLOCK: Final = int(zmq.NOBLOCK)


class PcmPuller:
    """Takes PCM on a PULL socket, in a thread and a context of its own.

    Should the thread fail, the socket is bound anew, and the thread goes on with whatever is pushed from then on.

    Args:
        endpoint: Where PCM comes in, ``tcp://ADDRESS:PORT`` or ``ipc://PATH``; port ``*`` chooses a free one.
        on_message: Called in the thread with each message; the next one waits until it returns.
        keys: Whom the socket lets in; None for everybody who reaches it.
        may_rest: Returns for how many seconds messages may wait in the socket: one wake-up for several is cheaper.

    Attributes:
        endpoint: The real endpoint once started.
        messages: Messages that came in, good or not.
        faults: Those of them that could not be used.
    """

    def __init__(
        self,
        endpoint: str,
        on_message: Callable[[PcmInput], None],
        *,
        keys: ServerKeys | None = None,
        may_rest: Callable[[], float] = lambda: 0.0,
        longest_rest_seconds: float = _LONGEST_REST_SECONDS,
    ) -> None:
        self.endpoint = endpoint
        self.messages = 0
        self.faults = 0
        self._on_message = on_message
        self._keys = keys
        self._may_rest, self._longest_rest_seconds = may_rest, longest_rest_seconds
        self._rest_from = 0.0
        self._stopping = False
        self._counted = 0
        self._complain_at = 0.0
        self._context: zmq.Context[zmq.Socket[bytes]] | None = None
        self._thread = Worker("input", self._run)

    @property
    def beats(self) -> int:
        """How many rounds of its loop the thread has done, at least one a second."""
        return self._thread.beats

    @property
    def restarts(self) -> int:
        """How often the thread failed and was begun anew."""
        return self._thread.restarts

    def start(self) -> None:
        """Bind the socket and start the thread.

        Raises:
            WireError: The endpoint is in use, malformed, or not of this machine.
        """
        self._bind()
        self._wakeup = Wakeup()
        self._thread.start()

    def stop(self) -> None:
        """Take nothing more and close the socket; what waits in it is left."""
        if not self._thread.is_alive:
            return
        self._stopping = True
        self._wakeup.set()
        self._thread.join(2.0)
        if self._thread.is_alive:
            _log.warning("the PCM input did not stop within 2 s")
        else:
            self._wakeup.close()

    def _bind(self) -> None:
        context = zmq.Context()
        self._admission = Admission(context, self._keys)
        try:
            self._socket = context.socket(zmq.PULL)
            self._socket.set(zmq.RCVHWM, _QUEUE_MESSAGES)
            self._socket.set(zmq.MAXMSGSIZE, _FRAME_BYTES)
            self._admission.guard(self._socket)
            self.endpoint = self._admission.bind(self._socket, self.endpoint, "cannot take PCM on")
        except BaseException:
            context.destroy(linger=0)
            self._admission.close()
            raise
        self._context = context

    def _run(self) -> None:
        if self._context is None:  # it failed
            self._bind()
        poller = zmq.Poller()
        poller.register(self._wakeup.fileno(), zmq.POLLIN)
        poller.register(self._socket, zmq.POLLIN)
        if self._admission.socket is not None:
            poller.register(self._admission.socket, zmq.POLLIN)
        try:
            while not self._stopping:
                self._thread.beat()
                self._admission.look_after()
                ready = dict(poller.poll(LOOK_MS))
                if self._socket in ready:
                    self._receive_waiting()
                if self._admission.socket in ready:
                    self._admission.answer_requests(_ANSWERING_SECONDS)
                self._rest()
        finally:
            context, self._context = self._context, None
            if context is not None:
                self._admission.close()
                context.destroy(linger=0)

    def _receive_waiting(self) -> None:
        until = time.monotonic() + _ANSWERING_SECONDS
        while time.monotonic() < until:
            # Frame by frame, not copied: recv_multipart costs three times as much.
            try:
                frame = self._socket.recv(_NOBLOCK, copy=False)
            except zmq.Again:
                return
            frames: list[bytes | memoryview] = [frame.bytes]
            while frame.more:
                frame = self._socket.recv(_NOBLOCK, copy=False)
                if len(frames) < _MOST_FRAMES:
                    frames.append(frame.buffer)
            self.messages += 1
            sender = "" if self._keys is None else str(frame.get("User-Id"))
            message = decode_message(frames, sender)
            self.faults += isinstance(message, PcmFault)
            self._hand_on(message)
        time.sleep(_REST_SECONDS)

    def _rest(self) -> None:
        """Let a few messages gather, unless they come faster than any few streams at the pace of the clock."""
        before, self._counted = self._counted, self.messages
        now = time.monotonic()
        if self.messages - before > _MOST_AT_ONCE:
            self._rest_from = now + _FLOOD_SECONDS
        elif now >= self._rest_from and (seconds := self._may_rest()) > 0:
            time.sleep(min(self._longest_rest_seconds, seconds))

    def _hand_on(self, message: PcmInput) -> None:
        try:
            self._on_message(message)
        except Exception:  # one stream's failure must not end the others
            if time.monotonic() >= self._complain_at:
                self._complain_at = time.monotonic() + _COMPLAINT_SECONDS
                _log.exception("PCM of stream %s could not be handed on", message.stream)
