"""Likeness of a voice to the prompt over a long text, and memory over its length."""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile

from espnet2_valle.bench.metric import Metric
from espnet2_valle.common.audio import resample
from espnet2_valle.common.conf import find
from espnet2_valle.common.errors import InputError
from espnet2_valle.evaluation.speaker import AbsSpeakerEncoder, ResemblyzerEncoder, similarity

SEED = 0
WINDOW = 5.0  # seconds that are compared with the prompt at a time
MINUTE = 60.0
DRIFT_BAR = 0.02
MEMORY_BAR = 1.05
KIB_PER_MIB = 1024


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the benchmark; unknown ones are not passed on, so use --inference_args."""
    parser.add_argument("--model_tag", required=True, help="packed model")
    parser.add_argument("--prompt", required=True, help="prepared prompt (.npz) of that model's codec")
    parser.add_argument("--words", required=True, help="file of the words that the texts are made of")
    parser.add_argument("--longform_config", default=str(find("longform.yaml")))
    parser.add_argument("--minutes", type=float, nargs=2, default=[1, 10], help="of the two texts, about")
    parser.add_argument("--words_per_minute", type=float, default=110)
    parser.add_argument("--words_per_sentence", type=int, default=6)
    parser.add_argument("--inference_args", default="", help="more options of `valle longform`")
    parser.add_argument("--output_wav", help="keep the long reading here")


def measure(args: argparse.Namespace) -> list[Metric]:
    """Read a short and a long text; compare each minute of the long one with the prompt, and both peaks."""
    words = Path(args.words).read_text(encoding="utf-8").split()
    with tempfile.TemporaryDirectory() as folder:
        short, long = (Path(folder) / f"{name}.wav" for name in ("short", "long"))
        if args.output_wav:
            long = Path(args.output_wav)
        peaks = []
        for minutes, wav in zip(args.minutes, (short, long), strict=True):
            text = Path(folder) / f"{wav.stem}.txt"
            text.write_text(make_text(words, minutes * args.words_per_minute, args.words_per_sentence))
            peaks.append(_read(args, text, wav))
        with np.load(args.prompt, allow_pickle=False) as stored:
            prompt, rate = stored["wav"], json.loads(str(stored["about"]))["spec"]["sample_rate"]
        seconds = soundfile.info(long).duration
        encoder = ResemblyzerEncoder()
        course = [likeness(long, start, end, prompt, rate, encoder) for start, end in spans(seconds)]
    about = {"model": args.model_tag, "seconds": round(seconds), "config": Path(args.longform_config).stem}
    return [
        *[
            Metric("longform_similarity", value, "cosine", "", {**about, "minute": number})
            for number, value in enumerate(course, 1)
        ],
        Metric("longform_drift", abs(course[0] - course[-1]), "cosine", f"<= {DRIFT_BAR}", about),
        Metric("longform_peak_memory", peaks[1] / KIB_PER_MIB, "MiB", "", about),
        Metric("longform_memory_growth", peaks[1] / peaks[0], "ratio", f"<= {MEMORY_BAR}", about),
    ]


def spans(seconds: float) -> list[tuple[float, float]]:
    """Start and end of each minute of a recording, in seconds; the last one may overlap the one before."""
    length = min(MINUTE, seconds / 2)
    starts = [number * MINUTE for number in range(int(seconds // MINUTE) - 1)] or [0.0]
    return [(start, start + length) for start in [*starts, seconds - length]]


def make_text(words: list[str], count: float, sentence: int) -> str:
    """About `count` words in sentences, five sentences a paragraph; the same for the same arguments."""
    rng = random.Random(SEED)
    lines = []
    for number in range(max(1, round(count / sentence))):
        lines.append(" ".join(rng.choice(words) for _ in range(sentence)).capitalize() + ".")
        if number % 5 == 4:
            lines.append("")
    return "\n".join(lines) + "\n"


def likeness(
    wav: str | Path, start: float, end: float, prompt: np.ndarray, rate: int, encoder: AbsSpeakerEncoder
) -> float:
    """Mean cosine between the prompt and stretches of a sound file from `start` to `end` seconds."""
    voice = encoder.embed(prompt, rate)
    found = []
    with soundfile.SoundFile(wav) as stream:
        size = int(WINDOW * stream.samplerate)
        for at in range(int(start * stream.samplerate), int(end * stream.samplerate) - size + 1, size):
            stream.seek(at)
            part = resample(stream.read(size, dtype="float32"), stream.samplerate, rate)
            if np.any(part):
                found.append(similarity(voice, encoder.embed(part, rate)))
    if not found:
        raise InputError("--minutes", f"less than {WINDOW:g} s of speech came out", "Give more")
    return float(np.mean(found))


def _read(args: argparse.Namespace, text: Path, wav: Path) -> int:
    """Read `text` aloud; returns the peak memory in KiB of the process, which says nothing else."""
    # The command itself is measured, with whatever options of its own the benchmark is given: this is why it
    # is started by its name, which nothing else of this package is.
    command = [sys.executable, "-m", "espnet2_valle", "longform", f"--model_tag={args.model_tag}"]
    command += [f"--prompt_speech={args.prompt}", f"--text_file={text}", f"--output_wav={wav}"]
    command += [f"--longform_config={args.longform_config}", *args.inference_args.split()]
    process = subprocess.Popen(command, stdout=sys.stderr)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise InputError("valle longform", f"ended with {process.returncode}", "See what it said above")
    return usage.ru_maxrss
