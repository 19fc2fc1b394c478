"""The espeak-ng library of the `espeakng_loader` wheel, in-process: text and a voice in, samples out."""

import _ctypes
import ctypes
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from espnet2_valle.common.errors import InputError

# Numbers of espeak-ng's speak_lib.h
_OUTPUT_SYNCHRONOUS = 2
_CHARS_UTF8 = 1
_RATE, _PITCH, _RANGE, _WORD_GAP = 1, 3, 4, 7
_RANDOM_SEED = 1
_BUFFER_MS = 0  # the library's default

_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int16), ctypes.c_int, ctypes.c_void_p)


@dataclass(frozen=True)
class EspeakVoice:
    """One voice: what espeak-ng needs to speak always in the same way.

    Args:
        accent: language file, such as `en-us` or `en-gb-scotland`.
        variant: timbre from espeak-ng's `voices/!v`, such as `f3`; empty for the plain voice.
        pitch: 0 to 99; 50 is the variant's own pitch.
        pitch_range: 0 to 99; 50 is the variant's own intonation.
        rate: words a minute; espeak-ng's own is 175.
        word_gap: extra silence between words, in units of 10 ms at 175 words a minute.
    """

    accent: str
    variant: str
    pitch: int
    pitch_range: int
    rate: int
    word_gap: int = 0

    @property
    def name(self) -> str:
        """The voice's name as the library knows it."""
        return f"{self.accent}+{self.variant}" if self.variant else self.accent


class Espeak:
    """A loaded libespeak-ng.

    The library keeps state from one call to the next (random numbers, flutter, echo), so each call loads a
    copy of its own: the same text and voice give the same samples, whatever was spoken before, and whoever
    else in the process has loaded the library.

    Raises:
        InputError: `espeakng_loader` is not installed or its library does not start.
    """

    def __init__(self) -> None:
        try:
            import espeakng_loader
        except ImportError as error:
            raise InputError(
                "espeakng_loader",
                "not installed, and the mini corpus is spoken by it",
                'Run: pip install "espnet2_valle[espeak]"',
            ) from error
        self._data = Path(espeakng_loader.get_data_path())
        self._path = str(espeakng_loader.get_library_path())

    def say(self, text: str, voice: EspeakVoice) -> tuple[np.ndarray, int]:
        """Speak `text`.

        Returns:
            samples (S,) int16, and their rate in Hz.

        Raises:
            InputError: the voice is unknown, or the library fails.
        """
        if voice.variant and not (self._data / "voices" / "!v" / voice.variant).is_file():
            # The library itself would quietly take the plain voice.
            raise InputError(
                "voice", f"espeak-ng has no variant '{voice.variant}'", "Choose one of its voices/!v"
            )
        library = _load_copy(self._path)
        try:
            rate = library.espeak_Initialize(_OUTPUT_SYNCHRONOUS, _BUFFER_MS, str(self._data).encode(), 0)
            if rate <= 0:
                raise InputError("espeakng_loader", "its library does not start", "Install the wheel again")
            try:
                return _synthesize(library, text, voice), rate
            finally:
                library.espeak_Terminate()
        finally:
            _ctypes.dlclose(library._handle)


def _load_copy(path: str) -> ctypes.CDLL:
    """Load a library with globals of its own.

    By its own path the dynamic linker would hand out the one that the process has already, state and all, and
    phonemizer, which reads phones, never closes that.
    """
    try:
        with tempfile.TemporaryDirectory() as folder:  # once loaded, the file is needed no more
            return ctypes.CDLL(shutil.copy(path, folder))
    except OSError as error:
        raise InputError(
            "espeakng_loader",
            f"no copy of its library can be loaded from {tempfile.gettempdir()} ({error})",
            "Set TMPDIR to a folder with space, from which programs may be run",
        ) from error


def _synthesize(library: ctypes.CDLL, text: str, voice: EspeakVoice) -> np.ndarray:
    blocks: list[bytes] = []
    callback = _Callback(_collector(blocks))
    library.espeak_ng_SetRandSeed(ctypes.c_long(_RANDOM_SEED))
    library.espeak_SetSynthCallback(callback)
    if library.espeak_SetVoiceByName(voice.name.encode()) != 0:
        raise InputError("voice", f"espeak-ng has no voice '{voice.name}'", "Choose a variant it ships")
    for parameter, value in (
        (_RATE, voice.rate),
        (_PITCH, voice.pitch),
        (_RANGE, voice.pitch_range),
        (_WORD_GAP, voice.word_gap),
    ):
        library.espeak_SetParameter(parameter, value, 0)
    data = text.encode()
    status = library.espeak_Synth(data, len(data) + 1, 0, 0, 0, _CHARS_UTF8, None, None)
    if status != 0:
        raise InputError(
            "espeak-ng", f"could not speak '{text}' (status {status})", "Install the wheel again"
        )
    library.espeak_Synchronize()
    return np.frombuffer(b"".join(blocks), dtype=np.int16)


def _collector(blocks: list[bytes]) -> Callable[..., int]:
    """Keep a block of samples, which the library reuses afterwards: hence the copy."""

    def collect(samples: "ctypes._Pointer[ctypes.c_int16]", count: int, events: int | None) -> int:
        if samples and count > 0:
            blocks.append(ctypes.string_at(samples, count * ctypes.sizeof(ctypes.c_int16)))
        return 0

    return collect
