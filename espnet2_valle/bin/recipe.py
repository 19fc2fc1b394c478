"""Settings, checks and results of a run, for egs2/valle/valle.sh, whose options stand behind `--`."""

import argparse
import contextlib
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path

from espnet2_valle.common.cli import check_words, run_command
from espnet2_valle.recipe import baselines, checks, corpora, times
from espnet2_valle.recipe.command_line import extras, print_results, settings_of, variables
from espnet2_valle.recipe.help import help_text
from espnet2_valle.recipe.options import Options
from espnet2_valle.recipe.settings import Settings
from espnet2_valle.recipe.steps import list_files, log

RECOGNISER = "asr_train"  # of ESPnet
# Options whose values, or configs that they name, are options of a command; and the stage that runs it.
PASSED_ON = {
    **dict.fromkeys(("ar_args", "train_args", "ar_config", "train_config"), ("valle_train", 5)),
    **dict.fromkeys(("nar_args", "nar_config"), ("valle_train", 6)),
    **dict.fromkeys(("ns2_args", "ns2_config"), ("ns2_train", 5)),
    **dict.fromkeys(("inference_args", "inference_config"), ("valle_inference", 7)),
    "phone_chooser_config": (RECOGNISER, 7),
    "judge_config": (RECOGNISER, 8),
}
BASELINES = 6  # stage of their training


def get_parser() -> argparse.ArgumentParser:
    """Parser of the words before `--`."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def command(call: Callable[[argparse.Namespace], None], text: str) -> argparse.ArgumentParser:
        name = call.__name__.lstrip("_")
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(call=call)
        return added

    command(_help, "print the options of run.sh and valle.sh")
    command(_extras, "print the extras of the package that the run needs installed")
    added = command(_corpus, "print the words of valle.sh for those of run.sh")
    added.add_argument("--called_from", type=Path, required=True, help="folder that --db is relative to")
    added.add_argument("--recipe", type=Path, required=True, help="folder of run.sh")
    command(_settings, "print the variables of valle.sh")
    added = command(_begin, "print that a stage begins, and check what it needs")
    added.add_argument("stage", type=int)
    added.add_argument("name")
    added.add_argument("--ended", nargs=2, metavar=("NAME", "SECONDS"), help="stage before this one")
    added = command(_end, "add to what a stage took")
    added.add_argument("name")
    added.add_argument("seconds", type=int)
    added = command(_list, "print what files there are, with sizes and times")
    added.add_argument("paths", nargs="*")
    command(_codec_rate, "check that the codec works at the rate of the recordings")
    added = command(_scorers, "load the models of a scoring config, to see that they can be had")
    added.add_argument("config")
    command(_minutes, "print the minutes that each baseline is trained")
    added = command(_teacher, "print the baseline that gives another one durations, if it needs any")
    added.add_argument("kind")
    added = command(_model_file, "print the checkpoint of a baseline that speaks")
    added.add_argument("kind")
    command(_results, "print what a run ends with")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    argv = list(sys.argv[1:] if argv is None else argv)
    place = argv.index("--") if "--" in argv else len(argv)
    args = get_parser().parse_args(argv[:place])
    args.words = argv[place + 1 :]
    args.call(args)


def _help(args: argparse.Namespace) -> None:
    print(help_text(), end="")


def _extras(args: argparse.Namespace) -> None:
    print(extras(args.words))


def _corpus(args: argparse.Namespace) -> None:
    print(shlex.join(corpora.words_for_valle(args.words, args.called_from, args.recipe, os.environ)))


def _settings(args: argparse.Namespace) -> None:
    found = variables(args.words)
    with contextlib.redirect_stdout(sys.stderr):  # some packages greet
        _check_passed_on(settings_of(args.words))
    print(found, end="")


def _check_passed_on(settings: Settings) -> None:
    """Check options and configs of the user's that later stages than the first hand on to other commands.

    Raises:
        InputError: such a command does not take them.
    """
    options, usual = settings.options, Options()
    later = settings.stages[1:]
    for option, (command, stage) in PASSED_ON.items():
        given = getattr(options, option)
        if stage in later and given and given != getattr(usual, option):
            words = ["--config", given] if option.endswith("_config") else given.split()
            check_words(_parser(command), words, f"--{option}")
    trained = baselines.trained_baselines(options) if options.baseline_args and BASELINES in later else []
    for kind in trained:
        check_words(baselines.training_parser(kind), options.baseline_args.split(), "--baseline_args")


def _parser(command: str) -> argparse.ArgumentParser:
    if command == RECOGNISER:
        from espnet2_valle.common.espnet_imports import import_espnet_quietly

        import_espnet_quietly()
        from espnet2.tasks.asr import ASRTask

        from espnet2_valle.common.config_parser import with_bases_read

        return with_bases_read(ASRTask.get_parser())
    parser: argparse.ArgumentParser = import_module(f"espnet2_valle.bin.{command}").get_parser()
    return parser


def _begin(args: argparse.Namespace) -> None:
    settings = settings_of(args.words)
    if args.ended:
        times.add_time(settings.stage_times, args.ended[0], int(args.ended[1]))
    log(f"stage {args.stage}: {args.name}")
    checks.check_stage(settings, args.stage)


def _end(args: argparse.Namespace) -> None:
    times.add_time(settings_of(args.words).stage_times, args.name, args.seconds)


def _list(args: argparse.Namespace) -> None:
    for path in args.paths:
        sys.stdout.buffer.write(list_files(path))


def _codec_rate(args: argparse.Namespace) -> None:
    checks.check_codec(settings_of(args.words))


def _scorers(args: argparse.Namespace) -> None:
    from espnet2_valle.evaluation.scorers import DefaultPlan
    from espnet2_valle.evaluation.settings import read_settings

    DefaultPlan(settings=read_settings(args.config)).build()


def _minutes(args: argparse.Namespace) -> None:
    print(baselines.training_minutes(settings_of(args.words)))


def _teacher(args: argparse.Namespace) -> None:
    print(baselines.teacher(args.kind))


def _model_file(args: argparse.Namespace) -> None:
    print(baselines.model_file(args.kind))


def _results(args: argparse.Namespace) -> None:
    print_results(settings_of(args.words))


if __name__ == "__main__":
    run_command(main)
