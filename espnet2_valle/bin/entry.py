"""The commands that pip puts on the path: `valle_score` is `python -m espnet2_valle.bin.score`, and so on."""

from functools import partial
from importlib import import_module

from espnet2_valle.common.cli import run_command


def run(module: str) -> None:
    """Run the command of one module in this folder with the words of the command line."""
    run_command(import_module(f"espnet2_valle.bin.{module}").main)


valle_train = partial(run, "valle_train")
valle_inference = partial(run, "valle_inference")
valle_stream = partial(run, "valle_stream")
valle_prepare_prompt = partial(run, "valle_prepare_prompt")
valle_longform = partial(run, "valle_longform")
prepare_mini = partial(run, "prepare_mini")
prepare_folder = partial(run, "prepare_folder")
prepare_corpus = partial(run, "prepare_corpus")
format_data = partial(run, "format_data")
perturb_speed = partial(run, "perturb_speed")
read_aloud = partial(run, "read_aloud")
tokenize_text = partial(run, "tokenize_text")
codec_fit = partial(run, "codec_fit")
codec_tokenize = partial(run, "codec_tokenize")
build_index = partial(run, "build_index")
codec_resynthesize = partial(run, "codec_resynthesize")
judge_train = partial(run, "judge_train")
speaker_embed = partial(run, "speaker_embed")
baseline_stats = partial(run, "baseline_stats")
baseline_train = partial(run, "baseline_train")
baseline_durations = partial(run, "baseline_durations")
baseline_inference = partial(run, "baseline_inference")
judge_check = partial(run, "judge_check")
score = partial(run, "score")
study = partial(run, "study")
report = partial(run, "report")
listening_test = partial(run, "listening_test")
pack = partial(run, "pack")
finetune_base = partial(run, "finetune_base")
plan = partial(run, "plan")
benchmark_codec = partial(run, "benchmark_codec")
benchmark = partial(run, "benchmark")
