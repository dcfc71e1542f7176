"""Bundles that somebody made elsewhere, as a folder or an archive: copied whole and checked; and made into one file."""

import json
import re
import zipfile
from pathlib import Path
from typing import Final

from streamtag.atomic_file import Draft
from streamtag.bundle import SUFFIX, Bundle
from streamtag.bundle_files import FILE_NAME, read_file
from streamtag.errors import BundleError, ConfigError
from streamtag.foreign.bundle_folder import LABELS, MANIFEST, file_entry
from streamtag.foreign.trial import try_bundle

__all__ = ["copy_bundle", "pack_bundle"]

_MOST_UNNAMED: Final = 16 << 20
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)


def copy_bundle(path: Path, name: str, folder: Path) -> None:
    """Copy a bundle's manifest and every file that it names into an empty folder, and try it.

    Args:
        path: the bundle's folder or archive.
        name: what the copy is called, by which its scores are told.
        folder: where to.

    Raises:
        BundleError: it is damaged, does not run here, or its archive holds paths outside of it.
    """
    if path.is_file():
        _check_names(path)
    bundle = Bundle(path)
    for file in bundle.files:
        target = folder / file
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(bundle.read(file))
    (folder / LABELS).write_bytes(read_file(path, LABELS, _MOST_UNNAMED))  # which needs no entry of its own
    manifest = json.dumps({**bundle.manifest, "name": name}, indent=1, ensure_ascii=False)
    (folder / MANIFEST).write_text(manifest + "\n", encoding="utf-8")
    try_bundle(Bundle(folder))


def pack_bundle(bundle: Bundle, target: Path) -> str:
    """Write a bundle as one file, byte for byte the same each time; return its SHA-256 in hexadecimal.

    Raises:
        ConfigError: the file's name does not end as that of a bundle.
        BundleError: the bundle is damaged, or the file cannot be written.
    """
    if target.suffix != SUFFIX:
        raise ConfigError(f"{target}: its name must end in {SUFFIX}")
    try:
        with Draft(target) as draft:
            with zipfile.ZipFile(draft.file, "w", zipfile.ZIP_DEFLATED) as archive:
                for name in sorted({MANIFEST, LABELS, *bundle.files}):
                    content = bundle.read(name) if name in bundle.files else read_file(bundle.path, name, _MOST_UNNAMED)
                    about = zipfile.ZipInfo(name, _EPOCH)
                    about.compress_type = zipfile.ZIP_DEFLATED
                    about.external_attr = 0o644 << 16
                    archive.writestr(about, content)
            draft.publish()
    except OSError as error:
        raise BundleError(f"{target}: cannot be written: {error.strerror}") from error
    return str(file_entry(target)["sha256"])


def _check_names(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            names = [each.filename for each in archive.infolist() if not each.is_dir()]
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise BundleError(f"bundle {path}: not a zipped bundle that is whole: {error}") from error
    odd = next((name for name in names if not re.match(FILE_NAME, name)), None)
    if odd is not None:
        raise BundleError(f"bundle {path}: it holds {odd!r:.80}, which cannot name a file of a bundle")
