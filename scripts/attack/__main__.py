"""Attack a service and its page for a while, with honest streams and viewers beside, who must lose nothing.

    python -m scripts.attack [--seconds 300] [--seed N] [--streams 4]

Every attack has its share of the time, in a process of its own with low priority. Before, between and after them the
memory of service and page is read, and how long messages and the page's answers took those who are honest.
"""

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from scripts.attack.attackers import ATTACKS, carry_out
from scripts.attack.honest import PUSHED, Honest, Seen
from scripts.attack.target import Running

_QUIET_SECONDS = 15.0
_SETTLE_SECONDS = 10.0
_LONGEST_VIEW_SECONDS = 6.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run; return 1 if somebody honest lost something."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=300.0, help="how long (default: 300)")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32), help="default: another one each time")
    parser.add_argument("--streams", type=int, default=4, help="honest streams beside (default: 4)")
    options = parser.parse_args(arguments)
    share = max(1.0, (options.seconds - _QUIET_SECONDS) / len(ATTACKS))
    print(f"seed {options.seed}; each attack has {share:.0f} s", flush=True)
    lost: list[str] = []
    with (
        tempfile.TemporaryDirectory(prefix="streamtag-attack-") as folder,
        Running(Path(folder), options.streams) as it,
    ):
        honest = Honest(it.target)
        honest.start()
        time.sleep(_SETTLE_SECONDS)
        lost += honest.drain().lost
        _print_head()
        before = it.megabytes()
        time.sleep(_QUIET_SECONDS)
        lost += _print_row("nobody but the honest", 0, honest.drain(), it.megabytes())
        for number, name in enumerate(ATTACKS):
            count = carry_out(name, it.target, share, options.seed + number)
            lost += _print_row(name, count, honest.drain(), it.megabytes())
        time.sleep(_SETTLE_SECONDS)
        lost += _print_row("nobody any more", 0, honest.drain(), it.megabytes())
        after, patches = it.megabytes(), honest.patches
        honest.stop()
        if "Traceback" in it.log():
            lost.append("a traceback in the log")
            print(it.log()[-5000:])
    print(f"memory of the service: {before[0]:.0f} MB before, {after[0]:.0f} MB after")
    print(f"memory of the page:    {before[1]:.0f} MB before, {after[1]:.0f} MB after")
    print(
        f"heard: {sum(patches.values())} patches of {len(patches)} streams, {patches.get(PUSHED, 0)} of the pushed one"
    )
    for what in lost:
        print("LOST:", what)
    print("the honest lost nothing" if not lost else f"{len(lost)} losses")
    return 1 if lost else 0


def _print_head() -> None:
    print(f"{'':42} {'tried':>8} {'message ms':>14} {'page ms':>14} {'view s':>7} {'MB':>11}")
    print(f"{'':42} {'':>8} {'p50':>6} {'p99':>7} {'p50':>6} {'p99':>7} {'most':>7} {'service':>7} page", flush=True)


def _print_row(name: str, count: int, seen: Seen, memory: tuple[float, float]) -> list[str]:
    longest = max(seen.views, default=0.0)
    delays = f"{_part(seen.delays, 0.5):6.0f} {_part(seen.delays, 0.99):7.0f}"
    visits = f"{_part(seen.visits, 0.5):6.0f} {_part(seen.visits, 0.99):7.0f}"
    print(f"{name:42} {count:8d} {delays} {visits} {longest:7.1f} {memory[0]:7.0f} {memory[1]:4.0f}", flush=True)
    lost = [f"{name}: {what}" for what in seen.lost]
    if longest > _LONGEST_VIEW_SECONDS:
        lost.append(f"{name}: a view stood still for {longest:.1f} s")
    return lost


def _part(values: list[float], part: float) -> float:
    """Return a quantile in milliseconds."""
    ordered = sorted(values)
    return 1000 * ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else float("nan")


if __name__ == "__main__":
    sys.exit(main())
