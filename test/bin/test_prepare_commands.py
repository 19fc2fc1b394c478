"""Stages 1 to 3 as commands: prepare_folder, format_data, tokenize_text."""

import logging
import os
import sys

import numpy as np
import pytest
import soundfile

from espnet2_valle.bin import format_data, prepare_folder, tokenize_text
from espnet2_valle.common.errors import InputError
from espnet2_valle.data import format as formatting
from espnet2_valle.data import tokenise
from espnet2_valle.data.datadir import DataDir, read_scp
from espnet2_valle.data.pairs import read_pairs
from espnet2_valle.text.reading import ESPNET
from espnet2_valle.text.tokenizer import build_tokenizer

RATE = 8000


def write_corpus(db, speakers="abcdef", utterances=6, seconds=1.5, channels=1):
    (db / "wav").mkdir(parents=True)
    rows = ["id|speaker|text"]
    wave = 0.2 * np.sin(np.arange(int(seconds * RATE)) / 5)
    for speaker in speakers:
        for n in range(utterances):
            soundfile.write(db / "wav" / f"{speaker}{n}.wav", np.stack([wave] * channels, 1), RATE)
            rows.append(f"{speaker}{n}|{speaker}|{['yes', 'no'][n % 2]} please")
    (db / "metadata.csv").write_text("\n".join(rows) + "\n")
    return db


def prepare(tmp_path, *options):
    prepare_folder.main(["--db", str(tmp_path / "db"), "--output_dir", str(tmp_path / "data"), *options])


def format_set(tmp_path, name, *options, fs="16000"):
    data, output = str(tmp_path / "data" / name), str(tmp_path / "raw" / name)
    format_data.main(["--data_dir", data, "--output_dir", output, "--fs", fs, *options])


def test_three_stages_from_a_folder_to_ids(tmp_path):
    write_corpus(tmp_path / "db")
    prepare(tmp_path, "--num_pairs", "20")
    assert (tmp_path / "data" / "vocabulary").read_text() == "no\nplease\nyes\n"
    assert len(read_pairs(tmp_path / "data" / "test" / "pairs")) == 20
    for name in ("train", "valid", "test"):
        format_set(tmp_path, name)
        tokenize_text.main(
            ["--data_dir", str(tmp_path / "raw" / name), "--output_dir", str(tmp_path / "token" / name)]
            + ["--token_list", str(tmp_path / "token" / "tokens.txt"), "--token_type", "char"]
            + ["--write_token_list", "true" if name == "train" else "false"]
        )
        raw = DataDir.load(tmp_path / "raw" / name)
        assert set(read_scp(tmp_path / "raw" / name / "utt2num_samples").values()) == {"24000"}
        ids = read_scp(tmp_path / "token" / name / "token_int")
        shapes = read_scp(tmp_path / "token" / name / "token_int_shape")
        assert list(ids) == list(raw.wavs) == list(shapes)
        assert {u: str(len(row.split())) for u, row in ids.items()} == shapes
    assert soundfile.info(next(iter(raw.wavs.values()))).samplerate == 16000


def test_the_language_of_a_folder_can_be_said(tmp_path):
    db = write_corpus(tmp_path / "db")
    rows = (db / "metadata.csv").read_text().splitlines()
    (db / "metadata.csv").write_text(
        "\n".join(["id|speaker|text|lang", f"{rows[1]}|de"] + [f"{row}|" for row in rows[2:]])
    )
    prepare(tmp_path, "--lang", "en")
    told = {}
    for name in ("train", "valid", "test"):
        told |= DataDir.load(tmp_path / "data" / name).languages
    assert told.pop("a0") == "de"
    assert list(told.values()) == ["en"] * 35
    with pytest.raises(InputError, match="--lang: 'en de' is no language. Give its code"):
        prepare(tmp_path, "--lang", "en de")


