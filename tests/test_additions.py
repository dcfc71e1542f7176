"""A source, a runtime, a sink and a network of somebody's, each one file and one line in a table, found everywhere.

They are added to a copy of the packages, as whoever writes one adds it.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

SOURCE = """
import time
import numpy as np
from streamtag.audio.block import Block


def open_request(request):
    return Hum(request)


class Hum:
    rate, channels = 16000, 1

    def __init__(self, request):
        self.name = request.uri
        self._level = float(request.rest or 0.5)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def close(self):
        pass

    def __iter__(self):
        sound = self._level * np.sin(np.arange(48000) * 0.1)
        yield Block(sound.astype(np.float32), 0, 16000, time.time())
"""
SOURCE_LINE = '    SourceKind("hum", "hums", {"hum": "name"}, {"rate": ()}, is_live=False),\n'

RUNTIME = """
import numpy as np


class Guess:
    name, device, precision = "guess", "CPU", "none"

    def __init__(self, labels):
        self._labels = labels

    def run(self, patches):
        return np.full((len(patches), self._labels), 0.25, np.float32)

    def embed(self, patches):
        return np.zeros((len(patches), 4), np.float32)

    def score(self, patches, embed=False):
        return self.run(patches), self.embed(patches) if embed else None


def open_model(bundle, threads, max_batch):
    return Guess(len(bundle.labels))
"""
RUNTIME_LINE = '    "guess": RuntimeKind("guess", "numpy", "pip install numpy"),\n'

SINK = """
from typing import Annotated
from msgspec import Meta, Struct


class Settings(Struct, frozen=True, kw_only=True):
    brightness: Annotated[int, Meta(ge=1, le=100, description="a whole number from 1 to 100")] = 50


def open_sink(config):
    return Lamp(config.sections["lamp"])


class Lamp:
    name, kinds = "lamp", frozenset({"event"})

    def __init__(self, settings):
        self.settings = settings

    def open(self):
        pass

    def take(self, message):
        pass

    def look(self):
        pass

    def close(self):
        pass
"""
SINK_LINE = '    SinkKind("lamp", "lamp"),\n'

NETWORK = """
from torch import nn
from train.networks.blocks import Classifier


def tiny(labels, bottleneck):
    return Classifier(nn.Sequential(nn.Flatten(), nn.Linear(96 * 64, 8)), 8, labels, bottleneck)
"""
NETWORK_LINE = '    "tiny": tiny,\n'


def add(root: Path, file: str, content: str, table: str, behind: str, line: str) -> None:
    """Write one file, and one line into a table, behind the table's beginning."""
    (root / file).write_text(content)
    text = (root / table).read_text()
    assert text.count(behind) == 1
    (root / table).write_text(text.replace(behind, behind + line))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("copy")
    for package in ("streamtag", "train"):
        ignored = shutil.ignore_patterns("__pycache__", "bundles", "static", "configs")
        shutil.copytree(ROOT / package, root / package, ignore=ignored)
    (root / "streamtag" / "bundles").symlink_to(ROOT / "streamtag" / "bundles")
    add(root, "streamtag/sources/hum.py", SOURCE, "streamtag/source_kinds.py", "SOURCES: Final = [\n", SOURCE_LINE)
    add(
        root,
        "streamtag/runtimes/guess.py",
        RUNTIME,
        "streamtag/runtime_kinds.py",
        "RUNTIMES: Final = {\n",
        RUNTIME_LINE,
    )
    add(root, "streamtag/sinks/lamp.py", SINK, "streamtag/sink_kinds.py", "SINKS: Final = [\n", SINK_LINE)
    table = "train/networks/__init__.py"
    add(
        root,
        "train/networks/tiny.py",
        NETWORK,
        table,
        "from train.networks.tagnet import tagnet\n",
        "from train.networks.tiny import tiny\n",
    )
    add(root, "train/networks/tiny.py", NETWORK, table, "Callable[[int, int], Classifier]] = {\n", NETWORK_LINE)
    return root


