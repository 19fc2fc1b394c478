"""Paragraphs and chapters: sentence by sentence into one growing file, which a killed run takes up again.

Nothing is kept in memory but the prompt and the sentence at hand. Samples go to OUTPUT.pcm, and a line of
OUTPUT.journal says, when a sentence is complete there, how many samples it ends at. In the end the samples
become the sound file.
"""

import dataclasses
import json
import os
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from tqdm import tqdm

from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import atomic_open, atomic_path, read_journal
from espnet2_valle.generate.outcome import Outcome
from espnet2_valle.generate.output import StreamTail
from espnet2_valle.generate.prepared_prompt import PreparedPrompt
from espnet2_valle.generate.prompt_check import frame_levels, mean_db, speech_threshold
from espnet2_valle.generate.sentences import Sentence
from espnet2_valle.generate.text2speech import Text2Speech

FIXED, ROLLING = "fixed", "rolling"
INT16 = 32768
SAMPLE_BYTES = 2
BLOCK = 1 << 20  # samples copied at once
ROLLING_SECONDS = 1.5  # a shorter sentence is no prompt for the next


@dataclass(frozen=True)
class LongformOptions:
    """What conf/longform.yaml holds.

    Raises:
        InputError: a value out of range.
    """

    pauses: Mapping[str, float]
    language: str = "en"
    prompt: str = FIXED
    max_words: int = 30
    max_gain: float = 12.0

    def __post_init__(self) -> None:
        ranges = {
            "prompt": self.prompt in (FIXED, ROLLING),
            "max_words": self.max_words >= 1,
            "max_gain": self.max_gain >= 0,
            "pauses": "other" in self.pauses and all(value >= 0 for value in self.pauses.values()),
        }
        for name, valid in ranges.items():
            if not valid:
                raise InputError(name, f"{getattr(self, name)} is out of range", "See conf/longform.yaml")


@dataclass(frozen=True)
class Said:
    """A line of the journal: a sentence that is complete in the file.

    Attributes:
        end: samples in the file behind its pause.
        outcome: how it ended.
        rolling: whether it is the prompt of the next one (`OUTPUT.prompt.N.npz`).
    """

    end: int
    outcome: str
    rolling: bool


def speak(
    text2speech: Text2Speech,
    sentences: Sequence[Sentence],
    prompt: PreparedPrompt,
    options: LongformOptions,
    output: str | Path,
) -> list[str]:
    """Say all sentences into one sound file; a killed run goes on at the sentence it was at.

    Each sentence draws from its own seed and is brought to the prompt's level, so what is written does not
    depend on where a run was broken off.

    Args:
        text2speech: the model; its `retries` count for each sentence.
        sentences: what to say.
        prompt: the voice.
        options: pauses, prompts, levels.
        output: a WAV or FLAC file.

    Returns:
        the outcome of each sentence.
    """
    output = Path(output)
    output.parent.mkdir(parents=True, exist_ok=True)
    samples, journal = _beside(output, "pcm"), _beside(output, "journal")
    done = _resume(journal, _stamp(text2speech, sentences, prompt, options))
    voice = prompt
    if done and done[-1].rolling:
        voice = PreparedPrompt.load(_beside(output, f"prompt.{len(done) - 1}.npz"), text2speech.codec)
    with open(samples, "ab") as stream, open(journal, "a", encoding="utf-8") as log:
        end = done[-1].end if done else 0
        stream.truncate(end * SAMPLE_BYTES)
        bar = tqdm(sentences, desc="sentences", initial=len(done), total=len(sentences), disable=None)
        for number in range(len(done), len(sentences)):
            sentence = sentences[number]
            seed = zlib.crc32(f"{text2speech.seed} {number}".encode())
            result = text2speech(sentence.text, voice, seed=seed)
            wav = np.round(level_out(result["wav"].numpy(), prompt.wav, text2speech.fs, options) * INT16)
            silence = np.zeros(round(sentence.pause * text2speech.fs))
            stream.write(np.concatenate([wav, silence]).astype("<i2").tobytes())
            stream.flush()
            os.fsync(stream.fileno())
            end += len(wav) + len(silence)
            following = _next_prompt(result, sentence, text2speech) if options.prompt == ROLLING else None
            if following is not None:
                following.save(_beside(output, f"prompt.{number}.npz"))
                voice = following
            elif voice is not prompt:
                voice.save(_beside(output, f"prompt.{number}.npz"))
            _beside(output, f"prompt.{number - 2}.npz").unlink(missing_ok=True)
            done.append(Said(end, result["outcome"].value, voice is not prompt))
            log.write(json.dumps(dataclasses.asdict(done[-1])) + "\n")
            log.flush()
            bar.update()
        bar.close()
    _finish(samples, output, text2speech.fs)
    for left in [samples, journal, *output.parent.glob(f"{output.name}.prompt.*.npz")]:
        left.unlink(missing_ok=True)
    return [said.outcome for said in done]


