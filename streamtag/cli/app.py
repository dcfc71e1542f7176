import argparse
import logging
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn

from streamtag.cli import (
    alerts,
    archive,
    bench,
    dashboard,
    demo,
    devices,
    doctor,
    fleet,
    keys,
    listen,
    models,
    pause,
    relay,
    run,
    search,
    subscribe,
    tag,
    teach,
)
from streamtag.cli.standard_streams import OutputError, complain, flush_complaints, open_closed, prepare
from streamtag.errors import ConfigError, StreamtagError
from streamtag.event_tables import on_one_line
from streamtag.redaction import ScrubbingFormatter, scrub

__all__ = ["build_parser", "main"]

_COMMANDS = (
    demo,
    listen,
    run,
    fleet,
    relay,
    pause,
    alerts,
    tag,
    archive,
    teach,
    search,
    subscribe,
    dashboard,
    devices,
    models,
    keys,
    doctor,
    bench,
)
_LEVELS = ("debug", "info", "warning", "error")
_DONE, _FAILED, _WRONG_USE = 0, 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status: 0 done, 1 it failed, 2 wrong usage or configuration.

    Args:
        arguments: what follows the program's name; the process's own when absent.
    """
    open_closed()
    prepare()
    try:
        status = _run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        _leave(_DONE)  # who read our output has enough
    except OutputError as error:
        complain(f"streamtag: {error}")
        _leave(_FAILED)
    except StreamtagError as error:
        complain(f"streamtag: {_line(error)}")
        return _WRONG_USE if isinstance(error, ConfigError) else _FAILED
    except OSError as error:
        logging.getLogger(__name__).debug("", exc_info=True)
        where = f"{error.filename}: " if error.filename else ""
        complain(f"streamtag: {_line(f'{where}{error.strerror or error}')}")
        return _FAILED
    except KeyboardInterrupt:
        complain("streamtag: interrupted")
        _leave(_FAILED)
    return status


def _run(arguments: Sequence[str] | None) -> int:
    parser = build_parser()
    try:
        options = parser.parse_args(arguments)
    except SystemExit:
        sys.stdout.flush()  # what was asked for may be the help
        flush_complaints()
        raise
    if options.command is None:
        complain(parser.format_help().rstrip())
        return _WRONG_USE
    level = options.log_level or getattr(options, "default_log_level", "warning")
    log = logging.StreamHandler(sys.stderr)
    log.setFormatter(ScrubbingFormatter("%(asctime)s %(levelname)-7s %(message)s"))
    # What other libraries would tell as well holds headers, cookies and passwords.
    logging.basicConfig(level="INFO" if level == "debug" else level.upper(), handlers=[log])
    logging.getLogger("streamtag").setLevel(level.upper())
    logging.raiseExceptions = False  # where standard error is full, nobody reads that it is
    if options.with_parent:
        from streamtag.command_process import end_with_parent

        end_with_parent()
    status: int | None = options.command(options)
    return status or _DONE


def _line(error: object) -> str:
    return on_one_line(scrub(" ".join(str(error).split())))


def _leave(status: int) -> NoReturn:
    # At once: the interpreter would wait for threads that are in the middle of a long recording, and would complain
    # about output that nobody reads.
    with suppress(OSError):
        sys.stderr.flush()
    os._exit(status)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands; each sets `command`, the function that runs it."""
    parser = _Parser(
        prog="streamtag",
        description="Streaming real-time audio tagger: sound in, label scores and events out over ZeroMQ.",
        epilog="streamtag COMMAND --help tells what a command takes.",
    )
    parser.add_argument("--config", metavar="FILE", help="settings in TOML; a command's own options go before them")
    parser.add_argument("--log-level", choices=_LEVELS, help="default: info for run, warning for the others")
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version")
    # How one of our commands starts another: see `streamtag.command_process`.
    parser.add_argument("--with-parent", action="store_true", help=argparse.SUPPRESS)
    parser.set_defaults(command=None)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for module in _COMMANDS:
        module.add(commands)
    return parser


class _Parser(argparse.ArgumentParser):
    # Where an argument stands in the wrong place it may hold a password all the same.
    def error(self, message: str) -> NoReturn:
        with suppress(OSError):  # some versions of 3.11 raise it where standard error is full
            super().error(scrub(message))
        self.exit(_WRONG_USE)


class _Version(argparse.Action):
    # Reading the package's metadata costs as much as all the rest: only whoever asks pays.
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        import streamtag

        print("streamtag", streamtag.__version__)
        parser.exit()
