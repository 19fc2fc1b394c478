"""Trainings of models that are told languages."""

import pytest
import torch
import yaml
from training_samples import options

from espnet2_valle.common.errors import InputError
from espnet2_valle.tasks.valle import VALLETask
from espnet2_valle.train.index_writer import build_index

TOLD = "--valle_conf=language_id=both"


def speak(archive, *languages):
    """Give the utterances of an archive languages by turns."""
    names = [f"{row.split()[0]}" for row in (archive / "utt2spk").read_text().splitlines()]
    lines = [f"{name} {languages[n % len(languages)]}\n" for n, name in enumerate(names)]
    (archive / "utt2lang").write_text("".join(lines))
    build_index(archive, archive / "token_int", archive / "utt2spk", archive / "index", archive / "utt2lang")


@pytest.mark.parametrize("valle", ["ar", "nar"])
def test_a_model_knows_the_languages_of_its_training_set(archive, valle):
    speak(archive, "eng", "German")
    VALLETask.main(cmd=options(archive, valle, TOLD, "--join_seconds=1", "--language_temperature=2"))
    config = yaml.safe_load((archive / "exp" / "config.yaml").read_text())
    assert config["valle_conf"]["languages"] == ["de", "en"]
    model, _ = VALLETask.build_model_from_file(model_file=archive / "exp" / "valid.loss.ave.pth")
    assert model.valle.language_ids.names == ("de", "en")
    saved = torch.load(archive / "exp" / "valid.loss.ave.pth", weights_only=True)
    fresh = VALLETask.build_model_from_file(config_file=archive / "exp" / "config.yaml")[0].state_dict()
    for kind in ("text", "audio"):
        name = f"valle.language_ids.tables.{kind}.weight"
        assert saved[name].shape == fresh[name].shape == (2, 16)
    VALLETask.main(cmd=options(archive, valle, TOLD, "--join_seconds=1", "--language_temperature=2"))


def test_languages_may_be_given(archive):
    speak(archive, "en")
    VALLETask.main(cmd=options(archive, "ar", TOLD, "--valle_conf=languages=[zh,en]"))
    config = yaml.safe_load((archive / "exp" / "config.yaml").read_text())
    assert config["valle_conf"]["languages"] == ["zh", "en"]


@pytest.mark.parametrize(
    ("languages", "words", "message"),
    [
        ((), [TOLD], "has utterances whose language is not known"),
        (("en", "de"), [TOLD, "--valle_conf=languages=[en]"], "has 'de', which is none of the languages"),
        (("en",), ["--valle_conf=language_id=frames"], "language_id must be one of none"),
        (("en",), [TOLD, "--iterator_type=sequence"], "needs a training index"),
        (("en",), ["--language_temperature=0.5"], "--language_temperature: 0.5 is out of range"),
        (
            ("en",),
            ["--language_temperature=2", "--iterator_type=sequence"],
            "--language_temperature: is not for --iterator_type sequence",
        ),
    ],
)
def test_languages_that_a_model_cannot_be_told_are_refused_at_once(archive, languages, words, message):
    if languages:
        speak(archive, *languages)
    with pytest.raises(InputError, match=message):
        VALLETask.main(cmd=options(archive, "ar", *words))
