from pathlib import Path

import numpy as np
import pytest
import soundfile

from espnet2_valle.bin import valle_longform
from espnet2_valle.common.errors import InputError
from espnet2_valle.generate.longform import LongformOptions, level_out, speak, speech_level
from espnet2_valle.generate.prepared_prompt import PreparedPrompt
from espnet2_valle.generate.sentences import Sentence, split_text
from espnet2_valle.generate.text2speech import Text2Speech

from .conftest import RATE, buzz

CONF = Path(__file__).parents[2] / "conf" / "longform.yaml"
PAUSES = {".": 0.4, "?": 0.5, ",": 0.2, "other": 0.3, "paragraph": 0.9}
SENTENCES = [Sentence("a b", 0.1), Sentence("b c a", 0.2), Sentence("c", 0.05), Sentence("a c b", 0.3)]


@pytest.fixture(scope="module")
def text2speech(files):
    return Text2Speech(**files, min_duration_ratio=0.4, max_duration_ratio=8.0)


@pytest.fixture(scope="module")
def prompt(text2speech):
    return PreparedPrompt.encode(buzz(110, 1.0), "b c", text2speech.codec)


def test_sentences_and_their_pauses():
    pytest.importorskip("sentencex")
    text = 'Dr. Smith went home. "Did he?" Yes\n\nA new paragraph,\nof two lines.\n\n - \n'
    assert split_text(text, PAUSES) == [
        Sentence("Dr. Smith went home.", 0.4),
        Sentence('"Did he?"', 0.5),
        Sentence("Yes", 0.9),
        Sentence("A new paragraph, of two lines.", 0.9),
    ]
    with pytest.raises(InputError, match="no sentence"):
        split_text(" \n\n ... ", PAUSES)


def test_long_sentences_are_cut_at_commas_or_where_they_must():
    pytest.importorskip("sentencex")
    cut = split_text("one two three, four five six seven eight nine ten eleven.", PAUSES, max_words=5)
    assert [part.text for part in cut] == ["one two three,", "four five six seven eight", "nine ten eleven."]
    assert [part.pause for part in cut] == [0.2, 0.3, 0.9]


def test_one_loudness():
    options = LongformOptions(PAUSES)
    quiet = np.concatenate([0.3 * buzz(120, 1.0), np.zeros(RATE, dtype=np.float32)])
    levelled = level_out(quiet, buzz(200, 1.0), RATE, options)
    assert speech_level(levelled, RATE) == pytest.approx(speech_level(buzz(200, 1.0), RATE), abs=0.2)
    whisper = level_out(0.01 * buzz(120, 1.0), buzz(200, 1.0), RATE, options)
    assert speech_level(whisper, RATE) == pytest.approx(
        speech_level(0.01 * buzz(120, 1.0), RATE) + 12, abs=0.2
    )


@pytest.mark.parametrize("kind", ["fixed", "rolling"])
def test_a_killed_run_gives_the_same_bytes(text2speech, prompt, tmp_path, monkeypatch, kind):
    monkeypatch.setattr("espnet2_valle.generate.longform.ROLLING_SECONDS", 0.1)
    options = LongformOptions(PAUSES, prompt=kind)
    outcomes = speak(text2speech, SENTENCES, prompt, options, tmp_path / "whole.wav")
    assert len(outcomes) == 4
    assert "ok" in outcomes[:-1]  # a rolling prompt is one that ended well
    assert [path.name for path in tmp_path.iterdir()] == ["whole.wav"]
    for fatal in range(4):
        broken = tmp_path / "broken.wav"
        with pytest.raises(KeyboardInterrupt):
            speak(Fatal(text2speech, SENTENCES[fatal].text), SENTENCES, prompt, options, broken)
        assert not broken.exists()
        with open(f"{broken}.pcm", "ab") as stream:
            stream.write(b"half a sentence")
        with open(f"{broken}.journal", "a") as stream:
            stream.write('{"end": 1')
        counted = Fatal(text2speech, None)
        assert speak(counted, SENTENCES, prompt, options, broken) == outcomes
        assert counted.said == [sentence.text for sentence in SENTENCES[fatal:]]
        assert broken.read_bytes() == (tmp_path / "whole.wav").read_bytes()
        broken.unlink()


class Fatal:
    """A Text2Speech that is killed at a sentence, and remembers what it said."""

    def __init__(self, text2speech, fatal):
        self._text2speech = text2speech
        self._fatal = fatal
        self.said = []

    def __getattr__(self, name):
        return getattr(self._text2speech, name)

    def __call__(self, text, *args, **kwargs):
        if text == self._fatal:
            raise KeyboardInterrupt
        self.said.append(text)
        return self._text2speech(text, *args, **kwargs)


def test_other_sentences_are_said_anew(text2speech, prompt, tmp_path):
    options = LongformOptions(PAUSES)
    with pytest.raises(KeyboardInterrupt):
        speak(Fatal(text2speech, "c"), SENTENCES, prompt, options, tmp_path / "out.wav")
    counted = Fatal(text2speech, None)
    speak(counted, SENTENCES[1:3], prompt, options, tmp_path / "out.wav")
    assert counted.said == ["b c a", "c"]


def test_rolling_prompts_are_the_sentences_before(text2speech, prompt, tmp_path, monkeypatch):
    monkeypatch.setattr("espnet2_valle.generate.longform.ROLLING_SECONDS", 0.1)
    speak(text2speech, SENTENCES, prompt, LongformOptions(PAUSES), tmp_path / "fixed.wav")
    speak(text2speech, SENTENCES, prompt, LongformOptions(PAUSES, prompt="rolling"), tmp_path / "rolling.wav")
    fixed, _ = soundfile.read(tmp_path / "fixed.wav")
    rolling, _ = soundfile.read(tmp_path / "rolling.wav")
    assert not np.array_equal(fixed, rolling)


def test_the_command(files, system, tmp_path, capsys):
    pytest.importorskip("sentencex")
    (tmp_path / "text").write_text("a b. c\n\nb a\n")
    command = [*[f"--{name}={path}" for name, path in files.items()], f"--longform_config={CONF}"]
    command += [
        f"--prompt_speech={system}/data/wav/low_0.wav",
        "--prompt_text=a b",
        "--min_duration_ratio=0.8",
    ]
    valle_longform.main([*command, f"--text_file={tmp_path}/text", f"--output_wav={tmp_path}/out.wav"])
    assert "sentences (" in capsys.readouterr().out
    assert soundfile.info(tmp_path / "out.wav").duration > 1
    with pytest.raises(InputError, match="no such text"):
        valle_longform.main([*command, f"--text_file={tmp_path}/none", f"--output_wav={tmp_path}/out.wav"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("speed: 2", "no key 'speed'"),
        ("language: en", "no pauses"),
        ("pauses: {other: -1}", "out of range"),
    ],
)
def test_configurations_that_are_none(tmp_path, content, message):
    (tmp_path / "longform.yaml").write_text(content)
    with pytest.raises(InputError, match=message):
        LongformOptions.load(tmp_path / "longform.yaml")
