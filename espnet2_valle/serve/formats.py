"""Sound as bytes of a file that is still growing: wav, flac, mp3, opus, and raw samples."""

import io
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
import soundfile

from espnet2_valle.common.audio import resample

INT16 = 32767  # libsndfile's full scale: what is served and what is saved are the same samples
UNKNOWN = 0xFFFFFFFF  # size of a RIFF chunk that is not known yet
MP3_COMPRESSION = 0.5  # 0 to 1; 86 kb/s at 24 kHz
PCM_RATE = 24000  # of raw samples, as clients of OpenAI expect them


@dataclass(frozen=True)
class Format:
    """A format of sound.

    Attributes:
        media_type: of HTTP.
        container, subtype: in libsndfile's words; "" where it is not needed.
        rates: in Hz that the format knows; none: any.
        constant: of constant bit rate: without a header that counts frames, players reckon with that.
    """

    media_type: str
    container: str = ""
    subtype: str = ""
    rates: tuple[int, ...] = ()
    constant: bool = False

    def known(self, rate: int) -> int:
        """`rate`, or of those that the format knows the lowest that loses nothing, or the highest."""
        if not self.rates or rate in self.rates:
            return rate
        return min((one for one in self.rates if one >= rate), default=max(self.rates))

    def create(self, sink: Any, rate: int, comment: str | None) -> soundfile.SoundFile:
        """A sound file of the format, WAV where it names no container, that is written to `sink`."""
        file = soundfile.SoundFile(
            sink,
            "w",
            rate,
            1,
            format=self.container or "WAV",
            subtype=self.subtype or "PCM_16",
            bitrate_mode="CONSTANT" if self.constant else None,
            compression_level=MP3_COMPRESSION if self.constant else None,
        )
        if comment:
            file.comment = comment
        return file


MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
FORMATS = {
    "mp3": Format("audio/mpeg", "MP3", "MPEG_LAYER_III", MP3_RATES, constant=True),
    "opus": Format("audio/ogg", "OGG", "OPUS", (8000, 12000, 16000, 24000, 48000)),
    "flac": Format("audio/flac", "FLAC", "PCM_16"),
    "wav": Format("audio/wav"),
    "pcm": Format("audio/pcm", rates=(PCM_RATE,)),
}


class Encoder:
    """Encoder of one sound.

    Args:
        name: of the format, a key of `FORMATS`.
        rate: of the samples in Hz; another is made of it where the format does not know it.
        comment: that the file carries, where the format has room for one.
    """

    def __init__(self, name: str, rate: int, comment: str | None = None):
        form = FORMATS[name]
        self.rate = form.known(rate)
        self._resampler = None
        if self.rate != rate:
            import soxr

            self._resampler = soxr.ResampleStream(rate, self.rate, 1, dtype="float32")
        self._sink = _Growing()
        self._file = None
        if form.container:
            self._file = form.create(self._sink, self.rate, comment)
        elif name == "wav":
            self._sink.write(_wav_header(self.rate, comment))

    def encode(self, wav: np.ndarray) -> bytes:
        """Add samples (S,) float32; returns the bytes that are settled by now, perhaps none."""
        if self._resampler is not None:
            wav = self._resampler.resample_chunk(np.ascontiguousarray(wav, dtype=np.float32))
        self._add(wav)
        return self._sink.take()

    def close(self) -> bytes:
        """The rest."""
        if self._resampler is not None:
            self._add(self._resampler.resample_chunk(np.zeros(0, dtype=np.float32), last=True))
        if self._file is not None:
            self._file.close()
        return self._sink.take()

    def _add(self, wav: np.ndarray) -> None:
        if self._file is None:
            self._sink.write(np.rint(np.clip(wav, -1, 1) * INT16).astype("<i2").tobytes())
        elif len(wav):
            self._file.write(wav)


def whole_file(name: str, rate: int, wav: np.ndarray, comment: str | None = None) -> bytes:
    """The file of a sound (S,) of which all is known, with its length in its head; see `Encoder`."""
    form = FORMATS[name]
    if not form.container and name != "wav":
        encoder = Encoder(name, rate)
        return encoder.encode(wav) + encoder.close()
    known, file = form.known(rate), io.BytesIO()
    with form.create(file, known, comment) as sink:
        sink.write(resample(wav, rate, known))
    return file.getvalue()


class _Growing:
    """A file of which only what is new is kept. What has left cannot be written again, and need not.

    Writers go back to put lengths into headers, which streams do without.
    """

    def __init__(self) -> None:
        self._taken = 0
        self._new = bytearray()
        self._place = 0

    def write(self, data: bytes) -> int:
        content = bytes(data)
        start = self._place - self._taken
        kept = content[max(0, -start) :]
        start = max(0, start)
        if kept:
            self._new[start : start + len(kept)] = kept
        self._place += len(content)
        return len(content)

    def seek(self, offset: int, whence: int = 0) -> int:
        base = (0, self._place, self._taken + len(self._new))[whence]
        self._place = base + offset
        return self._place

    def tell(self) -> int:
        return self._place

    def take(self) -> bytes:
        """Bytes that have come since the last call."""
        new = bytes(self._new)
        self._taken += len(new)
        self._new.clear()
        return new


def _wav_header(rate: int, comment: str | None) -> bytes:
    """Head of a 16-bit mono WAV of unknown length, with a comment in its INFO list."""
    told = (comment or "").encode()
    told += b"\0" * (1 + (len(told) + 1) % 2)  # ends with a zero, and at an even place
    info = struct.pack("<4sI4s4sI", b"LIST", 12 + len(told), b"INFO", b"ICMT", len(told)) + told
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate, 2 * rate, 2, 16)
    riff = struct.pack("<4sI4s", b"RIFF", UNKNOWN, b"WAVE")
    return riff + form + (info if comment else b"") + struct.pack("<4sI", b"data", UNKNOWN)
