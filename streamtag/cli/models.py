import argparse
import dataclasses
import re
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from streamtag.cli.arguments import Commands, read_config
from streamtag.cli.output import note, print_json, print_json_line, table

if TYPE_CHECKING:
    from streamtag.bundle import Bundle

__all__ = ["add"]

_WIDTH = 120


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser("models", help="bundles and what is in them")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="the packaged bundles, and those that were added")
    listing.add_argument("--json", action="store_true", help="print JSON")
    listing.set_defaults(command=_list)
    info = actions.add_parser("info", help="what a bundle holds")
    info.add_argument(
        "bundle", metavar="BUNDLE", nargs="?", help="a packaged or added name, or a path (default: [model] bundle)"
    )
    info.add_argument("--json", action="store_true", help="print the manifest")
    info.set_defaults(command=_info)
    adding = actions.add_parser(
        "add",
        help="add a model: a bundle, a model.toml beside an ONNX file, or yamnet.tflite",
        description="Check a model and keep it as a bundle under a name, for `[model] bundle` and `[models.NAME]`.",
    )
    adding.add_argument("file", metavar="FILE|URL", help="what to add; of an https:// address one file")
    adding.add_argument("--name", metavar="NAME", help="by which it will be known (default: its own)")
    adding.add_argument(
        "--sha256", metavar="HASH", type=_sha256, help="what the file is to be, in hexadecimal; nothing else is added"
    )
    adding.add_argument("--force", action="store_true", help="replace one of this name")
    adding.set_defaults(command=_add)
    removing = actions.add_parser("remove", help="take an added model away")
    removing.add_argument("name", metavar="NAME", help="an added model")
    removing.set_defaults(command=_remove)
    packing = actions.add_parser("pack", help="write a bundle as one file, and print its SHA-256")
    packing.add_argument("bundle", metavar="BUNDLE", help="a packaged or added name, or a path")
    packing.add_argument("file", metavar="FILE.streamtag", help="where to")
    packing.set_defaults(command=_pack)
    checking = actions.add_parser("check", help="what a model takes in and says of recordings")
    checking.add_argument("bundle", metavar="BUNDLE", help="a packaged or added name, or a path")
    checking.add_argument("files", metavar="FILE", nargs="+", help="recordings")
    checking.add_argument("--json", action="store_true", help="print one JSON object a recording")
    checking.set_defaults(command=_check)


def _list(options: argparse.Namespace) -> None:
    from streamtag.bundle import Bundle
    from streamtag.bundle_paths import added, installed
    from streamtag.errors import BundleError

    bundles: list[Bundle] = []
    broken = []
    for name in (*installed(), *added()):
        try:
            bundles.append(Bundle.open(name))
        except BundleError as error:  # one that cannot be used hides no other
            broken.append(str(error))
    known = [(bundle, bundle.path.name, bundle.path.name not in installed()) for bundle in bundles]
    if options.json:
        print_json([_listed(bundle, name, is_added=is_added) for bundle, name, is_added in known])
    else:
        rows = [
            (name, bundle.version, str(len(bundle.labels)), bundle.manifest.get("summary", ""), str(bundle.path))
            for bundle, name, _ in known
        ]
        print(table([("NAME", "VERSION", "LABELS", "FOR", "PATH"), *rows]), end="")
    for reason in broken:
        note(reason)


def _listed(bundle: "Bundle", name: str, *, is_added: bool) -> dict[str, object]:
    geometry = bundle.geometry
    return {
        "name": name,
        "version": bundle.version,
        "labels": len(bundle.labels),
        "path": str(bundle.path),
        "added": is_added,
        "rate": geometry.rate,
        "samples": geometry.samples,
        "hop": geometry.hop,
    }


def _add(options: argparse.Namespace) -> None:
    from streamtag.foreign.add import add_model

    with _progress() as progress:
        added = add_model(
            options.file, options.name, note, force=options.force, sha256=options.sha256, progress=progress
        )
    print(f"{added.name}\t{added.path}")


@contextmanager
def _progress() -> "Iterator[Callable[[int, int], None]]":
    """Show how far a fetch is, where somebody watches."""
    if not sys.stderr.isatty():
        yield lambda have, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TransferSpeedColumn

    with Progress(BarColumn(), DownloadColumn(), TransferSpeedColumn(), console=Console(stderr=True)) as bars:
        task = bars.add_task("", visible=False)
        yield lambda have, total: bars.update(task, completed=have, total=total or None, visible=True)


