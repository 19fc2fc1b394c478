"""A sound file that grows sentence by sentence, and that a run which was broken off takes up where it was.

Samples go to OUTPUT.pcm, and a line of OUTPUT.journal says, when a sentence is complete there, where it ends.
At last the samples become the sound file, and all that lay beside it goes.
"""

import dataclasses
import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from espnet2_valle.codec.abs_codec import AbsCodec
from espnet2_valle.common.audio import create_audio
from espnet2_valle.common.fileio import atomic_path
from espnet2_valle.common.resume import Journal
from espnet2_valle.generate.prompt import SUFFIX, PreparedPrompt

INT16 = 32768
SAMPLE_BYTES = 2
BLOCK = 1 << 20  # samples copied at once


@dataclass(frozen=True)
class Said:
    """A line of the journal: a sentence that is complete in the file.

    Attributes:
        end: samples in the file behind its pause.
        outcome: how it ended.
        own_voice: whether what the next sentence is to sound like was kept with it.
        digest: of what was to be said.
    """

    end: int
    outcome: str
    own_voice: bool
    digest: str


class GrowingRecording:
    """A recording as far as it is there. It keeps one line a sentence in memory, and no sound.

    Args:
        output: the sound file that it becomes.
        rate: in Hz.
        stamp: what this run has to share with a broken one to go on with it; otherwise it begins anew.
        digests: of each sentence, in turn. What is there is kept up to the first that another is asked for.

    Attributes:
        said: the sentences that are complete.
    """

    def __init__(self, output: str | Path, rate: int, stamp: dict[str, Any], digests: Sequence[str]):
        self._digests = digests
        self.output = Path(output)
        self.rate = rate
        self.output.parent.mkdir(parents=True, exist_ok=True)
        self._samples, self._journal = self._beside("pcm"), Journal(self._beside("journal"))
        self.said = list(self._take_up(stamp))
        self._journal.rewrite([stamp, *map(dataclasses.asdict, self.said)])
        with open(self._samples, "ab") as stream:  # nor the samples of an unfinished sentence
            stream.truncate(self.length * SAMPLE_BYTES)

    def _take_up(self, stamp: dict[str, Any]) -> Iterator[Said]:
        """Sentences that are still asked for and whose samples are there."""
        lines = self._journal.rows()
        samples = self._samples.stat().st_size // SAMPLE_BYTES if self._samples.is_file() else 0
        if lines[:1] != [stamp]:
            return
        for line, digest in zip(lines[1:], self._digests):
            said = Said(**line)
            if said.digest != digest or said.end > samples:
                return
            yield said

    @property
    def length(self) -> int:
        """Samples that are settled."""
        return self.said[-1].end if self.said else 0

    def voice(self, codec: AbsCodec) -> PreparedPrompt | None:
        """The voice that was kept with the last sentence."""
        if not self.said or not self.said[-1].own_voice:
            return None
        return PreparedPrompt.load(self._voice_path(len(self.said) - 1), codec)

    def add(self, wav: np.ndarray, pause: float, outcome: str, voice: PreparedPrompt | None = None) -> None:
        """Settle the next sentence.

        Args:
            wav: (S,) float32.
            pause: seconds of silence behind it.
            outcome: how it ended.
            voice: to be kept with it, but for its sound, which no sentence needs.
        """
        sound = np.concatenate([np.round(wav * INT16), np.zeros(round(pause * self.rate))]).astype("<i2")
        with open(self._samples, "ab") as stream:
            stream.write(sound.tobytes())
            stream.flush()
            os.fsync(stream.fileno())
        number = len(self.said)
        if voice is not None:
            dataclasses.replace(voice, wav=voice.wav[:0]).save(self._voice_path(number))
        self.said.append(Said(self.length + len(sound), outcome, voice is not None, self._digests[number]))
        with self._journal as journal:
            journal.append(dataclasses.asdict(self.said[-1]))

    def finish(self, comment: str | None = None) -> None:
        """Make the sound file, which carries the comment, block by block, and remove what lay beside it."""
        with (
            atomic_path(self.output) as temporary,
            create_audio(temporary, self.rate, comment) as sink,
        ):
            for block in self._blocks():
                sink.write(block)
        voices = self.output.parent.glob(glob.escape(f"{self.output.name}.voice.") + f"*{SUFFIX}")
        # The journal first: without samples it would tell of silence.
        for left in (self._journal.path, self._samples, *voices):
            left.unlink(missing_ok=True)

    def _blocks(self) -> Iterator[np.ndarray]:
        with open(self._samples, "rb") as stream:
            while data := stream.read(BLOCK * SAMPLE_BYTES):
                yield np.frombuffer(data, dtype="<i2")

    def _voice_path(self, number: int) -> Path:
        return self._beside(f"voice.{number}{SUFFIX}")

    def _beside(self, suffix: str) -> Path:
        return self.output.with_name(f"{self.output.name}.{suffix}")
