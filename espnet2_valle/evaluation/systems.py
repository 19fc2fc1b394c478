"""Score whole systems: rows that outlive an interruption, metrics with intervals."""

import json
import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import remove_unfinished
from espnet2_valle.common.resume import Journal
from espnet2_valle.data.setaside import MAX_BAD, SetAside
from espnet2_valle.evaluation.aggregate import count_errors, measure, worst
from espnet2_valle.evaluation.bootstrap import Metric, complement, relative_accuracy
from espnet2_valle.evaluation.scorers import AbsScorerPlan, ScorersError
from espnet2_valle.evaluation.table import SECOND
from espnet2_valle.evaluation.utterance import (
    Task,
    Trial,
    UtteranceScore,
    content_digest,
    fingerprint,
    score_recording,
    unheard,
)
from espnet2_valle.jobs.pool import parallel_map

NO_AUDIO = "no_audio"
NUM_WORST = 20  # named in scores.json


def score_system(
    name: str,
    trials: Sequence[Trial],
    wavs: Mapping[str, str],
    plan: AbsScorerPlan,
    rows_path: Path,
    nj: int = 1,
    max_bad: float = MAX_BAD,
) -> list[UtteranceScore]:
    """Score the outputs of one system, one row a trial, in the order of `trials`.

    Rows in `rows_path` whose audio, text and scorers are unchanged are kept; others are appended as they
    come, and at the end, also when the work is interrupted, the file has the rows of `trials` in their order.

    Args:
        name: of the system, for the progress bar and errors.
        trials: what was asked.
        wavs: pair_id -> sound file; a pair without one counts as all words missing.
        plan: the scorers.
        rows_path: JSON lines, read and written.
        nj: number of workers.
        max_bad: share of the pairs whose sound files may be unreadable: they are warned of and count as pairs
            without audio, which does not flatter the system. A rerun tries them again.

    Raises:
        InputError: `wavs` has none of the pairs, or a sound file is not there, or too many are unreadable, or
            a scorer cannot be had.
    """
    if not any(trial.pair_id in wavs for trial in trials):
        raise InputError(
            f"system {name}",
            f"has audio for none of the {len(trials)} pairs (the first is '{trials[0].pair_id}')",
            "Give the wav.scp that was made from this list of pairs, with pair ids as keys",
        )
    identity = plan.identity()
    marks = {trial.pair_id: fingerprint(trial, wavs.get(trial.pair_id), identity) for trial in trials}
    before = read_rows(rows_path)
    known = {row.fingerprint: row for row in before}
    done = {pair_id: known[mark] for pair_id, mark in marks.items() if mark in known}
    todo = [trial for trial in trials if trial.pair_id not in done]
    if not todo:
        logging.info("%s: all %d rows are up to date", name, len(trials))
    aside = SetAside(len(trials), max_bad, f"system {name}")
    tasks = _group_by_recording(todo, wavs, marks)
    try:
        for rows in _score(name, tasks, plan, nj, aside, rows_path):
            done.update({row.pair_id: row for row in rows})
    except ScorersError as error:
        raise InputError(*error.args) from error
    finally:
        asked_before = [row for row in before if row.pair_id in marks]
        if asked_before != [done[trial.pair_id] for trial in trials if trial.pair_id in done]:
            write_rows(rows_path, trials, done)
            remove_unfinished(rows_path.parent)
    aside.report()
    return [done.get(trial.pair_id) or unheard(trial, marks[trial.pair_id], plan) for trial in trials]


def _score(
    name: str, tasks: Sequence[Task], plan: AbsScorerPlan, nj: int, aside: SetAside, rows_path: Path
) -> Iterator[Sequence[UtteranceScore]]:
    """Yield the rows of each recording, which are in the file by then; bad recordings go to `aside`."""
    if not tasks:
        return
    results = parallel_map(partial(score_recording, plan=plan), tasks, nj, f"score {name}", keep_errors=True)
    with Journal(rows_path, ensure_ascii=False) as journal:
        for task, rows in zip(tasks, results):
            if isinstance(rows, InputError):
                aside.extend({trial.pair_id: rows for trial in task.trials})
                continue
            journal.append(*map(asdict, rows))
            yield rows


def _group_by_recording(
    trials: Sequence[Trial], wavs: Mapping[str, str], marks: Mapping[str, str]
) -> list[Task]:
    """Tasks such that no recording is scored twice, however many trials have it as their output."""
    groups: dict[bytes, list[Trial]] = {}
    for trial in trials:
        groups.setdefault(content_digest(wavs.get(trial.pair_id)), []).append(trial)
    return [
        Task(wavs.get(group[0].pair_id), tuple(group), tuple(marks[trial.pair_id] for trial in group))
        for group in groups.values()
    ]


