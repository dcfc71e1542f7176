"""A service to make pictures of: twelve streams, and a month in a house made up as its history."""

import math
import random
import socket
import time
from contextlib import closing
from pathlib import Path

from streamtag.history.store import Begin, End, Store
from streamtag.settings import HistorySettings

__all__ = ["make_site"]

_DEMO = Path(__file__).parents[1] / "streamtag" / "bundles" / "default" / "demo.flac"
_LIVE = ("porch", "kitchen", "nursery", "garage", "workshop", "cellar", "roof", "hall", "stable", "yard")
_DAYS = 35
_DAY = 86_400.0
_HEARD = {
    "Speech": (60, 8.0, 22.0),
    "Music": (25, 17.0, 23.0),
    "Dog": (14, 6.0, 21.0),
    "Car": (34, 6.0, 20.0),
    "Bird vocalization, bird call, bird song": (40, 4.5, 9.0),
    "Baby cry, infant cry": (9, 0.0, 6.0),
    "Rain": (8, 0.0, 24.0),
    "Water tap, faucet": (12, 6.5, 22.5),
    "Laughter": (10, 15.0, 22.0),
    "Vacuum cleaner": (2, 10.0, 12.0),
    "Siren": (2, 0.0, 24.0),
    "Cat": (4, 5.0, 23.0),
}
"""How often a day, and from when to when."""


def make_site(folder: Path) -> Path:
    """Write a configuration and a history into a folder, and return the configuration's file."""
    endpoint = _free_port()
    lines = [
        f'[service]\nendpoint = "tcp://127.0.0.1:{endpoint}"\n',
        '[history]\npath = "history.sqlite"\nclips = true\nembeddings = true\nkeep_days = 40\n',
        "[page]\nlisten = true\n",
        *(f'[[stream]]\nid = "{name}"\nsource = "file:{_DEMO}"\nrealtime = true\nloop = true\n' for name in _LIVE),
        '[[stream]]\nid = "gate-camera"\nsource = "rtsp://127.0.0.1:9/audio"\n',
        f'[[stream]]\nid = "barn"\nsource = "file:{_DEMO}"\nrealtime = true\nloop = true\npause = ["00:00", "23:59"]\n',
    ]
    config = folder / "streamtag.toml"
    config.write_text("\n".join(lines))
    _fill(folder / "history.sqlite")
    return config


def _fill(path: Path) -> None:
    rng, now = random.Random(5), time.time()
    today = time.mktime((*time.localtime(now)[:3], 0, 0, 0, 0, 0, -1))
    begun = []
    for back in range(_DAYS):
        for label, (often, begin, end) in _HEARD.items():
            count = round(often * math.exp(rng.gauss(0.0, 0.4)))
            hours = (rng.triangular(begin, end) for _ in range(count))
            begun += [(today - back * _DAY + 3600 * hour, label) for hour in hours]
    records: list[Begin | End] = []
    for token, (moment, label) in enumerate(sorted(each for each in begun if each[0] < now)):
        onset = moment % _DAY
        records.append(Begin(token, rng.choice(_LIVE), label, moment, onset, rng.uniform(0.5, 1.0)))
        records.append(End(token, onset + rng.expovariate(0.2), rng.uniform(0.5, 1.0)))
    with closing(Store(path, HistorySettings(path=str(path), keep_days=40, clips=True))) as store:
        store.write(records)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
