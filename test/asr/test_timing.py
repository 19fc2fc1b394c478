"""Token and pitch of each frame, against what espeak-ng knows of the utterances that it speaks."""

import numpy as np
import pytest
import yaml
from espeak_truth import letters, phones_in_time

from espnet2_valle.asr import timing
from espnet2_valle.bin import codec_fit, codec_tokenize, time_frames
from espnet2_valle.common.audio import write_audio
from espnet2_valle.common.conf import find
from espnet2_valle.common.errors import InputError
from espnet2_valle.corpus.synthetic.mini import MiniConfig, plan
from espnet2_valle.data.arks import ArrayReader
from espnet2_valle.data.codes import read_codes
from espnet2_valle.text.roles import EDGE, Role
from espnet2_valle.text.tokenizer import build_tokenizer
from espnet2_valle.text.tokens import TokenIDs

pytest.importorskip("espeakng_loader", reason="the mini corpus is spoken by it")
RATE, EVERY = 24000, 90  # of the training set's utterances


@pytest.fixture(scope="module")
def spoken(tmp_path_factory):
    """A folder with wavs, codes and tokens of some of mini; and the sounds of each with their begins."""
    folder = tmp_path_factory.mktemp("spoken")
    tokenizer = build_tokenizer("phn", "espeak_ng_english_us_vits", "none")
    texts, truth = {}, {}
    for one in plan(MiniConfig.load(find("mini.yaml")))["train"][::EVERY]:
        wav, events = phones_in_time(", ".join(one.words) + ".", one.voice, RATE, 0.05)
        write_audio(folder / "wav" / f"{one.key}.wav", wav, RATE)
        texts[one.key] = tokenizer.text2tokens(" ".join(one.words))
        # A diphthong is one phone of espeak-ng's and two tokens: the second has no known begin.
        truth[one.key] = [
            (sign, at if place == 0 else None)
            for name, at in events
            for place, sign in enumerate(letters(name))
        ]
    ids = TokenIDs.collect(texts.values())
    ids.write(folder / "tokens.txt")
    lines = sorted(texts)
    (folder / "wav.scp").write_text("".join(f"{key} {folder}/wav/{key}.wav\n" for key in lines))
    rows = (f"{key} {' '.join(map(str, ids.encode(texts[key])))}\n" for key in lines)
    (folder / "token_int").write_text("".join(rows))
    config = yaml.safe_load(find("codec/world.yaml").read_text())
    (folder / "world.yaml").write_text(
        yaml.safe_dump({**config, "codebook_size": 256, "fit": {"iterations": 3}})
    )
    scp = ["--wav_scp", f"{folder}/wav.scp"]
    codec_fit.main(
        ["--codec", "world", "--config", f"{folder}/world.yaml", *scp, "--output_dir", f"{folder}/codec"]
    )
    codec_tokenize.main(
        ["--codec_config", f"{folder}/codec/codec.yaml", *scp, "--output_dir", f"{folder}/codes"]
    )
    return folder, truth


def command(folder, output, *more):
    return [
        *("--codec_config", f"{folder}/codec/codec.yaml", "--codes_dir", f"{folder}/codes"),
        *("--wav_scp", f"{folder}/wav.scp", "--token_int", f"{folder}/token_int"),
        *("--token_list", f"{folder}/tokens.txt", "--output_dir", str(output)),
        *more,
    ]


@pytest.fixture(scope="module")
def timed(spoken):
    folder, _ = spoken
    time_frames.main(
        command(folder, folder / "timing", "--aligner", f"{folder}/aligner.npz", "--fit", "true")
    )
    return folder


def test_sounds_begin_where_espeak_says(timed, spoken):
    """Within two frames of 20 ms nearly always, and less than one on average."""
    utterances = timing.Utterances(files_of(timed))
    errors = []
    for key, array in ArrayReader(timed / "timing" / "timing.scp", "timing").items():
        ids = utterances.ids(key)
        durations = np.bincount(array[:, 1].astype(int), minlength=len(ids))
        begins = (np.cumsum(durations) - durations) / utterances.codec.frame_rate
        sounds = begins[utterances.roles[ids] == Role.SOUND]
        known = spoken[1][key]
        if len(known) == len(sounds):  # espeak-ng says some words otherwise in a sentence
            errors += [mine - at for mine, (_, at) in zip(sounds, known, strict=True) if at is not None]
    errors = np.abs(errors)
    assert len(errors) > 300
    assert errors.mean() < 0.030
    assert np.median(errors) < 0.015
    assert np.mean(errors < 0.050) > 0.85


