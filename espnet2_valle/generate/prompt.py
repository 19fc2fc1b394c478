"""The one way from a prompt, whatever it is given as, to the codes that the models are asked to continue."""

import dataclasses
import functools
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch

from espnet2_valle.codec.abs_codec import AbsCodec
from espnet2_valle.codec.arrays import NO_ARRAYS
from espnet2_valle.codec.spec import CodecSpec
from espnet2_valle.common.audio import mix_down_checked, read_channels, resample
from espnet2_valle.common.errors import InputError, WorkError
from espnet2_valle.common.fileio import atomic_path
from espnet2_valle.common.provenance import Provenance

MIN_SECONDS = 0.5  # less holds no voice to speak of
LONG_SECONDS = 20.0  # longer than what recipes train on
SILENCE_DB = -60.0  # a prompt quieter than this (dBFS, RMS) is taken for silence
CLIPPED_SHARE = 0.01  # of samples at full scale
FULL_SCALE = 0.999
TRIM_DB = -40.0  # frames quieter than this against the loudest frame are edges to trim
TRIM_FRAME = 0.02  # seconds
TRIM_MARGIN = 0.05  # seconds of edge that stay
INTEGERS = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)
SUFFIX = ".npz"
PROBE_SECONDS = 0.4
PROBE_HZ = (100.0, 200.0)
PROBE_HARMONICS = 20
SAME_CODES = 0.9  # rounding differs between machines; codecs with other codebooks agree on hardly any code

Sound: TypeAlias = str | Path | np.ndarray | torch.Tensor


def is_sound(prompt: torch.Tensor, prompt_fs: int | None) -> bool:
    """Tell samples from codes: samples are floats, or a row of integers that comes with its rate."""
    return prompt.is_floating_point() or (prompt.ndim == 1 and prompt_fs is not None)


def to_samples(prompt: torch.Tensor) -> np.ndarray:
    """A tensor of samples on any device as an array."""
    prompt = prompt.detach().cpu()
    return (prompt.float() if prompt.is_floating_point() else prompt).numpy()


def check_codes(codes: torch.Tensor, num_codebooks: int, codebook_size: int) -> torch.Tensor:
    """Return codes (T, Q) as int64.

    Raises:
        InputError: another type or shape, or codes that the codec does not have.
    """
    remedy = (
        f"Give codes (frames, {num_codebooks}) as `encode_prompt` makes them, or samples with prompt_fs in Hz"
    )
    kind = f"a tensor of {str(codes.dtype).removeprefix('torch.')} with shape {tuple(codes.shape)}"
    if codes.dtype not in INTEGERS or codes.ndim != 2 or codes.shape[1] != num_codebooks or not len(codes):
        raise InputError("prompt_speech", f"is {kind}: neither codes nor sound", remedy)
    low, high = int(codes.min()), int(codes.max())
    if low < 0 or high >= codebook_size:
        raise InputError(
            "prompt_speech", f"has codes from {low} to {high}, the codec 0 to {codebook_size - 1}", remedy
        )
    return codes.long()


def load_prompt(prompt: Sound, prompt_fs: int | None, sample_rate: int, trim: bool = True) -> np.ndarray:
    """Bring a prompt to the codec's rate and check that it can be used.

    Args:
        prompt: a sound file, or samples (S,) or (S, channels) in [-1, 1] as an array or a tensor; channels
            are averaged.
        prompt_fs: rate of the samples in Hz; not needed for a file.
        sample_rate: the codec's, in Hz.
        trim: cut its silent edges.

    Returns:
        wav (S,) float32.

    Raises:
        InputError: missing or unreadable file, samples without a rate, silent, clipped or too short.
    """
    if isinstance(prompt, torch.Tensor):
        prompt = to_samples(prompt)
    if isinstance(prompt, np.ndarray):
        where = "prompt_speech"
        if prompt_fs is None:
            raise InputError(where, "samples are given without their rate", "Give prompt_fs in Hz")
        if prompt_fs <= 0:
            raise InputError("prompt_fs", f"{prompt_fs} is no rate", "Give the samples' in Hz")
        if prompt.dtype.kind not in "fiu" or not prompt.size:
            raise InputError(where, f"is {prompt.size} {prompt.dtype}", "Give samples in [-1, 1]")
        wav = resample(_to_mono(prompt), prompt_fs, sample_rate)
    elif not isinstance(prompt, (str, Path)):
        raise InputError("prompt_speech", f"is {type(prompt).__name__}", "Give a sound file, or samples")
    else:
        where = str(prompt)
        channels, rate = read_channels(prompt)
        wav = resample(_mixed(where, channels), rate, sample_rate)
    wav = _check(where, wav, sample_rate)
    return _trim(wav, sample_rate) if trim else wav


