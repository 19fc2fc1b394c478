"""Utterances of espeak-ng with the times of their phones, which the library tells as events."""

import ctypes
import unicodedata

import numpy as np

from espnet2_valle.common.audio import resample
from espnet2_valle.corpus.synthetic import espeak
from espnet2_valle.corpus.synthetic.espeak_speech import _INT16, _SILENCE_RATIO, _trim

PHONEME_EVENTS = 1  # speak_lib.h: espeakINITIALIZE_PHONEME_EVENTS
IPA = 2  # espeakINITIALIZE_PHONEME_IPA
PHONEME, END = 7, 6  # espeakEVENT_PHONEME, espeakEVENT_END


class Event(ctypes.Structure):
    """espeak_EVENT."""

    _fields_ = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("string", ctypes.c_char * 8),
    ]


def phones_in_time(text, voice, rate, edge_seconds):
    """The utterance as the corpus has it, (S,) at `rate`, and (name, begin in seconds) of each phone."""
    engine = espeak.Espeak()
    library = espeak._load_copy(engine._path)
    blocks, events = [], []

    def collect(samples, count, given):
        if samples and count > 0:
            blocks.append(ctypes.string_at(samples, count * 2))
        event = ctypes.cast(given, ctypes.POINTER(Event))
        place = 0
        while given and event[place].type:
            if event[place].type == PHONEME:
                events.append((event[place].string.decode("utf-8", "ignore"), event[place].sample))
            place += 1
        return 0

    own = library.espeak_Initialize(2, 0, str(engine._data).encode(), PHONEME_EVENTS | IPA)
    callback = espeak._Callback(collect)
    library.espeak_ng_SetRandSeed(ctypes.c_long(1))
    library.espeak_SetSynthCallback(callback)
    assert library.espeak_SetVoiceByName(voice.name.encode()) == 0
    for parameter, value in ((1, voice.rate), (3, voice.pitch), (4, voice.pitch_range), (7, 0)):
        library.espeak_SetParameter(parameter, value, 0)
    data = text.encode()
    assert library.espeak_Synth(data, len(data) + 1, 0, 0, 0, 1, None, None) == 0
    library.espeak_Synchronize()
    library.espeak_Terminate()
    samples = np.frombuffer(b"".join(blocks), dtype=np.int16).astype(np.float32) / _INT16
    wav = resample(samples, own, rate)
    first = np.flatnonzero(np.abs(wav) > _SILENCE_RATIO * np.abs(wav).max())[0]
    shift = edge_seconds - first / rate
    return _trim(wav, round(edge_seconds * rate)), [(name, at / own + shift) for name, at in events]


def letters(name):
    """The letters of a phone's name: stress, length and other marks taken off."""
    return [
        sign
        for sign in unicodedata.normalize("NFC", name)
        if unicodedata.category(sign) in ("Ll", "Lu", "Lo")
    ]
