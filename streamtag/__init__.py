"""Streaming real-time audio tagger: sound in, label scores and events out.

The names are loaded when they are first used, so that `import streamtag` costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from streamtag.quiet import keep_libraries_quiet

if TYPE_CHECKING:
    from streamtag.audio.frontend import log_mel
    from streamtag.errors import (
        BundleError,
        ConfigError,
        HistoryError,
        InputError,
        RuntimeUnavailableError,
        SourceError,
        StreamtagError,
        WireError,
    )
    from streamtag.events import Event
    from streamtag.scoring import Scores
    from streamtag.settings import EventSettings, LabelThresholds
    from streamtag.tagger import Result, Tagger
    from streamtag.wire.messages import Message
    from streamtag.wire.pusher import PcmPusher
    from streamtag.wire.subscriber import Subscriber

keep_libraries_quiet()  # first of all: some read their switch when they are imported

__all__ = [
    "BundleError",
    "ConfigError",
    "Event",
    "EventSettings",
    "HistoryError",
    "InputError",
    "LabelThresholds",
    "Message",
    "PcmPusher",
    "Result",
    "RuntimeUnavailableError",
    "Scores",
    "SourceError",
    "StreamtagError",
    "Subscriber",
    "Tagger",
    "WireError",
    "log_mel",
]

_HOMES = {
    "BundleError": "streamtag.errors",
    "ConfigError": "streamtag.errors",
    "Event": "streamtag.events",
    "EventSettings": "streamtag.settings",
    "HistoryError": "streamtag.errors",
    "InputError": "streamtag.errors",
    "LabelThresholds": "streamtag.settings",
    "Message": "streamtag.wire.messages",
    "PcmPusher": "streamtag.wire.pusher",
    "Result": "streamtag.tagger",
    "RuntimeUnavailableError": "streamtag.errors",
    "Scores": "streamtag.scoring",
    "SourceError": "streamtag.errors",
    "StreamtagError": "streamtag.errors",
    "Subscriber": "streamtag.wire.subscriber",
    "Tagger": "streamtag.tagger",
    "WireError": "streamtag.errors",
    "log_mel": "streamtag.audio.frontend",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from streamtag.machine import version_of

        return version_of("streamtag")
    if name not in _HOMES:
        raise AttributeError(f"module 'streamtag' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
