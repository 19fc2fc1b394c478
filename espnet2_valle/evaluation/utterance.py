"""One output under all scorers: from a sound file to a row of scores."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
import soundfile

from espnet2_valle.common.audio import read_audio, read_first_seconds
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.resume import digest
from espnet2_valle.evaluation.scorers import ALL, AbsScorerPlan, Scorers, load_scorers
from espnet2_valle.evaluation.speaker import similarity
from espnet2_valle.evaluation.table import SECOND

SILENCE_PEAK = 1e-4  # -80 dBFS: three steps of 16-bit audio
DECIMALS = 4  # kept in rows: more would differ with the number of threads
EMBEDDINGS_KEPT = 4096
SHA1_DIGITS = 40


@dataclass(frozen=True)
class Trial:
    """A text, a prompt and a reference: what a system was asked, and what its output is compared with.

    Attributes:
        pair_id: names the output.
        text: what was to be said.
        prompt: sound file of the voice to be imitated.
        other: sound file of another voice, or None.
        speaker: whose voice it is; "" where the list does not tell.
        reference: recording of the text by that speaker, or None.
        resynthesis: the prompt after the codec, or None.
        prompt_seconds: the prompt is only the beginning of its file, so long; None for all of it.
        skip_seconds: of the output are the prompt itself and are left out where voice and sound are scored.
        language: code of the text's, which chooses its judges; ALL where they hear any.
    """

    pair_id: str
    text: str
    prompt: str
    other: str | None
    speaker: str = ""
    reference: str | None = None
    resynthesis: str | None = None
    prompt_seconds: float | None = None
    skip_seconds: float = 0.0
    language: str = ALL


@dataclass(frozen=True)
class UtteranceScore:
    """One row.

    Attributes:
        pair_id: of the trial.
        fingerprint: of all that the row depends on.
        text: what was to be said.
        heard: what the recogniser heard, "" without audio.
        second_heard: what the second recogniser heard, None without one.
        seconds: of audio; 0.0 without.
        sim_prompt: cosine of output and prompt, None without audio.
        sim_other: cosine of output and the other voice, None without either.
        dnsmos: None without audio.
        extra: further metrics by name, those of the second speaker encoder with SECOND before theirs; empty
            without audio.
    """

    pair_id: str
    fingerprint: str
    text: str
    heard: str
    second_heard: str | None
    seconds: float
    sim_prompt: float | None
    sim_other: float | None
    dnsmos: float | None
    extra: dict[str, float] = field(default_factory=dict)

    @property
    def has_audio(self) -> bool:
        """Return whether there was anything to score."""
        return self.seconds > 0


@dataclass(frozen=True)
class Task:
    """Work for one worker: one recording (None when there is none) as the output to one or more trials.

    Several trials share their recording in ground truth and resynthesis, where it depends on the text alone.

    Attributes:
        wav: sound file.
        trials: what it is the output to.
        fingerprints: one a trial.
    """

    wav: str | None
    trials: tuple[Trial, ...]
    fingerprints: tuple[str, ...]


def score_recording(task: Task, plan: AbsScorerPlan) -> list[UtteranceScore]:
    """Score one recording, a row a trial.

    An output that is absent, has no samples or is silent is not scored: nothing was heard.

    Raises:
        InputError: a listed sound file is missing or unreadable.
    """
    scorers = load_scorers(plan)
    audio = _read_output(task.wav)
    asked = list(zip(task.trials, task.fingerprints))
    if audio is None:
        return [unheard(trial, mark, plan) for trial, mark in asked]
    wav, rate = audio
    languages = dict.fromkeys(trial.language for trial in task.trials)
    heard = {language: scorers.judges[language].hear(wav, rate) for language in languages}
    rows = []
    for new, group in _by_new_part(wav, rate, asked):
        judged = _score_sound(new, rate, scorers)
        for trial, mark in group:
            sims = _similarities(judged.voices, trial, plan)
            rows.append(
                UtteranceScore(
                    pair_id=trial.pair_id,
                    fingerprint=mark,
                    text=scorers.judges[trial.language].normalise(trial.text),
                    heard=heard[trial.language][0],
                    second_heard=heard[trial.language][1],
                    seconds=round(len(wav) / rate, DECIMALS),
                    sim_prompt=sims.pop("sim_prompt", None),
                    sim_other=sims.pop("sim_other", None),
                    dnsmos=judged.dnsmos,
                    extra=_rounded(judged.extra | sims | _against_reference(new, rate, trial, scorers)),
                )
            )
    return rows


def unheard(trial: Trial, mark: str, plan: AbsScorerPlan) -> UtteranceScore:
    """The row of an output in which there is nothing to hear."""
    nothing = "" if plan.second_name else None
    text = load_scorers(plan).judges[trial.language].normalise(trial.text)
    return UtteranceScore(trial.pair_id, mark, text, "", nothing, 0.0, None, None, None)


@dataclass(frozen=True)
class _Measured:
    """Measures of a recording that need no text or reference; nothing of an empty one.

    Attributes:
        voices: its embedding by each encoder.
    """

    voices: tuple[np.ndarray, ...] = ()
    dnsmos: float | None = None
    extra: dict[str, float | None] = field(default_factory=dict)


def _score_sound(wav: np.ndarray, rate: int, scorers: Scorers) -> _Measured:
    if not _is_audible(wav):
        return _Measured()
    return _Measured(
        tuple(encoder.embed(wav, rate) for encoder in scorers.encoders),
        round(scorers.quality.score(wav, rate), DECIMALS),
        {scorer.key: scorer.score(wav, rate) for scorer in scorers.more_quality},
    )


def _by_new_part(
    wav: np.ndarray, rate: int, asked: Sequence[tuple[Trial, str]]
) -> list[tuple[np.ndarray, list[tuple[Trial, str]]]]:
    """The part of `wav` (samples,) that is scored, and the trials that have this part."""
    groups: dict[float, list[tuple[Trial, str]]] = {}
    for trial, mark in asked:
        groups.setdefault(trial.skip_seconds, []).append((trial, mark))
    return [(wav[round(skip * rate) :], group) for skip, group in groups.items()]


def _similarities(voices: Sequence[np.ndarray], trial: Trial, plan: AbsScorerPlan) -> dict[str, float | None]:
    """Cosines with what there is of prompt, other voice and the prompt after the codec, by each encoder."""
    compared = {
        "sim_prompt": (trial.prompt, trial.prompt_seconds),
        "sim_other": (trial.other, None),
        "sim_resynthesised": (trial.resynthesis, trial.prompt_seconds),
    }
    return {
        mark + name: round(similarity(voice, _voice(plan, path, seconds, number)), DECIMALS)
        for number, (mark, voice) in enumerate(zip(("", SECOND), voices))
        for name, (path, seconds) in compared.items()
        if path
    }


def _against_reference(wav: np.ndarray, rate: int, trial: Trial, scorers: Scorers) -> dict[str, float | None]:
    """Signal metrics, where they are wanted and there is a reference recording."""
    if scorers.signal is None or not trial.reference or not _is_audible(wav):
        return {}
    reference, reference_rate = read_audio(trial.reference)
    reference = reference[round(trial.skip_seconds * reference_rate) :]
    return dict(scorers.signal(wav, rate, reference, reference_rate, trial.text)) if reference.size else {}


def _rounded(values: Mapping[str, float | None]) -> dict[str, float]:
    """Figures that could be measured, to as many places as are kept."""
    return {name: round(value, DECIMALS) for name, value in values.items() if value is not None}


def _is_audible(wav: np.ndarray) -> bool:
    return float(np.abs(wav).max(initial=0.0)) > SILENCE_PEAK


def _read_output(path: str | None) -> tuple[np.ndarray, int] | None:
    """Samples and rate, or None where there is nothing to hear."""
    if path is None or _is_empty(path):
        return None
    wav, rate = read_audio(path)
    return (wav, rate) if _is_audible(wav) else None


def _is_empty(path: str) -> bool:
    try:
        return soundfile.info(path).frames == 0
    except (soundfile.LibsndfileError, RuntimeError):
        return False  # read_audio says what is wrong with it


@lru_cache(maxsize=EMBEDDINGS_KEPT)
def _voice(plan: AbsScorerPlan, path: str, seconds: float | None, number: int) -> np.ndarray:
    """Embedding of a prompt, by the encoder of this number: several systems and pairs share it."""
    return load_scorers(plan).encoders[number].embed(*read_first_seconds(path, seconds))


def fingerprint(trial: Trial, wav: str | None, identity: str) -> str:
    """A digest of all that a row depends on: trial, audio by content, scorers.

    Raises:
        InputError: a sound file cannot be read.
    """
    asked = [trial.pair_id, trial.text, identity, f"{trial.prompt_seconds} {trial.skip_seconds}"]
    asked += [trial.language] if trial.language else []  # rows of one judge are kept as they were
    sounds = (wav, trial.prompt, trial.other, trial.reference, trial.resynthesis)
    return digest([*asked, b"".join(map(content_digest, sounds))], "sha1", digits=SHA1_DIGITS)


def content_digest(path: str | None) -> bytes:
    """A digest of a file's content; of nothing where there is no file.

    Raises:
        InputError: the file cannot be read.
    """
    if path is None:
        return b""
    try:
        return bytes.fromhex(digest([Path(path).read_bytes()], "sha1", digits=SHA1_DIGITS))
    except OSError as error:
        raise InputError(
            path, f"cannot be read ({error.strerror})", "Run the stage that writes it again"
        ) from error