def write_rows(path: Path, trials: Sequence[Trial], rows: Mapping[str, UtteranceScore]) -> None:
    """Write the rows that are there, in the order of `trials`, one JSON object a line."""
    there = [rows[trial.pair_id] for trial in trials if trial.pair_id in rows]
    Journal(path, ensure_ascii=False).rewrite(map(asdict, there))


def read_rows(path: Path) -> list[UtteranceScore]:
    """Rows of an earlier run; none when the file is absent.

    Raises:
        InputError: a line is not a row.
    """
    rows: list[UtteranceScore] = []
    for number, line in enumerate(Journal(path).lines(), 1):
        try:
            rows.append(UtteranceScore(**json.loads(line)))
        except (ValueError, TypeError) as error:
            raise InputError(
                f"{path}:{number}", f"not a row of scores ({error})", "Remove the file and score again"
            ) from error
    return rows


def count_outcomes(rows: Iterable[UtteranceScore], outcomes: Mapping[str, str]) -> dict[str, int]:
    """Count the outcomes of pairs: as decoding said; `no_audio` where it did not say but none is there."""
    counts: Counter[str] = Counter()
    for row in rows:
        said = outcomes.get(row.pair_id, "ok")
        counts[said if row.has_audio or said != "ok" else NO_AUDIO] += 1
    return dict(sorted(counts.items()))


def summarise(
    rows: Sequence[UtteranceScore],
    outcomes: Mapping[str, str],
    seed: int = 0,
    speakers: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Figures of one system.

    word_accuracy is 1 - WER of the whole list (insertions count as errors), not below 0; wer and cer are
    errors over reference length, summed over the list. A pair without audio counts with all its words and
    characters deleted. Similarities, prompt_beats_other (share of pairs whose output is nearer to its own
    prompt than to another speaker's utterance) and dnsmos are means over the pairs that have audio, of which
    there are `n_audio`; so are further metrics, where they were measured. Those of the second recogniser and
    of the second speaker encoder have SECOND before their names. word_errors counts by kind.

    Args:
        rows: of all pairs; several of a pair where it was sampled several times.
        outcomes: pair_id -> typed outcome, as decoding wrote them; may be empty.
        seed: of the bootstrap.
        speakers: pair_id -> speaker; with two or more, `by_speaker` has each metric with the interval over
            speakers in place of pairs.
    """
    measured = measure(rows)
    summary: dict[str, Any] = {
        **_with_accuracy({name: ratios.metric(seed) for name, ratios in measured.items()}),
        "n": len(rows),
        "n_audio": sum(row.has_audio for row in rows),
        "outcomes": count_outcomes(rows, outcomes),
        "word_errors": count_errors(rows),
        "worst": worst(rows, NUM_WORST),
    }
    if speakers:
        clustered = {name: ratios.metric_by_speaker(speakers, seed) for name, ratios in measured.items()}
        by_speaker = {name: metric for name, metric in clustered.items() if metric is not None}
        if "wer" in by_speaker:
            summary["by_speaker"] = _with_accuracy(by_speaker)
            summary["n_speakers"] = len(set(speakers.values()))
    return summary


def _with_accuracy(metrics: Mapping[str, Metric]) -> dict[str, Metric]:
    """The metrics behind the word accuracy by each recogniser."""
    rates = {mark: metrics.get(f"{mark}wer") for mark in ("", SECOND)}
    accuracies = {
        f"{mark}word_accuracy": complement(rate) for mark, rate in rates.items() if rate is not None
    }
    return {**accuracies, **metrics}


def compare_words(
    rows: Sequence[UtteranceScore], base: Sequence[UtteranceScore], seed: int = 0, mark: str = ""
) -> dict[str, float | None]:
    """Word accuracy over that of `base`, on the same pairs; of several samples of a pair the mean counts.

    Args:
        rows: of the system.
        base: rows of the system that it is compared with.
        seed: of the resampling.
        mark: SECOND for the second recogniser.
    """
    words, base_words = (measure(of)[f"{mark}wer"].of_pairs() for of in (rows, base))
    errors, base_errors = ([word[pair][0] for pair in words] for word in (words, base_words))
    return relative_accuracy(errors, base_errors, [length for _, length in words.values()], seed)
