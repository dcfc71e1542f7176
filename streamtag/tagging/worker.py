"""A process that tags recordings for another one, which `pool.py` starts, and which a recording may bring down.

It opens the model that it is told of over its link, and then tags one recording after the other until nobody gives
it any more.
"""

import logging
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NoReturn

from streamtag.errors import BundleError, InputError, RuntimeUnavailableError, SourceError
from streamtag.heads import Heads
from streamtag.process import Link, LinkError, limit_memory, link_from_arguments
from streamtag.redaction import redact, scrub
from streamtag.tagger import Tagger
from streamtag.tagging.messages import Alive, Done, Embed, Heard, Model, Order, Ready, Refused, Scored, Tag, scored_of
from streamtag.threads import Worker

logger = logging.getLogger(__name__)

_MOST_BYTES = 1 << 30
_ALIVE_SECONDS = 1.0


class _Tagging:
    """Does as it is ordered, one order after the other."""

    def __init__(self, link: Link) -> None:
        self.orders: SimpleQueue[Order] = SimpleQueue()
        self._link = link
        self._alive_at = 0.0

    def run(self) -> None:
        """Go on for ever, in a thread of its own."""
        tagger: Tagger | None = None
        while True:
            order = self.orders.get()
            if isinstance(order, Model):
                tagger = self._open(order)
            elif tagger is not None:
                if isinstance(order, Tag):
                    self._tag(tagger, order)
                else:
                    self._embed(tagger, order)

    def _open(self, model: Model) -> Tagger | None:
        try:
            tagger = Tagger(
                model.bundle,
                model.runtime,
                rolling=model.rolling,
                events=model.events,
                groups=model.groups,
                heads=Heads(model.heads) if model.heads else None,
            )
        except (BundleError, RuntimeUnavailableError) as error:
            self._refuse(error)
            return None
        limit_memory(_MOST_BYTES)
        self._link.send(Ready())
        return tagger

    def _tag(self, tagger: Tagger, order: Tag) -> None:
        path = Path(os.fsdecode(order.path))

        def parts() -> Iterator[tuple[Scored, Any]]:
            for part in tagger.parts(
                path, max_seconds=order.max_seconds, embeddings=order.embeds, on_block=self._go_on
            ):
                yield scored_of(part)

        self._send(path, parts())

    def _embed(self, tagger: Tagger, order: Embed) -> None:
        path = Path(os.fsdecode(order.path))

        def parts() -> Iterator[tuple[Heard, Any]]:
            for span in tagger.spans(path, order.begin, order.end, on_block=self._go_on):
                yield Heard(span.starts, span.levels), span.embeddings

        self._send(path, parts())

    def _send(self, path: Path, parts: Iterator[tuple[Scored | Heard, Any]]) -> None:
        """Send what becomes of a recording, and at the end that it is done, or why not."""
        try:
            self._live()
            for word, payload in parts:
                self._link.send(word, payload)
            self._link.send(Done())
        except (SourceError, InputError) as error:
            self._refuse(error)
        except MemoryError:
            self._refuse(SourceError(f"{redact(str(path))}: its decoder needs more memory than it may have"))
        except OSError:
            os._exit(0)  # whoever listened is gone
        except Exception as error:
            logger.exception("tagging failed")
            told = scrub(f"internal error: {type(error).__name__}: {error}")
            self._refuse(SourceError(f"{redact(str(path))}: {told}"))

    def _live(self) -> None:
        self._alive_at = time.monotonic() + _ALIVE_SECONDS
        self._link.send(Alive())

    def _go_on(self) -> None:
        if time.monotonic() >= self._alive_at:
            self._live()

    def _refuse(self, error: BundleError | InputError | RuntimeUnavailableError | SourceError) -> None:
        kind = type(error).__name__
        with suppress(OSError):
            self._link.send(Refused(kind, str(error).encode(errors="surrogateescape")))  # type: ignore[arg-type]


def _serve(link: Link) -> None:
    tagging = _Tagging(link)
    Worker("tagging", tagging.run, on_failure=lambda _: os._exit(1)).start()
    while True:
        order, _ = link.receive()
        tagging.orders.put(order)


def main() -> NoReturn:
    """Tag as ordered until nobody orders any more."""
    with suppress(EOFError, LinkError):
        _serve(link_from_arguments(Order))
    os._exit(0)  # in the middle of a recording, too
