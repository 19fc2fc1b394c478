"""One voice, one text, one sound: in any process, after anything."""

import hashlib
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from espnet2_valle.common.errors import InputError
from espnet2_valle.corpus.synthetic.espeak import Espeak, EspeakVoice
from espnet2_valle.text.tokenizer import build_tokenizer

VOICE = EspeakVoice("en-us", "f2", pitch=50, pitch_range=50, rate=175)
TEXT = "three, stop."
PHONES = "espeak_ng_english_us_vits"


@pytest.fixture(scope="module")
def alone():
    """The digest of what is said by a process that does nothing else."""
    script = (
        "import hashlib\n"
        "from espnet2_valle.corpus.synthetic.espeak import Espeak, EspeakVoice\n"
        f"print(hashlib.sha256(Espeak().say({TEXT!r}, {VOICE!r})[0]).hexdigest())"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def said():
    return hashlib.sha256(Espeak().say(TEXT, VOICE)[0]).hexdigest()


def test_espeak_forgets_what_it_said_before():
    espeak = Espeak()
    first, rate = espeak.say("three, stop.", VOICE)
    espeak.say("window, window.", replace(VOICE, variant="m3", pitch=70))
    again, _ = espeak.say("three, stop.", VOICE)
    assert rate == 22050
    assert len(first) > rate // 2
    np.testing.assert_array_equal(first, again)


def test_speech_is_the_same_with_phones_read_before_and_after_it(alone):
    pytest.importorskip("phonemizer", reason="the extra espeak is not installed")
    tokenizer = build_tokenizer("phn", PHONES)
    phones = tokenizer.text2tokens(TEXT)
    assert said() == alone
    assert tokenizer.text2tokens(TEXT) == phones
    assert said() == alone


def test_a_folder_that_takes_no_library_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "absent"))
    with pytest.raises(InputError, match="absent.*Set TMPDIR"):
        Espeak().say(TEXT, VOICE)


def test_pitch_and_rate_change_the_voice():
    espeak = Espeak()
    plain, _ = espeak.say("window.", VOICE)
    fast, _ = espeak.say("window.", replace(VOICE, rate=250))
    high, _ = espeak.say("window.", replace(VOICE, pitch=80))
    assert len(fast) < 0.9 * len(plain)
    assert not np.array_equal(plain[: len(high)], high[: len(plain)])


@pytest.mark.parametrize("voice", [replace(VOICE, variant="nobody"), replace(VOICE, accent="en-atlantis")])
def test_unknown_voice_is_named(voice):
    with pytest.raises(InputError, match="nobody|atlantis"):
        Espeak().say("zero.", voice)


def test_missing_wheel_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    with pytest.raises(InputError, match=r"pip install.*espeak"):
        Espeak()