def test_the_same_command_gives_the_same_files(tmp_path):
    write_corpus(tmp_path / "db")
    prepare(tmp_path)
    first = {path: path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file()}
    prepare(tmp_path)
    assert first == {path: path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file()}


def test_letters_are_spelled_if_it_is_said(tmp_path):
    db = write_corpus(tmp_path / "db")
    metadata = (db / "metadata.csv").read_text().replace("please", "a g")
    (db / "metadata.csv").write_text(metadata)
    for spelled, text in (("false", "yes a g"), ("true", "yes a- g")):
        prepare(tmp_path, "--spelled_letters", spelled)
        assert set(read_scp(tmp_path / "data" / "train" / "text").values()) == {
            text,
            text.replace("yes", "no"),
        }
        assert (tmp_path / "data" / "vocabulary").read_text() == "a\ng\nno\nyes\n"


@pytest.mark.parametrize(("choice", "expected"), [("none", None), ("words", "up\ndown\n")])
def test_the_vocabulary_can_be_said(tmp_path, choice, expected):
    write_corpus(tmp_path / "db")
    prepare(tmp_path)
    (tmp_path / "words").write_text("up down")
    prepare(tmp_path, "--vocabulary", str(tmp_path / choice) if choice == "words" else choice)
    path = tmp_path / "data" / "vocabulary"
    assert (path.read_text() if path.exists() else None) == expected


def test_a_vocabulary_that_is_not_there_is_named(tmp_path):
    write_corpus(tmp_path / "db")
    with pytest.raises(InputError, match="--vocabulary: no such file 'gone'"):
        prepare(tmp_path, "--vocabulary", "gone")


def test_no_possible_test_pair_writes_nothing(tmp_path):
    write_corpus(tmp_path / "db", seconds=0.5)
    with pytest.raises(InputError, match="no test pair can be made"):
        prepare(tmp_path)
    assert not (tmp_path / "data").exists()


def test_sound_files_that_cannot_be_read_are_named_where_they_leave_no_pair(tmp_path):
    for path in (write_corpus(tmp_path / "db") / "wav").iterdir():
        path.write_bytes(b"noise")
    message = (
        r"wav: not a readable sound file .*\(12 sound files of the test set cannot be read, and no test pair"
    )
    with pytest.raises(InputError, match=message):
        prepare(tmp_path)
    assert not (tmp_path / "data").exists()


def test_stereo_is_mixed_down_with_a_note(tmp_path, caplog):
    write_corpus(tmp_path / "db", channels=2)
    prepare(tmp_path)
    with caplog.at_level(logging.INFO):
        format_set(tmp_path, "test")
    assert "12 files have several channels and were mixed down" in caplog.text
    assert "12 files resampled from 8000 to 16000 Hz" in caplog.text


def break_one(tmp_path, name="train"):
    utterance, path = next(iter(read_scp(tmp_path / "data" / name / "wav.scp").items()))
    with open(path, "wb") as stream:
        stream.write(b"noise")
    return utterance, path


def test_a_bad_file_is_named_and_nothing_is_listed(tmp_path):
    write_corpus(tmp_path / "db")
    prepare(tmp_path)
    _, path = break_one(tmp_path)
    with pytest.raises(InputError, match=f"{path}: not a readable sound file"):
        format_set(tmp_path, "train")
    assert not (tmp_path / "raw" / "train" / "wav.scp").exists()


def test_a_bad_file_within_the_allowed_share_is_left_out(tmp_path, caplog):
    write_corpus(tmp_path / "db")
    prepare(tmp_path)
    utterance, _ = break_one(tmp_path)
    format_set(tmp_path, "train", "--max_bad", "0.1")
    assert utterance not in DataDir.load(tmp_path / "raw" / "train").wavs
    assert "LEFT OUT" in caplog.text
    reasons = (tmp_path / "raw" / "train" / "set_aside").read_text().splitlines()
    assert len(reasons) == 1
    assert reasons[0].startswith(f"{utterance} ")
    assert "not a readable sound file" in reasons[0]


