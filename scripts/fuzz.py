"""Damage real recordings in random ways and have them decoded by what serves: nothing but a decoder may go down.

    python scripts/fuzz.py [--seconds 600] [--seed N] [--keep DIR]

FFmpeg makes the recordings: every container and codec that it can write, 1 to 16 channels. Each damaged one must give
scores, or one line that says why not, and the next one must be tagged as if nothing had been. A decoder that crashes
does no harm and is counted; `--keep` keeps what brought it down.
"""

import argparse
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from streamtag.audio import Block
from streamtag.errors import StreamtagError
from streamtag.program import ProgramError, finish, output_of
from streamtag.sources import ReceiverPool
from streamtag.tagger import Result
from streamtag.tagging import TaggingPool

_LAYOUTS = ("mono", "stereo", "5.1", "7.1", "7.1(wide)", "octagonal", "hexadecagonal")
_CONTAINERS = ("matroska", "mov", "mp4", "caf", "nut", "wav", "w64", "ogg", "avi", "asf", "mpegts", "aiff", "flv", "au")
_NO_FILES = frozenset(
    {"alsa", "oss", "pulse", "sdl", "xv", "rtp", "rtsp", "sap", "tee", "fifo", "hls", "dash", "segment"}
)
_EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_RECEIVED = 8  # one of so many is read as a service reads it
_LONGEST_SECONDS = 7200.0
_SLOW_SECONDS = 20.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until the time is over; return 1 if anything but a decoder failed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=600.0, help="how long (default: 600)")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32), help="default: another one each time")
    parser.add_argument("--keep", type=Path, help="keep what brings a decoder down in this folder")
    parser.add_argument("--recordings", type=int, default=300, help="how many to make (default: 300)")
    parser.add_argument("--bundle", default="default", help="the model")
    options = parser.parse_args(arguments)
    print(f"seed {options.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="streamtag-fuzz-") as folder:
        fuzzing = Fuzzing(Path(folder), options.seed, options.bundle, options.keep)
        made = fuzzing.make_recordings(options.recordings)
        print(f"{len(made)} recordings in {len({path.suffix for path in made})} containers", flush=True)
        fuzzing.run(made, options.seconds)
    for outcome, count in fuzzing.outcomes.most_common():
        print(f"{count:7d}  {outcome}")
    for fault in fuzzing.faults:
        print("FAULT:", fault)
    return 1 if fuzzing.faults or not fuzzing.outcomes["scores"] else 0


class Fuzzing:
    """One run: the same seed damages the same recordings in the same ways."""

    def __init__(self, folder: Path, seed: int, bundle: str, keep: Path | None) -> None:
        self.outcomes: Counter[str] = Counter()
        self.faults: list[str] = []
        self._folder = folder
        self._random = random.Random(seed)
        self._choosing = threading.Lock()
        self._number = 0
        self._pool = TaggingPool(bundle, processes=2)
        self._receivers = ReceiverPool()
        self._keep = keep
        if keep is not None:
            keep.mkdir(parents=True, exist_ok=True)

    def make_recordings(self, count: int) -> list[Path]:
        """Write about so many recordings of a second or less, as different as they can be."""
        encodings = list(self._encodings())
        self._random.shuffle(encodings)
        with ThreadPoolExecutor(2) as executor:
            return [path for path in executor.map(self._encode, range(count), encodings[:count]) if path is not None]

    def run(self, recordings: Sequence[Path], seconds: float) -> None:
        """Damage and read until the time is over."""
        until = time.monotonic() + seconds
        witness = next(path for path in recordings if path.suffix == ".wav")
        whole = self._pool.tag(witness)
        with ThreadPoolExecutor(2) as executor:
            for working in [executor.submit(self._until, recordings, until) for _ in range(2)]:
                working.result()
        again = self._pool.tag(witness)
        if not np.array_equal(whole.patches, again.patches):
            self.faults.append("a whole recording scores otherwise than before")
        self._pool.close()
        self._receivers.close(5.0)

    def _encodings(self) -> Iterator[list[str]]:
        """Options of FFmpeg: each encoder in some containers, and each container with its own."""
        for encoder in _listed("-encoders", "A"):
            for container in self._random.sample(_CONTAINERS, 4):
                yield ["-c:a", encoder, "-f", container]
        for container in _listed("-muxers", "E"):
            if container not in _NO_FILES:
                yield ["-f", container]
        yield from (["-c:a", "pcm_s16le", "-f", "wav"] for _ in _LAYOUTS)

    def _encode(self, number: int, encoding: list[str]) -> Path | None:
        random_ = random.Random(number)
        path = self._folder / f"{number}.{encoding[-1]}"
        layout, rate = random_.choice(_LAYOUTS), random_.choice((8000, 16000, 44100, 48000))
        sound = ["-f", "lavfi", "-i", f"sine=frequency=500:sample_rate={rate}:duration={random_.uniform(0.1, 1.0):.2f}"]
        sound += ["-af", f"aformat=channel_layouts={layout}"]
        command = ["ffmpeg", "-v", "quiet", "-nostdin", "-y", *sound, *encoding]
        try:
            done = finish([*command, "-strict", "-2", path], 20.0)
        except ProgramError:
            return None
        return path if not done.status and path.is_file() and path.stat().st_size else None

    def _damage(self, recordings: Sequence[Path]) -> tuple[int, Path, bytes]:
        with self._choosing:
            self._number += 1
            path = self._random.choice(recordings)
            return self._number, path, damage(path.read_bytes(), self._random)

    def _until(self, recordings: Sequence[Path], until: float) -> None:
        while time.monotonic() < until:
            self._one(*self._damage(recordings))

    def _one(self, number: int, original: Path, content: bytes) -> None:
        path = self._folder / f"damaged-{number}{original.suffix}"
        path.write_bytes(content)
        began = time.monotonic()
        try:
            outcome = self._receive(path) if number % _RECEIVED == 0 else self._tag(path)
        except Exception as error:
            outcome = f"unforeseen: {type(error).__name__}: {error}"
            self.faults.append(f"{path.name}: {outcome}")
        self.outcomes[outcome] += 1
        took = time.monotonic() - began
        if took > _SLOW_SECONDS:
            self.outcomes[f"took more than {_SLOW_SECONDS:g} s"] += 1
        if self._keep is not None and (outcome.startswith("its decoder") or took > _SLOW_SECONDS):
            (self._keep / path.name).write_bytes(content)
        path.unlink()

    def _tag(self, path: Path) -> str:
        try:
            result = self._pool.tag(path, max_seconds=_LONGEST_SECONDS)
        except StreamtagError as error:
            return self._reason(path, str(error))
        if not _is_sound(result):
            self.faults.append(f"{path.name}: scores that are none")
        return "scores"

    def _receive(self, path: Path) -> str:
        hearing = _Hearing()
        self._receivers.open(str(path), {}, hearing)
        if not hearing.ended.wait(200):
            self.faults.append(f"{path.name}: no end")
            return "no end"
        return "scores" if hearing.failure is None else self._reason(path, hearing.failure)

    def _reason(self, path: Path, text: str) -> str:
        if "\n" in text or len(text) > 500 or path.name not in text:
            self.faults.append(f"{path.name}: not one line that names it: {text!r}")
        return "".join(" " if letter.isdigit() else letter for letter in text.rpartition(f"{path.name}: ")[2])[:100]


class _Hearing:
    """Hears a recording as a stream of the service does."""

    def __init__(self) -> None:
        self.ended = threading.Event()
        self.failure: str | None = None
        self._heard_seconds = 0.0

    def add_block(self, block: Block, *, waits: bool) -> None:
        self._heard_seconds += len(block.samples) / block.rate

    def set_state(self, state: str, reason: str) -> None:
        pass

    def end(self, failure: str | None) -> None:
        self.failure = failure
        self.ended.set()


def damage(content: bytes, random_: random.Random) -> bytes:
    """Return a recording in which something is wrong."""
    data = bytearray(content)
    for _ in range(random_.choice((1, 1, 2, 4, 16))):
        offset = random_.randrange(len(data)) if random_.random() < 0.5 else random_.randrange(min(len(data), 400))
        length = random_.choice((1, 2, 4, 4, 8, 64, 1000))
        match random_.randrange(6):
            case 0:
                data[offset] ^= 1 << random_.randrange(8)
            case 1:
                size = random_.choice((1, 2, 4, 8))
                value = random_.choice(_EXTREMES) % (1 << 8 * size)
                data[offset : offset + size] = value.to_bytes(size, random_.choice(("little", "big")))
            case 2:
                data[offset : offset + length] = random_.randbytes(length)
            case 3:
                del data[offset : offset + length]
            case 4:
                data[offset:offset] = data[offset : offset + length]
            case 5 if random_.random() < 0.2:
                del data[max(offset, 16) :]
        if not data:
            return content[:16]
    return bytes(data)


def _is_sound(result: Result) -> bool:
    scores = result.patches
    return bool(len(scores)) and bool(np.isfinite(scores).all()) and bool(((scores >= 0) & (scores <= 1)).all())


def _listed(what: str, kind: str) -> list[str]:
    """Names in one of FFmpeg's lists, whose lines begin with letters for what each can do."""
    lines = output_of(["ffmpeg", "-hide_banner", what]).decode()
    rows = [line.split() for line in lines.splitlines() if line.startswith(" ")]
    return [row[1].partition(",")[0] for row in rows if len(row) > 2 and kind in row[0][:3] and row[1] != "="]


if __name__ == "__main__":
    sys.exit(main())