def _to_mono(wav: np.ndarray) -> np.ndarray:
    """(S,) or (S, channels), floats or 16-bit integers -> (S,) float32."""
    if wav.dtype == np.int16:
        wav = wav / np.iinfo(np.int16).max
    if wav.ndim == 2:
        logging.warning("prompt_speech has %d channels; their mean is used", wav.shape[1])
        wav = _mixed("prompt_speech", wav)
    if wav.ndim != 1:
        raise InputError("prompt_speech", f"has shape {wav.shape}", "Give (samples,) or (samples, channels)")
    return wav.astype(np.float32)


def _mixed(where: str, channels: np.ndarray) -> np.ndarray:
    """(S, C) -> (S,), with a warning where the channels cancel each other."""
    wav, cancelled = mix_down_checked(channels)
    if cancelled:
        logging.warning(
            "%s: the mean of its channels cancels them (opposite phase, or one silent); the loudest is used",
            where,
        )
    return wav


def _check(where: str, wav: np.ndarray, rate: int) -> np.ndarray:
    """Raise InputError unless `wav` (S,) can serve as a prompt."""
    seconds = len(wav) / rate
    if seconds < MIN_SECONDS:
        raise InputError(where, f"lasts {seconds:.2f} s", f"Give at least {MIN_SECONDS} s, better 3 s")
    if seconds > LONG_SECONDS:
        logging.warning(
            "%s: %.1f s long; about 3 s are enough and faster, and models are trained on shorter ones. "
            "valle_prepare_prompt without --prompt_text cuts and transcribes a part of it",
            where,
            seconds,
        )
    if not np.isfinite(wav).all():
        raise InputError(where, "has NaN or infinite samples", "Export it again")
    level = 10 * np.log10(np.mean(wav.astype(np.float64) ** 2) + 1e-20)
    if level < SILENCE_DB:
        raise InputError(where, f"is silent ({level:.0f} dBFS)", "Give a recording of the voice")
    clipped = float(np.mean(np.abs(wav) >= FULL_SCALE))
    if clipped > CLIPPED_SHARE:
        raise InputError(where, f"{clipped:.0%} of its samples are clipped", "Record it again with less gain")
    return wav


def _trim(wav: np.ndarray, rate: int) -> np.ndarray:
    """Cut silent edges down to a margin: a prompt that ends in silence reads as one that has ended."""
    frame = int(TRIM_FRAME * rate)
    count = len(wav) // frame
    energy = np.mean(wav[: count * frame].reshape(count, frame) ** 2, axis=1)
    loud = np.flatnonzero(energy > energy.max() * 10 ** (TRIM_DB / 10))
    margin = int(TRIM_MARGIN * rate)
    return wav[max(0, loud[0] * frame - margin) : (loud[-1] + 1) * frame + margin]


@dataclass(frozen=True)
class PreparedPrompt:
    """A voice as a model needs it, in memory or in a small file.

    Attributes:
        wav: (S,) float32 at the codec's rate; empty where codes alone were given.
        codes: (T, Q) int16.
        text: what is said in it.
        spec: of the codec.
        probe: what the codec makes of a fixed sound: tells codecs of the same numbers apart.
        provenance: consent and origin of the voice, as far as they are stated.
        lang: language of the text, ISO 639-1; empty if it is not stated.
        styled: it was said in the style that is asked for, so that a text is said as fast; not saved.
    """

    wav: np.ndarray
    codes: np.ndarray
    text: str
    spec: CodecSpec
    probe: np.ndarray
    provenance: Provenance = Provenance()
    lang: str = ""
    styled: bool = False

    @classmethod
    def encode(cls, wav: np.ndarray, text: str, codec: AbsCodec) -> "PreparedPrompt":
        """Encode `wav` (S,) at the codec's rate, in which `text` is said.

        Raises:
            InputError: no text.
        """
        return encode_all([Recorded(wav, require_text(text))], codec)[0]

    def save(self, path: str | Path) -> None:
        """Write to `path` (.npz), the same bytes for the same prompt."""
        facts: dict[str, Any] = {"text": self.text, "spec": dataclasses.asdict(self.spec)}
        if self.lang:
            facts["lang"] = self.lang
        about = json.dumps({**facts, **self.provenance.to_dict()}, sort_keys=True)
        with atomic_path(path) as temporary:
            np.savez_compressed(
                temporary, wav=self.wav, codes=self.codes, probe=self.probe, about=np.array(about)
            )

    @classmethod
    def load(cls, path: str | Path, codec: AbsCodec) -> "PreparedPrompt":
        """Read what `save` wrote.

        Raises:
            InputError: see `read`, or it was made with another codec.
        """
        prompt = cls.read(path)
        prompt.check(path, codec)
        return prompt

    @classmethod
    def read(cls, path: str | Path) -> "PreparedPrompt":
        """Read what `save` wrote, of any codec.

        Raises:
            InputError: missing file, or no prepared prompt.
        """
        if not Path(path).is_file():
            raise InputError(path, "no such prepared prompt", "Make it with `valle prompt`")
        try:
            with np.load(path, allow_pickle=False) as stored:
                about = json.loads(str(stored["about"]))
                spec = CodecSpec(**about["spec"])
                provenance = Provenance(about.get("consent", ""), about.get("origin", ""))
                made = stored["wav"], stored["codes"], about["text"], spec, stored["probe"]
                return cls(*made, provenance, about.get("lang", ""))
        except (*NO_ARRAYS, TypeError) as error:
            raise InputError(path, f"not a prepared prompt ({error})", "Prepare it again") from error

    def check(self, where: str | Path, codec: AbsCodec) -> None:
        """Raise InputError, which names `where`, unless this was made with `codec`."""
        remedy = "Prepare it with the model's codec"
        if self.spec != codec.spec:
            raise InputError(where, f"was made with {self.spec}, not {codec.spec}", remedy)
        probe = probe_codes(codec)
        if probe.shape != self.probe.shape or np.mean(probe == self.probe) < SAME_CODES:
            raise InputError(where, "was made with a codec of other codebooks", remedy)


