"""Consent and origin of a voice: from the prepared prompt into the files that are said in it."""

import json

import numpy as np
import pytest
import soundfile

from espnet2_valle.bin import detect, valle_inference, valle_longform, valle_prepare_prompt, valle_stream
from espnet2_valle.codec.build import load_codec
from espnet2_valle.common.audio import read_comment, write_audio
from espnet2_valle.common.provenance import Provenance
from espnet2_valle.generate.prompt import PreparedPrompt
from espnet2_valle.generate.text2speech import Text2Speech

from .conftest import RATE, buzz

STATED = Provenance("Zoë agreed on 2026-11-27", "her own recording")
CARRIED = {"synthetic_speech": True, "consent": STATED.consent, "origin": STATED.origin}


@pytest.fixture
def voice(files, tmp_path):
    """A prepared prompt that states both."""
    soundfile.write(tmp_path / "me.wav", buzz(110, 1.0), RATE)
    words = ["--prompt_speech", f"{tmp_path}/me.wav", "--prompt_text", "b c", "--voices", "no"]
    words += ["--codec_config", files["codec_config"], "--output", f"{tmp_path}/me.npz"]
    valle_prepare_prompt.main([*words, "--consent", STATED.consent, "--origin", STATED.origin])
    return f"{tmp_path}/me.npz"


def test_files_carry_what_the_prompt_states(files, voice, tmp_path, capsys):
    assert PreparedPrompt.load(voice, load_codec(files["codec_config"])).provenance == STATED
    model = [word for name, value in files.items() for word in (f"--{name}", value)]
    (tmp_path / "long.txt").write_text("a b. b c.")
    said = [*model, "--prompt_speech", voice, "--output_wav"]
    valle_inference.main(["--text", "a b", *said, f"{tmp_path}/say.flac"])
    valle_stream.main(["--text", "a b", *said, f"{tmp_path}/stream.wav"])
    valle_longform.main(["--text_file", f"{tmp_path}/long.txt", *said, f"{tmp_path}/long.wav"])
    speech = Text2Speech.from_files(**files)("a b", voice)
    assert speech.provenance == STATED
    speech.save(tmp_path / "python.wav")
    written = [f"{tmp_path}/{name}" for name in ("say.flac", "stream.wav", "long.wav", "python.wav")]
    assert [json.loads(read_comment(path)) for path in written] == [CARRIED] * 4
    capsys.readouterr()
    detect.main([written[0], "--json", f"{tmp_path}/found.jsonl"])
    assert STATED.consent in capsys.readouterr().out
    assert json.loads(json.loads((tmp_path / "found.jsonl").read_text())["comment"]) == CARRIED


def test_without_a_statement_files_and_prompts_are_as_they_were(files, tmp_path):
    codec = load_codec(files["codec_config"])
    prompt = PreparedPrompt.encode(buzz(110, 1.0), "b c", codec)
    prompt.save(tmp_path / "me.npz")
    with np.load(tmp_path / "me.npz") as stored:
        assert json.loads(str(stored["about"])).keys() == {"text", "spec"}
    assert not PreparedPrompt.load(tmp_path / "me.npz", codec).provenance
    write_audio(tmp_path / "ours.wav", prompt.wav, RATE)
    soundfile.write(tmp_path / "theirs.wav", prompt.wav, RATE, subtype="PCM_16")
    assert (tmp_path / "ours.wav").read_bytes() == (tmp_path / "theirs.wav").read_bytes()
    assert read_comment(tmp_path / "ours.wav") is None