def run(root: Path, program: str, *arguments: str) -> str:
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(root)!r})\n{program}", *arguments]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def configured(root: Path, *texts: str) -> list[str]:
    """What is said of each configuration: "" where it is as it should be; the last one stays."""
    program = (
        "import json\n"
        "from pathlib import Path\n"
        "from streamtag.config import load_config\n"
        "from streamtag.errors import ConfigError\n"
        "said = []\n"
        "for text in json.loads(sys.argv[1]):\n"
        "    Path('c.toml').write_text(text)\n"
        "    try:\n        load_config('c.toml')\n        said.append('')\n"
        "    except ConfigError as error:\n        said.append(str(error))\n"
        "print(json.dumps(said))\n"
    )
    said: list[str] = json.loads(run(root, program, json.dumps(texts)))
    return said


STREAM = '[[stream]]\nid = "a"\nsource = "hum:0.25"\n'


def test_a_source_is_opened_checked_received_and_named_among_the_others(root: Path) -> None:
    program = (
        "from streamtag.errors import SourceError\n"
        "from streamtag.sources import open_source\n"
        "with open_source('hum:0.25') as source:\n    print(max(block.samples.max() for block in source))\n"
        "try:\n    open_source('hum:', loop=True)\nexcept SourceError as error:\n    print(error)\n"
        "try:\n    open_source('nowhere://a')\nexcept SourceError as error:\n    print('hum:' in str(error))\n"
    )
    assert run(root, program).splitlines() == ["0.25", "hum: takes no option 'loop': leave it out", "True"]
    right, wrong = configured(root, f"{STREAM}rate = 16000\n", f"{STREAM}channels = 2\n")
    assert right == ""
    assert wrong.startswith("c.toml, line 4: [[stream]] channels: only for ")
    received = (
        "import threading\n"
        "from streamtag.sources import ReceiverPool\n"
        "class Ear:\n"
        "    done = threading.Event()\n"
        "    def add_block(self, block, *, waits): print(len(block.samples), flush=True)\n"
        "    def set_state(self, state, reason): pass\n"
        "    def end(self, failure): print(failure, flush=True); self.done.set()\n"
        "pool = ReceiverPool()\npool.open('hum:', {}, Ear())\nEar.done.wait(60)\npool.close(5)\n"
    )
    environment = f"import os; os.environ['PYTHONPATH'] = {str(root)!r}\n"
    assert run(root, environment + received).splitlines() == ["48000", "None"]


def test_a_runtime_is_offered_checked_and_runs_a_model(root: Path) -> None:
    program = (
        "from streamtag.cli.app import build_parser\n"
        "from streamtag.runtimes import open_runtime\n"
        "from streamtag.bundle import Bundle\n"
        "print(build_parser().parse_args(['bench', '--runtime', 'guess']).runtime)\n"
        "print(build_parser().parse_args(['tag', '--runtime', 'guess', 'x.wav']).runtime)\n"
        "print(open_runtime(Bundle.open('fast'), 'guess').name)\n"
    )
    assert run(root, program).split() == ["guess"] * 3
    right, wrong = configured(root, '[model]\nruntime = "guess"\n', '[model]\nruntime = "gues"\n')
    assert right == ""
    assert '"guess"' in wrong


def test_a_sink_has_its_section_is_wanted_by_it_and_opened(root: Path) -> None:
    assert configured(root, "[lamp]\nbrightness = 101\n", "[lam]\n", "[lamp]\nbrightness = 7\n") == [
        "c.toml, line 2: [lamp] brightness = 101: must be a whole number from 1 to 100",
        'c.toml, line 1: "lam": unknown section; did you mean "lamp"?',
        "",
    ]
    program = (
        "from streamtag.config import load_config\n"
        "from streamtag.settings import Config\n"
        "from streamtag.sinks.opening import is_wanted, open_sinks, what_matters\n"
        "config = load_config('c.toml')\n"
        "print([(sink.name, sink.settings.brightness) for sink in open_sinks(config)])\n"
        "print(is_wanted(config), is_wanted(Config()), what_matters(config) != what_matters(Config()))\n"
    )
    assert run(root, program).splitlines() == ["[('lamp', 7)]", "True False True"]


def test_a_network_is_made_by_name_and_counted_among_the_others(root: Path) -> None:
    program = (
        "import json\n"
        "from train.networks import make_network\n"
        "from train.networks.paper_table import table\n"
        "print(json.dumps([type(make_network('tiny', 3)).__name__, [row['network'] for row in table()]]))\n"
    )
    made, names = json.loads(run(root, program))
    assert made == "Classifier"
    assert "tiny" in names
