"""Key files: what is written, who reads it, whom a folder lets in."""

import os
import stat
from pathlib import Path

import pytest
import zmq
import zmq.auth
from zmq.utils import z85

from streamtag.errors import ConfigError
from streamtag.keys import ServerKeys, add_client, read_client_key, write_server


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "keys"
    write_server(made)
    add_client(made, "porch")
    return made


def asked(keys: ServerKeys, public: bytes, mechanism: bytes = b"CURVE") -> list[bytes]:
    return keys.reply_to([b"1.0", b"7", b"streamtag", b"127.0.0.1", b"", mechanism, z85.decode(public)])


def test_every_file_is_its_owners_alone_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        write_server(tmp_path / "keys")
        add_client(tmp_path / "keys", "porch")
    finally:
        os.umask(before)
    files = list((tmp_path / "keys").iterdir())
    assert len(files) == 4
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700


def test_the_files_are_those_of_zmq_auth(folder: Path) -> None:
    key = read_client_key(folder / "porch.key_secret")
    assert zmq.auth.load_certificate(folder / "porch.key_secret") == (key.public, key.secret)
    assert zmq.auth.load_certificate(folder / "server.key") == (key.server, None)
    assert set(zmq.auth.load_certificates(folder)) == {key.public, key.server}


def test_no_key_is_overwritten(folder: Path) -> None:
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    with pytest.raises(ConfigError, match="no key is overwritten"):
        write_server(folder)
    with pytest.raises(ConfigError, match="no key is overwritten"):
        add_client(folder, "porch")
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


@pytest.mark.parametrize("name", ["server", "", "../porch", ".hidden", "a b", "x" * 65, "line\nbreak"])
def test_a_client_has_a_name_that_can_be_a_files(folder: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="cannot name a client"):
        add_client(folder, name)


def test_a_folder_lets_in_its_clients_and_says_who_they_are(folder: Path) -> None:
    keys = ServerKeys(folder)
    assert asked(keys, read_client_key(folder / "porch.key_secret").public)[2:5] == [b"200", b"", b"porch"]
    assert asked(keys, keys.own.public)[2:5] == [b"200", b"", b"server"]
    assert asked(keys, zmq.curve_keypair()[0])[2] == b"400"


def test_a_question_that_is_none_lets_nobody_in(folder: Path) -> None:
    keys = ServerKeys(folder)
    assert asked(keys, keys.own.public, b"PLAIN")[2] == b"400"
    for request in (
        [],
        [b"1.0"],
        [b"1.0", b"7", b"", b"", b"", b"CURVE"],
        [b"1.0", b"7", b"", b"", b"", b"CURVE", b"x"],
    ):
        assert keys.reply_to(request)[2] == b"400"


def test_a_client_that_comes_or_goes_counts_without_a_new_start(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    keys = ServerKeys(folder, look_seconds=0.0)
    porch = read_client_key(folder / "porch.key_secret").public
    yard = read_client_key(add_client(folder, "yard")).public
    assert asked(keys, yard)[2] == b"200"
    (folder / "porch.key").unlink()
    (folder / "broken.key").write_text("nothing")
    assert asked(keys, porch)[2] == b"400"
    assert asked(keys, yard)[2] == b"200"
    assert "broken.key: is not a key's file" in caplog.text


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        ("absent.key_secret", None, "cannot be read: No such file"),
        ("porch.key", None, "holds no secret key; a client's file ends in .key_secret"),
        ("empty.key_secret", "", "is not a key's file"),
        ("odd.key_secret", 'public-key = "short"\n', "is not a key's file"),
        ("binary.key_secret", "\0" * 100_000, "is not a key's file"),
    ],
)
def test_what_is_no_clients_key_is_refused_in_one_line(folder: Path, file: str, content: str | None, says: str) -> None:
    if content is not None:
        (folder / file).write_text(content)
    with pytest.raises(ConfigError) as refused:
        read_client_key(folder / file)
    assert says in str(refused.value)
    assert file in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_clients_file_without_its_servers_key_is_refused(tmp_path: Path) -> None:
    zmq.auth.create_certificates(tmp_path, "foreign")
    with pytest.raises(ConfigError, match="does not name its server's key"):
        read_client_key(tmp_path / "foreign.key_secret")


def test_a_folder_without_a_servers_key_is_refused_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"streamtag keys new {tmp_path}"):
        ServerKeys(tmp_path)


def test_a_secret_that_others_can_read_is_told_of(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = folder / "porch.key_secret"
    file.chmod(0o644)
    key = read_client_key(file)
    assert f"chmod 600 {file}" in caplog.text
    assert key.secret.decode() not in caplog.text + repr(key)
