"""`python -m train data`: fetch the public sets, with checksums, resume and progress."""

import hashlib
import http.client
import shutil
import tarfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from streamtag.errors import SourceError

_BLOCK = 1 << 20
_TIMEOUT_SECONDS = 30.0
_ZENODO_FSD50K = "https://zenodo.org/records/4060432/files/"


@dataclass(frozen=True, slots=True)
class Part:
    """One file of a set: where it is, and its MD5 as its publisher states it ("" where none is stated)."""

    url: str
    md5: str = ""

    @property
    def name(self) -> str:
        """The file's name."""
        return self.url.rsplit("/", 1)[-1]


SETS: dict[str, tuple[Part, ...]] = {
    "esc50": (Part("https://github.com/karolpiczak/ESC-50/archive/master.zip"),),
    "urbansound8k": (
        Part("https://zenodo.org/records/1203745/files/UrbanSound8K.tar.gz", "9aa69802bbf37fb986f71ec1483a196e"),
    ),
    "fsd50k": tuple(
        Part(f"{_ZENODO_FSD50K}FSD50K.{name}", md5)
        for name, md5 in (
            ("ground_truth.zip", "ca27382c195e37d2269c4c866dd73485"),
            ("metadata.zip", "b9ea0c829a411c1d42adb9da539ed237"),
            ("dev_audio.zip", "c480d119b8f7a7e32fdb58f3ea4d6c5a"),
            ("dev_audio.z01", "faa7cf4cc076fc34a44a479a5ed862a3"),
            ("dev_audio.z02", "8f9b66153e68571164fb1315d00bc7bc"),
            ("dev_audio.z03", "1196ef47d267a993d30fa98af54b7159"),
            ("dev_audio.z04", "d088ac4e11ba53daf9f7574c11cccac9"),
            ("dev_audio.z05", "81356521aa159accd3c35de22da28c7f"),
            ("eval_audio.zip", "6fa47636c3a3ad5c7dfeba99f2637982"),
            ("eval_audio.z01", "3090670eaeecc013ca1ff84fe4442aeb"),
        )
    ),
}
"""AudioSet is not here: it publishes no sound."""

_INNER = {"esc50": "ESC-50-master", "urbansound8k": "UrbanSound8K"}
"""The folder within an archive that is the set."""

Progress = Callable[[str, int, int], None]
"""Takes a file's name, the bytes that are there and the bytes wanted (0 when unknown)."""


def fetch(part: Part, folder: Path, progress: Progress) -> Path:
    """Return a file of a set, fetched unless it is there whole.

    What an interrupted fetch left is kept as `NAME.part` and gone on with.

    Raises:
        SourceError: there is no network, the server refuses, or the file is not what its publisher states.
    """
    target = folder / part.name
    if target.is_file():
        return target
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(target.name + ".part")
    have = unfinished.stat().st_size if unfinished.is_file() else 0
    request = urllib.request.Request(part.url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as answer:
            if answer.status != 206:
                have = 0
            rest = int(answer.headers.get("Content-Length") or 0)
            total = have + rest if rest else 0
            with unfinished.open("ab" if have else "wb") as file:
                while block := answer.read(_BLOCK):
                    file.write(block)
                    have += len(block)
                    progress(part.name, have, total)
    except urllib.error.HTTPError as error:
        if error.code != http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE or not have:
            raise SourceError(f"{part.url}: the server answers {error.code} {error.reason}") from error
        total = have  # nothing is left to fetch: the last run ended before it could check
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise SourceError(
            f"{part.url}: cannot be fetched ({reason}): is there a network? Run it again to go on"
        ) from error
    if total and have < total:
        raise SourceError(f"{part.url}: the connection ended at {have} of {total} bytes: run it again to go on")
    _check(part, unfinished)
    unfinished.replace(target)
    return target


def _check(part: Part, path: Path) -> None:
    if not part.md5:
        return
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    if digest.hexdigest() != part.md5:
        path.unlink()
        raise SourceError(f"{part.name}: its checksum is not the published one, and it was deleted: run it again")


def unpack(archive: Path, folder: Path) -> bool:
    """Unpack an archive into `folder`; return False for a part of a split one, which other tools must join first.

    Raises:
        SourceError: the archive is damaged.
    """
    if any(archive.parent.glob(archive.stem + ".z[0-9]*")) or archive.suffix.startswith(".z0"):
        return False
    try:
        if archive.suffix == ".zip":
            with zipfile.ZipFile(archive) as content:
                content.extractall(folder)
        else:
            with tarfile.open(archive) as content:
                # Nothing outside the folder; Python before 3.11.4 cannot tell.
                content.extraction_filter = getattr(tarfile, "data_filter", None)
                content.extractall(folder)
    except (zipfile.BadZipFile, tarfile.TarError, OSError) as error:
        raise SourceError(f"{archive}: cannot be unpacked ({error}): delete it and run this again") from error
    return True


def download(name: str, root: Path, progress: Progress) -> tuple[Path, list[Path]]:
    """Fetch and unpack a set; return its folder and the archives that are left for other tools to join.

    Raises:
        SourceError: the set is unknown, or a file cannot be fetched or unpacked.
    """
    if name not in SETS:
        raise SourceError(f"set {name!r}: unknown; there are {', '.join(SETS)} (AudioSet publishes no sound)")
    folder = root / name
    archives = [fetch(part, folder, progress) for part in SETS[name]]
    left = [archive for archive in archives if not unpack(archive, folder)]
    inner = folder / _INNER.get(name, "")
    if inner != folder and inner.is_dir():
        shutil.copytree(inner, folder, dirs_exist_ok=True, copy_function=shutil.move)
        shutil.rmtree(inner)
    return folder, left
