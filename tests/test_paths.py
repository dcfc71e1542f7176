from pathlib import Path

import pytest

from streamtag.paths import of_file_url, user_path


def test_a_tilde_is_the_home_folder_unless_a_file_of_this_name_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    assert user_path("~/a.wav", tmp_path) == Path("/home/somebody/a.wav")
    assert user_path("~backup.wav", tmp_path) == tmp_path / "~backup.wav"
    (tmp_path / "~").mkdir()
    (tmp_path / "~" / "a.wav").touch()
    assert user_path("~/a.wav", tmp_path) == tmp_path / "~" / "a.wav"
    assert user_path("/x/a.wav", tmp_path) == Path("/x/a.wav")


def test_without_a_home_a_tilde_is_a_name_like_any_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home(path: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", no_home)
    assert user_path("~/a.wav", tmp_path) == tmp_path / "~/a.wav"


@pytest.mark.parametrize(
    ("rest", "path"),
    [
        ("///x/a%20b.wav", "/x/a b.wav"),
        ("//localhost/x/a%23b.wav", "/x/a#b.wav"),
        ("///x/100%.wav", "/x/100%.wav"),
        ("///x/%ff.wav", "/x/\udcff.wav"),
        ("a%20b.wav", "a%20b.wav"),
        ("/x/a%20b.wav", "/x/a%20b.wav"),
        ("//x/a.wav", "//x/a.wav"),
    ],
)
def test_a_file_url_is_decoded_and_a_path_is_not(rest: str, path: str) -> None:
    assert of_file_url(rest) == path


def test_a_file_whose_name_has_a_percent_sign_is_found_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "a%20b.wav").touch()
    assert of_file_url(f"//{tmp_path}/a%20b.wav") == f"{tmp_path}/a%20b.wav"
    (tmp_path / "a b.wav").touch()
    assert of_file_url(f"//{tmp_path}/a%20b.wav") == f"{tmp_path}/a b.wav"