def files_of(folder, textgrids=None):
    return timing.TimingFiles(
        f"{folder}/codec/codec.yaml",
        f"{folder}/codes",
        f"{folder}/wav.scp",
        f"{folder}/token_int",
        f"{folder}/tokens.txt",
        textgrids,
    )


def test_every_frame_has_a_token_and_a_pitch(timed):
    codes = read_codes(timed / "codes" / "codes.scp")
    arrays = ArrayReader(timed / "timing" / "timing.scp", "timing")
    assert set(arrays) == set(codes)
    for key, array in arrays.items():
        assert (array.shape, array.dtype) == ((len(codes[key]), 2), np.float32)
        assert (np.diff(array[:, 1]) >= 0).all()
        voiced = array[:, 0] > 0
        assert 0.2 < voiced.mean() < 0.95
        assert (array[voiced, 0] >= 60).all()
        assert (array[:, 0] <= 500).all()


def test_a_second_run_does_nothing_again(timed, monkeypatch):
    before = {path: path.stat().st_mtime_ns for path in (timed / "timing").glob("*.ark")}
    monkeypatch.setattr(timing, "time_utterance", None)
    time_frames.main(command(timed, timed / "timing", "--aligner", f"{timed}/aligner.npz"))
    assert {path: path.stat().st_mtime_ns for path in (timed / "timing").glob("*.ark")} == before


def test_textgrids_are_taken_as_they_are(timed, tmp_path):
    key = next(iter(read_codes(timed / "codes" / "codes.scp")))
    utterances = timing.Utterances(files_of(timed, str(tmp_path)))
    words = len("".join(" " if t == "<space>" else "x" for t in tokens_of(utterances, key)).split())
    frames = len(utterances.codes[key])
    edges = np.linspace(0.1, frames / 50 - 0.1, words + 1)
    rows = "".join(f'xmin = {a}\nxmax = {b}\ntext = "w"\n' for a, b in zip(edges, edges[1:], strict=False))
    (tmp_path / f"{key}.TextGrid").write_text(f'class = "IntervalTier"\nname = "words"\n{rows}')
    durations = utterances.from_textgrid(key)
    assert durations.sum() == frames
    assert abs(int(durations[0]) - 5) <= 1


def tokens_of(utterances, key):
    return [utterances.tokens[one] for one in utterances.ids(key) if utterances.tokens[one] != EDGE]


def test_a_recogniser_tells_the_first_guess(timed, monkeypatch):
    """Of a recogniser that hears each sound in a tenth of a second, one behind the other."""

    def listen(wav, rate, sounds, where):
        begins = np.arange(len(sounds)) * len(wav) / rate / len(sounds)
        return np.stack([begins, begins + 0.02], axis=1), list(range(len(sounds))), 0.04

    monkeypatch.setattr(timing, "open_phone_times", lambda folder: listen)
    files = files_of(timed)
    key = next(iter(read_codes(timed / "codes" / "codes.scp")))
    guessed = timing._guess(files, "judge", key)
    assert guessed.durations.sum() == len(guessed.latent)
    timing.fit_aligner(files, timed / "other.npz", "judge")
    assert timing.Aligner.load(timed / "other.npz").statistics.mean.shape == (guessed.latent.shape[1],)


def test_what_is_no_aligner(tmp_path):
    with pytest.raises(InputError, match="no such aligner"):
        timing.Aligner.load(tmp_path / "a.npz")
    (tmp_path / "a.npz").write_bytes(b"PK")
    with pytest.raises(InputError, match="is no aligner"):
        timing.Aligner.load(tmp_path / "a.npz")


def test_the_silence_at_the_ends_is_no_speech():
    rng = np.random.default_rng(0)
    level = np.repeat([0.0005, 0.1, 0.001, 0.1, 0.0005], [30, 20, 15, 25, 10])
    wav = (np.repeat(level, 480) * rng.standard_normal(480 * len(level))).astype(np.float32)
    assert timing.speech_span(wav, len(level)) == (30, 90)
    assert timing.speech_span(np.zeros(4800, np.float32), 10) == (0, 10)
