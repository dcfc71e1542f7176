"""What lint and the import layers do not say about the code's shape."""

from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "streamtag"
MOST_LINES = 400


def test_no_module_is_longer_than_a_few_screens() -> None:
    lengths = {str(path.relative_to(PACKAGE)): len(path.read_text().splitlines()) for path in PACKAGE.rglob("*.py")}
    assert len(lengths) > 50
    assert {name: length for name, length in lengths.items() if length > MOST_LINES} == {}
