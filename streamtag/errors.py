"""Every error that the library raises on purpose, cut by who can mend it."""

__all__ = [
    "BundleError",
    "ConfigError",
    "HistoryError",
    "InputError",
    "RuntimeUnavailableError",
    "SourceError",
    "StreamtagError",
    "WireError",
]


class StreamtagError(Exception):
    """Base of all errors raised on purpose; its text is one line that names the thing, the place and the remedy.

    Example:
        >>> try:
        ...     streamtag.Tagger().tag("nowhere.flac")
        ... except streamtag.StreamtagError as error:
        ...     print(f"{type(error).__name__}: {error}")
        SourceError: file:nowhere.flac: there is no such file
    """


class ConfigError(StreamtagError):
    """A setting is unknown, of the wrong type or out of range: the writer of the configuration mends it."""


class InputError(StreamtagError):
    """An argument cannot be used, such as an empty waveform or a block of the wrong shape: the caller mends it."""


class SourceError(StreamtagError):
    """A source of sound cannot be opened, or never will give audio: a missing file, an unknown scheme."""


class BundleError(StreamtagError):
    """A bundle is missing, damaged, or made for another front end."""


class RuntimeUnavailableError(StreamtagError):
    """The requested inference library or device is not there."""


class WireError(StreamtagError):
    """A socket cannot be bound or reached, or a message is not what the wire format says."""


class HistoryError(StreamtagError):
    """A history of events is not there or cannot be read."""
