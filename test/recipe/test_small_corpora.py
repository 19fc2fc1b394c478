"""run.sh with few recordings: to a report, or to what is missing in stage 1."""

import json

import pytest
from miniature import run, write_configs

from espnet2_valle.common.audio import write_audio
from espnet2_valle.corpus.synthetic.espeak import EspeakVoice
from espnet2_valle.corpus.synthetic.espeak_speech import speak

pytestmark = pytest.mark.recipe
RATE = 16000
PLACES = ("harbour", "garden", "station", "library", "kitchen")
THINGS = ("ladder", "window", "bucket", "letter", "lamp", "basket", "mirror", "clock", "carpet", "kettle")
VOICES = [
    EspeakVoice("en-us", name, 40 + number, 50, 175)
    for number, name in enumerate(("Hugo", "m3", "f1", "Gene"))
]


def write_corpus(db, count, speakers):
    """So many sentences, no two alike, by speakers who take turns."""
    rows = ["id|speaker|text\n"]
    for number in range(count):
        text = f"The {THINGS[number % 10]} in the {PLACES[number // 10]} was number {number}."
        speaker = number % speakers
        write_audio(
            db / "wavs" / f"u{number}.wav", speak(text, VOICES[speaker % len(VOICES)], RATE, 0.05), RATE
        )
        rows.append(f"u{number}|s{speaker}|{text}\n")
    (db / "metadata.csv").write_text("".join(rows))


def options(tmp_path):
    """Of `write_configs`, for a folder of recordings."""
    given = write_configs(tmp_path)
    place = given.index("--local_data_opts")
    return [
        "--corpus",
        "folder",
        "--db",
        str(tmp_path / "db"),
        "--tag",
        "few",
        *given[:place],
        *given[place + 2 :],
    ]


@pytest.mark.parametrize(("count", "speakers"), [(10, 1), (20, 2), (20, 10)])
def test_few_recordings_get_their_sets_and_pairs(tmp_path, count, speakers):
    write_corpus(tmp_path / "db", count, speakers)
    done = run(*options(tmp_path), "--stop_stage", "2")
    assert done.returncode == 0, done.stdout
    raw = tmp_path / "dump" / "few" / "raw"
    sizes = {
        name: len((raw / name / "utt2spk").read_text().splitlines()) for name in ("train", "valid", "test")
    }
    assert sum(sizes.values()) == count
    assert sizes["train"] >= count / 2
    assert (raw / "test" / "pairs").read_text().splitlines()


def test_speakers_of_one_recording_each_are_told_in_stage_1(tmp_path):
    write_corpus(tmp_path / "db", 10, 10)
    done = run(*options(tmp_path))
    assert done.returncode == 1
    assert "10 recordings, at most 1 of a speaker: too few for a test" in done.stdout
    assert "stage 2" not in done.stdout


def test_fifty_recordings_of_a_speaker_end_in_a_report(tmp_path):
    write_corpus(tmp_path / "db", 50, 1)
    done = run(*options(tmp_path), "--train_args", "--max_passes 0.1")
    assert done.returncode == 0, done.stdout
    exp = tmp_path / "exp" / "few"
    scores = json.loads((exp / "scores.json").read_text())
    assert {"ground_truth", "codec", "valle"} <= scores["systems"].keys()
    assert scores["pairs"] > 1
    assert (exp / "report.html").is_file()
    assert (exp / "model.zip").is_file()
    assert "passes over the training set of" in done.stdout
