import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamtag.keys import ServerKeys
from streamtag.wire import Publisher
from tests.cli.commands import error_of, run
from tests.wire.samples import scores


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "keys"
    assert run("keys", "new", made).returncode == 0
    return made


@pytest.fixture
def guarded(folder: Path) -> Iterator[Publisher]:
    publisher = Publisher("tcp://127.0.0.1:*", keys=ServerKeys(folder))
    publisher.start()
    publisher.publish([scores()])
    yield publisher
    publisher.stop()


def test_new_keys_are_written_for_their_owner_alone_and_named(tmp_path: Path) -> None:
    done = run("keys", "new", tmp_path / "keys")
    assert str(tmp_path / "keys" / "server.key_secret") in done.stdout
    assert str(tmp_path / "keys" / "client.key_secret") in done.stdout
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "keys").iterdir()}
    assert modes == dict.fromkeys(["client.key", "client.key_secret", "server.key", "server.key_secret"], 0o600)


def test_one_more_client_leaves_the_others_alone(folder: Path) -> None:
    before = (folder / "server.key_secret").read_bytes()
    assert run("keys", "new", folder, "--client", "camera").returncode == 0
    assert (folder / "camera.key_secret").is_file()
    assert (folder / "server.key_secret").read_bytes() == before
    assert "no key is overwritten" in error_of("keys", "new", folder, "--client", "camera", status=2)


def test_subscribe_hears_with_its_key_or_beside_the_services_settings(guarded: Publisher, folder: Path) -> None:
    settings = folder.parent / "service.toml"
    settings.write_text(f'[service]\nendpoint = "{guarded.endpoint}"\nkeys = "keys"\n')
    for arguments in (
        ("subscribe", guarded.endpoint, "--key", folder / "client.key_secret"),
        ("--config", settings, "subscribe"),
    ):
        done = run(*arguments, "--count", 1, "--seconds", 10)
        assert json.loads(done.stdout)["kind"] == "scores"


def test_subscribe_without_a_key_says_why_it_hears_nothing(guarded: Publisher) -> None:
    done = run("subscribe", guarded.endpoint, "--seconds", 1)
    assert done.stdout == ""
    assert "does not let this program in: it asks for another key, or for none" in done.stderr


@pytest.mark.parametrize("command", ["subscribe", "dashboard"])
def test_a_key_that_is_none_is_wrong_use(tmp_path: Path, command: str) -> None:
    assert "cannot be read" in error_of(command, "--key", tmp_path / "absent", status=2)


def test_a_service_that_everybody_could_reach_does_not_start(tmp_path: Path) -> None:
    settings = tmp_path / "service.toml"
    settings.write_text('[service]\nendpoint = "tcp://*:5556"\n')
    error = error_of("run", settings, status=2)
    assert f'{settings}: [service] endpoint = "tcp://*:5556"' in error
    assert "open = true" in error
