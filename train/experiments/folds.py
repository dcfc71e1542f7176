"""ESC-50's five folds with windows that all folds' runs share: each made from the clips of one fold alone."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from streamtag.errors import ConfigError
from train.data.bank import Bank, make_bank
from train.data.cache import Cache
from train.data.clips import Clip, load_all
from train.data.effects import Sound
from train.data.make import PLAIN, fill
from train.data.sets import Collection
from train.data.split import origin
from train.labels import LabelTable
from train.prepare import ears, progress_line, say
from train.settings import Settings

FOLDS = (1, 2, 3, 4, 5)
_OTHERS = 0
_MOST_PLAIN = 1000
_PARTS = len(FOLDS) + 2
"""Of the windows: one part a fold, two parts of other sets."""


@dataclass(frozen=True, slots=True)
class FoldWindows:
    """Windows that know which fold their recordings are of.

    Attributes:
        cache: of all of them.
        part: shards of one fold; the other sets have twice as many, the first ones.
    """

    cache: Cache
    part: int

    def of(self, group: int) -> list[int]:
        """Return the shards of a fold, or those of the other sets for 0."""
        first = 0 if group == _OTHERS else (1 + group) * self.part
        return list(range(first, (2 + group) * self.part))

    def plain(self, group: int) -> list[int]:
        """Return the numbers that a fold's plain shards may have."""
        return list(range(PLAIN + group * _MOST_PLAIN, PLAIN + (group + 1) * _MOST_PLAIN))

    def without(self, fold: int, *, others: bool = False) -> Cache:
        """Return the windows of the other four folds, and of the other sets where they are wanted."""
        groups = [group for group in (_OTHERS, *FOLDS) if group != fold and (others or group != _OTHERS)]
        return self.cache.only([number for group in groups for number in (*self.of(group), *self.plain(group))])

    def others(self) -> Cache:
        """Return the windows of the other sets alone."""
        return self.cache.only([*self.of(_OTHERS), *self.plain(_OTHERS)])


def without_twins(clips: Sequence[Clip]) -> list[Clip]:
    """Return the clips without those of a source that stands in two folds, or in a fold and another set."""
    folds: dict[str, set[int]] = {}
    for clip in clips:
        folds.setdefault(origin(clip), set()).add(clip.fold)
    return [clip for clip in clips if len(folds[origin(clip)]) == 1]


def make_windows(collection: Collection, settings: Settings) -> FoldWindows:
    """Render what is missing of the windows.

    Raises:
        ConfigError: a fold has no recordings, or there are too few windows for a shard of each.
    """
    part = settings.render.windows // (_PARTS * settings.shard)
    if not part:
        least = _PARTS * settings.shard
        raise ConfigError(f"[render] windows = {settings.render.windows}: a shard of each fold takes {least}")
    clips = without_twins(collection.split.train)
    say(f"{len(collection.split.train) - len(clips)} clips have a source of two folds or sets: left out of training")
    made_by = {
        "render": msgspec.to_builtins(settings.render),
        "clips": [clip.name for clip in clips],
        "teacher": [settings.teacher.yamnet.name, settings.teacher.mn04.name] if settings.teacher else None,
        "shard": settings.shard,
    }
    found = FoldWindows(Cache.open(settings.output / "cache", collection.labels.names, made_by), part)
    if found.cache.whole:
        return found
    listener = ears(settings)
    _, rooms, _ = load_all(collection.rooms)
    for group in (_OTHERS, *FOLDS):
        wanted = found.cache.only([*found.of(group), *found.plain(group)])
        render = msgspec.structs.replace(settings.render, windows=len(found.of(group)) * settings.shard)
        what = progress_line(f"windows of fold {group}" if group else "windows of the other sets")
        first = found.plain(group)[0]
        fill(
            wanted,
            _read(clips, group, rooms, collection.labels, settings.render.label_power),
            render,
            listener,
            settings.processes,
            settings.shard,
            what,
            first,
        )
    found.cache.finish()
    return found


def _read(clips: Sequence[Clip], group: int, rooms: Sequence[Sound], labels: LabelTable, power: float) -> Bank:
    kept, sounds, skipped = load_all([clip for clip in clips if clip.fold == group])
    for line in skipped:
        say(f"skipped: {line}")
    if not kept:
        raise ConfigError(f"no recordings of fold {group}: set [data] root and sets, other sets included")
    return make_bank(kept, sounds, rooms, labels, power)
