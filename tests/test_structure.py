"""What lint and the import layers do not say about the code's shape."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import grimp

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "streamtag"
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


def test_every_test_file_is_named_after_a_module_or_says_what_it_tests() -> None:
    nameless = [
        str(path.relative_to(ROOT))
        for path in (ROOT / "tests").rglob("test_*.py")
        if not _modules_of(path) and not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert nameless == []


def _modules_of(test: Path) -> list[Path]:
    """Return the modules that a file of tests is named after, below the package that its folder is named after."""
    folder = test.parent.relative_to(ROOT / "tests")
    package = ROOT / folder if folder.parts[:1] in (("benchmarks",), ("deploy",), ("train",)) else PACKAGE / folder
    name = test.stem.removeprefix("test_")
    return [*package.rglob(f"{name}.py"), *package.rglob(f"{name}/__init__.py")]
