"""A detector learns in seconds to tell two made-up systems from made-up speakers."""

import json

import numpy as np
import pytest

from espnet2_valle.bin import detect, detector_train
from espnet2_valle.common.audio import write_audio
from espnet2_valle.common.errors import InputError
from espnet2_valle.mark.detector import Detector
from espnet2_valle.mark.detector_sounds import RATE, prepare_sounds, prepared

SPEAKERS, EACH = 8, 4
SMALL = (
    "--max_epoch 2 --num_iters_per_epoch 15 --batch_size 12 --num_workers 0 --scheduler null --specaug null"
)


def speech(pitch, seed, buzz=0.0):
    """Half a second of harmonics in noise; a system adds a tone that comes and goes."""
    rng = np.random.default_rng(seed)
    time = np.arange(RATE // 2) / RATE
    wav = sum(np.sin(2 * np.pi * pitch * k * time + rng.uniform(0, 6)) / k for k in range(1, 20))
    wav += 0.1 * rng.standard_normal(len(time))
    wav += buzz * np.sin(2 * np.pi * 5000 * time) * (np.sin(2 * np.pi * 12 * time) > 0)
    return (0.05 * wav).astype(np.float32)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """A data directory of real speech, and two systems that imitate each utterance."""
    folder = tmp_path_factory.mktemp("corpus")
    lists = {name: [] for name in ("real", "one", "two")}
    speakers = []
    for who in range(SPEAKERS):
        for number in range(EACH):
            key = f"s{who}-{number}"
            speakers.append(f"{key} s{who}\n")
            for name, buzz in (("real", 0.0), ("one", 0.3), ("two", 0.5)):
                path = folder / name / f"{key}.wav"
                path.parent.mkdir(exist_ok=True)
                write_audio(path, speech(100 + 10 * who, 10 * who + number, buzz), RATE)
                lists[name].append(f"{key} {path}\n")
    (folder / "wav.scp").write_text("".join(lists["real"]))
    (folder / "utt2spk").write_text("".join(speakers))
    (folder / "one.scp").write_text("".join(lists["one"]))
    return folder


def train(corpus, output, *more):
    detector_train.main(
        ["--data_dir", str(corpus), "--system", f"one={corpus}/one.scp", "--system", f"two={corpus}/two"]
        + ["--output_dir", str(output), "--train_args", SMALL, *more]
    )


@pytest.fixture(scope="module")
def trained(corpus, tmp_path_factory):
    output = tmp_path_factory.mktemp("detector") / "out"
    train(corpus, output)
    return output


def test_speakers_and_systems_never_heard_are_told(trained):
    found = json.loads((trained / "scores.json").read_text())
    assert found["speakers"] == {"train": 5, "valid": 1, "test": 2}
    assert [(row["system"], row["seen"]) for row in found["systems"]] == [
        ("one", True), ("two", True), ("one", False), ("two", False),
    ]  # fmt: skip
    for row in found["systems"]:
        assert row["eer"]["value"] <= 0.2
        assert row["eer"]["low"] <= row["eer"]["value"] <= row["eer"]["high"]
    assert "| two " in (trained / "DETECTOR.md").read_text()


def test_speakers_of_the_test_are_not_learnt_from(trained):
    heard = {
        part: {line.split("-")[1] for line in (trained / f"{part}_wav.scp").read_text().splitlines()}
        for part in ("train", "valid")
    }
    assert not heard["train"] & heard["valid"]
    assert len(heard["train"] | heard["valid"]) == SPEAKERS - 2
    without = (trained / "without_one" / "train_wav.scp").read_text()
    assert "two-" in without
    assert "one-" not in without


def test_a_sound_is_judged_at_any_rate_level_and_with_silence_around_it(trained):
    detector = Detector.open(trained)
    for buzz, synthetic in ((0.0, False), (0.5, True)):
        wav = speech(105, 999, buzz)
        verdict = detector.hear(wav, RATE)
        assert verdict.synthetic == synthetic
        padded = np.concatenate([np.zeros(8000, np.float32), 0.1 * wav, np.zeros(4000, np.float32)])
        assert detector.hear(padded, RATE).score == pytest.approx(verdict.score, abs=0.05)


def test_valle_detect_says_both(trained, tmp_path, capsys):
    for name, wav in (
        ("real", speech(105, 999)),
        ("made", speech(105, 999, 0.5)),
        ("short", speech(105, 9)[:2000]),
    ):
        write_audio(tmp_path / f"{name}.wav", wav, RATE)
    files = [str(tmp_path / f"{name}.wav") for name in ("real", "made", "short")]
    detect.main([*files, "--detector", str(trained), "--json", str(tmp_path / "found.jsonl")])
    real, made, short = capsys.readouterr().out.splitlines()
    assert "not marked" in real
    assert "; likely real (score " in real
    assert "; likely synthetic (score " in made
    assert "likely" not in short
    found = [json.loads(line)["detector"] for line in (tmp_path / "found.jsonl").read_text().splitlines()]
    assert [each and each["synthetic"] for each in found] == [False, True, None]


def test_a_run_that_is_done_is_not_done_again(trained, corpus):
    before = (trained / "valid.loss.best.pth").stat().st_mtime_ns
    train(corpus, trained)
    assert (trained / "valid.loss.best.pth").stat().st_mtime_ns == before
    with pytest.raises(InputError, match="has a detector of other sounds or options. Remove that folder"):
        train(corpus, trained, "--only_unseen", "two")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--unseen", "three"], "'three' is no --system. Choose among one two"),
        (["--only_unseen", "one", "two"], "no system is left to learn from"),
        (["--only_unseen", "one", "--unseen", "two"], "no system is left to learn from"),
    ],
)
def test_what_cannot_be_is_told(corpus, tmp_path, more, message):
    with pytest.raises(InputError, match=message):
        train(corpus, tmp_path / "out", *more)