def _sha256(text: str) -> str:
    if not re.fullmatch(r"[0-9A-Fa-f]{64}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a SHA-256 of 64 hexadecimal digits")
    return text.lower()


def _remove(options: argparse.Namespace) -> None:
    from streamtag.foreign.store import remove

    print(f"removed {remove(options.name)}")


def _pack(options: argparse.Namespace) -> None:
    from streamtag.bundle import Bundle
    from streamtag.foreign.bundle_copy import pack_bundle
    from streamtag.paths import user_path

    target = user_path(options.file)
    print(f"{pack_bundle(Bundle.open(options.bundle), target)}  {target}")


def _check(options: argparse.Namespace) -> int:
    from streamtag.bundle import Bundle
    from streamtag.foreign.check import Unread, check_model

    failed = 0
    for checked in check_model(Bundle.open(options.bundle), options.files):
        if isinstance(checked, Unread):
            failed += 1
            if options.json:
                print_json_line(dataclasses.asdict(checked))
            else:
                note(checked.error)
            continue
        if options.json:
            top = [{"label": label, "score": score} for label, score in checked.top]
            print_json_line({**dataclasses.asdict(checked), "top": top})
            continue
        print(f"{checked.file}: {checked.windows} windows of {checked.samples} samples at {checked.rate} Hz")
        print(
            f"  {checked.takes} in: least {checked.least:.4g}, mean {checked.mean:.4g}, greatest {checked.greatest:.4g}"
        )
        for label, score in checked.top:
            print(f"  {score:.3f}  {label}")
        verdict = "within 0 to 1" if checked.within else "NOT within 0 to 1: set activation in its model.toml"
        print(f"  scores from {checked.lowest:.3g} to {checked.highest:.3g}, {verdict}")
        print(f"  {checked.ms_a_window:.2f} ms a window")
    return 1 if failed else 0


def _info(options: argparse.Namespace) -> None:
    from streamtag.bundle import Bundle

    bundle = Bundle.open(options.bundle or read_config(options).model.bundle)
    if options.json:
        print_json(bundle.manifest)
        return
    network = bundle.manifest.get("network", {})
    print(f"{bundle.name} {bundle.version}, made {bundle.manifest.get('created', 'at an unknown time')}")
    print(f"in {bundle.path}")
    print(
        f"\nnetwork  {network.get('name', '?')}: {_large(network.get('weights'))} weights, "
        f"{_large(network.get('multiplies'))} multiplies a patch"
    )
    learnt = bundle.manifest.get("data", {}).get("labels", {})
    print(f"labels   {len(bundle.labels)}, listed below" if learnt else _wrapped(bundle.labels))
    print()
    rows = [(name, str(file.get("precision", "")), f"{file.get('bytes', 0):,}") for name, file in bundle.files.items()]
    print(table([("FILE", "PRECISION", "BYTES"), *rows]), end="")
    metrics = _sets(bundle.manifest.get("metrics", {}))
    if metrics:
        print()
        print(table([("JUDGED ON", "METRICS"), *metrics]), end="")
    if learnt:
        print()
        print(table([("LABEL", "RECORDINGS", "SOURCES", ""), *_learnt(bundle, learnt)]), end="")


def _learnt(bundle: "Bundle", learnt: dict[str, dict[str, int]]) -> list[tuple[str, str, str, str]]:
    """Return of how many recordings, from how many sources, each label was learnt, and whether it is weak."""
    weak = set(bundle.manifest.get("weak_labels", ()))
    nothing = {"recordings": 0, "sources": 0}
    return [
        (label, str(counts["recordings"]), str(counts["sources"]), "weak: begins no events" if label in weak else "")
        for label, counts in ((label, learnt.get(label, nothing)) for label in bundle.labels)
    ]


def _large(number: Any) -> str:
    return f"{number / 1e6:.1f} M" if isinstance(number, int) and number >= 1e5 else str(number)


def _wrapped(labels: list[str]) -> str:
    # Many a label has a comma in it.
    text = f"labels   {len(labels)}: {'; '.join(labels)}"
    return textwrap.fill(text, width=_WIDTH, subsequent_indent=" " * len("labels   "), break_long_words=False)


def _sets(values: dict[str, Any], name: str = "") -> list[tuple[str, str]]:
    """Return nested numbers and texts as one row for each group of them."""
    groups = {key: value for key, value in values.items() if isinstance(value, dict)}
    numbers = ", ".join(
        f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}"
        for key, value in values.items()
        if key not in groups
    )
    rows = [(name, numbers)] if numbers else []
    for key, group in groups.items():
        rows += _sets(group, f"{name}, {key}" if name else key)
    return rows
