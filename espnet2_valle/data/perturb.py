"""Speed perturbation: copies of a training set that play faster or slower, as voices of their own.

A copy at factor f lasts 1/f of the time, and pitch and formants move by f: to a zero-shot model it is another
speaker, which is what a corpus of few voices lacks (Ko et al., "Audio augmentation for speech recognition",
2015).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from espnet2_valle.common.audio import Span, audio_rate, read_audio, resample, write_audio
from espnet2_valle.common.errors import InputError
from espnet2_valle.data.datadir import DataDir
from espnet2_valle.data.made_from import make_missing, sound_state

SLOWEST, FASTEST = 0.5, 2.0  # beyond, nobody speaks like that


def parse_factors(words: str) -> list[float]:
    """Factors of an option such as "0.9 1.1", sorted, each once.

    Raises:
        InputError: none, a word that is no number, 1, or a factor outside 0.5 to 2.
    """
    factors = set()
    for word in words.split():
        try:
            factor = float(word)
        except ValueError:
            factor = float("nan")
        if not SLOWEST <= factor <= FASTEST:
            raise InputError(
                "--factors",
                f"'{word}' is not a speed from {SLOWEST:g} to {FASTEST:g}",
                'Write such as "0.9 1.1"',
            )
        if factor == 1.0:
            raise InputError("--factors", "1 is the recording itself, which is always kept", "Leave it out")
        factors.add(factor)
    if not factors:
        raise InputError("--factors", "names no speed", 'Write such as "0.9 1.1"')
    return sorted(factors)


def perturbed_name(name: str, factor: float) -> str:
    """Name of an utterance or speaker at a speed, as Kaldi and ESPnet write it: sp0.9-NAME."""
    return f"sp{factor:g}-{name}"


def perturb_speed(
    data: DataDir, recorded: DataDir, factors: Sequence[float], output_dir: str | Path, nj: int = 1
) -> DataDir:
    """Write the set with its copies at other speeds; the recordings themselves stay where they are.

    The copies are made from the recordings as they came, at their own rate: after a recording of 8 kHz was
    resampled to 24 kHz, a faster copy would reach above 4 kHz, and its speed could be told from that alone.

    Args:
        data: the set as stage 2 wrote it, all of one rate.
        recorded: the set as it came, with all utterances of `data`.
        factors: speeds of the copies.
        output_dir: of the larger set; the copies go to wav/ in it. Those made before from the same are kept.
        nj: processes.

    Returns:
        the larger set: for each factor, every utterance once more, by a speaker of its own.

    Raises:
        InputError: an utterance that `recorded` has not, or an unreadable sound file.
    """
    missing = sorted(data.wavs.keys() - recorded.wavs.keys())
    if missing:
        raise InputError(
            recorded.path, f"lacks '{missing[0]}' of {data.path}", "Give the set it was made from"
        )
    output_dir = Path(output_dir).absolute()
    larger = data.subset(data.wavs, output_dir)
    rate = audio_rate(next(iter(data.wavs.values())))
    jobs: dict[str, Copy] = {}
    for factor in factors:
        for utterance in data.wavs:
            copy = perturbed_name(utterance, factor)
            larger.wavs[copy] = str(output_dir / "wav" / f"{copy}.flac")
            larger.texts[copy] = data.texts[utterance]
            larger.speakers[copy] = perturbed_name(data.speakers[utterance], factor)
            for kept, copied in ((data.languages, larger.languages), (data.emotions, larger.emotions)):
                if kept:
                    copied[copy] = kept[utterance]
            source, span = recorded.wavs[utterance], recorded.spans.get(utterance)
            jobs[copy] = Copy(source, larger.wavs[copy], factor, rate, span)
    states = {copy: sound_state(job.recorded, job.span, job.factor, job.rate) for copy, job in jobs.items()}
    make_missing(output_dir, states, jobs, write_copy, nj, f"perturb {data.path.name}")
    larger.write()
    return larger


class Copy(NamedTuple):
    """The copy `target`, at `rate` Hz, of the sound file `recorded` or of a part of it."""

    recorded: str
    target: str
    factor: float
    rate: int
    span: Span | None = None


def write_copy(copy: Copy) -> int:
    """Write a copy; return its samples."""
    wav, rate = read_audio(copy.recorded, span=copy.span)
    # Taken for a recording of a higher rate and resampled to its own, it plays faster by the factor.
    faster = resample(wav, round(rate * copy.factor), rate)
    wav = resample(faster, rate, copy.rate)
    write_audio(copy.target, wav, copy.rate)
    return len(wav)
