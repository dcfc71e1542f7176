"""What systemd hears from a service of `Type=notify`: that it is ready, reloads, ends, and that its threads go on.

The words are those of sd_notify(3). Where nobody asked to be told, nothing is sent.
"""

import logging
import os
import socket
import time
from collections.abc import Callable, Mapping, MutableMapping
from contextlib import suppress
from typing import Final

__all__ = ["Systemd", "Watchdog"]

logger = logging.getLogger(__name__)


class Systemd:
    """Whoever started this process and wants to hear of it.

    Attributes:
        watchdog_seconds: How long it may go without a sign of life before it is ended; 0 where nobody looks.
    """

    def __init__(self, environment: MutableMapping[str, str] = os.environ) -> None:
        """Take the variables of sd_notify(3) out of the environment: processes that are started from here have no say.

        Args:
            environment: The process's own.
        """
        self._address = environment.pop("NOTIFY_SOCKET", "")
        limit, whose = environment.pop("WATCHDOG_USEC", ""), environment.pop("WATCHDOG_PID", "")
        is_meant = bool(self._address) and whose in ("", str(os.getpid()))
        self.watchdog_seconds = int(limit) / 1e6 if is_meant and limit.isdecimal() else 0.0

    def ready(self, status: str) -> None:
        """Tell that all is started, or read anew."""
        self._send("READY=1", f"STATUS={status}")

    def reloading(self) -> None:
        """Tell that the configuration is read anew; `ready` is to follow."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self) -> None:
        """Tell that it ends in good order."""
        self._send("STOPPING=1")

    def alive(self) -> None:
        """Give a sign of life."""
        self._send("WATCHDOG=1")

    def _send(self, *lines: str) -> None:
        if not self._address:
            return
        # An address of the abstract kind is written with @ in the place of its first byte.
        address = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as to:
            to.sendto("\n".join(lines).encode(), address)


class Watchdog:
    """Gives signs of life while every thread goes on; none once one of them stands still."""

    _SIGNS: Final = 4
    """In the time after which systemd ends the service, as long as all is well."""
    _STANDING_PART: Final = 0.5
    """Of that time a thread may stand still."""

    def __init__(self, systemd: Systemd, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin to look.

        Args:
            systemd: Who is told.
            clock: Seconds.
        """
        self._systemd = systemd
        self._clock = clock
        self._seen: dict[str, tuple[int, float]] = {}
        self._standing: set[str] = set()
        self._due = 0.0

    def look(self, beats: Mapping[str, int]) -> None:
        """Compare each thread's count of rounds with those of the last look; to be called a few times a second.

        Args:
            beats: Thread to how many rounds it has done; one that waits for work does them too.
        """
        limit = self._systemd.watchdog_seconds
        if not limit:
            return
        now = self._clock()
        for name, count in beats.items():
            before = self._seen.get(name)
            if before is None or before[0] != count:
                self._seen[name] = count, now
        standing = {name for name in beats if now - self._seen[name][1] > limit * self._STANDING_PART}
        for name in sorted(standing - self._standing):
            logger.error("%s has not gone on for %.0f s: no more signs of life", name, limit * self._STANDING_PART)
        for name in sorted(self._standing - standing):
            logger.info("%s goes on", name)
        self._standing = standing
        if not standing and now >= self._due:
            self._due = now + limit / self._SIGNS
            self._systemd.alive()
