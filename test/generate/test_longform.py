import json
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from espnet2_valle.asr.recognizer import NoRecognizer
from espnet2_valle.bin import valle_inference, valle_longform, valle_prepare_prompt
from espnet2_valle.common.conf import find
from espnet2_valle.common.errors import InputError, WorkError
from espnet2_valle.common.registry import Registry
from espnet2_valle.generate import choosing, say
from espnet2_valle.generate.longform import LongformOptions, level_out, speak, speech_level
from espnet2_valle.generate.options import DecodingOptions
from espnet2_valle.generate.prompt import PreparedPrompt
from espnet2_valle.generate.sentences import Sentence, split_text
from espnet2_valle.generate.text2speech import Text2Speech

from .conftest import RATE, buzz

CONF = find("longform.yaml")
PAUSES = {".": 0.4, "?": 0.5, ",": 0.2, "other": 0.3, "paragraph": 0.9}
SENTENCES = [Sentence("a b", 0.1), Sentence("b c a", 0.2), Sentence("c", 0.05), Sentence("a c b", 0.3)]


@pytest.fixture(scope="module")
def text2speech(files):
    return Text2Speech.from_files(**files, min_duration_ratio=0.4, max_duration_ratio=8.0)


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


def test_marks_of_languages_stay_around_what_they_are_of():
    pytest.importorskip("sentencex")
    sentences = split_text("Say <lang=de>eins. Zwei?\n\nDrei</lang> Now.", PAUSES)
    assert [(one.text, one.pause) for one in sentences] == [
        ("Say <lang=de>eins.</lang>", PAUSES["."]),
        ("<lang=de>Zwei?</lang>", PAUSES["paragraph"]),
        ("<lang=de>Drei</lang> Now.", PAUSES["paragraph"]),
    ]


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


@pytest.mark.parametrize("kind", ["fixed", "rolling"])
def test_a_changed_text_goes_on_at_the_first_sentence_that_differs(
    text2speech, prompt, tmp_path, monkeypatch, kind
):
    monkeypatch.setattr("espnet2_valle.generate.longform.ROLLING_SECONDS", 0.1)
    options, out = LongformOptions(PAUSES, prompt=kind), tmp_path / "out.wav"
    changed = [SENTENCES[0], Sentence("b c b", 0.2), Sentence("c", 0.05)]
    whole = tmp_path / "whole.wav"
    speak(text2speech, changed, prompt, options, whole)
    with pytest.raises(KeyboardInterrupt):
        speak(Fatal(text2speech, "a c b"), SENTENCES, prompt, options, out)
    counted = Fatal(text2speech, None)
    speak(counted, changed, prompt, options, out)
    assert counted.said == ["b c b", "c"]
    assert out.read_bytes() == whole.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.wav", "whole.wav"]


def test_another_pause_or_a_shorter_text_keeps_what_was_said_before_it(text2speech, prompt, tmp_path):
    options, out = LongformOptions(PAUSES), tmp_path / "out.wav"
    with pytest.raises(KeyboardInterrupt):
        speak(Fatal(text2speech, "a c b"), SENTENCES, prompt, options, out)
    counted = Fatal(text2speech, None)
    speak(counted, [*SENTENCES[:1], Sentence("b c a", 0.7)], prompt, LongformOptions({"other": 0.7}), out)
    assert counted.said == ["b c a"]


def test_all_sentences_that_cannot_be_said_are_named_before_one_is(text2speech, prompt, tmp_path):
    options, counted = LongformOptions(PAUSES), Fatal(text2speech, None)
    mute = [SENTENCES[0], Sentence("xyz", 0.1), SENTENCES[1], Sentence("?!", 0.1)]
    with pytest.raises(InputError, match=r"text: in 2 of 4 sentences .*: 2 \('xyz'\), 4 \('\?!'\)"):
        speak(counted, mute, prompt, options, tmp_path / "out.wav")
    assert counted.said == []
    assert list(tmp_path.iterdir()) == []


def test_a_package_that_is_missing_is_no_fault_of_a_sentence(text2speech, prompt, tmp_path, monkeypatch):
    def without(line):
        raise WorkError("--g2p", "needs a package", "Install it")

    monkeypatch.setattr(text2speech.tokenizer, "text2tokens", without)
    with pytest.raises(WorkError, match="needs a package"):
        speak(text2speech, SENTENCES, prompt, LongformOptions(PAUSES), tmp_path / "out.wav")


