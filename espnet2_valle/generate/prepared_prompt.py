"""A prompt made ready once: sound, codes and text, in memory or in a small file."""

import dataclasses
import functools
import json
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from espnet2_valle.codec.abs_codec import AbsCodec
from espnet2_valle.codec.spec import CodecSpec
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import atomic_path
from espnet2_valle.generate.prompt import load_prompt

SUFFIX = ".npz"
PROBE_SECONDS = 0.4
PROBE_HZ = (100.0, 200.0)
PROBE_HARMONICS = 20
SAME_CODES = 0.9  # rounding differs between machines; codecs with other codebooks agree on hardly any code


@dataclass(frozen=True)
class PreparedPrompt:
    """What a model needs to know of a voice.

    Attributes:
        wav: (S,) float32 at the codec's rate.
        codes: (T, Q) int16.
        text: what is said in it.
        spec: of the codec.
        probe: what the codec makes of a fixed sound: tells codecs of the same numbers apart.
    """

    wav: np.ndarray
    codes: np.ndarray
    text: str
    spec: CodecSpec
    probe: np.ndarray

    @classmethod
    def encode(cls, wav: np.ndarray, text: str, codec: AbsCodec) -> "PreparedPrompt":
        """Encode `wav` (S,) at the codec's rate, in which `text` is said.

        Raises:
            InputError: no text.
        """
        return cls(wav, codec.encode(wav), require_text(text), codec.spec, probe_codes(codec))

    def save(self, path: str | Path) -> None:
        """Write to `path` (.npz), the same bytes for the same prompt."""
        about = json.dumps({"text": self.text, "spec": dataclasses.asdict(self.spec)}, sort_keys=True)
        with atomic_path(path) as temporary:
            np.savez_compressed(
                temporary, wav=self.wav, codes=self.codes, probe=self.probe, about=np.array(about)
            )

    @classmethod
    def load(cls, path: str | Path, codec: AbsCodec) -> "PreparedPrompt":
        """Read what `save` wrote.

        Raises:
            InputError: missing file, no prepared prompt, or one made with another codec.
        """
        if not Path(path).is_file():
            raise InputError(path, "no such prepared prompt", "Make it with valle_prepare_prompt")
        try:
            with np.load(path, allow_pickle=False) as stored:
                about = json.loads(str(stored["about"]))
                spec = CodecSpec(**about["spec"])
                prompt = cls(stored["wav"], stored["codes"], about["text"], spec, stored["probe"])
        except (OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile) as error:
            raise InputError(path, f"not a prepared prompt ({error})", "Prepare it again") from error
        prompt.check(path, codec)
        return prompt

    def check(self, where: str | Path, codec: AbsCodec) -> None:
        """Raise InputError, which names `where`, unless this was made with `codec`."""
        remedy = "Prepare it with the model's codec"
        if self.spec != codec.spec:
            raise InputError(where, f"was made with {self.spec}, not {codec.spec}", remedy)
        probe = probe_codes(codec)
        if probe.shape != self.probe.shape or np.mean(probe == self.probe) < SAME_CODES:
            raise InputError(where, "was made with a codec of other codebooks", remedy)


def open_prompt(
    speech: str | Path | np.ndarray | PreparedPrompt, text: str | None, fs: int | None, codec: AbsCodec
) -> PreparedPrompt:
    """Make a voice ready, whatever it is given as.

    Args:
        speech: a sound file, samples (S,), or what is prepared already: a file (.npz) or the prompt itself.
        text: what is said in it; a prepared prompt knows.
        fs: rate of the samples in Hz, when samples are given.
        codec: the model's.

    Raises:
        InputError: a prompt that cannot be used, or no text.
    """
    if isinstance(speech, PreparedPrompt):
        speech.check("prompt_speech", codec)
        return speech
    if not isinstance(speech, np.ndarray) and Path(speech).suffix == SUFFIX:
        return PreparedPrompt.load(speech, codec)
    text = require_text(text)
    return PreparedPrompt.encode(load_prompt(speech, fs, codec.sample_rate), text, codec)


def require_text(text: str | None) -> str:
    """Return the text of a prompt, or raise InputError where there is none."""
    if text is None or not text.strip():
        raise InputError("prompt_text", "is empty", "Give the words that are said in the prompt")
    return text


@functools.lru_cache(maxsize=1)
def probe_codes(codec: AbsCodec) -> np.ndarray:
    """Codes (t, Q) int16 of a buzz whose pitch rises: a fingerprint of the codec."""
    low, high = PROBE_HZ
    time = np.arange(int(PROBE_SECONDS * codec.sample_rate)) / codec.sample_rate
    phase = 2 * np.pi * (low + (high - low) / 2 * time / PROBE_SECONDS) * time
    buzz = sum(np.sin(harmonic * phase) / harmonic for harmonic in range(1, PROBE_HARMONICS))
    return codec.encode((0.1 * np.asarray(buzz)).astype(np.float32))
