from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from streamtag.errors import ConfigError
from tests.train.conftest import KINDS
from train import checkpoint
from train.batches import Batch
from train.ears import WIDTH
from train.networks.yamnet import EMBEDDING, YamNet
from train.own_scores import OwnScores, own_scores
from train.published.efficientat import HIDDEN, Mn04
from train.settings import TeacherSettings
from train.teacher import read_teacher, train_teacher

LABELS = (KINDS[0], "Our own", KINDS[1])


@pytest.fixture
def own(mn04_file: tuple[Path, Mn04], monkeypatch: pytest.MonkeyPatch) -> tuple[OwnScores, YamNet, Mn04]:
    """Scores of three labels, of which both networks know the first and mn04 alone the last."""
    torch.manual_seed(1)
    yamnet = YamNet().eval()
    monkeypatch.setattr("train.published.yamnet.read_yamnet", lambda path: yamnet)
    monkeypatch.setattr("train.published.yamnet.yamnet_labels", lambda path: ["Other", KINDS[0].upper()])
    settings = TeacherSettings(yamnet=Path("yamnet.tflite"), mn04=mn04_file[0])
    return own_scores(settings, LABELS), yamnet, mn04_file[1]


def _features(rows: int) -> torch.Tensor:
    return torch.rand(rows, WIDTH, generator=torch.Generator().manual_seed(rows))


def test_own_scores_are_both_networks_logits_read_off_what_the_teacher_reads(
    own: tuple[OwnScores, YamNet, Mn04],
) -> None:
    scores, yamnet, mn04 = own
    features = _features(7)
    found = scores.logits(features)
    torch.testing.assert_close(found[0, :, 0], yamnet.head(features[:, :EMBEDDING].square())[:, 1])
    wide = mn04.head(features[:, -HIDDEN:])
    torch.testing.assert_close(found[1, :, [0, 2]], wide[:, :2])
    assert not found[0, :, 1:].any()
    assert not found[1, :, 1].any()


def test_own_scores_count_as_deviations_from_what_is_usual_and_an_unknown_label_as_nothing(
    own: tuple[OwnScores, YamNet, Mn04],
) -> None:
    scores = own[0]
    usual = _features(500)
    scores.settle(usual)
    found = scores(usual)
    torch.testing.assert_close(found.mean(0), torch.zeros(3), atol=1e-3, rtol=0)
    assert found[:, 2].std().item() == pytest.approx(1.0, abs=0.01)
    assert not found[:, 1].any()


def test_a_list_of_labels_of_another_network_is_one_line(mn04_file: tuple[Path, Mn04], tmp_path: Path) -> None:
    weights = tmp_path / "mn04.safetensors"
    weights.write_bytes(mn04_file[0].read_bytes())
    settings = TeacherSettings(yamnet=Path("yamnet.tflite"), mn04=weights)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("train.published.yamnet.read_yamnet", lambda path: YamNet())
        patch.setattr("train.published.yamnet.yamnet_labels", lambda path: ["dog"])
        with pytest.raises(ConfigError, match=r"class_labels_indices\.csv: cannot be read"):
            own_scores(settings, LABELS)
        (tmp_path / "class_labels_indices.csv").write_text("index,mid,display_name\n0,/m/1,Dog\n")
        with pytest.raises(ConfigError, match=r"class_labels_indices\.csv: has 1 labels, mn04 has 527"):
            own_scores(settings, LABELS)


def test_a_teacher_learns_its_labels_and_is_read_as_it_was_written(
    own: tuple[OwnScores, YamNet, Mn04], tmp_path: Path
) -> None:
    def rows() -> Iterator[Batch]:
        generator = torch.Generator().manual_seed(3)
        while True:
            positive = (torch.rand(64, 3, generator=generator) < 0.3).float()
            features = torch.rand(64, WIDTH, generator=generator)
            features[:, :900] += positive.repeat(1, 300)
            yield Batch(torch.empty(64, 0), positive, torch.ones(64, 3), features)

    settings = TeacherSettings(yamnet=Path(), mn04=Path(), hidden=16, dropout=0.0, steps=150)
    teacher = train_teacher(rows(), own[0], 3, settings, 1, lambda line: None)
    batch = next(rows())
    scores, standard = teacher.targets(batch.features)
    assert scores[batch.positive > 0].mean() > scores[batch.positive == 0].mean() + 0.3
    assert standard.mean().abs() < 0.1
    assert standard.std().item() == pytest.approx(1.0, abs=0.1)
    path = tmp_path / "teacher.pt"
    checkpoint.save(path, {"teacher": teacher.state()})
    again = read_teacher(path, WIDTH, 3, settings)
    assert all(
        torch.equal(one, other) for one, other in zip(again.targets(batch.features), (scores, standard), strict=True)
    )


def test_a_teacher_of_an_earlier_edition_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "teacher.pt"
    checkpoint.save(path, {"teacher": {"head": {}, "mean": torch.zeros(1), "deviation": torch.ones(1)}})
    with pytest.raises(ConfigError, match=r"teacher\.pt was made by an earlier edition: delete it") as error:
        read_teacher(path, WIDTH, 3, TeacherSettings(yamnet=Path(), mn04=Path()))
    assert "\n" not in str(error.value)
