import argparse
from typing import Any

from streamtag.cli.arguments import Commands, read_config
from streamtag.cli.output import print_json, table

__all__ = ["add"]


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
    rows = [(name, bundle.version, str(len(bundle.labels)), str(bundle.path)) for name, bundle in bundles]
    print(table([("NAME", "VERSION", "LABELS", "PATH"), *rows]), end="")


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
    print(f"labels   {len(bundle.labels)}: {_some(bundle.labels)}")
    print()
    rows = [(name, str(file.get("precision", "")), f"{file.get('bytes', 0):,}") for name, file in bundle.files.items()]
    print(table([("FILE", "PRECISION", "BYTES"), *rows]), end="")
    metrics = list(_flat(bundle.manifest.get("metrics", {})))
    if metrics:
        print()
        print(table([("METRIC", "VALUE"), *metrics]), end="")


def _large(number: Any) -> str:
    return f"{number / 1e6:.1f} M" if isinstance(number, int) and number >= 1e5 else str(number)


def _some(labels: list[str], most: int = 8) -> str:
    return ", ".join(labels[:most]) + (", …" if len(labels) > most else "")


def _flat(values: dict[str, Any], before: str = "") -> list[tuple[str, str]]:
    """Return nested numbers and texts by their dotted names."""
    rows: list[tuple[str, str]] = []
    for name, value in values.items():
        if isinstance(value, dict):
            rows += _flat(value, f"{before}{name}.")
        elif isinstance(value, float):
            rows.append((f"{before}{name}", f"{value:.4g}"))
        elif isinstance(value, int | str):
            rows.append((f"{before}{name}", str(value)))
    return rows
