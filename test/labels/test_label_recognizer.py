"""Recognisers of emotions and of languages: trained by ESPnet's task, opened to hear."""

import shutil

import numpy as np
import pytest
import soundfile
import yaml

from espnet2_valle.bin import emotion_train, language_train
from espnet2_valle.common.conf import find
from espnet2_valle.common.errors import InputError
from espnet2_valle.labels.kinds import EMOTION, LANGUAGE
from espnet2_valle.labels.recognizer import LabelRecognizer, heard_emotions

RATE = 8000


def tone(pitch, level, seed):
    rng = np.random.default_rng(seed)
    times = np.arange(int(RATE * rng.uniform(0.5, 0.7))) / RATE
    syllables = np.sin(2 * np.pi * 8 * times) > 0  # what never changes, a mean over time takes away
    wav = level * syllables * np.sin(2 * np.pi * pitch * times) + 0.01 * rng.standard_normal(len(times))
    return wav.astype(np.float32)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Folder of data directories whose emotions are told apart by pitch, and of a recogniser."""
    pytest.importorskip("torcheval", reason="the extra emotion is not installed")
    folder = tmp_path_factory.mktemp("emotion")
    for name, count in (("train", 24), ("valid", 6)):
        data = folder / name
        data.mkdir()
        lines = {"wav.scp": [], "text": [], "utt2spk": [], "utt2emo": []}
        for n in range(count):
            label = ("sad", "happy", "unknown")[n % 3]
            key = f"s{n % 2}-{n:02}"
            wav = tone(
                200 if label == "sad" else 900, 0.1 if label == "sad" else 0.4, n + 100 * (name == "valid")
            )
            soundfile.write(data / f"{key}.wav", wav, RATE)
            for file, value in zip(lines, (data / f"{key}.wav", "x", key[:2], label)):
                lines[file].append(f"{key} {value}\n")
        for file, content in lines.items():
            (data / file).write_text("".join(sorted(content)))
    config = yaml.safe_load(find("emotion/train_cls.yaml").read_text())
    config |= {"max_epoch": 2, "num_iters_per_epoch": 12, "batch_size": 4, "num_workers": 0}
    config["scheduler_conf"]["total_steps"] = 24
    config["encoder_conf"]["width"] = 16
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    emotion_train.main(command(folder))
    return folder


def command(folder, output="recognizer"):
    options = {"train_dir": "train", "valid_dir": "valid", "config": "config.yaml", "output_dir": output}
    return [f"--{name}={folder}/{value}" for name, value in options.items()]


def test_it_hears_the_emotions_that_it_learnt(trained):
    recognizer = LabelRecognizer.open(trained / "recognizer", EMOTION)
    assert recognizer.labels == ("happy", "sad")
    assert recognizer.rate == RATE
    for label, wav in (("sad", tone(200, 0.1, 500)), ("happy", tone(900, 0.4, 501))):
        found = recognizer.posteriors(wav, RATE)
        assert max(found, key=found.get) == label
        assert sum(found.values()) == pytest.approx(1.0)
    with pytest.raises(InputError, match="is too short to tell its emotion"):
        recognizer.posteriors(np.zeros(100, np.float32), RATE)


def test_a_recording_is_heard_by_its_path(trained, tmp_path):
    soundfile.write(tmp_path / "a.wav", tone(900, 0.4, 7), RATE)
    found = heard_emotions(str(trained / "recognizer"), str(tmp_path / "a.wav"))
    assert found["happy"] > 0.5
    with pytest.raises(InputError, match="--emotion_reference: no such file"):
        heard_emotions(str(trained / "recognizer"), str(tmp_path / "b.wav"))
    with pytest.raises(InputError, match="has no config.yaml. Train one there: valle emotion train"):
        heard_emotions(str(tmp_path), str(tmp_path / "a.wav"))


def test_what_was_trained_is_not_trained_again(trained):
    weights = trained / "recognizer" / "valid.loss.best.pth"
    before = weights.stat().st_mtime_ns
    emotion_train.main(command(trained))
    assert weights.stat().st_mtime_ns == before
    with pytest.raises(InputError, match="has a recogniser of other sounds or options"):
        emotion_train.main([*command(trained), "--train_args=--max_epoch 3"])


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ({}, "utt2emo: is missing, or tells no emotion"),
        ({"train": "sad"}, "has no emotion but sad"),
        ({"valid": "calm"}, "is 'calm', which training lacks"),
        ({"train": "very sad"}, "is 'very sad', of several words"),
    ],
)
def test_sets_that_teach_nothing_are_refused(trained, tmp_path, lines, message):
    for name in ("train", "valid"):
        (tmp_path / name).mkdir()
        for file in ("wav.scp", "text", "utt2spk", "utt2emo"):
            content = (trained / name / file).read_text()
            if file == "utt2emo" and name in lines:
                content = "".join(f"{line.split()[0]} {lines[name]}\n" for line in content.splitlines())
            if lines or file != "utt2emo":
                (tmp_path / name / file).write_text(content)
    (tmp_path / "config.yaml").write_text((trained / "config.yaml").read_text())
    with pytest.raises(InputError, match=message):
        emotion_train.main(command(tmp_path))


def test_languages_are_told_whatever_they_are_called_and_however_loud(trained, tmp_path):
    named = {"sad": ("en", "eng", "English"), "happy": ("cmn", "zh"), "unknown": ("und",)}
    for name in ("train", "valid"):
        shutil.copytree(trained / name, tmp_path / name)
        lines = (trained / name / "utt2emo").read_text().split("\n")[:-1]
        told = [line.split() for line in lines]
        (tmp_path / name / "utt2lang").write_text(
            "".join(f"{key} {named[one][n // 3 % len(named[one])]}\n" for n, (key, one) in enumerate(told))
        )
    config = yaml.safe_load((trained / "config.yaml").read_text())
    shipped = yaml.safe_load(find("language/train_cls.yaml").read_text())
    assert shipped.pop("base") == "../emotion/train_cls.yaml"
    (tmp_path / "base.yaml").write_text(yaml.safe_dump(config))
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({"base": "base.yaml", **shipped}))
    language_train.main(command(tmp_path, "language"))
    recognizer = LabelRecognizer.open(tmp_path / "language", LANGUAGE)
    assert recognizer.labels == ("en", "zh")
    assert type(recognizer.model.normalize).__name__ == "UtteranceMVN"
    for language, pitch in (("en", 200), ("zh", 900)):
        for level in (0.05, 0.5):
            found = recognizer.posteriors(tone(pitch, level, 500), RATE)
            assert max(found, key=found.get) == language
    weights = tmp_path / "language" / "valid.loss.best.pth"
    before = weights.stat().st_mtime_ns
    language_train.main(command(tmp_path, "language"))
    assert weights.stat().st_mtime_ns == before
    (tmp_path / "base.yaml").write_text(yaml.safe_dump(config | {"seed": 1}))
    with pytest.raises(InputError, match="has a recogniser of other sounds or options"):
        language_train.main(command(tmp_path, "language"))
    (tmp_path / "valid" / "utt2lang").unlink()
    with pytest.raises(InputError, match="valid/utt2lang: is missing, or tells no language"):
        language_train.main(command(tmp_path, "other"))
    with pytest.raises(InputError, match="has no config.yaml. Train one there: valle language train"):
        LabelRecognizer.open(tmp_path / "other", LANGUAGE)
