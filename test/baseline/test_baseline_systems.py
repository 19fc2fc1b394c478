"""ESPnet's own systems from statistics to speech, at sizes that train in a second."""

import json
from types import SimpleNamespace

import kaldiio
import numpy as np
import pytest
import soundfile
import torch
import yaml

from espnet2_valle.baseline import training
from espnet2_valle.bin import baseline_durations, baseline_inference, baseline_stats, baseline_train
from espnet2_valle.common.errors import InputError
from espnet2_valle.data.datadir import read_scp, write_scp

SPLITS = ("train", "valid")


def prepare(kind, configs, options, folder, *more):
    """Statistics and a training of one epoch."""
    words = [f"--kind={kind}", f"--config={configs / kind}.yaml", *options]
    baseline_stats.main([*words, f"--output_dir={folder / 'stats'}"])
    baseline_train.main([*words, f"--stats_dir={folder / 'stats'}", f"--output_dir={folder}", *more])
    return folder


def say(corpus, folder, model, *more):
    baseline_inference.main(
        [f"--train_config={folder / 'config.yaml'}", f"--model_file={folder / model}"]
        + [f"--pairs={corpus / 'pairs'}", f"--token_int={corpus / 'token' / 'valid' / 'token_int'}"]
        + [
            f"--spembs={corpus / 'spembs' / 'valid' / 'spembs.scp'}",
            f"--output_dir={folder / 'decode'}",
            *more,
        ]
    )
    return folder / "decode"


def time_tokens(corpus, teacher, split, output):
    baseline_durations.main(
        [f"--train_config={teacher / 'config.yaml'}", f"--model_file={teacher / 'valid.loss.ave.pth'}"]
        + [f"--wav_scp={corpus / 'raw' / split / 'wav.scp'}", f"--output_dir={output / split}"]
        + [f"--token_int={corpus / 'token' / split / 'token_int'}"]
        + [f"--spembs={corpus / 'spembs' / split / 'spembs.scp'}"]
    )


@pytest.fixture(scope="module")
def teacher(tmp_path_factory, corpus, tiny_baselines):
    """A trained Tacotron 2."""
    folders = [f"--{name}_dir={corpus / name}" for name in ("raw", "token", "spembs")]
    return prepare(
        "tacotron2", tiny_baselines, [*folders, "--fs=24000"], tmp_path_factory.mktemp("tacotron2")
    )


def test_fastspeech_learns_from_the_durations_of_tacotron(corpus, teacher, tiny_baselines, options, tmp_path):
    for split in SPLITS:
        time_tokens(corpus, teacher, split, tmp_path / "durations")
        wavs = read_scp(corpus / "raw" / split / "wav.scp")
        tokens = read_scp(corpus / "token" / split / "token_int")
        for key, row in read_scp(tmp_path / "durations" / split / "durations").items():
            steps = list(map(int, row.split()))
            frames = soundfile.info(wavs[key]).frames // 400 + 1
            assert len(steps) == len(tokens[key].split()) + 1  # and the end
            assert sum(steps) == frames // 3  # three frames a step
    more = [*options, f"--durations_dir={tmp_path / 'durations'}"]
    student = prepare("fastspeech2", tiny_baselines, more, tmp_path / "fastspeech2")
    pitch = np.load(student / "stats" / "train" / "pitch_stats.npz")
    assert pitch["count"] == sum(
        len(row.split()) for row in read_scp(tmp_path / "durations" / "train" / "durations").values()
    )
    decoded = say(corpus, student, "valid.loss.ave.pth")
    assert set(read_scp(decoded / "outcomes").values()) <= {"ok", "no_speech"}


def test_durations_do_not_depend_on_the_batch(corpus, teacher, tmp_path, monkeypatch):
    torch.manual_seed(0)
    monkeypatch.setattr("torch.nn.functional.dropout", lambda x, *_, **__: x)  # the prenet's, never off
    time_tokens(corpus, teacher, "train", tmp_path / "together")
    monkeypatch.setattr("espnet2_valle.baseline.durations.BATCH_SIZE", 1)
    time_tokens(corpus, teacher, "train", tmp_path / "alone")
    name = "train/durations"
    assert (tmp_path / "together" / name).read_text() == (tmp_path / "alone" / name).read_text()