def level_out(wav: np.ndarray, reference: np.ndarray, rate: int, options: LongformOptions) -> np.ndarray:
    """Bring the speech in `wav` (S,) to the level of that in `reference`; peaks are bent, not scaled."""
    if len(wav) == 0:
        return wav
    gain = np.clip(
        speech_level(reference, rate) - speech_level(wav, rate), -options.max_gain, options.max_gain
    )
    return StreamTail().pass_on((wav * 10 ** (gain / 20)).astype(np.float32))


def speech_level(wav: np.ndarray, rate: int) -> float:
    """Level of the frames of `wav` (S,) that are speech, in dB of full scale."""
    levels = frame_levels(wav, rate)
    return mean_db(levels[levels > speech_threshold(levels)])


def _next_prompt(
    result: Mapping[str, Any], sentence: Sentence, text2speech: Text2Speech
) -> PreparedPrompt | None:
    """The sentence just said as a prompt, if it went well and is long enough."""
    wav = result["wav"].numpy()
    if result["outcome"] is not Outcome.OK or len(wav) < ROLLING_SECONDS * text2speech.fs:
        return None
    return PreparedPrompt.encode(wav, sentence.text, text2speech.codec)


def _stamp(
    text2speech: Text2Speech,
    sentences: Sequence[Sentence],
    prompt: PreparedPrompt,
    options: LongformOptions,
) -> dict[str, int]:
    """What a run has to share with a broken one to go on with it."""
    weights = sum(float(weight.detach().double().sum()) for weight in text2speech.ar.parameters())
    choices = (text2speech.sampling, text2speech.duration_ratios, text2speech.seed, text2speech.retries)
    parts = (sentences, prompt.codes.tolist(), prompt.text, options, choices, weights)
    return {"stamp": zlib.crc32(repr(parts).encode())}


def _resume(journal: Path, stamp: dict[str, int]) -> list[Said]:
    """Sentences that a broken run of the same kind has completed; otherwise the journal begins anew."""
    whole = read_journal(journal)
    done = [Said(**line) for line in whole[1:]] if whole[:1] == [stamp] else []
    with atomic_open(journal) as stream:  # without the line that a kill cut off
        stream.writelines(json.dumps(line) + "\n" for line in (stamp, *map(dataclasses.asdict, done)))
    return done


def _finish(samples: Path, output: Path, rate: int) -> None:
    """Raw samples to a sound file, block by block."""
    with (
        atomic_path(output) as temporary,
        soundfile.SoundFile(temporary, "w", rate, 1, subtype="PCM_16") as sink,
    ):
        for block in _blocks(samples):
            sink.write(block)


def _blocks(samples: Path) -> Iterator[np.ndarray]:
    with open(samples, "rb") as stream:
        while data := stream.read(BLOCK * SAMPLE_BYTES):
            yield np.frombuffer(data, dtype="<i2")


def _beside(output: Path, suffix: str) -> Path:
    return output.with_name(f"{output.name}.{suffix}")
