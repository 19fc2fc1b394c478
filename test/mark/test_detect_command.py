"""`valle detect`: what it says of files, and of what is none."""

import json

import numpy as np
import pytest
import soundfile

from espnet2_valle.bin.detect import main
from espnet2_valle.common.errors import InputError
from espnet2_valle.mark.registry import build_watermark

RATE = 16000


def test_files_are_told_apart(tmp_path, capsys):
    wav = (0.1 * np.random.default_rng(0).standard_normal(3 * RATE)).astype(np.float32)
    soundfile.write(tmp_path / "plain.wav", wav, RATE)
    soundfile.write(tmp_path / "ours.flac", build_watermark("spread", "k", 7).embed(wav, RATE), RATE)
    files = [str(tmp_path / name) for name in ("plain.wav", "ours.flac")]
    main([*files, "--watermark_key", "k", "--json", str(tmp_path / "found.jsonl")])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{files[0]}: not marked (spread; probability of chance ")
    assert lines[1].startswith(f"{files[1]}: marked (spread, payload 7; probability of chance ")
    plain, ours = map(json.loads, (tmp_path / "found.jsonl").read_text().splitlines())
    assert plain["file"] == files[0]
    assert plain["watermark"]["payload"] is None
    assert ours["watermark"].items() >= {"kind": "spread", "marked": True, "payload": 7}.items()
    assert ours["watermark"]["chance"] < 1e-6 < plain["watermark"]["chance"]


def test_what_is_no_sound_is_named_before_any_work(tmp_path):
    soundfile.write(tmp_path / "plain.wav", np.zeros(RATE), RATE)
    (tmp_path / "text.wav").write_text("words")
    with pytest.raises(InputError, match=r"text\.wav: not a readable sound file"):
        main([str(tmp_path / "plain.wav"), str(tmp_path / "text.wav")])
    with pytest.raises(InputError, match=r"none\.wav: no such audio file"):
        main([str(tmp_path / "none.wav")])
