"""What lint and the import layers do not say about the code's shape."""

from graphlib import TopologicalSorter
from pathlib import Path

import grimp

PACKAGE = Path(__file__).parents[1] / "streamtag"
MOST_LINES = 400


def test_no_module_is_longer_than_a_few_screens() -> None:
    lengths = {str(path.relative_to(PACKAGE)): len(path.read_text().splitlines()) for path in PACKAGE.rglob("*.py")}
    assert len(lengths) > 50
    assert {name: length for name, length in lengths.items() if length > MOST_LINES} == {}


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = grimp.build_graph("streamtag", "train", "deploy", cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    assert len(imports) > 200
    TopologicalSorter(imports).prepare()  # a circle is an error that names it