def test_outputs_of_nobody_and_few_speakers_are_told(corpus, tmp_path):
    (tmp_path / "utt2spk").write_text("s0-0 s0\ns1-0 s1\n")
    (tmp_path / "wav.scp").write_text(f"s0-0 {corpus}/real/s0-0.wav\ns1-0 {corpus}/real/s1-0.wav\n")
    words = ["--data_dir", str(tmp_path), "--output_dir", str(tmp_path / "out")]
    with pytest.raises(InputError, match="has 2 speakers, too few"):
        detector_train.main([*words, "--system", f"two={corpus}/two"])
    (tmp_path / "utt2spk").write_text("s0-8 s0\ns1-8 s1\n")
    (tmp_path / "wav.scp").write_text(f"s0-8 {corpus}/real/s0-0.wav\ns1-8 {corpus}/real/s1-0.wav\n")
    with pytest.raises(InputError, match=r"two: no sound is named by an utterance of .*Correct --system"):
        detector_train.main([*words, "--system", f"two={corpus}/two"])


def test_silence_tells_nothing():
    with pytest.raises(InputError, match=r"quiet\.wav: has less than 0\.3 s of sound"):
        prepared(np.zeros(RATE, np.float32), "quiet.wav")


def test_a_system_that_says_next_to_nothing_once_is_measured_on_the_rest(tmp_path, caplog):
    for name, wav in (("one", speech(100, 1)), ("two", np.zeros(RATE, np.float32))):
        write_audio(tmp_path / f"{name}.wav", wav, RATE)
    wavs = {name: str(tmp_path / f"{name}.wav") for name in ("one", "two")}
    assert list(prepare_sounds(wavs, tmp_path / "out", title="prepare it")) == ["one"]
    assert "prepare it: 1 of 2 have less than 0.3 s of sound and are LEFT OUT" in caplog.text
    assert list(prepare_sounds(wavs, tmp_path / "out")) == ["one"]


def test_no_detector_is_told(tmp_path):
    with pytest.raises(
        InputError, match=r"has no config\.yaml. Train a detector there: valle detector train"
    ):
        Detector.open(tmp_path)
