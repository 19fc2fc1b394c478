"""Running a study: a list of decodings of one model, and its table and pictures."""

import argparse
import json
import logging
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from espnet2_valle.common.conf import find, read_yaml
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import atomic_open
from espnet2_valle.common.registry import Component
from espnet2_valle.data.datadir import DataDir
from espnet2_valle.data.languages import UTT2LANG
from espnet2_valle.data.layout import TrainedRun, read_runs
from espnet2_valle.data.pairs import Pair, read_pairs
from espnet2_valle.evaluation.inputs import judged_language, read_trials, read_vocabulary
from espnet2_valle.evaluation.scorecard import Scored, summarise_samples
from espnet2_valle.evaluation.scorers import AbsScorerPlan, DefaultPlan
from espnet2_valle.evaluation.settings import read_settings
from espnet2_valle.evaluation.speaker_verification import choose
from espnet2_valle.evaluation.systems import score_system
from espnet2_valle.evaluation.utterance import Trial
from espnet2_valle.generate.arguments import add_model_arguments, model_spec
from espnet2_valle.generate.decode_pairs import synthesise_pairs
from espnet2_valle.generate.opening import ModelSpec
from espnet2_valle.jobs.pool import use_cluster
from espnet2_valle.study.config import REFERENCE, RUNS, Study, read_study
from espnet2_valle.study.making import Maker, overlay
from espnet2_valle.study.plot import draw
from espnet2_valle.study.prompt_data import PAIRS
from espnet2_valle.study.results import origin, write_section
from espnet2_valle.study.table import Result, against_first, study_table

PICTURES = "studies"  # beside the file of results


@dataclass(frozen=True)
class StudyOptions:
    """Inputs and options of a study.

    Attributes:
        study: a YAML file, or the name of one in conf/study.
        exp: finished runs, `DIR` or `LABEL=DIR`.
        decode_config: what variants differ from.
        score_config: what scores.
        data_dir: test set with its pairs; None is that of the first run.
        judge: directory of a trained recogniser; None is that of the first run, if it has one.
        inference_model: name of the weights in a run's ar/ and nar/.
        num_pairs: at most so many, speakers taking turns; None for all.
        seeds: each pair is sampled with each.
        output_dir: where all goes; None is study/ of the first run.
        results: Markdown file that gets the study as a section, and its picture.
        batch_size: utterances decoded at once in a process.
        nj: processes.
        device: of decoding.
    """

    study: str
    exp: Sequence[str]
    decode_config: str
    score_config: str
    data_dir: str | None = None
    judge: str | None = None
    inference_model: str = "valid.loss.ave.pth"
    num_pairs: int | None = None
    seeds: Sequence[int] = (0,)
    output_dir: str | None = None
    results: str | None = None
    batch_size: int = 8
    nj: int = 1
    device: str = "cpu"


@dataclass(frozen=True)
class Test:
    """The pairs that all variants are asked, and their scorers.

    Attributes:
        pairs: prompts and targets.
        data: their recordings.
        trials: one a pair.
        speakers: pair id -> speaker.
        plan: the scorers.
    """

    pairs: Sequence[Pair]
    data: DataDir
    trials: Sequence[Trial]
    speakers: Mapping[str, str]
    plan: AbsScorerPlan


def conduct(options: StudyOptions) -> str:
    """Run a study and write what it found; return it as Markdown.

    Raises:
        InputError: no such study or run, several runs for a study of one, or an option that there is not.
    """
    path = Path(options.study)
    if not path.suffix:
        path = find(f"study/{options.study}.yaml")
    study, runs = read_study(path), read_runs(options.exp)
    if study.over != RUNS and len(runs) > 1:
        raise InputError("--exp", f"{len(runs)} given", f"{path.name} wants one run")
    output = Path(options.output_dir or runs[0].exp_dir / "study")
    test = read_test(options, runs[0], study)
    results = run_study(options, study, runs, test, output)
    return write_study(options, study, test, results, path.stem, output)


def read_test(options: StudyOptions, run: TrainedRun, study: Study) -> Test:
    """Pairs, recordings and scorers, of the options or of a run."""
    folder = Path(options.data_dir or run.test_dir)
    pairs, data = read_pairs(folder / PAIRS), DataDir.load(folder)
    speakers = {pair.pair_id: data.speakers[pair.target_utt] for pair in pairs}
    if options.num_pairs is not None:
        chosen = set(choose(speakers, speakers, options.num_pairs, 0))
        pairs = [pair for pair in pairs if pair.pair_id in chosen]
        speakers = {pair.pair_id: speakers[pair.pair_id] for pair in pairs}
    settings = read_settings(options.score_config)
    judged, where = settings.by_language, folder / UTT2LANG
    trials = [
        replace(trial, language=judged_language(pair.target_utt, data.languages, judged, where))
        for pair, trial in zip(pairs, read_trials(pairs, data.wavs, data.texts, str(folder / PAIRS)))
    ]
    if study.voice == REFERENCE:
        trials = [replace(trial, prompt=str(trial.reference)) for trial in trials]
    judge = Path(options.judge or run.judge)
    unnamed = settings.judge is None and not settings.by_language
    if unnamed and (options.judge or judge.is_dir()):
        settings = replace(settings, judge=Component("ctc", (("judge_dir", str(judge)),)))
    words = read_vocabulary(str(run.vocabulary)) if run.vocabulary.is_file() else ()
    return Test(pairs, data, trials, speakers, DefaultPlan(None, words, settings))


