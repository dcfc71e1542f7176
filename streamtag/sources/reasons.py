"""FFmpeg's errors in plain words: one table for recordings and network streams.

FFmpeg's own text is never passed on where it may name the URL, credentials and all; the names of PyAV's classes mean
nothing to whoever reads them.
"""

import errno

from av import error as av_error

__all__ = ["ENCRYPTED", "NOT_AUDIO", "ReadError", "is_passing", "read_error", "status_reason"]


class ReadError(Exception):
    """FFmpeg cannot open or go on; the text is a plain reason without the URL.

    Attributes:
        timed_out: nothing came for too long.
        broke_off: a connection could not be made or did not last, and FFmpeg does not say why.
        not_audio: what came is nothing that FFmpeg reads, or was told to read.
        in_data: it lies in what came, and would be so again.
        passing: it lies in the state of this machine, and may be over soon.
    """

    def __init__(
        self,
        reason: str,
        *,
        timed_out: bool = False,
        broke_off: bool = False,
        not_audio: bool = False,
        in_data: bool = False,
        passing: bool = False,
    ) -> None:
        super().__init__(reason)
        self.timed_out = timed_out
        self.broke_off = broke_off
        self.not_audio = not_audio
        self.in_data = in_data or not_audio
        self.passing = passing


ENCRYPTED = "it is encrypted: only what may decrypt it can play it"
NOT_AUDIO = "it is not audio that FFmpeg can read"
_UNKNOWN_KIND = "it is of a kind that this FFmpeg cannot read"
_FAULT = "FFmpeg cannot read it, by a fault of its own"
# The first that fits counts.
_REASONS: tuple[tuple[type[Exception], str], ...] = (
    (av_error.InvalidDataError, NOT_AUDIO),
    (av_error.HTTPUnauthorizedError, "the server refuses user or password"),
    (av_error.HTTPForbiddenError, "the server refuses user or password"),
    (av_error.HTTPNotFoundError, "the server knows no such stream (404)"),
    (av_error.HTTPTooManyRequestsError, "the server is asked too often (429)"),
    (av_error.HTTPServerError, "the server reports a fault of its own"),
    (av_error.HTTPClientError, "the server refuses the request"),
    (av_error.DecoderNotFoundError, "no decoder for its audio track"),
    (av_error.PatchWelcomeError, "it uses a feature of its format that FFmpeg cannot read"),
    (av_error.NotImplementedError, "it uses a feature of its format that FFmpeg cannot read"),
    (av_error.ExperimentalError, "it uses a feature of its format that FFmpeg cannot read"),
    (av_error.ProtocolNotFoundError, "it asks for a protocol that FFmpeg does not know, or may not use here"),
    (av_error.OptionNotFoundError, "FFmpeg does not know an option that it needs"),
    (av_error.LookupError, _UNKNOWN_KIND),
    (av_error.InputChangedError, "its sound changes in a way that FFmpeg cannot follow"),
    (av_error.OutputChangedError, "its sound changes in a way that FFmpeg cannot follow"),
    (av_error.MemoryError, "it is damaged, or asks for more memory than there is"),
    (MemoryError, "it asks for more memory than there is"),
    (av_error.BugError, _FAULT),
    (av_error.ExternalError, _FAULT),
    (av_error.UnknownError, _FAULT),
    # Some demuxers answer -1 or "invalid argument" where the data makes no sense.
    (av_error.ArgumentError, "it is damaged, or not audio that FFmpeg can read"),
    (av_error.BufferTooSmallError, "it is damaged, or not audio that FFmpeg can read"),
    (OverflowError, "it is damaged, or not audio that FFmpeg can read"),
)
_DATA_ERRORS = (
    av_error.PatchWelcomeError,
    av_error.NotImplementedError,
    av_error.ExperimentalError,
    av_error.InputChangedError,
    av_error.OutputChangedError,
)
_NOT_AUDIO_ERRORS = (av_error.InvalidDataError, av_error.ArgumentError)
_SHORT = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN, errno.ENOBUFS)
_STATUS: dict[int, type[Exception]] = {
    401: av_error.HTTPUnauthorizedError,
    403: av_error.HTTPForbiddenError,
    404: av_error.HTTPNotFoundError,
    429: av_error.HTTPTooManyRequestsError,
}


def read_error(error: Exception, *, is_file: bool) -> ReadError:
    """Return what an error of FFmpeg's means.

    Args:
        error: what PyAV raised.
        is_file: whether a file was read; else a network stream.
    """
    if isinstance(error, av_error.ExitError | TimeoutError):
        return ReadError("no answer in time", timed_out=True)
    if isinstance(error, av_error.EOFError):
        return ReadError("it breaks off" if is_file else "the stream ended")
    for kind, reason in _REASONS:
        if isinstance(error, kind):
            not_audio, in_data = isinstance(error, _NOT_AUDIO_ERRORS), isinstance(error, _DATA_ERRORS)
            return ReadError(reason, not_audio=not_audio, in_data=in_data)
    if isinstance(error, OSError):
        reason = _system_reason(error, is_file=is_file)
        return ReadError(reason, broke_off=error.errno == errno.EIO, passing=is_passing(error))
    return ReadError(_FAULT)


def is_passing(error: OSError) -> bool:
    """Whether an error of the system's lies in what is short just now, such as descriptors."""
    return error.errno in _SHORT


def status_reason(status: int) -> str:
    """Return what an HTTP status above 399 means."""
    kind = _STATUS.get(status, av_error.HTTPServerError if status >= 500 else av_error.HTTPClientError)
    return next(reason for of, reason in _REASONS if issubclass(kind, of))


def _system_reason(error: OSError, *, is_file: bool) -> str:
    match error.errno:
        case errno.EPERM:  # what is damaged: FFmpeg's demuxers answer -1
            return "it is damaged, or not audio that FFmpeg can read"
        case errno.EACCES if is_file:
            return "it may not be read: permission denied"
        case errno.EIO:
            return "it is damaged, or its disk gives an error" if is_file else "the connection broke off"
    return (error.strerror or "the system gives an error").lower()
