"""The documents say what the program takes and gives: options, keys and their ranges, header fields, sources."""

import argparse
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from streamtag import sources
from streamtag.cli.app import build_parser
from streamtag.config import load_config
from streamtag.fleet.settings import FleetSettings
from streamtag.message_kinds import MESSAGE_KINDS
from streamtag.settings import (
    DEFAULT_OFF,
    DEFAULT_ON,
    AlertSettings,
    EventSettings,
    HistorySettings,
    MetricsSettings,
    ModelSettings,
    MqttSettings,
    NatsSettings,
    NotifySettings,
    PageSettings,
    ScoreSettings,
    ServiceSettings,
    Stream,
    WebhookSettings,
)
from streamtag.source_kinds import FORMS, PLAYLIST
from streamtag.wire import headers, pcm_messages
from streamtag.wire.headers import HEADERS

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
SECTIONS: dict[str, type[msgspec.Struct]] = {
    "`[service]`": ServiceSettings,
    "`[model]`": ModelSettings,
    "`[scores]`": ScoreSettings,
    "`[events]`": EventSettings,
    "`[history]`": HistorySettings,
    "`[page]`": PageSettings,
    "`[mqtt]`": MqttSettings,
    "`[metrics]`": MetricsSettings,
    "`[[webhook]]`": WebhookSettings,
    "`[nats]`": NatsSettings,
    "`[[notify]]`": NotifySettings,
    "`[[alert]]`": AlertSettings,
    "`[[stream]]`": Stream,
}
# Of keys whose absence means a value that is told elsewhere.
TAKEN_FOR_NONE = {
    "on": DEFAULT_ON,
    "off": DEFAULT_OFF,
    "channels": 1,
    "timeout_seconds": sources.Timeouts().read_seconds,
}


def sections(document: str, mark: str) -> dict[str, str]:
    """What stands under each heading of one level, by the heading."""
    _, *parts = re.split(rf"^{mark} ", (DOCS / document).read_text(), flags=re.MULTILINE)
    return {heading: text for heading, _, text in (part.partition("\n") for part in parts)}


