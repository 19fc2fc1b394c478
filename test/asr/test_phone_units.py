"""Phones that a recogniser listens for, of one language and of several."""

from dataclasses import replace

import pytest

from espnet2_valle.asr import training
from espnet2_valle.asr.phones import PhoneUnits
from espnet2_valle.common.errors import InputError
from espnet2_valle.data.datadir import DataDir
from espnet2_valle.text.reading import CURRENT


def test_phones_of_several_languages_need_to_know_which(tmp_path):
    pytest.importorskip("phonemizer", reason="the extra espeak is not installed")
    units = PhoneUnits("phn", "en=espeak:en-us de=espeak:de", None, CURRENT)
    data = DataDir(tmp_path, {"u": "u.wav"}, {"u": "neun"}, {"u": "s"}, {"u": "German"})
    assert training._in_phones(data, units).texts == {"u": "n ɔ ø n"}
    assert units.of("nine <lang=de>neun</lang>") == ["n", "a", "ɪ", "n", "n", "ɔ", "ø", "n"]
    with pytest.raises(InputError, match="utt2lang: is missing, and --g2p names several languages"):
        training._in_phones(replace(data, languages={}), units)


def test_marks_are_no_phones_of_one_language():
    assert PhoneUnits("char").of("a <lang=de>b</lang>") == ["a", "b"]
