"""The bookkeeping of stages 1 to 4, on made-up utterances without sound: seconds and memory by their number.

All is as in the recipe but for the work itself: nothing is resampled, and the codes are those of a codec that
makes some frames of each utterance whatever it says. Texts are cut into characters.
"""

import argparse
import logging
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from espnet2_valle.bench.fresh import run_fresh
from espnet2_valle.bench.metric import Metric
from espnet2_valle.corpus.prepare import write_splits
from espnet2_valle.corpus.recording import make_recording
from espnet2_valle.corpus.spool import Spool
from espnet2_valle.data.arks import Made
from espnet2_valle.data.arks import Source as Sound
from espnet2_valle.data.code_files import choose_shard_size, chosen_sounds
from espnet2_valle.data.codes import ShardedCodes
from espnet2_valle.data.format import Formatted, Source, format_set
from espnet2_valle.data.pairs import PAIRS, PairChoice
from espnet2_valle.data.tokenise import tokenize_set
from espnet2_valle.data.utterances import Utterance
from espnet2_valle.train.index_writer import build_index

SPEAKERS = 7000
CHAPTER = 80  # utterances of a speaker that are cut from one recording
WORDS, WORDS_A_TEXT = 5000, 17
TEST = 400  # utterances of the test set, and of the validation set
RATE = 24000  # Hz
SECONDS = 10.0
FRAMES, CODEBOOKS, CODEBOOK_SIZE = 8, 8, 1024  # of the codes of an utterance
MEGA = 1e6
MOST_MEMORY, MOST_GROWTH = 2000, 1.25


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Sizes."""
    parser.add_argument(
        "--num_utterances", type=int, nargs="+", default=[100_000, 1_000_000, 3_000_000], help="one or more"
    )
    parser.add_argument("--folder", help="where the data is made (and removed); default: the system's")


def measure(args: argparse.Namespace) -> list[Metric]:
    """Do the bookkeeping of each stage in a process of its own, at each number of utterances."""
    metrics = []
    each: dict[int, float] = {}  # CPU time of an utterance by their number
    for count in args.num_utterances:
        about = {"utterances": count}
        whole = Usage(0.0, 0.0, 0)
        with tempfile.TemporaryDirectory(dir=args.folder) as folder:
            for name, stage in STAGES.items():
                used: Usage = run_fresh(_used, stage, Path(folder), count).result
                logging.info(
                    "%s of %d utterances: %.1f s, %.1f s of CPU time, %.0f MB",
                    *(name, count, used.seconds, used.cpu, used.memory / MEGA),
                )
                whole = Usage(
                    whole.seconds + used.seconds, whole.cpu + used.cpu, max(whole.memory, used.memory)
                )
                metrics += used.metrics(f"bookkeeping_{name}", about)
        metrics += whole.metrics("bookkeeping", about)
        each[count] = whole.cpu / count
    least, most = min(each), max(each)
    if least < most:
        metrics.append(
            Metric(
                "bookkeeping_growth",
                each[most] / each[least],
                "ratio",
                f"<= {MOST_GROWTH}",
                {"from": least, "to": most},
            )
        )
    return metrics


class Usage(NamedTuple):
    """Seconds and memory of some work.

    Attributes:
        seconds: by the clock.
        cpu: seconds of CPU time.
        memory: the most bytes that were resident.
    """

    seconds: float
    cpu: float
    memory: int

    def metrics(self, name: str, about: dict[str, int]) -> list[Metric]:
        """As figures of the work `name`."""
        return [
            Metric(name, self.seconds, "s", "", about),
            Metric(f"{name}_cpu", self.cpu, "s", "", about),
            Metric(f"{name}_memory", self.memory / MEGA, "MB", f"<= {MOST_MEMORY}", about),
        ]


def _used(stage: Callable[[Path, int], None], folder: Path, count: int) -> Usage:
    """Do a stage in this process, of which nothing else was asked."""
    start, before = time.perf_counter(), time.process_time()
    stage(folder, count)
    return Usage(time.perf_counter() - start, time.process_time() - before, peak_memory())


def peak_memory() -> int:
    """Most bytes that have been resident in this process."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise OSError("/proc/self/status says nothing of the peak of memory")


def made_up(count: int, prefix: str = "") -> Iterator[Utterance]:
    """Utterances cut from the chapters that readers read, not in order of their ids."""
    words = [f"w{number}" for number in range(WORDS)]
    for number in range(count):
        speaker, turn = number % SPEAKERS, number // SPEAKERS
        text = " ".join(words[(number * 7919 + place * 104_729) % WORDS] for place in range(WORDS_A_TEXT))
        chapter, place = divmod(turn, CHAPTER)
        yield make_recording(
            f"{prefix}{speaker:05d}-{chapter:04d}-{place:04d}",
            f"{prefix}{speaker:05d}",
            text,
            Path(f"/corpora/made-up/{prefix}{speaker:05d}/{chapter:04d}.flac"),
            "en",
            span=(SECONDS * place, SECONDS * (place + 1)),
        )


def prepare(folder: Path, count: int) -> None:
    """Stage 1: utterances to data directories, and test pairs."""
    train = Spool()
    for recording in made_up(count):
        train.append(recording)
    splits: dict[str, Collection[Utterance]] = {"train": train, "valid": list(made_up(TEST, "v"))}
    # So few that each speaker has but one: the test has another number of speakers.
    splits["test"] = [r for r in made_up(SPEAKERS * 2, "t") if int(r.speaker[1:]) < TEST // 2]
    write_splits(splits, folder / "data", lambda *given: {PAIRS: PairChoice(max_prompt=SECONDS)(*given)})


def format_train(folder: Path, count: int) -> None:
    """Stage 2: what is formatted is listed."""
    format_set(str(folder / "data" / "train"), str(folder / "raw" / "train"), RATE, work=_not_formatted)


def _not_formatted(source: Source) -> Formatted:
    return Formatted(source.utterance, round(SECONDS * RATE), 1, RATE)


def tokenize_train(folder: Path, count: int) -> None:
    """Stage 3: texts to token ids and the token list."""
    tokens = folder / "token"
    choice = ("char", None, None, None)
    tokenize_set(
        str(folder / "raw" / "train"),
        tokens / "train",
        str(tokens / "tokens.txt"),
        choice,
        write_token_list=True,
    )


def encode_train(folder: Path, count: int) -> None:
    """Stage 4: codes to arks."""
    sounds = chosen_sounds(str(folder / "raw/train/wav.scp"), str(folder / "token/train/token_int"))
    ShardedCodes(folder / "codes" / "train").fill(
        sounds,
        "stand-in",
        partial(_stand_in_codes, np.arange(FRAMES * CODEBOOKS).reshape(FRAMES, CODEBOOKS)),
        nj=1,
        title="codes",
        shard_size=choose_shard_size(len(sounds)),
    )


def _stand_in_codes(codes: np.ndarray, batch: Sequence[Sound]) -> Made:
    return {key: (codes + len(key)) % CODEBOOK_SIZE for key, _ in batch}


def index_train(folder: Path, count: int) -> None:
    """Stage 4: the training index."""
    raw = folder / "raw" / "train"
    build_index(
        folder / "codes" / "train",
        folder / "token" / "train" / "token_int",
        raw / "utt2spk",
        folder / "index",
        raw / "utt2lang",
    )


STAGES: dict[str, Callable[[Path, int], None]] = {
    "data": prepare,
    "format": format_train,
    "text": tokenize_train,
    "codec": encode_train,
    "index": index_train,
}
