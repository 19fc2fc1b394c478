"""Whether a voice stays the prompt's over a long text, and whether memory stays what it is."""

import argparse
import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile

from espnet2_valle.bench.figure import Figure
from espnet2_valle.common.audio import resample
from espnet2_valle.common.errors import InputError
from espnet2_valle.score.speaker import AbsSpeakerEncoder, ResemblyzerEncoder, similarity

SEED = 0
WINDOW = 5.0  # seconds that are compared with the prompt at a time
MINUTE = 60.0
DRIFT_BAR = 0.02
MEMORY_BAR = 1.05
# Reads a text in a process of its own, whose peak memory (kB) it prints: one text must not count for another.
CHILD = (
    "import resource, sys; from espnet2_valle.bin.valle_longform import main; main(sys.argv[1:]); "
    "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the benchmark; unknown ones are not passed on, so use --inference_args."""
    parser.add_argument("--model_tag", required=True, help="packed model")
    parser.add_argument("--prompt", required=True, help="prepared prompt (.npz) of that model's codec")
    parser.add_argument("--words", required=True, help="file of the words that the texts are made of")
    parser.add_argument("--longform_config", default="conf/longform.yaml")
    parser.add_argument("--minutes", type=float, nargs=2, default=[1, 10], help="of the two texts, about")
    parser.add_argument("--words_per_minute", type=float, default=110)
    parser.add_argument("--words_per_sentence", type=int, default=6)
    parser.add_argument("--inference_args", default="", help="more options of valle_longform")


def measure(args: argparse.Namespace) -> list[Figure]:
    """Read a short and a long text; compare the long one's first and last minute, and the peaks of memory."""
    words = Path(args.words).read_text(encoding="utf-8").split()
    with tempfile.TemporaryDirectory() as folder:
        peaks, wavs = [], []
        for minutes in args.minutes:
            text, wav = Path(folder) / f"{minutes}.txt", Path(folder) / f"{minutes}.wav"
            text.write_text(make_text(words, minutes * args.words_per_minute, args.words_per_sentence))
            peaks.append(_read(args, text, wav))
            wavs.append(wav)
        with np.load(args.prompt, allow_pickle=False) as stored:
            prompt, rate = stored["wav"], json.loads(str(stored["about"]))["spec"]["sample_rate"]
        encoder = ResemblyzerEncoder()
        seconds = soundfile.info(wavs[1]).duration
        first = likeness(wavs[1], 0.0, min(MINUTE, seconds / 2), prompt, rate, encoder)
        last = likeness(wavs[1], max(seconds - MINUTE, seconds / 2), seconds, prompt, rate, encoder)
    config = {"model": args.model_tag, "seconds": round(seconds), "prompt": Path(args.longform_config).stem}
    return [
        Figure("longform_first_minute_similarity", first, "cosine", "", config),
        Figure("longform_last_minute_similarity", last, "cosine", "", config),
        Figure("longform_drift", first - last, "cosine", f"<= {DRIFT_BAR}", config),
        Figure("longform_peak_memory", peaks[1] / 1024, "MiB", "", config),
        Figure("longform_memory_growth", peaks[1] / peaks[0], "ratio", f"<= {MEMORY_BAR}", config),
    ]


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
    """Read `text` aloud in a process of its own; its peak memory in kB."""
    command = [f"--model_tag={args.model_tag}", f"--prompt_speech={args.prompt}", f"--text_file={text}"]
    command += [f"--output_wav={wav}", f"--longform_config={args.longform_config}"]
    command += args.inference_args.split()
    done = subprocess.run(
        [sys.executable, "-c", CHILD, *command], stdout=subprocess.PIPE, text=True, check=True
    )
    return int(done.stdout.split()[-1])