def test_pairs_lose_utterances_that_were_dropped(tmp_path, caplog):
    write_corpus(tmp_path / "db")
    prepare(tmp_path)
    utterance, _ = break_one(tmp_path, "test")
    format_set(tmp_path, "test", "--max_bad", "0.1")
    pairs = read_pairs(tmp_path / "raw" / "test" / "pairs")
    assert pairs
    assert utterance not in {u for p in pairs for u in (p.prompt_utt, p.target_utt, p.other_utt)}
    assert f"{len(pairs)} of 36 pairs left" in caplog.text


def test_short_and_long_utterances_are_dropped_and_counted(tmp_path, caplog):
    write_corpus(tmp_path / "db")
    prepare(tmp_path)
    paths = list(read_scp(tmp_path / "data" / "train" / "wav.scp").items())
    for (_, path), seconds in zip(paths, (0.2, 4.0)):
        soundfile.write(path, 0.1 * np.cos(0.3 * np.arange(int(seconds * RATE))), RATE)
    format_set(tmp_path, "train", "--max_duration", "3")
    assert len(DataDir.load(tmp_path / "raw" / "train").wavs) == len(paths) - 2
    assert "1 utterances shorter than 0.3 s dropped" in caplog.text
    assert "1 utterances longer than 3 s dropped" in caplog.text
    with pytest.raises(InputError, match="no utterance lasts 5 to 20 s"):
        format_set(tmp_path, "train", "--min_duration", "5")


def test_a_broken_off_run_goes_on(tmp_path):
    write_corpus(tmp_path / "db")
    prepare(tmp_path)
    format_set(tmp_path, "train")
    wavs = sorted((tmp_path / "raw" / "train" / "wav").iterdir())
    wavs[0].unlink()
    (wavs[0].parent / ".unfinished.x.flac").write_bytes(b"left by a kill")
    before = wavs[1].stat().st_mtime_ns
    format_set(tmp_path, "train")
    assert sorted((tmp_path / "raw" / "train" / "wav").iterdir()) == wavs
    assert wavs[1].stat().st_mtime_ns == before


def test_audio_is_formatted_again_when_it_comes_from_elsewhere(tmp_path, monkeypatch):
    """Another file, part or rate, even if no time or length tells it."""
    loud, soft = (tmp_path / f"{name}.wav" for name in ("loud", "soft"))
    for path, level in ((loud, 0.5), (soft, 0.1)):
        soundfile.write(path, np.repeat([level, level / 2], RATE) * np.cos(0.3 * np.arange(2 * RATE)), RATE)
    formatted = []
    real = formatting.format_utterance
    monkeypatch.setattr(
        formatting, "format_utterance", lambda job, **kept: formatted.append(job) or real(job, **kept)
    )

    def heard(wav, span=None, fs="8000"):
        spans = {"ann-1": span} if span else {}
        data = DataDir(tmp_path / "data", {"ann-1": str(wav)}, {"ann-1": "a"}, {"ann-1": "ann"}, spans=spans)
        data.write()
        format_set(tmp_path, "", fs=fs)
        assert read_scp(tmp_path / "raw" / "utt2num_samples") == {"ann-1": fs if span else str(2 * int(fs))}
        return soundfile.read(tmp_path / "raw" / "wav" / "ann-1.flac")[0].max()

    assert heard(loud) == pytest.approx(0.5, abs=0.01)
    assert heard(loud) == pytest.approx(0.5, abs=0.01)
    assert len(formatted) == 1
    assert heard(soft) == pytest.approx(0.1, abs=0.01)
    earlier = soft.stat().st_mtime - 100
    soundfile.write(soft, np.repeat([0.3, 0.2], RATE) * np.cos(0.3 * np.arange(2 * RATE)), RATE)
    os.utime(soft, (earlier, earlier))
    assert heard(soft) == pytest.approx(0.3, abs=0.01)
    assert heard(soft, (0.0, 1.0)) == pytest.approx(0.3, abs=0.01)
    assert heard(soft, (1.0, 2.0)) == pytest.approx(0.2, abs=0.01)
    heard(soft, (1.0, 2.0), fs="16000")
    assert len(formatted) == 6


