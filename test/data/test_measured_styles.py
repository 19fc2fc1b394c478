"""Speaking rate, pitch and energy of utterances: measured, compared with the speaker, cut into bins."""

import numpy as np
import pytest
import soundfile
import yaml

from espnet2_valle.bin import measure_style
from espnet2_valle.common.errors import InputError
from espnet2_valle.data.styles import against_speaker, bins_of, edges_of, measure, read_edges

RATE = 16000


def voice(pitch, seconds, level=0.1, glide=1.0, silence=0.0):
    """A buzz whose pitch glides from `pitch` Hz by a factor, between silences."""
    times = np.arange(int(seconds * RATE)) / RATE
    phase = np.cumsum(pitch * glide ** (times / seconds)) / RATE * 2 * np.pi
    wav = sum(np.sin(n * phase) / n for n in range(1, 8))
    pause = np.zeros(int(silence * RATE))
    return np.concatenate([pause, wav * level / np.sqrt(np.mean(wav**2)), pause]).astype(np.float32)


def test_measures_are_those_of_the_sound():
    found = measure(voice(200, 2.0, silence=0.5), RATE, 20)
    assert found[0] == pytest.approx(np.log(10), abs=0.03)
    assert found[1] == pytest.approx(12 * np.log2(200), abs=0.1)
    assert found[3] == pytest.approx(-20, abs=0.3)
    louder, gliding = measure(voice(200, 2.0, 0.2), RATE, 20), measure(voice(200, 2.0, glide=2.0), RATE, 20)
    assert louder[3] - found[3] == pytest.approx(20 * np.log10(2), abs=0.1)
    assert gliding[2] == pytest.approx(np.log(6 + 0.1), abs=0.1)
    assert gliding[2] > found[2]


def test_silence_and_noise_have_no_pitch():
    assert np.isnan(measure(np.zeros(RATE, np.float32), RATE, 5)).all()
    noise = np.random.default_rng(0).normal(0, 0.1, RATE).astype(np.float32)
    found = measure(noise, RATE, 0)
    assert np.isnan(found[0])
    assert found[3] == pytest.approx(-20, abs=0.5)


def test_a_speaker_with_enough_utterances_is_measured_against_himself():
    measures = {f"low{n}": np.array([0, 80 + n, 0, 0.0]) for n in range(5)}
    measures |= {f"high{n}": np.array([0, 100 + n, 0, 0.0]) for n in range(5)}
    measures["rare"] = np.array([0, 95, np.nan, 0])
    found = against_speaker(measures, {name: name.rstrip("01234") for name in measures})
    for speaker in ("low", "high"):
        assert [found[f"{speaker}{n}"][1] for n in range(5)] == [-2, -1, 0, 1, 2]
    assert found["rare"][1] == 0  # the median of 82, 95 and 102
    assert np.isnan(found["rare"][2])


def test_bins_have_the_same_number_of_utterances():
    differences = [np.array([n, -n, n**2, 1.0 * n]) for n in range(100)]
    edges = edges_of(differences, 4)
    counted = np.array([bins_of(one, edges) for one in differences])
    for column in counted.T:
        assert np.bincount(column).tolist() == [0, 25, 25, 25, 25]
    assert bins_of(np.array([np.nan, -1000, 9000, 50]), edges) == [0, 1, 4, 3]
    with pytest.raises(InputError, match="pitch_level: cannot be measured"):
        edges_of([np.array([1, np.nan, 1, 1])], 2)


@pytest.fixture
def data(tmp_path):
    """Two speakers with five utterances each, louder and higher from one to the next."""
    folder = tmp_path / "data"
    folder.mkdir()
    names = [f"{speaker}_{n}" for speaker in ("a", "b") for n in range(5)]
    for name in names:
        n = int(name[-1])
        pitch = (100 if name.startswith("a") else 220) * 1.06**n
        soundfile.write(folder / f"{name}.wav", voice(pitch, 0.8, 0.02 * 1.3**n), RATE)
    for file, value in (
        ("wav.scp", lambda name: folder / f"{name}.wav"),
        ("text", lambda name: "x"),
        ("utt2spk", lambda name: name[0]),
        ("token_int", lambda name: "1 2 3"),
    ):
        (folder / file).write_text("".join(f"{name} {value(name)}\n" for name in names))
    return folder


def test_the_command_writes_bins_by_the_training_set_and_goes_on(data, tmp_path):
    command = [f"--data_dir={data}", f"--token_int={data}/token_int", f"--edges={tmp_path}/edges.yaml"]
    measure_style.main([*command, f"--output_dir={tmp_path}/train", "--fit=true", "--bins=5"])
    lines = dict(line.split(" ", 1) for line in (tmp_path / "train" / "utt2style").read_text().splitlines())
    for speaker in "ab":
        bins = [list(map(int, lines[f"{speaker}_{n}"].split())) for n in range(5)]
        assert [one[1] for one in bins] == [one[3] for one in bins] == [1, 2, 3, 4, 5]
    assert len(yaml.safe_load((tmp_path / "edges.yaml").read_text())["energy"]) == 4
    journal = (tmp_path / "train" / "measures.jsonl").read_text()
    measure_style.main([*command, f"--output_dir={tmp_path}/train", "--fit=true", "--bins=5"])
    assert (tmp_path / "train" / "measures.jsonl").read_text() == journal
    measure_style.main([*command, f"--output_dir={tmp_path}/valid"])
    assert (tmp_path / "valid" / "utt2style").read_text() == (tmp_path / "train" / "utt2style").read_text()


def test_what_is_missing_is_told(data, tmp_path):
    with pytest.raises(InputError, match="edges.yaml"):
        read_edges(tmp_path / "edges.yaml")
    (tmp_path / "edges.yaml").write_text("energy: [1.0]\n")
    with pytest.raises(InputError, match="does not tell the edges of each attribute"):
        read_edges(tmp_path / "edges.yaml")
    (data / "token_int").write_text("c_0 1\n")
    with pytest.raises(InputError, match="lacks 'c_0', which .*token_int has"):
        measure_style.main(
            [f"--data_dir={data}", f"--token_int={data}/token_int", f"--edges={tmp_path}/e.yaml"]
            + [f"--output_dir={tmp_path}/out", "--fit=true"]
        )
