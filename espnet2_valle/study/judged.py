"""Scores of real speech and of its resynthesis: the scale for all other metrics."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from espnet2_valle.common.audio import audio_seconds, read_audio, write_audio
from espnet2_valle.common.registry import Component
from espnet2_valle.corpus.folder import read_folder
from espnet2_valle.corpus.recording import to_data_dir
from espnet2_valle.corpus.split import closed_vocabulary
from espnet2_valle.data.code_files import encode_files
from espnet2_valle.data.made_from import make_missing, sound_state
from espnet2_valle.data.pairs import NO_OTHER, make_pairs
from espnet2_valle.data.utterances import Utterance
from espnet2_valle.evaluation.aggregate import plain_values
from espnet2_valle.evaluation.inputs import judged_language
from espnet2_valle.evaluation.scorecard import CODEC, GROUND_TRUTH, Scored, summarise_samples
from espnet2_valle.evaluation.scorers import AbsScorerPlan, DefaultPlan
from espnet2_valle.evaluation.settings import Settings
from espnet2_valle.evaluation.speaker_verification import equal_error_rate_metric, speaker_reference
from espnet2_valle.evaluation.systems import score_system
from espnet2_valle.evaluation.table import (
    MEASURES,
    MORE_MEASURES,
    SECOND,
    SECOND_WORD_MEASURES,
    Measure,
    markdown_table,
    system_name,
)
from espnet2_valle.evaluation.utterance import Trial, UtteranceScore
from espnet2_valle.study.speech import sound_of_codes

WORDS = {"wer": "WER", f"{SECOND}wer": "WER, second recogniser"}
VOICES = {"sim_prompt": "same speaker", "sim_other": "other speaker"}
QUALITY = {"dnsmos_p808": "DNSMOS P.808", "distillmos": "DistillMOS", "utmos": "UTMOS"}  # beside DNSMOS
ENCODERS = {"": "", SECOND: ", second encoder"}  # by what begins their keys
EER = Measure("eer", "EER", True, 1, "lower", "Same or other speaker, told by the similarity.")
SHORTEST, LONGEST = 1.0, 10.0  # seconds of a recording that others are compared with


@dataclass(frozen=True)
class Corpus:
    """Recordings to be judged.

    Attributes:
        name: in the table.
        recordings: all there are; texts are "" where there is no transcript.
        halved: they are halves, since no speaker has two recordings.
    """

    name: str
    recordings: list[Utterance]
    halved: bool = False

    @property
    def has_text(self) -> bool:
        """Return whether there is anything to count words by."""
        return any(recording.text for recording in self.recordings)


def read_corpus(name: str, db: str, folder: Path) -> Corpus:
    """Read a corpus folder; with one recording a speaker each is cut in two, in `folder`, without text.

    Raises:
        InputError: see `read_folder`.
    """
    recordings = read_folder(db, need_text=False)
    if len({recording.speaker for recording in recordings}) < len(recordings):
        return Corpus(name, recordings)
    return Corpus(name, _halves(recordings, folder), True)


def _halves(recordings: Sequence[Utterance], folder: Path) -> list[Utterance]:
    """The two halves of each recording, as sound files in `folder`."""
    jobs, states, halves = {}, {}, []
    for recording in recordings:
        for number in (1, 2):
            name = f"{recording.utterance}-{number}"
            jobs[name] = (recording.wav, number, folder / f"{name}.wav")
            states[name] = sound_state(recording.wav, None, number)
            halves.append(recording._replace(utterance=name, text="", wav=str(jobs[name][2])))
    make_missing(folder, states, jobs, _write_half, 1, "halve", "{}.wav")
    return halves


def _write_half(job: tuple[str, int, Path]) -> int:
    """Write half job[1] of sound file job[0] to job[2]; returns its samples."""
    wav, rate = read_audio(job[0])
    half = wav[: len(wav) // 2] if job[1] == 1 else wav[len(wav) // 2 :]
    write_audio(job[2], half, rate)
    return len(half)


def choose_plan(corpus: Corpus, settings: Settings, judge_dir: str | None) -> AbsScorerPlan:
    """The recogniser: that of the settings; else a trained one; else pocketsphinx, if there is any text.

    A trained one beside that of the settings is the second, unless they name it too.

    Raises:
        InputError: the settings have judges by language, but none of the language of a recording.
    """
    if not corpus.has_text:
        none = replace(settings, judge=Component("none"), second_judge=None, by_language={})
        return DefaultPlan(None, (), none)
    told = {one.utterance: one.language for one in corpus.recordings}
    for utterance in told:
        judged_language(utterance, told, settings.by_language, f"corpus {corpus.name}")
    if judge_dir:
        trained = Component("ctc", (("judge_dir", judge_dir),))
        if settings.by_language:
            each = settings.by_language.items()
            both = {code: replace(own, second_judge=own.second_judge or trained) for code, own in each}
            settings = replace(settings, by_language=both)
        elif settings.judge is None:
            settings = replace(settings, judge=trained)
        elif settings.second_judge is None:
            settings = replace(settings, second_judge=trained)
    words = closed_vocabulary({"train": corpus.recordings, "valid": [], "test": corpus.recordings})
    return DefaultPlan(None, tuple(words or ()), settings)


def judge_corpus(
    corpus: Corpus,
    plan: AbsScorerPlan,
    codec_config: str,
    count: int,
    folder: Path,
    seed: int = 0,
    nj: int = 1,
) -> dict[str, Any]:
    """Score recordings and their resynthesis.

    Each recording is compared with another one of its speaker and with one of another speaker.

    Args:
        corpus: what is judged.
        plan: the scorers.
        codec_config: codec.yaml of the codec that resynthesises.
        count: at most so many recordings.
        folder: gets codes, sounds and rows of scores; what is there already is not made again.
        seed: of the choice of recordings and of intervals.
        nj: number of processes.

    Returns:
        recognisers, encoders, pairs, speakers, halved, and for each of the systems ground_truth and codec the
        metrics of `systems.summarise` and those of `reference.speaker_reference` as `voices` (None for one
        speaker), of a second encoder too; of halves only `eer_interval` is in it, of the same comparisons as
        the similarities.

    Raises:
        InputError: no two recordings can be compared, or one cannot be read.
    """
    data = to_data_dir(corpus.recordings, folder)
    durations = {name: audio_seconds(wav) for name, wav in data.wavs.items()}
    wanted = min(count, len(data.wavs))
    # Where some recordings have no partner, others come twice, and would be compared with themselves.
    pairs = list(
        {p.target_utt: p for p in make_pairs(data, durations, None, wanted, seed, SHORTEST, LONGEST)}.values()
    )
    speakers = {pair.pair_id: data.speakers[pair.target_utt] for pair in pairs}
    trials = [
        Trial(
            pair.pair_id,
            data.texts[pair.target_utt],
            data.wavs[pair.prompt_utt],
            None if pair.other_utt == NO_OTHER else data.wavs[pair.other_utt],
            speakers[pair.pair_id],
            language=judged_language(pair.target_utt, data.languages, plan.languages, corpus.name),
        )
        for pair in pairs
    ]
    originals = {pair.pair_id: data.wavs[pair.target_utt] for pair in pairs}
    codes = encode_files(codec_config, originals, folder / "codes", nj)
    systems = {GROUND_TRUTH: originals, CODEC: sound_of_codes(codec_config, codes, folder, nj=nj)}
    scores: dict[str, Any] = {}
    for name, wavs in systems.items():
        rows = score_system(f"{corpus.name} {name}", trials, wavs, plan, folder / f"{name}.jsonl", nj)
        scores[name] = summarise_samples(Scored([rows]), seed, speakers)
        others = {pair.pair_id: data.speakers.get(pair.other_utt, "") for pair in pairs}
        for number, mark in enumerate(plan.speaker_marks):
            scores[name][f"{mark}voices"] = (
                _told_apart(rows, speakers, others, seed, mark)
                if corpus.halved
                else speaker_reference(wavs, speakers, plan, len(wavs), seed, nj, number)
            )
    return {
        "judge": plan.recognizer_name if corpus.has_text else None,
        "second_judge": plan.second_name,
        "speaker_encoder": plan.speaker_name,
        "second_speaker_encoder": plan.second_speaker_name,
        "pairs": len(pairs),
        "speakers": len(set(speakers.values())),
        "halved": corpus.halved,
        "systems": scores,
    }


def _told_apart(
    rows: Sequence[UtteranceScore],
    speakers: Mapping[str, str],
    others: Mapping[str, str],
    seed: int,
    mark: str = "",
) -> dict[str, Any] | None:
    """Rate of confusion of the two comparisons of each recording; None without another speaker."""
    same, other = [], []
    for row in rows:
        values = plain_values(row)
        alike, unlike = values.get(f"{mark}sim_prompt"), values.get(f"{mark}sim_other")
        if alike is not None and unlike is not None:
            who = speakers[row.pair_id]
            same.append((who, who, alike))
            other.append((who, others[row.pair_id], unlike))
    return {"eer_interval": equal_error_rate_metric(same, other, seed)} if same else None


def judged_table(judged: Mapping[str, Mapping[str, Any]]) -> str:
    """A line for each corpus and system, each metric with its 95 % interval."""
    measures = {m.key: m for m in (*MEASURES, *MORE_MEASURES, *SECOND_WORD_MEASURES)}
    systems = [metrics for result in judged.values() for metrics in result["systems"].values()]
    columns = [replace(measures[key], name=name) for key, name in WORDS.items()]
    for mark, encoder in ENCODERS.items():
        columns += [replace(measures[mark + key], name=name + encoder) for key, name in VOICES.items()]
        columns += [] if mark else [measures["dnsmos"]]
        columns.append(replace(EER, key=f"{mark}{EER.key}", name=EER.name + encoder))
    columns += [replace(measures[key], name=name) for key, name in QUALITY.items()]
    found = [_with_rates(metrics) for metrics in systems]
    columns = [column for column in columns if any(column.key in metrics for metrics in found)]
    lines = iter(found)
    rows = []
    for corpus, result in judged.items():
        for system in result["systems"]:
            counts = [str(result["pairs"]), str(result["speakers"])]
            metrics = next(lines)
            cells = [_cell(column, metrics.get(column.key)) for column in columns]
            rows.append([f"{corpus}, {system_name(system).lower()}", *counts, *cells])
    return markdown_table(["", "recordings", "speakers", *(column.name for column in columns)], rows)


def _with_rates(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """The metrics and the equal error rates by each encoder."""
    rates = {
        f"{mark}{EER.key}": (metrics[f"{mark}voices"] or {}).get("eer_interval")
        for mark in ENCODERS
        if f"{mark}voices" in metrics
    }
    return {**metrics, **rates}


def _cell(measure: Measure, metric: Mapping[str, float | None] | None) -> str:
    if metric is None or metric["value"] is None:
        return "–"
    return f"{measure.show(metric['value'])} ({measure.show_interval(metric)})"


def notes(judged: Mapping[str, Mapping[str, Any]]) -> Sequence[str]:
    """Notes beneath the table: recognisers, and what was halved."""
    said = [
        f"{name}: {result['judge']}"
        + (f", second {result['second_judge']}" if result["second_judge"] else "")
        for name, result in judged.items()
        if result["judge"]
    ]
    halved = [name for name, result in judged.items() if result["halved"]]
    lines = [f"Recognisers of the words: {'; '.join(said)}."] if said else []
    encoders = {(result["speaker_encoder"], result["second_speaker_encoder"]) for result in judged.values()}
    lines += [f"Speaker encoders: {first}, second {second}." for first, second in encoders if second]
    if halved:
        lines.append(
            f"{' and '.join(halved)}: each speaker has one recording, whose halves are compared; "
            "two recordings of one speaker would be less alike."
        )
    return lines