def tokenize(tmp_path, texts, *options):
    tmp_path.mkdir(exist_ok=True)
    (tmp_path / "text").write_text("".join(f"u{n} {text}\n" for n, text in enumerate(texts)))
    tokenize_text.main(
        ["--data_dir", str(tmp_path), "--output_dir", str(tmp_path / "out")]
        + ["--token_list", str(tmp_path / "tokens.txt"), "--token_type", "char", *options]
    )


def test_a_text_of_unknown_symbols_is_named_with_its_utterance(tmp_path):
    tokenize(tmp_path, ["abc"], "--write_token_list", "true")
    with pytest.raises(InputError, match="utterance 'u1': text '中文' has no symbol"):
        tokenize(tmp_path, ["abc", "中文"])


def test_a_bad_text_within_the_allowed_share_is_left_out(tmp_path, caplog):
    tokenize(tmp_path, ["abc"] * 9, "--write_token_list", "true")
    tokenize(tmp_path, ["abc"] * 8 + ["中文"], "--max_bad", "0.2")
    assert len(read_scp(tmp_path / "out" / "token_int")) == 8
    assert "text '中文' has no symbol" in (tmp_path / "out" / "set_aside").read_text()
    assert "1 of 9 utterances are bad and LEFT OUT" in caplog.text


def test_texts_that_are_done_are_not_done_again(tmp_path, monkeypatch):
    tokenize(tmp_path, ["abc", "cab"], "--write_token_list", "true")
    first = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    done = []
    real = tokenise.tokenize
    monkeypatch.setattr(tokenise, "tokenize", lambda text, choice: done.append(text) or real(text, choice))
    tokenize(tmp_path, ["abc", "cab"])
    assert done == []
    assert first == {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    tokenize(tmp_path, ["abc", "bab"])
    assert done == ["abc", "bab"]


def test_a_package_that_was_missing_does_not_spoil_the_texts_for_good(tmp_path, monkeypatch):
    """Some of ESPnet's choices import what they need with the first text."""
    pytest.importorskip("pypinyin")
    options = ["--token_type", "phn", "--g2p", "pypinyin_g2p", "--write_token_list", "true"]
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "pypinyin", None)
        with pytest.raises(InputError, match="--g2p: this choice needs the Python package 'pypinyin'"):
            tokenize(tmp_path, ["你", "好"], *options)
    tokenize(tmp_path, ["你", "好"], *options)
    assert len(read_scp(tmp_path / "out" / "token_int")) == 2


def test_single_unknown_symbols_become_unk_with_a_warning(tmp_path, caplog):
    tokenize(tmp_path, ["abc"], "--write_token_list", "true")
    tokenize(tmp_path, ["abc"] * 99 + ["axb z"], "--max_unknown", "0.02")
    assert read_scp(tmp_path / "out" / "token_int")["u99"] == "2 1 3 1 1"
    assert "1.0% of its tokens are not in" in caplog.text
    assert "become <unk>: <space> x z; they are in 'axb' (x), 'z' (z), '<space>' (<space>)" in caplog.text


def test_many_unknown_symbols_are_an_error_with_their_words_and_what_to_do(tmp_path):
    tokenize(tmp_path, ["abc"], "--write_token_list", "true")
    with pytest.raises(
        InputError, match=r"33\.3% of its tokens .* 'axb' \(x\) \(--max_unknown: 0\.01\)"
    ) as caught:
        tokenize(tmp_path, ["axb"])
    assert "--add_tokens true" in caught.value.remedy
    assert (
        not (tmp_path / "out" / "token_int").exists()
        or "u0 2 3 4" in (tmp_path / "out" / "token_int").read_text()
    )
    tokenize(tmp_path, ["axb"], "--max_unknown", "1")


