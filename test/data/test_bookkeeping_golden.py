"""Stages 2 to 4 leave the bytes that they left when all of a set was held in memory."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from espnet2_valle.codec.abs_codec import AbsCodec
from espnet2_valle.data import code_files
from espnet2_valle.data.code_files import encode_set
from espnet2_valle.data.format import format_set
from espnet2_valle.data.tokenise import tokenize_set
from espnet2_valle.train.index_writer import build_index

GOLDEN = Path(__file__).with_name("golden_bookkeeping.json")
RATE = 8000
TEXTS = ("Yes, please.", "no  it is\tnot", "ünder the brïdge", "7 apples & 2 pears", "a", "—")
CHAR = ("char", None, None, None)


class PeakCodec(AbsCodec):
    """Codes of the peak of each tenth of a second."""

    sample_rate = RATE

    @classmethod
    def load(cls):
        return cls()

    def encode(self, wav):
        tenths = wav[: len(wav) // 800 * 800].reshape(-1, 800)
        return np.stack([(100 * np.abs(tenths).max(axis=1)).round(), np.arange(len(tenths))], 1).astype(int)

    def decode(self, codes):
        return np.repeat(codes[:, 0] / 100, 800).astype(np.float32)


def write_lines(path, entries):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{key} {value}\n" for key, value in entries.items()), encoding="utf-8")


def write_set(folder, cut):
    """A set out of order; an utterance is too long, one too short, one unreadable, and one says nothing."""
    numbers = [(7 * number) % 30 for number in range(30)]
    keys = {number: f"{'bca'[number % 3]}-{'é' if number == 4 else ''}{number:02d}" for number in numbers}
    (folder / "sounds").mkdir(parents=True)
    wavs, spans = {}, {}
    for number, key in keys.items():
        seconds = {5: 6.0, 6: 0.2}.get(number, 0.5 + 0.1 * (number % 7))
        wavs[key] = folder / "sounds" / f"{key} x.wav"
        level = 0.1 + 0.02 * number
        channels = 2 if number % 4 == 0 else 1
        wave = np.full((int((seconds + 1) * RATE), channels), level)
        wave[::2] *= -1
        soundfile.write(wavs[key], wave[: None if cut else int(seconds * RATE)], RATE)
        spans[key] = f"{key} 0.25 {seconds + 0.25:.3f}"
    wavs[keys[9]].write_text("no sound")
    data = folder / "data"
    write_lines(data / "wav.scp", wavs)
    write_lines(data / "text", {key: TEXTS[number % 5 if number != 8 else 5] for number, key in keys.items()})
    write_lines(data / "utt2spk", {key: key[0] for key in keys.values()})
    write_lines(data / "utt2lang", dict.fromkeys(reversed(keys.values()), "en"))
    if cut:
        write_lines(data / "segments", spans)
    pairs = [("p1", keys[5], keys[6], "-"), ("p2", keys[0], keys[3], keys[1]), ("p0", keys[1], keys[4], "-")]
    (data / "pairs").write_text("".join(" ".join(pair) + "\n" for pair in pairs), encoding="utf-8")
    return data


def run(folder, cut):
    """Stages 2 to 4 on two such sets."""
    (folder / "codec.yaml").write_text(
        "type: world\nmodel: null\nsample_rate: 8000\nframe_rate: 10\nnum_codebooks: 2\n"
        "codebook_size: 128\noptions: {}\n"
    )
    data, raw, token, codes = write_set(folder, cut), folder / "raw", folder / "token", folder / "codes"
    format_set(str(data), str(raw), RATE, max_duration=5.0, max_bad=0.1)
    tokenize_set(str(raw), token, str(folder / "tokens.txt"), CHAR, write_token_list=True, max_bad=0.1)
    (folder / "fewer.txt").write_text("\n".join(["<unk>", "a", "e", "s", "<sos/eos>"]) + "\n")
    tokenize_set(str(data), folder / "other", str(folder / "fewer.txt"), CHAR, max_unknown=0.9, max_bad=0.5)
    encode_set(
        str(folder / "codec.yaml"), str(raw / "wav.scp"), str(codes), str(token / "token_int"), shard_size=4
    )
    build_index(codes, token / "token_int", raw / "utt2spk", folder / "index", raw / "utt2lang")


def digests(folder):
    """A digest of each file but for sounds, without paths and times."""
    found = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = str(path.relative_to(folder))
        if name.startswith(("data/", "sounds/", "raw/wav/", "codec.yaml")):
            continue
        content = path.read_bytes().replace(str(folder).encode(), b"FOLDER")
        if name == "raw/made_from":
            content = b"".join(str(json.loads(line)[::2]).encode() for line in sorted(content.splitlines()))
        if name.startswith("codes/manifest/"):  # whose first line stands for when the sounds were written
            content = content.partition(b"\n")[2]
        if name.startswith("other/manifest/"):  # of texts out of order: which are in a shard is free
            content = b"".join(sorted(content.splitlines()[1:]))
        found[name] = hashlib.sha256(content).hexdigest()[:16]
    return found


@pytest.mark.parametrize("cut", [False, True])
def test_all_files_are_as_they_were(tmp_path, monkeypatch, cut):
    monkeypatch.setattr(code_files, "open_codec", lambda *_: PeakCodec())
    monkeypatch.setattr(code_files, "codec_device", lambda _, device: device)
    run(tmp_path, cut)
    assert digests(tmp_path) == json.loads(GOLDEN.read_text())["cut" if cut else "whole"]
