"""What a configuration must be to be served, and what of a new one waits for the next start."""

import logging
from collections.abc import Iterable

from msgspec.structs import replace

from streamtag.config import check_labels
from streamtag.errors import ConfigError
from streamtag.labels import LabelSet
from streamtag.settings import Config, Stream
from streamtag.sink_kinds import SINKS
from streamtag.wire.endpoints import is_local

__all__ = ["PUSHED", "check", "log_what_waits", "sound_of", "taken_over", "with_readers"]

PUSHED = "zmq:"
"""The source of a stream that other programs push."""

_AT_START = ("service", "model", *(kind.section for kind in SINKS if kind.is_local))

logger = logging.getLogger(__name__)


def check(config: Config, labels: Iterable[LabelSet]) -> None:
    """Let pass what can be served.

    Raises:
        ConfigError: it names a label that no model of its has, or more streams than it allows, or lets strangers in.
    """
    check_labels(config, dict.fromkeys(name for each in labels for name in (*each.of_model, *each.taught)))
    _check_reach(config)
    if len(config.streams) > config.service.max_streams:
        most = config.service.max_streams
        raise ConfigError(
            f"{len(config.streams)} streams are configured and [service] max_streams is {most}: raise it, which takes "
            "effect when the service is started anew"
        )


def _check_reach(config: Config) -> None:
    """Refuse sockets that other machines reach and that ask nobody for a key, unless they are meant to."""
    service = config.service
    if service.keys is not None or service.open:
        return
    for name, endpoint in (("endpoint", service.endpoint), ("input", service.input)):
        if endpoint is not None and not is_local(endpoint):
            where = f"{config.path}: " if config.path else ""
            raise ConfigError(
                f'{where}[service] {name} = "{endpoint}" would let in everybody who reaches it from other machines: '
                'make keys with "streamtag keys new keys" and set keys = "keys", or allow it with open = true'
            )


def taken_over(config: Config, running: Config) -> Config:
    """Return what a service goes on with: the new settings, but for the sections that are read at the start alone."""
    return replace(config, **{section: getattr(running, section) for section in _AT_START})


def log_what_waits(config: Config, running: Config) -> None:
    """Name in the log the sections of new settings that wait for the next start."""
    for section in _AT_START:
        if getattr(config, section) != getattr(running, section):
            logger.warning("[%s] changed: that takes effect when the service is started anew", section)


def sound_of(settings: Stream) -> Stream:
    """Return what of a stream's settings its source is opened by: the rest may change while it is read."""
    return replace(settings, pause=None, keep=True)


def with_readers(config: Config) -> frozenset[str]:
    """Return the names of the streams that nobody may push."""
    return frozenset(stream.id for stream in config.streams if stream.source != PUSHED)
