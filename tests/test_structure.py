"""What lint and the import layers do not say about the code's shape."""

import ast
import re
from graphlib import TopologicalSorter
from pathlib import Path
from statistics import median

import grimp

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "streamtag"
PACKAGES = ("streamtag", "train", "deploy")
MOST_LINES = 350
MEDIAN_LINES = range(80, 201)


def test_no_module_is_longer_than_a_few_screens() -> None:
    modules = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py") if path.name != "__init__.py"]
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in modules}
    assert len(lengths) > 250
    assert {name: length for name, length in lengths.items() if length > MOST_LINES} == {}
    assert round(median(lengths.values())) in MEDIAN_LINES


def test_the_listing_in_the_documents_is_true() -> None:
    """Each file and folder that it names is there, and each folder, and each module beside them, is named."""
    text = (ROOT / "docs" / "architecture.md").read_text()
    listing = text[text.index("```\nstreamtag/") :].split("```")[1]
    named: set[Path] = set()
    folder = ROOT
    for line in listing.strip().splitlines():
        if not line.startswith(" "):
            folder = ROOT / line.split("/")[0]
            named |= {ROOT / name for name in re.findall(r"(?:^|  )(\w+)/", line)}
        else:
            named |= {folder / name for name in re.findall(r"(?<![\w./`])(\w+(?:/(?!\w)|\.py))", line)}
    there = {path.parent for path in ROOT.glob("*/*/*") if _is_ours(path)}
    there |= {path for path in PACKAGE.glob("*.py") if path.name != "__main__.py"}
    assert sorted(str(path.relative_to(ROOT)) for path in named if not path.exists()) == []
    assert sorted(str(path.relative_to(ROOT)) for path in there - named) == []


def _is_ours(path: Path) -> bool:
    """Whether a file's folder is one that the listing names: the tests mirror the others, and some hold no code."""
    folder = path.parent.relative_to(ROOT)
    return (
        folder.parts[0] in ("streamtag", "train")
        and path.suffix in (".py", ".toml", ".json")
        and path.is_file()
        and folder.name != "__pycache__"
    )


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
