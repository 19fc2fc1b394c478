"""Compare ways to decode a trained run, or several runs, on the same test pairs: a table and a plot.

The studies are files of conf/study: `valle_study prompt_length --exp exp/mini`. Each variant is decoded and
scored by itself; a killed study goes on where it was, and studies share what they have in common.
"""

import argparse
import hashlib
import inspect
import json
import logging
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from espnet2_valle.bin.score_inputs import read_trials, read_vocabulary
from espnet2_valle.bin.valle_inference import DECODING_OPTIONS, synthesise_pairs
from espnet2_valle.common.audio import audio_seconds
from espnet2_valle.common.cli import run_command
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import atomic_open
from espnet2_valle.corpus.datadir import DataDir, read_scp
from espnet2_valle.corpus.pairs import Pair, read_pairs, write_pairs
from espnet2_valle.generate.text2speech import Text2Speech
from espnet2_valle.score.choices import Component
from espnet2_valle.score.reference import choose
from espnet2_valle.score.scorecard import Scored, summarise_samples
from espnet2_valle.score.scorers import AbsScorerPlan, DefaultPlan
from espnet2_valle.score.settings import read_settings
from espnet2_valle.score.systems import score_system
from espnet2_valle.score.utterance import Trial
from espnet2_valle.study.config import CODEC, REFERENCE, RUNS, Study, Variant, read_study
from espnet2_valle.study.plot import draw
from espnet2_valle.study.prompt_data import PAIRS, change_prompts
from espnet2_valle.study.results import origin, write_section
from espnet2_valle.study.runs import TrainedRun, read_runs
from espnet2_valle.study.speech import encode_recordings, sound_of_codes
from espnet2_valle.study.table import Result, against_first, study_table

CONF = Path(__file__).parents[2] / "conf"
PICTURES = "studies"  # beside the file of results


