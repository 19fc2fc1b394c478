"""Time from `pip install` to the first sound of a packed model, in an environment that has nothing yet."""

import argparse
import os
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Sequence
from pathlib import Path

from espnet2_valle.bench.metric import Metric
from espnet2_valle.common.errors import InputError

PIP = "pip<26.3"  # later ones refuse ci_sdr, which espnet needs
CODE = """\
import sys, soundfile
from espnet2_valle.generate.text2speech import Text2Speech
model, prompt, said, text, output = sys.argv[1:]
text2speech = Text2Speech.from_pretrained(model)
soundfile.write(output, text2speech(text, prompt_speech=prompt, prompt_text=said).wav, text2speech.fs)
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what is installed, and who says what."""
    parser.add_argument(
        "--requirement", required=True, help="what pip installs: 'FOLDER[espeak]' of a checkout, or a wheel"
    )
    parser.add_argument("--model_tag", required=True, help="packed model")
    parser.add_argument("--prompt_speech", required=True, help="sound file of about three seconds")
    parser.add_argument("--prompt_text", required=True, help="what is said in it")
    parser.add_argument("--text", default="seven two nine", help="what to say")


def measure(args: argparse.Namespace) -> list[Metric]:
    """Seconds of the installation, of the first sound after it, and of one in a second process.

    pip's cache and the cache of models are empty at first.

    Raises:
        InputError: the installation fails, or no sound comes.
    """
    with tempfile.TemporaryDirectory() as folder:
        programs, output = f"{folder}/env/bin", Path(folder, "out.wav")
        pip = [f"{programs}/pip", "install", "--quiet", "--no-cache-dir"]
        say = [
            f"{programs}/python",
            "-c",
            CODE,
            os.path.abspath(args.model_tag),
            os.path.abspath(args.prompt_speech),
        ]
        say += [args.prompt_text, args.text, str(output)]
        venv.create(f"{folder}/env", with_pip=True)
        seconds = {
            "install": run_timed([*pip, PIP], folder) + run_timed([*pip, args.requirement], folder),
            "first_sound": run_timed(say, folder),
            "second_sound": run_timed(say, folder),
        }
        if not output.is_file():
            raise InputError(args.model_tag, "made no sound", "See what was printed")
    seconds["total"] = seconds["install"] + seconds["first_sound"]
    config = {"cores": len(os.sched_getaffinity(0))}
    return [Metric(f"first_sound.{name}", value, "s", "", config) for name, value in seconds.items()]


def run_timed(command: Sequence[str], folder: str) -> float:
    """Seconds that a command takes, with caches of its own in `folder`.

    Raises:
        InputError: it fails.
    """
    environment = {**os.environ, "XDG_CACHE_HOME": f"{folder}/cache"}
    environment.pop("PYTHONPATH", None)  # what is installed is measured
    start = time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=environment, stdout=sys.stderr, check=False)
    if done.returncode:
        raise InputError(
            " ".join(command[:5]), f"ended with status {done.returncode}", "See what it printed before"
        )
    return time.perf_counter() - start
