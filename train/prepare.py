"""From a run's settings to its cache of windows."""

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from streamtag.errors import ConfigError
from train.data.bank import Bank, make_bank
from train.data.cache import Cache
from train.data.clips import load_all
from train.data.make import fill
from train.data.sets import Collection, collect
from train.settings import Settings, cache_folder

if TYPE_CHECKING:
    from train.ears import Ears


def say(text: str) -> None:
    """Print a line of progress."""
    print(text, file=sys.stderr, flush=True)


def progress_line(what: str) -> Callable[[int, int], None]:
    """Return a reporter of how many of how many are done, with the time left."""
    start = time.monotonic()
    first: list[int] = []

    def report(done: int, total: int) -> None:
        first.append(done)
        pace = (done - first[0]) / max(time.monotonic() - start, 1e-9)
        left = f", {(total - done) / pace / 60:.1f} min left" if pace > 0 else ""
        say(f"{what}: {done}/{total}{left}")

    return report


def prepare(settings: Settings) -> tuple[Collection, Cache]:
    """Return the recordings and the cache, rendering what it lacks."""
    collection = collect(settings.data)
    made_by = {
        "data": {**msgspec.to_builtins(settings.data, enc_hook=str), "root": None},
        "render": msgspec.to_builtins(settings.render),
        "teacher": [settings.teacher.yamnet.name, settings.teacher.mn04.name] if settings.teacher else None,
        "shard": settings.shard,
    }
    cache = Cache.open(cache_folder(settings), collection.labels.names, made_by)
    if not cache.whole:
        _fill(collection, cache, settings)
        cache.finish()
    return collection, cache


def _fill(collection: Collection, cache: Cache, settings: Settings) -> None:
    listener = ears(settings)
    what = progress_line("windows")
    fill(cache, _bank(collection, settings), settings.render, listener, settings.processes, settings.shard, what)


def _bank(collection: Collection, settings: Settings) -> Bank:
    clips, sounds, skipped = load_all(collection.split.train)
    _, rooms, without = load_all(collection.rooms)
    for line in skipped + without:
        say(f"skipped: {line}")
    say(f"{len(clips)} clips to train on, {len(skipped) + len(without)} skipped, {len(collection.labels)} labels")
    if not any(clip.labels for clip in clips):
        raise ConfigError("no labelled clip is left to train on: see the lines above, and [data] licences")
    return make_bank(clips, sounds, rooms, collection.labels, settings.render.label_power)


def ears(settings: Settings) -> "Ears | None":
    """Return who listens to the windows, None without a teacher.

    Raises:
        ConfigError: a published file is missing or not what it is to be.
    """
    if settings.teacher is None:
        return None
    from train.ears import Ears  # reads TensorFlow Lite's schema, which nothing else here needs

    return Ears(settings.teacher.yamnet, settings.teacher.mn04)