def get_parser() -> argparse.ArgumentParser:
    """The command's options."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    names = ", ".join(sorted(path.stem for path in (CONF / "study").glob("*.yaml")))
    parser.add_argument("study", help=f"a YAML file, or the name of one in conf/study: {names}")
    parser.add_argument(
        "--exp", action="append", required=True, metavar="[LABEL=]DIR",
        help="exp/NAME of a finished run; several, labelled, for a study over runs",
    )  # fmt: skip
    parser.add_argument(
        "--data_dir", help="test set with its pairs; default: dump/NAME/raw/test of the first run"
    )
    parser.add_argument("--judge", help="trained judge; default: that of the first run, if it has one")
    parser.add_argument(
        "--decode_config", default=str(CONF / "decode.yaml"), help="what variants differ from"
    )
    parser.add_argument("--score_config", default=str(CONF / "score" / "study.yaml"), help="judges")
    parser.add_argument("--inference_model", default="valid.loss.ave.pth", help="weights, in ar/ and nar/")
    parser.add_argument("--num_pairs", type=int, help="at most so many, speakers taking turns; default: all")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="each pair is sampled with each")
    parser.add_argument("--output_dir", help="default: the first run's study/")
    parser.add_argument("--results", help="Markdown file that gets the study as a section, and its picture")
    parser.add_argument("--batch_size", type=int, default=8, help="utterances decoded at once in a process")
    parser.add_argument("--nj", type=int, default=1, help="processes")
    parser.add_argument("--device", default="cpu", help="of decoding")
    return parser


@dataclass(frozen=True)
class Test:
    """What all variants are asked, and who judges them.

    Attributes:
        pairs: prompts and targets.
        data: their recordings.
        trials: one a pair.
        speakers: pair id -> speaker.
        stamp: changes when the pairs do.
        plan: the judges.
    """

    pairs: Sequence[Pair]
    data: DataDir
    trials: Sequence[Trial]
    speakers: Mapping[str, str]
    stamp: str
    plan: AbsScorerPlan


@dataclass(frozen=True)
class Speech:
    """What a variant said.

    Attributes:
        folder: where it lies.
        codebooks: how many levels of the codes it is made from, None for all.
        wavs: pair id -> sound file.
        outcomes: pair id -> how decoding ended; {} where nothing was decoded.
        prompt_seconds: mean length of the prompts, where they were changed in length.
    """

    folder: Path
    codebooks: int | None
    wavs: dict[str, str]
    outcomes: dict[str, str]
    prompt_seconds: float | None = None

    def rows(self, voice: str) -> Path:
        """File of its scores against a voice."""
        return self.folder / f"scores_{voice}_{self.codebooks or 'all'}.jsonl"


def main(argv: Sequence[str] | None = None) -> None:
    """Run a study."""
    args = get_parser().parse_args(argv)
    path = Path(args.study)
    if not path.suffix:
        path = CONF / "study" / f"{args.study}.yaml"
    study, runs = read_study(path), read_runs(args.exp)
    if study.over != RUNS and len(runs) > 1:
        raise InputError("--exp", f"{len(runs)} given", f"{path.name} wants one run")
    base = read_decoding(args.decode_config)
    for variant in study.variants:
        decoding_options(base, variant)  # a misspelt one ends the study before it begins
    output = Path(args.output_dir or runs[0].exp_dir / "study")
    test = read_test(args, runs[0], study)
    results = run_study(args, study, runs, test, base, output)
    title = path.stem
    draw(study.title, study.axis, results, output / f"{title}.png")
    with atomic_open(output / f"{title}.json") as stream:
        json.dump([asdict(result) for result in results], stream, indent=2)
    text = section(args, study, test, results, title)
    with atomic_open(output / f"{title}.md") as stream:
        stream.write(text)
    if args.results:
        draw(study.title, study.axis, results, Path(args.results).parent / PICTURES / f"{title}.png")
        write_section(Path(args.results), f"study {title}", text)
    print(text)


def read_decoding(path: str) -> dict[str, Any]:
    """Every option of decoding: the library's defaults under those of a file.

    Raises:
        InputError: no such file, or an option that there is not.
    """
    if not Path(path).is_file():
        raise InputError(path, "no such file", "Correct --decode_config")
    given = yaml.safe_load(Path(path).read_text(encoding="utf-8")) or {}
    defaults = inspect.signature(Text2Speech).parameters
    return _overlaid({name: defaults[name].default for name in DECODING_OPTIONS}, given, path)


def decoding_options(base: Mapping[str, Any], variant: Variant) -> dict[str, Any]:
    """The options of decoding of a variant.

    Raises:
        InputError: it has one that there is not.
    """
    return _overlaid(base, variant.decode, f"variant {variant.name}")


def _overlaid(base: Mapping[str, Any], given: Mapping[str, Any], where: str) -> dict[str, Any]:
    unknown = sorted(given.keys() - DECODING_OPTIONS.keys())
    if unknown:
        raise InputError(
            where, f"there is no option '{unknown[0]}'", f"Options are {', '.join(DECODING_OPTIONS)}"
        )
    return {**base, **given}


def read_test(args: argparse.Namespace, run: TrainedRun, study: Study) -> Test:
    """Pairs, recordings and judges, of the options or of a run."""
    folder = Path(args.data_dir or run.test_dir)
    pairs, data = read_pairs(folder / PAIRS), DataDir.load(folder)
    speakers = {pair.pair_id: data.speakers[pair.target_utt] for pair in pairs}
    if args.num_pairs is not None:
        chosen = set(choose(speakers, speakers, args.num_pairs, 0))
        pairs = [pair for pair in pairs if pair.pair_id in chosen]
        speakers = {pair.pair_id: speakers[pair.pair_id] for pair in pairs}
    trials = read_trials(pairs, data.wavs, data.texts, str(folder / PAIRS))
    if study.voice == REFERENCE:
        trials = [replace(trial, prompt=str(trial.reference)) for trial in trials]
    settings = read_settings(args.score_config)
    judge = Path(args.judge or run.judge)
    if settings.judge is None and (args.judge or judge.is_dir()):
        settings = replace(settings, judge=Component("ctc", (("judge_dir", str(judge)),)))
    words = read_vocabulary(str(run.vocabulary)) if run.vocabulary.is_file() else ()
    stamp = hashlib.sha1(repr((pairs, data.wavs, data.texts)).encode()).hexdigest()
    return Test(pairs, data, trials, speakers, stamp, DefaultPlan(None, words, settings))


def run_study(
    args: argparse.Namespace,
    study: Study,
    runs: Sequence[TrainedRun],
    test: Test,
    base: Mapping[str, Any],
    output: Path,
) -> list[Result]:
    """Decode and score what is not there yet."""
    lines = [(run, variant) for run in runs for variant in study.variants]
    results, rows = [], []
    for number, (run, variant) in enumerate(lines, 1):
        name = f"{run.label}, {variant.name}" if study.over == RUNS else variant.name
        logging.info("%d of %d: %s", number, len(lines), name)
        spoken = [make_speech(args, run, variant, seed, test, base, output) for seed in args.seeds]
        samples = [
            score_system(name, test.trials, speech.wavs, test.plan, speech.rows(study.voice), args.nj)
            for speech in spoken
        ]
        rows.append([row for sample in samples for row in sample])
        summary = summarise_samples(Scored(samples, [one.outcomes for one in spoken]), 0, test.speakers)
        x = variant.x if study.over != RUNS else _number(run.label)
        results.append(Result(name, x, variant.series, summary, spoken[0].prompt_seconds))
    return [replace(result, p=p) for result, p in zip(results, against_first(rows, test.speakers))]


def make_speech(
    args: argparse.Namespace,
    run: TrainedRun,
    variant: Variant,
    seed: int,
    test: Test,
    base: Mapping[str, Any],
    output: Path,
) -> Speech:
    """Decode a variant, or find it decoded."""
    model = run.model_files(args.inference_model)
    options = {**decoding_options(base, variant), "seed": seed}
    made = {"model": model, "pairs": test.stamp, "source": variant.source}
    if variant.source != CODEC:
        made |= {"decode": options, "prompt": asdict(variant.prompt)}
    text = json.dumps(made, sort_keys=True, indent=2)
    folder = output / "speech" / hashlib.sha1(text.encode()).hexdigest()[:12]
    with atomic_open(folder / "made_from.json") as stream:
        stream.write(text)
    outcomes: dict[str, str] = {}
    seconds = None
    if variant.source == CODEC:
        references = {trial.pair_id: str(trial.reference) for trial in test.trials}
        encode_recordings(model["codec_config"], references, folder, args.nj)
    else:
        data_dir, pairs = _prompts(variant, test, folder)
        model_options = {**model, "device": args.device, **options}
        synthesise_pairs(model_options, pairs, data_dir, folder, args.nj, args.batch_size)
        outcomes = read_scp(folder / "outcomes")
        seconds = _prompt_seconds(data_dir) if variant.prompt.seconds else None
    if variant.source != CODEC and variant.codebooks is None:
        wavs = read_scp(folder / "wav.scp")
    else:
        wavs = sound_of_codes(model["codec_config"], list(test.speakers), folder, variant.codebooks, args.nj)
    return Speech(folder, variant.codebooks, wavs, outcomes, seconds)


def _prompts(variant: Variant, test: Test, folder: Path) -> tuple[Path, Path]:
    """The data directory with the variant's prompts, its own where it changes them, and the pairs."""
    if not (variant.prompt.seconds or variant.prompt.disturbance):
        write_pairs(folder / PAIRS, test.pairs)
        return test.data.path, folder / PAIRS
    if not (folder / "data" / PAIRS).is_file():
        change_prompts(test.pairs, test.data, variant.prompt, 0, folder / "data")
    return folder / "data", folder / "data" / PAIRS


