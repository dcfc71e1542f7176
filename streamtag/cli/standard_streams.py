"""Standard input, output and error as they may be: closed, full, or of an encoding that lacks our characters."""

import codecs
import errno
import io
import os
import sys
from contextlib import suppress
from typing import TextIO

from streamtag.errors import StreamtagError

__all__ = ["OutputError", "complain", "flush_complaints", "open_closed", "prepare"]

_UNWRITTEN = "streamtag-unwritten"


class OutputError(StreamtagError):
    """Standard output cannot be written."""


class _Output(io.TextIOWrapper):
    """Standard output whose errors are told from those of other files, and which no library overlooks."""

    def write(self, text: str) -> int:
        try:
            return super().write(text)
        except OSError as error:
            raise _told(error) from error

    def flush(self) -> None:
        try:
            super().flush()
        except OSError as error:
            raise _told(error) from error


def open_closed() -> None:
    """Put something in the place of standard streams that were closed, before other files take their numbers.

    Standard input is at its end then. What is written to standard output fails as it would on a closed one; what is
    written to standard error is lost.
    """
    # In this order: the system gives out the lowest free number.
    for number, mode, name in ((0, os.O_RDONLY, "stdin"), (1, os.O_RDONLY, "stdout"), (2, os.O_WRONLY, "stderr")):
        if getattr(sys, name) is not None:
            continue
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, mode)
        direction = "r" if name == "stdin" else "w"
        stream = open(number, direction, encoding="utf-8", closefd=False)  # noqa: SIM115 - for the rest of the process
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def prepare() -> None:
    """Let any text be written: as UTF-8 where programs read, with question marks where a terminal lacks a character."""
    codecs.register_error(_UNWRITTEN, _write_otherwise)
    output = sys.stdout
    if not isinstance(output, io.TextIOWrapper) or isinstance(output, _Output):
        return
    encoding = output.encoding if output.isatty() else "utf-8"
    # A file's name may be anything: what is not text comes out as the bytes that it is.
    if sys.__stdout__ is not None and output.buffer is sys.__stdout__.buffer:
        sys.stdout = _Output(
            sys.__stdout__.buffer,
            encoding,
            _UNWRITTEN,
            line_buffering=output.line_buffering,
            write_through=output.write_through,
        )
    else:
        output.reconfigure(encoding=encoding, errors=_UNWRITTEN)


def complain(text: str) -> None:
    """Write a line to standard error; where that cannot be written there is nobody to tell."""
    with suppress(OSError):
        print(text, file=sys.stderr)
    flush_complaints()


def flush_complaints() -> None:
    """Write what standard error holds; what cannot be written is let go of, or it would change the exit status."""
    try:
        sys.stderr.flush()
    except OSError:
        sys.stderr = _lost()


def _told(error: OSError) -> Exception:
    """Return the error that tells of it; a reader who had enough is no error."""
    if isinstance(error, BrokenPipeError):
        return error
    reason = "it is closed" if error.errno == errno.EBADF else error.strerror
    return OutputError(f"standard output cannot be written: {reason}")


def _lost() -> TextIO:
    return open(os.devnull, "w", encoding="utf-8")


def _write_otherwise(error: UnicodeError) -> tuple[str | bytes, int]:
    """Write one character that the encoding lacks: a byte of a name as that byte, all else as a question mark."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    character = error.object[error.start]
    one = UnicodeEncodeError(error.encoding, character, 0, 1, error.reason)
    try:
        replacement, _ = codecs.lookup_error("surrogateescape")(one)
    except UnicodeEncodeError:
        replacement = "?"
    return replacement, error.start + 1
