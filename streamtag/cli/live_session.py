"""One stream tagged live: a service in this process, and what it publishes shown on the terminal or as JSON lines."""

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from streamtag.cli.output import note, print_json_line
from streamtag.cli.stopping import Stop
from streamtag.errors import SourceError

if TYPE_CHECKING:
    from streamtag.engine import Service
    from streamtag.settings import Config
    from streamtag.wire import Message

__all__ = ["on_terminal", "tag_live"]

_LOOK_SECONDS = 0.05
_FRAME_SECONDS = 0.1
_REST_SECONDS = 0.2
_FEW = 8


class _Display(Protocol):
    def update(self, message: "Message") -> None: ...

    def refresh(self) -> None: ...


def on_terminal() -> bool:
    """Tell whether a person looks at standard output, on a terminal that can show the live view."""
    return sys.stdout.isatty() and os.environ.get("TERM", "dumb") not in ("", "dumb")


def tag_live(config: "Config", *, title: str, seconds: float | None, page: Callable[[], str] = lambda: "") -> None:
    """Tag the configuration's one stream until it ends or a signal comes, or for `seconds`.

    Args:
        config: the settings, with one stream.
        title: what is tagged, for the view.
        seconds: how long; None for ever.
        page: gives the web page's address, or why there is none.

    Raises:
        StreamtagError: the service cannot start, or the stream failed for good.
    """
    from msgspec.structs import replace

    from streamtag.engine import Service
    from streamtag.wire import Subscriber
    from streamtag.wire.messages import KINDS, ON_REQUEST

    stop = Stop(seconds)
    stream = config.streams[0].id
    service = Service(replace(config, streams=()))
    service.start()
    try:
        kinds = (*KINDS, *ON_REQUEST) if on_terminal() else KINDS
        with (
            Subscriber(service.endpoint, [stream], kinds, key=service.key) as subscriber,
            _display(service, stream, title, page) as display,
        ):
            # The stream starts once somebody listens, so that a short one is heard from its beginning.
            while not stop and subscriber.receive(_LOOK_SECONDS) is None:
                pass
            service.reload(config)
            while not stop:
                message = subscriber.receive(_LOOK_SECONDS)
                if message is not None:
                    display.update(message)
                    if _has_ended(message, stream):
                        break
                display.refresh()
                service.wait(0)
            service.stop()
            while (message := subscriber.receive(_REST_SECONDS)) is not None:
                display.update(message)
    finally:
        service.stop()


def _has_ended(message: "Message", stream: str) -> bool:
    """Tell whether a stream came to its end.

    Raises:
        SourceError: it failed for good.
    """
    header = message.header
    if header["kind"] != "status" or header["stream"] != stream:
        return False
    if header["state"] == "failed":
        raise SourceError(header["reason"])
    return bool(header["state"] == "ended")


@contextmanager
def _display(service: "Service", stream: str, title: str, page: Callable[[], str]) -> Iterator[_Display]:
    if not on_terminal():
        if page():
            note(f"web page: {page()}")
        yield _Lines()
        return
    with _screen(service, stream, title, page) as display:
        yield display


class _Lines:
    """Every message as one JSON object a line; scores by their headers, whose `top` has the best labels."""

    def update(self, message: "Message") -> None:
        print_json_line(message.header)

    def refresh(self) -> None:
        pass


@contextmanager
def _screen(service: "Service", stream: str, title: str, page: Callable[[], str]) -> Iterator[_Display]:
    """Show the live view on a screen of its own, which leaves the terminal as it was."""
    from rich.console import Console
    from rich.live import Live

    from streamtag.cli.live_state import LiveState
    from streamtag.cli.live_view import Caption, draw, label_rows
    from streamtag.model import DEFAULT

    console = Console()
    due = 0.0
    subscribe = f"{_program()} subscribe {service.endpoint}"
    state = LiveState(stream, service.labels[DEFAULT].names, label_rows(console.height))

    class Screen:
        def update(self, message: "Message") -> None:
            state.update(message)

        def refresh(self) -> None:
            nonlocal due
            now = time.monotonic()
            if now < due:
                return
            due = now + _FRAME_SECONDS
            state.ease()
            caption = Caption(title, subscribe, page() or "none")
            live.update(draw(state, caption, console.width, console.height), refresh=True)

    with _stderr_held_back(), Live(console=console, screen=True, auto_refresh=False) as live:
        yield Screen()
    some = ", ".join(list(state.heard)[:_FEW]) + (", …" if len(state.heard) > _FEW else "")
    heard = f"; heard: {some}" if some else ""
    trouble = f"; {state.state}: {state.reason}" if state.state != "ended" and state.reason else ""
    note(f"{state.patches} patches scored{heard}{trouble}")


def _program() -> str:
    """Return what a person types to run this program from where they are."""
    if shutil.which("streamtag"):
        return "streamtag"
    return os.path.relpath(Path(sys.executable).with_name("streamtag"))


@contextmanager
def _stderr_held_back() -> Iterator[None]:
    """Keep what libraries write to standard error off the screen, and show it afterwards."""
    if not sys.stderr.isatty():
        yield
        return
    sys.stderr.flush()
    kept = os.dup(sys.stderr.fileno())
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), sys.stderr.fileno())
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(kept, sys.stderr.fileno())
            os.close(kept)
            held.seek(0)
            sys.stderr.write(held.read().decode(errors="replace"))