def test_vits_speaks_in_the_voice_of_the_embedding(corpus, tiny_baselines, options, tmp_path):
    folder = prepare("vits", tiny_baselines, options, tmp_path / "vits")
    args = yaml.safe_load((folder / "config.yaml").read_text())
    assert args["tts_conf"]["generator_params"]["spk_embed_dim"] == 6
    assert args["tts_conf"]["sampling_rate"] == 24000
    decoded = say(corpus, folder, "latest.pth")
    said = read_scp(decoded / "wav.scp")
    assert list(said) == ["p1", "p2"]
    assert soundfile.info(said["p1"]).samplerate == 24000
    arks = corpus / "spembs" / "valid" / "spembs.scp"
    places = read_scp(arks)
    assert not np.array_equal(*(kaldiio.load_mat(place) for place in places.values()))
    swapped = tmp_path / "swapped.scp"
    swapped.write_text(f"valid0 {places['valid1']}\nvalid1 {places['valid0']}\n")
    before = soundfile.read(said["p1"])[0]
    say(corpus, folder, "latest.pth", f"--spembs={swapped}", f"--output_dir={tmp_path / 'other'}")
    after = soundfile.read(read_scp(tmp_path / "other" / "wav.scp")["p1"])[0]
    assert before.shape != after.shape or not np.allclose(before, after)


def test_a_killed_training_goes_on(corpus, teacher, tiny_baselines, options, tmp_path):
    folder = tmp_path / "again"
    prepare("tacotron2", tiny_baselines, options, folder)
    first = (folder / "1epoch.pth").stat().st_mtime_ns
    prepare("tacotron2", tiny_baselines, options, folder, "--max_epoch=2")
    reporter = torch.load(folder / "checkpoint.pth", weights_only=False)["reporter"]
    assert sorted(reporter["stats"]) == [1, 2]
    assert (folder / "1epoch.pth").stat().st_mtime_ns == first


def test_broken_off_decoding_goes_on_and_other_options_start_anew(corpus, teacher, tmp_path):
    (tmp_path / "decode.yaml").write_text("maxlenratio: 4.0\nminlenratio: 0.0\n")
    config = f"--config={tmp_path / 'decode.yaml'}"
    decoded = say(corpus, teacher, "valid.loss.ave.pth", config)
    whole = {path.name: path.stat().st_mtime_ns for path in decoded.glob("wav/*")}
    say(corpus, teacher, "valid.loss.ave.pth", config)
    assert {path.name: path.stat().st_mtime_ns for path in decoded.glob("wav/*")} == whole
    endings = [json.loads(line) for line in (decoded / "journal.jsonl").read_text().splitlines()]
    assert [list(ending) for ending in endings] == [["p1"], ["p2"]]
    (decoded / "journal.jsonl").write_text(json.dumps(endings[0]) + "\n")
    say(corpus, teacher, "valid.loss.ave.pth", config)
    after = {path.name: path.stat().st_mtime_ns for path in decoded.glob("wav/*")}
    assert after["p1.wav"] == whole["p1.wav"]
    assert after["p2.wav"] > whole["p2.wav"]


def test_only_what_changed_is_said_anew(corpus, teacher, tmp_path):
    decoded = tmp_path / "decode"
    say(corpus, teacher, "valid.loss.ave.pth", f"--output_dir={decoded}")

    def written(*more):
        before = {path.name: path.stat().st_mtime_ns for path in decoded.glob("wav/*")}
        say(corpus, teacher, "valid.loss.ave.pth", f"--output_dir={decoded}", *more)
        after = {path.name: path.stat().st_mtime_ns for path in decoded.glob("wav/*")}
        return sorted(name for name in after if after[name] != before[name])

    assert written() == []
    tokens = read_scp(corpus / "token" / "valid" / "token_int")
    write_scp(tmp_path / "token_int", {**tokens, "valid0": "4 3 2"})  # what p2 is to say
    assert written(f"--token_int={tmp_path / 'token_int'}") == ["p2.wav"]
    places = read_scp(corpus / "spembs" / "valid" / "spembs.scp")
    write_scp(tmp_path / "spembs", {**places, "valid0": places["valid1"]})  # p1's voice
    assert written(f"--token_int={tmp_path / 'token_int'}", f"--spembs={tmp_path / 'spembs'}") == ["p1.wav"]


def test_speech_without_end_is_cut_and_told(corpus, teacher, tmp_path):
    (tmp_path / "decode.yaml").write_text("maxlenratio: 3.0\nthreshold: 1.1\n")
    decoded = say(
        corpus, teacher, "valid.loss.ave.pth", f"--config={tmp_path / 'decode.yaml'}",
        f"--output_dir={tmp_path / 'endless'}",
    )  # fmt: skip
    assert decoded != tmp_path / "endless"
    assert set(read_scp(tmp_path / "endless" / "outcomes").values()) == {"hit_length_cap"}