def test_a_kill_at_the_very_end_leaves_no_journal_of_silence(text2speech, prompt, tmp_path, monkeypatch):
    """Whatever is removed last: the recording that is finished is never overwritten by an empty one."""
    options, out = LongformOptions(PAUSES), tmp_path / "out.wav"
    speak(text2speech, SENTENCES, prompt, options, tmp_path / "whole.wav")
    unlink = Path.unlink
    for allowed in range(2):
        removed = []

        def unlink_and_die(path, missing_ok=False, allowed=allowed, removed=removed):
            if path.name in ("out.wav.pcm", "out.wav.journal"):
                if len(removed) == allowed:
                    raise KeyboardInterrupt
                removed.append(path)
            unlink(path, missing_ok)

        with monkeypatch.context() as patched:
            patched.setattr(Path, "unlink", unlink_and_die)
            with pytest.raises(KeyboardInterrupt):
                speak(text2speech, SENTENCES, prompt, options, out)
        assert [path.suffix for path in removed] == [".journal"][:allowed]
        speak(text2speech, SENTENCES, prompt, options, out)
        assert out.read_bytes() == (tmp_path / "whole.wav").read_bytes()


def test_sentences_whose_samples_are_gone_are_said_anew(text2speech, prompt, tmp_path):
    options, out = LongformOptions(PAUSES), tmp_path / "out.wav"
    speak(text2speech, SENTENCES, prompt, options, tmp_path / "whole.wav")
    with pytest.raises(KeyboardInterrupt):
        speak(Fatal(text2speech, "c"), SENTENCES, prompt, options, out)
    first = json.loads(Path(f"{out}.journal").read_text().splitlines()[1])["end"]
    os.truncate(f"{out}.pcm", 2 * first + 20)
    counted = Fatal(text2speech, None)
    speak(counted, SENTENCES, prompt, options, out)
    assert counted.said == ["b c a", "c", "a c b"]
    assert out.read_bytes() == (tmp_path / "whole.wav").read_bytes()


class Chosen(Fatal):
    """A recogniser chooses among its candidates."""

    def __init__(self, text2speech, fatal, chooser):
        super().__init__(text2speech, fatal)
        self.options = DecodingOptions(best_of=2, chooser=chooser)


def test_another_chooser_says_all_anew(text2speech, prompt, tmp_path):
    options, out = LongformOptions(PAUSES), tmp_path / "out.wav"
    counted = Fatal(text2speech, None)
    for chooser in ("none", "none", "pocketsphinx"):
        with pytest.raises(KeyboardInterrupt):
            speak(Chosen(counted, "c", chooser), SENTENCES, prompt, options, out)
    assert counted.said == ["a b", "b c a", "a b", "b c a"]


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
    (tmp_path / "text").write_text("a b.\n\nxyz\n\n7\n")
    with pytest.raises(InputError, match=r"in 2 of 3 sentences"):
        valle_longform.main([*command, f"--text_file={tmp_path}/text", f"--output_wav={tmp_path}/out.wav"])
    with pytest.raises(InputError, match="no such text"):
        valle_longform.main([*command, f"--text_file={tmp_path}/none", f"--output_wav={tmp_path}/out.wav"])


def test_the_command_lets_a_recogniser_choose(files, system, tmp_path, monkeypatch):
    pytest.importorskip("jiwer")
    monkeypatch.setattr(choosing, "CHOOSERS", Registry("chooser", {"none": NoRecognizer}))
    monkeypatch.setattr(say, "split_text", lambda *_: SENTENCES)
    given = []
    monkeypatch.setattr(say, "speak", lambda *each: given.append(each[0]) or ["ok"])
    (tmp_path / "text").write_text("a")
    command = [*[f"--{name}={path}" for name, path in files.items()], f"--longform_config={CONF}"]
    command += [f"--prompt_speech={system}/data/wav/low_0.wav", "--prompt_text=a b", "--best_of=2"]
    command += [f"--text_file={tmp_path}/text", f"--output_wav={tmp_path}/out.wav"]
    valle_longform.main(command)
    valle_longform.main([*command, "--chooser=none"])
    assert given[0].scorer is None
    assert isinstance(given[1].scorer.recognizer, NoRecognizer)


@pytest.mark.parametrize(
    ("name", "told"), [("out.mp3", "'.mp3'"), ("out", "no suffix"), ("out.m4a", "'.m4a'")]
)
@pytest.mark.parametrize("command", [valle_inference, valle_longform, valle_prepare_prompt])
def test_a_format_that_cannot_be_written_is_refused_before_the_model_is_opened(tmp_path, command, name, told):
    more = {
        valle_inference: "--text=a",
        valle_longform: f"--text_file={tmp_path}/text",
        valle_prepare_prompt: "--output=p.npz",
    }[command]
    with pytest.raises(InputError, match=f"--output_wav: .*{name} has {told}"):
        command.main(
            ["--model_tag=none.zip", more, "--prompt_speech=p.wav", f"--output_wav={tmp_path}/{name}"]
        )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("speed: 2", "no key 'speed'"),
        ("language: en", "lacks the key 'pauses'. Compare with conf/longform.yaml"),
        ("pauses: {other: -1}", "out of range"),
    ],
)
def test_configurations_that_are_none(tmp_path, content, message):
    (tmp_path / "longform.yaml").write_text(content)
    with pytest.raises(InputError, match=message):
        LongformOptions.load(tmp_path / "longform.yaml")