Prompt: TypeAlias = Sound | PreparedPrompt


@dataclass(frozen=True)
class Given:
    """A prompt as it is given.

    Attributes:
        speech: a sound file; samples (S,) as an array or a tensor; codes (T, Q) as an integer tensor; or what
            is prepared already: a file (.npz) or the prompt itself.
        text: what is said in it; a prepared prompt knows.
        fs: rate of the samples in Hz, when samples are given.
    """

    speech: Prompt
    text: str | None = None
    fs: int | None = None


@dataclass(frozen=True)
class Recorded:
    """A recording that can serve as a prompt.

    Attributes:
        wav: (S,) float32 at the codec's rate.
        text: what is said in it.
    """

    wav: np.ndarray
    text: str


def open_prompt(
    speech: Prompt, text: str | None, fs: int | None, codec: AbsCodec, trim: bool = True
) -> PreparedPrompt:
    """Make a voice ready, whatever it is given as.

    Args:
        speech, text, fs: see `Given`.
        codec: the model's.
        trim: cut the silent edges of what is not prepared yet.

    Raises:
        InputError: a prompt that cannot be used, or no text.
    """
    return encode_all([_read(Given(speech, text, fs), codec, trim)], codec)[0]


def open_prompts(
    prompts: Sequence[Given], codec: AbsCodec, trim: bool = True
) -> list[PreparedPrompt | InputError]:
    """Make voices ready, the recordings among them encoded at once.

    Args:
        prompts: at most as many as the codec's device has room for.
        codec, trim: see `open_prompt`.

    Returns:
        each voice as `open_prompt` makes it, or the error that it would raise.

    Raises:
        WorkError: no prompt could be read.
    """
    read = [_read_or_tell(each, codec, trim) for each in prompts]
    voices = iter(encode_all([one for one in read if not isinstance(one, InputError)], codec))
    return [one if isinstance(one, InputError) else next(voices) for one in read]


def encode_all(voices: Sequence[PreparedPrompt | Recorded], codec: AbsCodec) -> list[PreparedPrompt]:
    """Voices with the recordings among them encoded, at once where that pays."""
    codes = iter(codec.encode_batch([one.wav for one in voices if isinstance(one, Recorded)]))
    return [
        PreparedPrompt(one.wav, next(codes), one.text, codec.spec, probe_codes(codec))
        if isinstance(one, Recorded)
        else one
        for one in voices
    ]


def _read_or_tell(given: Given, codec: AbsCodec, trim: bool) -> PreparedPrompt | Recorded | InputError:
    try:
        return _read(given, codec, trim)
    except WorkError:  # which no other prompt would escape
        raise
    except InputError as error:
        return error


def _read(given: Given, codec: AbsCodec, trim: bool) -> PreparedPrompt | Recorded:
    """A prompt that is prepared already, or a recording that can be encoded; see `open_prompt`."""
    speech = given.speech
    if isinstance(speech, PreparedPrompt):
        speech.check("prompt_speech", codec)
        return speech
    if isinstance(speech, torch.Tensor) and not is_sound(speech, given.fs):
        codes = check_codes(speech, codec.num_codebooks, codec.spec.codebook_size).cpu().numpy()
        silence = np.zeros(0, dtype=np.float32)
        text = require_text(given.text)
        return PreparedPrompt(silence, codes.astype(np.int16), text, codec.spec, probe_codes(codec))
    if isinstance(speech, (str, Path)) and Path(speech).suffix == SUFFIX:
        return PreparedPrompt.load(speech, codec)
    text = require_text(given.text)
    return Recorded(load_prompt(speech, given.fs, codec.sample_rate, trim), text)


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
