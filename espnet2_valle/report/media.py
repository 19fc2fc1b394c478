"""Sound and pictures as data URIs, so that the report is one file."""

import base64
import io

import numpy as np
import soundfile
from scipy import signal

from espnet2_valle.common.audio import resample

AUDIO_FORMATS = (("MP3", "MPEG_LAYER_III", "audio/mpeg"), ("FLAC", "PCM_16", "audio/flac"))
SPECTROGRAM_RATE = 16000
WINDOW = 400  # samples: 25 ms
HOP = 128  # samples: 8 ms
TOP_HERTZ = 6000  # little of speech lies above
DYNAMIC_RANGE = 60.0  # dB below the loudest point
MAX_WIDTH = 360  # pixels
COLOURS = "magma"
NUM_COLOURS = 24


def data_uri(content: bytes, kind: str) -> str:
    """`content` as a URI of its own."""
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def audio_uri(wav: np.ndarray, rate: int) -> str:
    """`wav` (samples,) as MP3, or as FLAC where libsndfile cannot write MP3."""
    wav = np.clip(wav, -1, 1)
    for name, subtype, kind in AUDIO_FORMATS:
        if name not in soundfile.available_formats():
            continue
        stream = io.BytesIO()
        try:
            soundfile.write(stream, wav, rate, format=name, subtype=subtype)
        except (soundfile.LibsndfileError, ValueError):  # a rate that the format does not have
            continue
        return data_uri(stream.getvalue(), kind)
    raise ValueError(f"libsndfile writes none of {[name for name, *_ in AUDIO_FORMATS]} at {rate} Hz")


def spectrogram_uri(wav: np.ndarray, rate: int) -> str:
    """A picture of the spectrum of `wav` (samples,) over time, low frequencies below, as a small PNG."""
    return picture_uri(spectrogram(resample(wav, rate, SPECTROGRAM_RATE)) / DYNAMIC_RANGE + 1)


def alignment_uri(weights: np.ndarray, prompt_tokens: int) -> str:
    """A picture of attention `weights` (steps, tokens): time to the right, text upwards, as a small PNG.

    A bright line parts the prompt's text, below, from the text that was to be said.
    """
    shares = weights / max(float(weights.max()), np.finfo(float).tiny)
    return picture_uri(np.insert(shares.T, prompt_tokens, 1.0, axis=0))


def picture_uri(shares: np.ndarray) -> str:
    """Values (rows, columns) from 0, dark, to 1, bright, the first row at the bottom, as a small PNG."""
    import matplotlib
    from PIL import Image

    shades = np.round(shares * (NUM_COLOURS - 1)).clip(0, NUM_COLOURS - 1)
    picture = Image.fromarray(shades[::-1].astype(np.uint8))
    if picture.width > MAX_WIDTH:
        picture = picture.resize((MAX_WIDTH, picture.height), Image.Resampling.BOX)
    colours = matplotlib.colormaps[COLOURS](np.linspace(0, 1, NUM_COLOURS))[:, :3]
    picture.putpalette((colours * 255).astype(np.uint8).tobytes())
    stream = io.BytesIO()
    picture.save(stream, "PNG", optimize=True)
    return data_uri(stream.getvalue(), "image/png")


def spectrogram(wav: np.ndarray) -> np.ndarray:
    """Levels (frequencies, frames) in dB below the loudest of `wav` (samples,) at SPECTROGRAM_RATE."""
    transform = signal.ShortTimeFFT(np.hanning(WINDOW), HOP, SPECTROGRAM_RATE)
    padded = np.pad(wav.astype(np.float64), (0, WINDOW))  # it wants at least half a window
    power = transform.spectrogram(padded, p0=0, p1=len(wav) // HOP + 1)
    power = power[: TOP_HERTZ * WINDOW // SPECTROGRAM_RATE]
    floor = 10 ** (-DYNAMIC_RANGE / 10)
    return 10 * np.log10(power / max(power.max(), np.finfo(float).tiny) + floor)
