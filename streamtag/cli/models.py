import argparse
import textwrap
from typing import TYPE_CHECKING, Any

from streamtag.cli.arguments import Commands, read_config
from streamtag.cli.output import print_json, table

if TYPE_CHECKING:
    from streamtag.bundle import Bundle

__all__ = ["add"]

_WIDTH = 120


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser("models", help="bundles and what is in them")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="the packaged bundles")
    listing.add_argument("--json", action="store_true", help="print JSON")
    listing.set_defaults(command=_list)
    info = actions.add_parser("info", help="what a bundle holds")
    info.add_argument(
        "bundle", metavar="BUNDLE", nargs="?", help="a packaged name, or a path (default: [model] bundle)"
    )
    info.add_argument("--json", action="store_true", help="print the manifest")
    info.set_defaults(command=_info)


def _list(options: argparse.Namespace) -> None:
    from streamtag.bundle import Bundle, installed

    bundles = [(name, Bundle.open(name)) for name in installed()]
    if options.json:
        print_json(
            [
                {"name": name, "version": bundle.version, "labels": len(bundle.labels), "path": str(bundle.path)}
                for name, bundle in bundles
            ]
        )
        return
    rows = [
        (name, bundle.version, str(len(bundle.labels)), bundle.manifest.get("summary", ""), str(bundle.path))
        for name, bundle in bundles
    ]
    print(table([("NAME", "VERSION", "LABELS", "FOR", "PATH"), *rows]), end="")


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
