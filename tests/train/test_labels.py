import pytest

from streamtag.errors import ConfigError
from train.labels import LabelTable, category_names, known_mids, unsure_with
from train.labels.related import implied


def test_esc50s_categories_are_50_different_known_labels() -> None:
    names = category_names("esc50")
    assert len(names) == len(set(names.values())) == 50
    assert set(names.values()) <= set(known_mids())


def test_a_label_table_is_sorted_distinct_and_carries_mids() -> None:
    table = LabelTable.of(["Rain", "Dog", "Rain", "Can opening"])
    assert table.names == ("Can opening", "Dog", "Rain")
    assert table.mids == ("", "/m/0bt9lr", "/m/06mb1")


def test_an_unknown_label_is_one_clear_line() -> None:
    with pytest.raises(ConfigError, match="label 'Dgo' is not among AudioSet's display names"):
        LabelTable.of(["Dgo"])


def test_a_label_of_ones_own_is_taken_when_declared() -> None:
    assert LabelTable.of(["My machine"], {"My machine": ""}).names == ("My machine",)


def test_no_label_is_unsure_of_itself_or_of_what_it_implies() -> None:
    for name in known_mids():
        assert not unsure_with(name) & {name, *implied(name)}


def test_every_related_label_is_a_known_one() -> None:
    assert all(unsure_with(name) <= set(known_mids()) for name in known_mids())


def test_a_child_speaking_is_certainly_speech_and_a_guitar_perhaps_music() -> None:
    assert "Speech" in implied("Child speech, kid speaking")
    assert "Music" in unsure_with("Guitar")
    assert "Guitar" in unsure_with("Music")


def test_the_two_kinds_of_keyboard_are_no_negatives_of_each_other() -> None:
    assert "Typing" in unsure_with("Computer keyboard")
    assert "Computer keyboard" not in unsure_with("Clicking")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Coffee machine", "coffee machine"),
        ("Coffee machine", "Coffee  machine "),
        ("\uff24og", "Dog"),
        ("Straße", "STRASSE"),
    ],
)
def test_one_label_in_two_spellings_is_one_clear_line(one: str, other: str) -> None:
    with pytest.raises(ConfigError, match="differ in case or blanks alone: give their recordings one name") as error:
        LabelTable.of([one, other, "Rain"], {one: "", other: ""})
    assert repr(one) in str(error.value)
    assert repr(other) in str(error.value)


def test_audiosets_own_names_are_no_two_spellings_of_one_label() -> None:
    assert len(LabelTable.of(known_mids())) == len(known_mids())


def test_a_label_of_audiosets_in_another_spelling_is_told_the_right_one() -> None:
    with pytest.raises(ConfigError, match="label 'dog' is not among AudioSet's display names: write it 'Dog'"):
        LabelTable.of(["dog"])
