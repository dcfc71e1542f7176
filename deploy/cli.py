"""The commands of `python -m deploy`; no logic of their own."""

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from streamtag.bundle import Bundle
from streamtag.errors import StreamtagError

# What a person types, and what stands in a bundle.
_PRECISIONS = {"fp32": "float32", "fp16": "float16", "int8": "int8"}


def _compile(arguments: argparse.Namespace) -> int:
    from deploy.compile import compile_bundle

    compile_bundle(Bundle.open(arguments.bundle), arguments.precision, arguments.max_batch, arguments.clips)
    return 0


def _verify(arguments: argparse.Namespace) -> int:
    from deploy.verify import verify

    return verify(Bundle.open(arguments.bundle), arguments.precision, arguments.max_batch, arguments.clips)


def _bench(arguments: argparse.Namespace) -> int:
    from deploy.bench import bench

    bench(Bundle.open(arguments.bundle), arguments.networks, arguments.seconds, arguments.output)
    return 0


def _precision(text: str) -> str:
    if text not in _PRECISIONS:
        raise argparse.ArgumentTypeError(f"{text!r}: it may be {', '.join(_PRECISIONS)}")
    return _PRECISIONS[text]


def _positive(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: it must be a whole number from 1 up")
    return int(text)


def _engine_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--precision", type=_precision, default="fp16", metavar="P", help="fp32, fp16 (the default) or int8"
    )
    parser.add_argument(
        "--max-batch", type=_positive, default=1024, metavar="N", help="the most patches at once (default 1024)"
    )
    parser.add_argument(
        "--clips",
        type=Path,
        metavar="CSV",
        help="judge by these recordings, columns file and label, instead of the demo's",
    )


def parser() -> argparse.ArgumentParser:
    """Return what understands the command line."""
    top = argparse.ArgumentParser(prog="python -m deploy", description="Compile, verify and measure TensorRT engines.")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    compile_ = commands.add_parser("compile", help="build a bundle's engines for this machine's GPU, into the cache")
    compile_.add_argument("bundle", help="a packaged bundle's name, or a path")
    _engine_options(compile_)
    compile_.set_defaults(run=_compile)
    verify = commands.add_parser("verify", help="compare torch, ONNX Runtime and the engines; throw out what fails")
    verify.add_argument("bundle", nargs="?", default="default", help="a packaged bundle's name, or a path")
    _engine_options(verify)
    verify.set_defaults(run=_verify)
    bench = commands.add_parser("bench", help="patches a second and latency of every runtime that is here")
    bench.add_argument("bundle", nargs="?", default="default", help="a packaged bundle's name, or a path")
    bench.add_argument("--networks", nargs="+", default=[], metavar="NAME", help="also these, with fresh weights")
    bench.add_argument("--seconds", type=float, default=2.0, metavar="S", help="time for each measurement (default 2)")
    bench.add_argument(
        "--output", type=Path, default=Path("deploy-bench"), metavar="PATH", help="where PATH.json and PATH.md go"
    )
    bench.set_defaults(run=_bench)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; return the exit status: 0 done, 1 it failed, 2 wrong usage."""
    arguments = parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        return int(arguments.run(arguments))
    except StreamtagError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
