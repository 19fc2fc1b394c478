"""Scores of real speech and of its resynthesis: the scale for all other metrics."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from espnet2_valle.common.audio import audio_seconds, read_audio, write_audio
from espnet2_valle.common.registry import Component
from espnet2_valle.corpus.folder import read_folder
from espnet2_valle.corpus.recording import Recording, to_data_dir
from espnet2_valle.corpus.split import closed_vocabulary
from espnet2_valle.data.code_files import encode_files
from espnet2_valle.data.made_from import make_missing, sound_state
from espnet2_valle.data.pairs import NO_OTHER, make_pairs
from espnet2_valle.evaluation.scorecard import CODEC, GROUND_TRUTH, Scored, summarise_samples
from espnet2_valle.evaluation.scorers import AbsScorerPlan, DefaultPlan
from espnet2_valle.evaluation.settings import Settings
from espnet2_valle.evaluation.speaker_verification import equal_error_rate_metric, speaker_reference
from espnet2_valle.evaluation.systems import score_system
from espnet2_valle.evaluation.table import MEASURES, Measure, markdown_table, system_name
from espnet2_valle.evaluation.utterance import Trial, UtteranceScore
from espnet2_valle.study.speech import sound_of_codes

SHOWN = {"wer": "WER", "sim_prompt": "same speaker", "sim_other": "other speaker", "dnsmos": "DNSMOS"}
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
    recordings: list[Recording]
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


def _halves(recordings: Sequence[Recording], folder: Path) -> list[Recording]:
    """The two halves of each recording, as sound files in `folder`."""
    jobs, states, halves = {}, {}, []
    for recording in recordings:
        for number in (1, 2):
            name = f"{recording.utterance}-{number}"
            jobs[name] = (recording.wav, number, folder / f"{name}.wav")
            states[name] = sound_state(recording.wav, None, number)
            halves.append(replace(recording, utterance=name, text="", wav=str(jobs[name][2])))
    make_missing(folder, states, jobs, _write_half, 1, "halve", "{}.wav")
    return halves


def _write_half(job: tuple[str, int, Path]) -> int:
    """Write half job[1] of sound file job[0] to job[2]; returns its samples."""
    wav, rate = read_audio(job[0])
    half = wav[: len(wav) // 2] if job[1] == 1 else wav[len(wav) // 2 :]
    write_audio(job[2], half, rate)
    return len(half)


def choose_plan(corpus: Corpus, settings: Settings, judge_dir: str | None) -> AbsScorerPlan:
    """The recogniser: that of the settings; else a trained one; else pocketsphinx, if there is any text."""
    if not corpus.has_text:
        return DefaultPlan(None, (), replace(settings, judge=Component("none")))
    if judge_dir and settings.judge is None:
        settings = replace(settings, judge=Component("ctc", (("judge_dir", judge_dir),)))
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
        recogniser, pairs, speakers, halved, and for each of the systems ground_truth and codec the metrics of
        `systems.summarise` and those of `reference.speaker_reference` as `voices` (None for one speaker);
        of halves only `eer_interval` is in it, of the same comparisons as the similarities.

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
        )
        for pair in pairs
    ]
    originals = {pair.pair_id: data.wavs[pair.target_utt] for pair in pairs}
    codes = encode_files(codec_config, originals, folder / "codes", nj)
    systems = {GROUND_TRUTH: originals, CODEC: sound_of_codes(codec_config, codes, folder, nj=nj)}
    scores: dict[str, Any] = {}
    for name, wavs in systems.items():
        rows = score_system(f"{corpus.name} {name}", trials, wavs, plan, folder / f"{name}.jsonl", nj)
        if corpus.halved:
            others = {pair.pair_id: data.speakers.get(pair.other_utt, "") for pair in pairs}
            voices = _told_apart(rows, speakers, others, seed)
        else:
            voices = speaker_reference(wavs, speakers, plan, len(wavs), seed, nj)
        scores[name] = {**summarise_samples(Scored([rows]), seed, speakers), "voices": voices}
    return {
        "judge": plan.recognizer_name if corpus.has_text else None,
        "pairs": len(pairs),
        "speakers": len(set(speakers.values())),
        "halved": corpus.halved,
        "systems": scores,
    }


def _told_apart(
    rows: Sequence[UtteranceScore], speakers: Mapping[str, str], others: Mapping[str, str], seed: int
) -> dict[str, Any] | None:
    """Rate of confusion of the two comparisons of each recording; None without another speaker."""
    same, other = [], []
    for row in rows:
        if row.sim_prompt is not None and row.sim_other is not None:
            who = speakers[row.pair_id]
            same.append((who, who, row.sim_prompt))
            other.append((who, others[row.pair_id], row.sim_other))
    return {"eer_interval": equal_error_rate_metric(same, other, seed)} if same else None


def judged_table(judged: Mapping[str, Mapping[str, Any]]) -> str:
    """A line for each corpus and system, each metric with its 95 % interval."""
    measures = {measure.key: measure for measure in MEASURES}
    header = ["", "recordings", "speakers", *SHOWN.values(), EER.name]
    rows = []
    for corpus, result in judged.items():
        for system, metrics in result["systems"].items():
            voices = metrics["voices"] or {}
            cells = [_cell(measures[key], metrics[key]) for key in SHOWN]
            cells.append(_cell(EER, voices.get("eer_interval")))
            counts = [str(result["pairs"]), str(result["speakers"])]
            rows.append([f"{corpus}, {system_name(system).lower()}", *counts, *cells])
    return markdown_table(header, rows)


def _cell(measure: Measure, metric: Mapping[str, float | None] | None) -> str:
    if metric is None or metric["value"] is None:
        return "–"
    return f"{measure.show(metric['value'])} ({measure.show_interval(metric)})"


def notes(judged: Mapping[str, Mapping[str, Any]]) -> Sequence[str]:
    """Notes beneath the table: recognisers, and what was halved."""
    said = [f"{name}: {result['judge']}" for name, result in judged.items() if result["judge"]]
    halved = [name for name, result in judged.items() if result["halved"]]
    lines = [f"Recognisers of the words: {'; '.join(said)}."] if said else []
    if halved:
        lines.append(
            f"{' and '.join(halved)}: each speaker has one recording, whose halves are compared; "
            "two recordings of one speaker would be less alike."
        )
    return lines