def rows(text: str) -> Iterator[list[str]]:
    """The cells of a text's first table, without its titles."""
    lines = iter(text.split("\n"))
    table = []
    for line in lines:
        if line.startswith("|"):
            table.append(line)
        elif table:
            break
    for line in table[2:]:
        yield [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def names(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def commands() -> Iterator[tuple[str, str, argparse.ArgumentParser]]:
    """Every command that runs: its heading in the document, its whole name, and its parser."""
    (table,) = [action for action in build_parser()._actions if isinstance(action, argparse._SubParsersAction)]
    for name, parser in table.choices.items():
        inner = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
        if not inner:
            yield name, name, parser
        for each in inner:
            for action, deeper in each.choices.items():
                yield name, f"{name} {action}", deeper


def synopsis(text: str, command: str) -> str:
    """The indented lines that begin with a command, and those that go on with it."""
    found = re.search(rf"^    streamtag {command}(?![\w-]).*(\n {{8,}}.*)*", text, flags=re.MULTILINE)
    assert found, f"docs/commands.md shows no line 'streamtag {command} …'"
    return found[0]


@pytest.mark.parametrize(("heading", "command", "parser"), list(commands()), ids=lambda value: str(value)[:20])
def test_a_command_is_shown_with_all_it_takes(heading: str, command: str, parser: argparse.ArgumentParser) -> None:
    shown = synopsis(sections("commands.md", "##")[heading], command)
    taken = [action for action in parser._actions if action.help != argparse.SUPPRESS and action.dest != "help"]
    options = {option for action in taken for option in action.option_strings if option.startswith("--")}
    assert set(re.findall(r"--[a-z][a-z0-9-]*", shown)) == options
    for action in taken:
        if not action.option_strings:
            assert str(action.metavar) in shown
        elif action.choices and action.metavar is None:
            choices = re.escape("|".join(action.choices))
            assert re.search(rf"{action.option_strings[0]} ([A-Z]+\b|{choices})", shown)


def test_every_command_has_its_part_and_nothing_else_has() -> None:
    assert list(sections("commands.md", "##")) == list(dict.fromkeys(heading for heading, *_ in commands()))


def test_the_options_before_a_command_are_shown() -> None:
    (shown,) = re.findall(r"^    streamtag (\[.*) COMMAND …$", (DOCS / "commands.md").read_text(), flags=re.MULTILINE)
    options = [action for action in build_parser()._actions if action.option_strings and action.dest != "help"]
    for action in options:
        if action.help != argparse.SUPPRESS:
            assert action.option_strings[0] in shown
            assert "|".join(action.choices or ()) in shown


@pytest.mark.parametrize("heading", SECTIONS)
def test_a_section_is_shown_with_all_its_keys_defaults_and_ranges(heading: str) -> None:
    shown = {
        names(key)[0]: (default, may_be) for key, default, may_be in rows(sections("configuration.md", "##")[heading])
    }
    every = msgspec.structs.fields(SECTIONS[heading])
    # The labels of [events] have tables of their own.
    fields = {field.name: field for field in every if heading != "`[events]`" or field.name != "labels"}
    assert list(shown) == list(fields)
    for name, (default, may_be) in shown.items():
        is_value = re.fullmatch(r'true|false|[0-9.]+|`".*"`', default) is not None
        value = tomllib.loads(f"value = {default.strip('`')}")["value"] if is_value else None
        real = None if fields[name].required or fields[name].default == () else fields[name].default
        taken = {} if heading == "`[[alert]]`" else TAKEN_FOR_NONE  # where `on` is of several kinds
        assert value == (taken.get(name) if real is None else real), name
        for said in described(fields[name].type):
            assert said in may_be, f"{name}: {said}"


def test_a_fleets_section_is_shown_with_all_its_keys_defaults_and_ranges() -> None:
    text = sections("scale.md", "##")["A fleet"]
    shown = {names(key)[0]: (default, may_be) for key, default, may_be in rows(text[text.index("`[fleet]`:") :])}
    fields = {field.name: field for field in msgspec.structs.fields(FleetSettings)}
    assert list(shown) == list(fields)
    for name, (default, may_be) in shown.items():
        assert tomllib.loads(f"value = {default.strip('`')}")["value"] == fields[name].default
        for said in described(fields[name].type):
            assert said in may_be, f"{name}: {said}"


def described(kind: Any) -> Iterator[str]:
    """What a field's type says of its range that a document has to say too."""
    for part in (kind, *get_args(kind)):
        for meta in getattr(part, "__metadata__", ()):
            if numbers := re.search(r"number from (\S+) to (\S+)", meta.description or ""):
                yield f"{float(numbers[1]):.15g} to {float(numbers[2]):.15g}"
            elif "or" in (meta.description or "") and meta.description.startswith('"'):
                yield from re.findall(r'`?"[^"]+"', meta.description)


def test_every_section_has_its_part() -> None:
    assert [name for name in sections("configuration.md", "##") if name.startswith("`")] == list(SECTIONS)


def test_the_keys_of_every_header_are_shown() -> None:
    text = sections("wire.md", "##")["Messages out"]
    common = [name for cells in rows(text[text.index("Every header has these keys") :]) for name in names(cells[0])]
    assert set(common) == {*headers._Header.__struct_fields__, "kind"}
    assert HEADERS.keys() == MESSAGE_KINDS.keys()
    for heading, part in sections("wire.md", "###").items():
        kind = heading.partition("/")[0].strip("`")
        if kind in HEADERS:
            shown = [name for cells in rows(part) for name in names(cells[0])]
            assert sorted(shown) == sorted(set(HEADERS[kind].__struct_fields__) - set(common)), kind
    assert HEADERS.keys() <= {heading.partition("/")[0].strip("`") for heading in sections("wire.md", "###")}


def test_the_keys_of_pushed_sound_are_shown() -> None:
    text = sections("wire.md", "##")["PCM in"]
    shown = {name for cells in rows(text) for name in names(cells[0])}
    assert shown == set(pcm_messages.PcmHeader.__struct_fields__) - {"v", "end"}
    assert '"end": true' in text


def test_every_kind_of_source_is_shown() -> None:
    for document in ("docs/sources.md", "README.md"):
        text = (ROOT / document).read_text()
        table = text[text.index("| source | what |") :]
        cells = [name for cells in rows(table) for name in names(cells[0])]
        kinds = {re.match(r"[a-z]+(?=:)|-", cell) for cell in cells}
        # A playlist is a path whose name says so.
        assert {kind[0] for kind in kinds if kind} == FORMS.keys() - {PLAYLIST}, document


@pytest.mark.parametrize("document", ["README.md", *(f"docs/{path.name}" for path in sorted(DOCS.glob("*.md")))])
def test_what_a_document_points_to_is_there(document: str) -> None:
    text = (ROOT / document).read_text()
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", text):
        assert ((ROOT / document).parent / target).exists(), target


@pytest.mark.parametrize("document", ["README.md", "docs/dashboard.md", "docs/alerts.md", "docs/privacy.md"])
def test_configurations_in_the_documents_can_be_read(document: str, tmp_path: Path) -> None:
    blocks = re.findall(r"```toml\n(.*?)```", (ROOT / document).read_text(), flags=re.DOTALL)
    assert blocks
    for block in blocks:
        (tmp_path / "shown.toml").write_text(block)
        load_config(tmp_path / "shown.toml")


def test_figures_of_speed_name_the_processor_that_they_were_measured_on() -> None:
    results = list((ROOT / "benchmarks" / "results").glob("side_by_side_*.md"))
    assert results
    for path in results:
        (processor,) = re.findall(
            r"^\w.*?(Xeon|EPYC|Ryzen|Core|Neoverse|Graviton|Cortex).*one core", path.read_text(), re.MULTILINE
        )
        for document in ("README.md", "docs/performance.md"):
            assert processor in (ROOT / document).read_text()


def test_no_document_sends_anybody_to_a_place_where_the_project_is_not() -> None:
    for path in [ROOT / "README.md", ROOT / "pyproject.toml", *DOCS.glob("*.md"), *(ROOT / "deploy").glob("*.*")]:
        assert "github.com/streamtag" not in path.read_text(), path