def read_decoding(path: str, device: str) -> dict[str, Any]:
    """Every option of decoding: the library's defaults under those of a file.

    Raises:
        InputError: no such file, or an option that there is not.
    """
    given = read_yaml(path, "--decode_config")
    parser = argparse.ArgumentParser()
    add_model_arguments(parser)
    chosen = overlay(vars(parser.parse_args([])), {**given, "device": device}, path)
    return model_spec(argparse.Namespace(**chosen)).to_dict()


def run_study(
    options: StudyOptions, study: Study, runs: Sequence[TrainedRun], test: Test, output: Path
) -> list[Result]:
    """Decode and score what is not there yet."""

    def decode(model: dict[str, Any], pairs: Path, data_dir: Path, folder: Path) -> None:
        spec = ModelSpec.from_dict(model)
        with use_cluster(device=options.device):
            synthesise_pairs(spec, pairs, data_dir, folder, options.nj, options.batch_size)

    decoding = read_decoding(options.decode_config, options.device)
    maker = Maker(test.pairs, test.data, output, decoding, decode, options.inference_model, options.nj)
    for variant in study.variants:
        maker.overlaid(variant)  # a misspelt option ends the study before it begins
    lines = [(run, variant) for run in runs for variant in study.variants]
    results, rows = [], []
    for number, (run, variant) in enumerate(lines, 1):
        name = f"{run.label}, {variant.name}" if study.over == RUNS else variant.name
        logging.info("%d of %d: %s", number, len(lines), name)
        spoken = [maker.make(run, variant, seed) for seed in options.seeds]
        samples = [
            score_system(name, test.trials, speech.wavs, test.plan, speech.rows(study.voice), options.nj)
            for speech in spoken
        ]
        rows.append([row for sample in samples for row in sample])
        summary = summarise_samples(Scored(samples, [one.outcomes for one in spoken]), 0, test.speakers)
        seconds = spoken[0].prompt_seconds
        x = _number(run.label) if study.over == RUNS else variant.x if seconds is None else seconds
        results.append(Result(name, x, variant.series, summary, seconds))
    return [replace(result, p=p) for result, p in zip(results, against_first(rows, test.speakers))]


def _number(label: str) -> float | None:
    try:
        return float(label)
    except ValueError:
        return None


def write_study(
    options: StudyOptions, study: Study, test: Test, results: Sequence[Result], name: str, output: Path
) -> str:
    """Write metrics, table and plot, and the section of the file of results; return it."""
    draw(study, results, output / f"{name}.png")
    with atomic_open(output / f"{name}.json") as stream:
        json.dump([asdict(result) for result in results], stream, indent=2)
    text = section(options, study, test, results, name)
    with atomic_open(output / f"{name}.md") as stream:
        stream.write(text)
    if options.results:
        draw(study, results, Path(options.results).parent / PICTURES / f"{name}.png")
        write_section(Path(options.results), f"study {name}", text)
    return text


def section(options: StudyOptions, study: Study, test: Test, results: Sequence[Result], name: str) -> str:
    """The study as a section of Markdown."""
    voice = "the reference recording, which no variant heard" if study.voice == REFERENCE else "the prompt"
    words = [options.study, *(word for run in options.exp for word in ("--exp", run))]
    words += [] if options.num_pairs is None else ["--num_pairs", str(options.num_pairs)]
    words += [] if list(options.seeds) == [0] else ["--seeds", *map(str, options.seeds)]
    notes = [
        f"{len(test.trials)} pairs of {len(set(test.speakers.values()))} speakers",
        f"judge: {test.plan.recognizer_name}",
        f"similarity ({test.plan.speaker_name}) to {voice}",
        *origin(),
    ]
    explained = (
        f"{'; '.join(notes)}. In brackets: 95 % bootstrap intervals over pairs; p: paired randomisation test "
        "against the first line, after Holm. Not ended: `hit_length_cap` and `stuck`."
    )
    picture = f"![{study.title}]({PICTURES if options.results else '.'}/{name}.png)"
    command = f"    valle study {shlex.join(words)}"
    return (
        "\n\n".join([f"## {study.title}", command, explained, study_table(results) + "\n" + picture]) + "\n"
    )
