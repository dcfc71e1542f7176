"""Where the bundles are that have a name: those that come with the package, and those that were added."""

from importlib import resources
from pathlib import Path
from typing import Final

from streamtag.folders import data_folder

__all__ = ["added", "added_folder", "find", "installed"]

_PACKAGED: Final = Path(str(resources.files("streamtag"))) / "bundles"
_MANIFEST: Final = "manifest.json"


def added_folder() -> Path:
    """Return the folder of the added bundles, `$XDG_DATA_HOME/streamtag/bundles`, whether or not it is there."""
    return data_folder() / "bundles"


def installed() -> list[str]:
    """Return the names of the bundles that come with the package."""
    return _names(_PACKAGED)


def added() -> list[str]:
    """Return the names of the bundles that were added."""
    return _names(added_folder())


def find(name: str) -> Path | None:
    """Return the folder of a packaged or added bundle, a packaged one first; None where there is none of this name."""
    if not name or "/" in name or name in (".", ".."):
        return None
    paths = (folder / name for folder in (_PACKAGED, added_folder()))
    return next((path for path in paths if (path / _MANIFEST).is_file()), None)


def _names(folder: Path) -> list[str]:
    try:
        return sorted(
            path.parent.name for path in folder.glob(f"*/{_MANIFEST}") if not path.parent.name.startswith(".")
        )
    except OSError:  # a folder that may not be read
        return []
