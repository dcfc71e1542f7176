"""Recordings to measure an archive with: the packaged one, under as many names as are asked for."""

from pathlib import Path

from streamtag.bundle import Bundle


def make_recordings(folder: Path, count: int) -> Path:
    """Make a folder of so many links to the packaged recording; return the recording."""
    folder.mkdir()
    demo = next(Bundle.open().path.glob("demo.[fow]*"))
    first = folder / f"0{demo.suffix}"
    first.write_bytes(demo.read_bytes())
    for number in range(1, count):
        (folder / f"{number}{demo.suffix}").hardlink_to(first)
    return demo