def _prompt_seconds(data_dir: Path) -> float:
    wavs = read_scp(data_dir / "wav.scp")
    return float(np.mean([audio_seconds(wavs[pair.prompt_utt]) for pair in read_pairs(data_dir / PAIRS)]))


def _number(label: str) -> float | None:
    try:
        return float(label)
    except ValueError:
        return None


def section(args: argparse.Namespace, study: Study, test: Test, results: Sequence[Result], title: str) -> str:
    """The study as a section of Markdown."""
    voice = "the reference recording, which no variant heard" if study.voice == REFERENCE else "the prompt"
    words = [args.study, *(word for run in args.exp for word in ("--exp", run))]
    words += [] if args.num_pairs is None else ["--num_pairs", str(args.num_pairs)]
    words += [] if args.seeds == [0] else ["--seeds", *map(str, args.seeds)]
    notes = [
        f"{len(test.trials)} pairs of {len(set(test.speakers.values()))} speakers",
        f"judge: {test.plan.judge_name}",
        f"similarity ({test.plan.speaker_name}) to {voice}",
        *origin(),
    ]
    explained = (
        f"{'; '.join(notes)}. In brackets: 95 % bootstrap intervals over pairs; p: paired randomisation test "
        "against the first line, after Holm. Not ended: `hit_length_cap` and `stuck`."
    )
    picture = f"![{study.title}]({PICTURES if args.results else '.'}/{title}.png)"
    command = f"    valle_study {shlex.join(words)}"
    return (
        "\n\n".join([f"## {study.title}", command, explained, study_table(results) + "\n" + picture]) + "\n"
    )


if __name__ == "__main__":
    run_command(main)