def test_parts_of_the_statistics_add_up(tiny_baselines, options, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "parallel_map", lambda work, items, *_: map(work, items))
    words = ["--kind=tacotron2", f"--config={tiny_baselines / 'tacotron2.yaml'}", *options]
    for nj in (1, 2):
        baseline_stats.main([*words, f"--output_dir={tmp_path / str(nj)}", f"--nj={nj}"])
    one, two = (np.load(tmp_path / nj / "train" / "feats_stats.npz") for nj in "12")
    assert one["count"] == two["count"]
    # ESPnet's spectrogram sees a batch's padding behind a sound's end, and the parts are other batches.
    np.testing.assert_allclose(one["sum"], two["sum"], rtol=0.02)
    for name in ("text_shape", "speech_shape"):
        shapes = [(tmp_path / nj / "train" / name).read_text().splitlines() for nj in "12"]
        assert sorted(shapes[0]) == sorted(shapes[1])


def test_finished_parts_of_the_statistics_are_kept(tiny_baselines, options, tmp_path, monkeypatch):
    words = ["--kind=tacotron2", f"--config={tiny_baselines / 'tacotron2.yaml'}", *options]
    baseline_stats.main([*words, f"--output_dir={tmp_path}"])
    monkeypatch.setattr(training, "run_espnet", lambda *_: pytest.fail("done again"))
    baseline_stats.main([*words, f"--output_dir={tmp_path}"])


def test_what_is_missing_is_named(corpus, teacher, tiny_baselines, options, tmp_path):
    words = ["--kind=tacotron2", f"--config={tiny_baselines / 'tacotron2.yaml'}", *options]
    with pytest.raises(InputError, match="has no statistics"):
        baseline_train.main([*words, f"--stats_dir={tmp_path}", f"--output_dir={tmp_path}"])
    with pytest.raises(InputError, match="--durations_dir"):
        prepare("fastspeech2", tiny_baselines, options, tmp_path)
    with pytest.raises(InputError, match="no such file. Run the stage that writes it first"):
        prepare("tacotron2", tiny_baselines, [*options, "--train_set=other"], tmp_path)
    with pytest.raises(InputError, match="Train tacotron2 first"):
        time_tokens(corpus, tmp_path, "train", tmp_path)
    (tmp_path / "decode.yaml").write_text("speed: 2\n")
    with pytest.raises(InputError, match="no argument 'speed'"):
        say(corpus, teacher, "valid.loss.ave.pth", f"--config={tmp_path / 'decode.yaml'}")
    (tmp_path / "pairs").write_text("p1 nobody valid1 -\n")
    with pytest.raises(InputError, match="has no 'nobody' of p1"):
        say(corpus, teacher, "valid.loss.ave.pth", f"--pairs={tmp_path / 'pairs'}")


def test_there_is_no_other_kind(options, tmp_path, capsys):
    with pytest.raises(SystemExit):
        baseline_stats.main(["--kind=wavenet", "--config=x", *options, f"--output_dir={tmp_path}"])
    assert "invalid choice: 'wavenet'" in capsys.readouterr().err


def test_a_training_ends_when_its_time_is_over(corpus, teacher, tiny_baselines, options, tmp_path):
    """Of the 50 epochs asked for, the first gets one batch, and a further call one more."""
    more = ["--max_epoch=50", "--train_minutes=0.0001"]
    folder = prepare("tacotron2", tiny_baselines, options, tmp_path, *more)
    assert (folder / "1epoch.pth").exists()
    assert (folder / "valid.loss.ave.pth").exists()
    assert float((folder / "train_seconds").read_text()) > 0
    reporter = torch.load(folder / "checkpoint.pth", weights_only=False)["reporter"]
    assert sorted(reporter["stats"]) == [1]
    assert reporter["stats"][1]["train"]["total_count"] == 1


def test_time_is_counted_over_resumptions(tmp_path):
    from espnet2_valle.baseline import budget

    class Trainer:
        @classmethod
        def train_one_epoch(cls, *, iterator, **_):
            return list(iterator) == []

    class Limited(budget.LimitedEpochs, Trainer):
        pass

    options = SimpleNamespace(output_dir=tmp_path, train_minutes=1.0)
    alone = SimpleNamespace(distributed=False)
    step = {"iterator": range(3), "options": options, "distributed_option": alone}
    assert not Limited.train_one_epoch(**step)
    (tmp_path / budget.SPENT).write_text("60.0\n")
    assert Limited.train_one_epoch(**step)
    options.train_minutes = 0
    assert not Limited.train_one_epoch(**step)
