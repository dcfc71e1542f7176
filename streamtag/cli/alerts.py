import argparse
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

from streamtag.cli.arguments import Commands
from streamtag.cli.output import note, print_json_line, table
from streamtag.errors import ConfigError
from streamtag.event_tables import on_one_line

if TYPE_CHECKING:
    from streamtag.alerts import Decision

__all__ = ["add"]

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_MOST_SECONDS = 36_500 * 86_400.0


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "alerts",
        help="what alerts would have told of the history",
        description="Try the alerts of a configuration on its history, by the rules that they go by while it is heard, "
        "and print which would have been sent.",
    )
    parser.add_argument("config", metavar="CONFIG.toml", help="the configuration")
    parser.add_argument(
        "--last", metavar="TIME", type=_seconds, default="24h", help="how far back: 90s, 30m, 24h or 7d (default: 24h)"
    )
    parser.add_argument("--why", action="store_true", help="print those too that were held back, and why")
    parser.add_argument("--json", action="store_true", help="print one JSON object a line")
    parser.set_defaults(command=_run)


def _seconds(text: str) -> float:
    found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,3})?)([smhd])", text)
    seconds = float(found[1]) * _UNITS[found[2]] if found else 0.0
    if not 0 < seconds <= _MOST_SECONDS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time such as 90s, 30m, 24h or 7d")
    return seconds


def _run(options: argparse.Namespace) -> None:
    from streamtag.alerts.replay import MOST_EVENTS, can_be_replayed, replay_history
    from streamtag.bundle import Bundle
    from streamtag.config import check_labels, load_config
    from streamtag.heads import read_heads
    from streamtag.history import HistoryReader

    config = load_config(options.config)
    if not config.alerts:
        raise ConfigError(f"{config.path}: it has no alert: write [[alert]]")
    if config.history.path is None:
        raise ConfigError(f"{config.path}: it keeps no history to try alerts on: write [history] path")
    bundles = [config.model.bundle, *(model.bundle for model in config.models.values())]
    taught = [head.name for head in read_heads(config.heads_folder)[0]]
    check_labels(config, [*taught, *(label for bundle in bundles for label in Bundle.open(bundle).labels)])
    others = [alert.name for alert in config.alerts if not can_be_replayed(alert)]
    if others:
        note(f"left out, for a history holds neither levels nor states: {', '.join(others)}")
    now = time.time()
    reader = HistoryReader(Path(config.history.path))
    found, is_whole = replay_history(
        reader, config.alerts, config.service.location, since=now - options.last, until=now
    )
    if not is_whole:
        note(f"the newest {MOST_EVENTS} events alone were looked at")
    shown = [decision for decision in found if decision.is_told or options.why]
    if options.json:
        for decision in shown:
            print_json_line(_as_json(decision))
        return
    if shown:
        head = ("TIME", "ALERT", "STREAM", "HEARD", "SCORE", *(["HELD BACK"] if options.why else []))
        rows = [tuple(map(on_one_line, _row(decision, why=options.why))) for decision in shown]
        print(table([head, *rows]), end="")
    told = sum(decision.is_told for decision in found)
    note(f"{told} would have been sent, {len(found) - told} held back")


def _row(decision: "Decision", *, why: bool) -> list[str]:
    clock = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(decision.moment.wall))
    score = "" if decision.value is None else f"{decision.value:.2f}"
    return [clock, decision.alert, decision.stream, decision.what, score, *([decision.reason] if why else [])]


def _as_json(decision: "Decision") -> dict[str, object]:
    return {
        "time": round(decision.moment.wall, 3),
        "alert": decision.alert,
        "stream": decision.stream,
        "label": decision.what,
        "onset_time": round(decision.onset.wall, 3),
        "score": decision.value,
        "sent": decision.is_told,
        "reason": decision.reason,
    }
