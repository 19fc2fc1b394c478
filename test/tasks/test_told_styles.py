"""Trainings of models that are told emotions, rate, pitch and energy."""

import pytest
import yaml
from training_samples import options

from espnet2_valle.common.errors import InputError
from espnet2_valle.tasks.valle import VALLETask
from espnet2_valle.train.index import TrainingIndex
from espnet2_valle.train.index_writer import build_index

ALL = "--valle_conf=style=[emotion,speaking_rate,pitch_level,pitch_variation,energy]"
EMOTION = "--valle_conf=style=[emotion]"


def style(archive, *emotions, bins="1 2 0 5"):
    """Give the utterances of an archive emotions by turns, and bins."""
    names = [row.split()[0] for row in (archive / "utt2spk").read_text().splitlines()]
    given = {}
    if emotions:
        lines = [f"{name} {emotions[n % len(emotions)]}\n" for n, name in enumerate(names)]
        (archive / "utt2emo").write_text("".join(lines))
        given["utt2emo"] = archive / "utt2emo"
    if bins:
        (archive / "utt2style").write_text("".join(f"{name} {bins}\n" for name in names))
        given["utt2style"] = archive / "utt2style"
    build_index(archive, archive / "token_int", archive / "utt2spk", archive / "index", **given)


@pytest.mark.parametrize("valle", ["ar", "nar"])
def test_a_model_knows_the_emotions_of_its_training_set(archive, valle):
    style(archive, "sad", "happy", "unknown")
    VALLETask.main(cmd=options(archive, valle, ALL, "--join_seconds=1"))
    config = yaml.safe_load((archive / "exp" / "config.yaml").read_text())
    assert config["valle_conf"]["emotions"] == ["happy", "sad"]
    model, _ = VALLETask.build_model_from_file(model_file=archive / "exp" / "valid.loss.ave.pth")
    assert model.valle.styles.emotions == ("happy", "sad")
    assert tuple(model.valle.styles.table.shape) == (2 + 4 * 5, 16)


def test_a_model_keeps_the_rates_of_what_it_is_told(archive):
    style(archive, "sad", "happy")
    words = [ALL, "--valle_conf=positions_by_part=true", "--join_seconds=1"]
    VALLETask.main(cmd=options(archive, "ar", *words))
    config = yaml.safe_load((archive / "exp" / "config.yaml").read_text())
    rates = config["valle_conf"]["relative_rates"]
    assert {name: len(values) for name, values in rates.items()} == {"emotion": 2, "speaking_rate": 5}
    model, _ = VALLETask.build_model_from_file(model_file=archive / "exp" / "valid.loss.ave.pth")
    assert model.valle.relative_rates == rates


def test_parts_are_told_by_an_index(archive):
    words = ["--valle_conf=positions_by_part=true", "--iterator_type=sequence"]
    with pytest.raises(InputError, match="positions_by_part: needs a training index, which tells the parts"):
        VALLETask.main(cmd=options(archive, "ar", *words))


def test_an_index_without_styles_is_as_it_was(archive):
    build_index(archive, archive / "token_int", archive / "utt2spk", archive / "index")
    assert not (archive / "index" / "emotions.txt").exists()
    index = TrainingIndex(archive / "index")
    assert index.emotions == []
    assert {"emotion", "energy"}.isdisjoint(index.columns)


@pytest.mark.parametrize(
    ("emotions", "bins", "words", "message"),
    [
        ((), "1 2 3 4", [EMOTION], "tells no emotions, and valle_conf: style names them"),
        (("sad",), "", [ALL], "does not tell the speaking_rate .*--measure_style true"),
        (("sad", "a b"), "", [EMOTION], "emotion 'a b' has a space or one of"),
        (
            ("sad", "shy"),
            "",
            [EMOTION, "--valle_conf=emotions=[sad]"],
            "'shy', which is none of the emotions",
        ),
        (("sad",), "1 2 3 9", [ALL], "has 9 values of energy, and valle_conf: style_bins is 5"),
        (("sad",), "", ["--valle_conf=style=[mood]"], "style must name some of emotion, speaking_rate"),
        (("sad",), "", [EMOTION, "--iterator_type=sequence"], "needs a training index"),
    ],
)
def test_a_style_that_a_model_cannot_be_told_is_refused_at_once(archive, emotions, bins, words, message):
    style(archive, *emotions, bins=bins)
    with pytest.raises(InputError, match=message):
        VALLETask.main(cmd=options(archive, "ar", *words))


def test_a_file_of_bins_has_a_number_of_each_attribute(archive):
    with pytest.raises(InputError, match="3 numbers in .*utt2style"):
        style(archive, bins="1 2 3")