def test_new_symbols_are_added_behind_those_that_are_known(tmp_path, caplog):
    tokenize(tmp_path, ["abc"], "--write_token_list", "true")
    caplog.set_level(logging.INFO)
    tokenize(tmp_path, ["axb", "yx"], "--add_tokens", "true")
    assert (tmp_path / "tokens.txt").read_text().split() == [
        "<blank>",
        "<unk>",
        "a",
        "b",
        "c",
        "x",
        "y",
        "<sos/eos>",
    ]
    assert read_scp(tmp_path / "out" / "token_int") == {"u0": "2 5 3", "u1": "6 5"}
    assert "2 tokens are added: x y" in caplog.text
    first = (tmp_path / "tokens.txt").read_text()
    tokenize(tmp_path, ["axb", "yx"], "--add_tokens", "true")
    assert (tmp_path / "tokens.txt").read_text() == first


@pytest.mark.parametrize(
    "text", ["今天天气很好", "привет мир", "مرحبا بالعالم", "Ich bin nicht das, was es ist und die der"]
)
def test_texts_of_another_language_than_the_g2ps_are_refused_before_anything_is_made(tmp_path, text):
    with pytest.raises(InputError, match="is not English, which --g2p espeak_ng_english_us_vits reads"):
        tokenize(tmp_path, [text] * 20, "--token_type", "phn", "--write_token_list", "true")
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "tokens.txt").exists()


def test_a_text_with_control_characters_is_left_out_within_the_allowed_share(tmp_path, caplog):
    tokenize(tmp_path, ["abc"] * 9 + ["a\x00b"], "--write_token_list", "true", "--max_bad", "0.2")
    assert len(read_scp(tmp_path / "out" / "token_int")) == 9
    assert "U+0000, which is no writing" in (tmp_path / "out" / "set_aside").read_text()


def test_words_in_letters_that_the_g2p_does_not_read_are_told(tmp_path, caplog):
    pytest.importorskip("phonemizer", reason="the extra espeak is not installed")
    tokenize(tmp_path, ["call 中文 now please"] * 3, "--token_type", "phn", "--write_token_list", "true")
    assert "does not read the letters of 1 words: 中文" in caplog.text


def test_a_list_that_was_made_before_is_read_as_before(tmp_path):
    pytest.importorskip("phonemizer", reason="the extra espeak is not installed")
    options = ["--token_type", "phn", "--g2p", "espeak_ng_german"]
    tokenize(tmp_path, ["Gut, mein Haus."], *options, "--write_token_list", "true")
    assert (tmp_path / "text_reading").read_text() == "2\n"
    (tmp_path / "text_reading").unlink()
    before = build_tokenizer("phn", "espeak_ng_german", reading=ESPNET).text2tokens("Gut, mein Haus.")
    assert ",m" in before
    (tmp_path / "tokens.txt").write_text("\n".join(["<unk>", *before, "<sos/eos>"]))
    tokenize(tmp_path, ["Gut, mein Haus."], *options)
    ids = list(range(1, 1 + len(before)))
    assert read_scp(tmp_path / "out" / "token_int")["u0"].split() == list(map(str, ids))


def test_bpe_is_fitted_with_the_token_list(tmp_path):
    model = str(tmp_path / "bpe.model")
    options = ["--token_type", "bpe", "--bpemodel", model, "--nbpe", "12"]
    tokenize(tmp_path, ["low lower"] * 9, *options, "--write_token_list", "true")
    first = (tmp_path / "out" / "token_int").read_text()
    tokenize(tmp_path, ["low lower"] * 9, *options)
    assert (tmp_path / "out" / "token_int").read_text() == first
    with pytest.raises(InputError, match="--bpemodel: is missing"):
        tokenize(tmp_path, ["low"], "--token_type", "bpe", "--write_token_list", "true")
