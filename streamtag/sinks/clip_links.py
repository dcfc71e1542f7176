"""Where others find the recording of an event."""

from collections.abc import Callable

from streamtag.history import event_id
from streamtag.settings import Config
from streamtag.wire.messages import EventHeader

__all__ = ["ClipLink", "clip_address", "clip_link", "no_clip"]

ClipLink = Callable[[EventHeader], str | None]


def no_clip(_: EventHeader) -> str | None:
    """Return None: no recordings are kept, or nobody can reach them."""
    return None


def clip_link(config: Config) -> ClipLink:
    """Return what says where an event's recording is, or None where there is none.

    At an onset the recording is not there yet; where it is left out for what else is heard in it, it never is.
    """
    address = clip_address(config)
    if address is None:
        return no_clip

    def link(header: EventHeader) -> str | None:
        return None if header.onset_time is None else address(header.stream, header.label, header.onset_time)

    return link


def clip_address(config: Config) -> Callable[[str, str, float], str | None] | None:
    """Return what says where the recording is of a stream's event with this label and onset (Unix seconds).

    None where no recordings are kept, or nobody can reach them.
    """
    page, history = config.service.page, config.history
    if page is None or history.path is None or not history.clips:
        return None
    root = f"{page.rstrip('/')}/api/v1/clips"
    unkept = frozenset(stream.id for stream in config.streams if not stream.keep)

    def address(stream: str, label: str, onset_time: float) -> str | None:
        return None if stream in unkept else f"{root}/{event_id(stream, label, onset_time)}"

    return address
