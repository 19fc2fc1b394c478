"""The training index at the size of LibriLight: memory, time to open, to plan a pass, to read batches."""

import argparse
import itertools
import os
import tempfile
import threading
import time
from collections.abc import Iterator, Sized
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from espnet2_valle.bench.metric import Metric
from espnet2_valle.data.codes import ShardedCodes
from espnet2_valle.train.batches import BatchRule
from espnet2_valle.train.concatenate import ALONE
from espnet2_valle.train.index import COLUMNS, TrainingIndex
from espnet2_valle.train.index_writer import finish_index
from espnet2_valle.train.iterator import IndexedUtterances, IndexIterFactory

CODEBOOKS = 8
FRAME_RATE = 75
CODEBOOK_SIZE = 1024
SECONDS = (2.0, 20.0)  # of an utterance
TOKENS_PER_SECOND = 12
ID_BYTES = 32
STORED = 512  # utterances that lie in an only archive; the index names each many times
STORED_IN_EACH = 64  # of several
SAMPLE_EVERY = 0.02  # seconds
MEGA = 1e6


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Sizes."""
    parser.add_argument("--num_utterances", type=int, default=18_000_000)
    parser.add_argument("--num_speakers", type=int, default=7000)
    parser.add_argument("--batch_bins", type=int, default=96000)
    parser.add_argument("--join_seconds", type=float, default=0.0)
    parser.add_argument("--num_batches", type=int, default=20, help="of which the reading rate is measured")
    parser.add_argument("--num_arks", type=int, default=1, help="archives that the codes lie in")
    parser.add_argument(
        "--open_arks",
        type=int,
        nargs="+",
        default=[0],
        help="of them kept open, one number or more to compare; default: 0, as many as the system allows",
    )
    parser.add_argument("--folder", help="where the index is made (and removed); default: the system's")


def measure(args: argparse.Namespace) -> list[Metric]:
    """Make an index, then use it as one rank does."""
    config = {"utterances": args.num_utterances, "batch_bins": args.batch_bins, "arks": args.num_arks}
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        start = time.perf_counter()
        write_synthetic(Path(folder), args.num_utterances, args.num_speakers, args.num_arks)
        made = time.perf_counter() - start
        with peak_private_memory() as peak:
            start = time.perf_counter()
            index = TrainingIndex(folder)
            opened = time.perf_counter() - start
            rule = BatchRule(
                args.batch_bins,
                16,
                lambda tokens, frames: tokens + 1 + frames,
                max_join_frames=int(args.join_seconds * FRAME_RATE),
            )
            utterances = IndexedUtterances(index)
            factory = IndexIterFactory(utterances, rule, collate=lambda batch: batch)  # type: ignore[arg-type, return-value]
            first = time.perf_counter()
            factory.plan(0)
            planned = time.perf_counter() - first
            batches = iter(factory.build_iter(1))
            next(batches)
            first_batch = time.perf_counter() - start
            rates = []
            for most_open in args.open_arks:
                utterances.index = TrainingIndex(folder)
                utterances.index.most_open = most_open
                rates += reading_rates(batches, utterances.index, args.num_batches, config)
        waste = padding(factory, args.num_batches)
    return [
        Metric("index_made", made, "s", "", config),
        Metric("index_opened", opened, "s", "<= 5", config),
        Metric("index_pass_planned", planned, "s", "<= 60", config),
        Metric("index_first_batch", first_batch, "s", "<= 10", config),
        Metric("index_private_memory", peak[0] / MEGA, "MB", "<= 1000", config),
        *rates,
        Metric("index_padding", waste, "ratio", "<= 0.03", config),
    ]


def reading_rates(
    batches: Iterator[Sized], index: TrainingIndex, count: int, config: dict[str, int]
) -> list[Metric]:
    """Rates at which utterances are read.

    Args:
        batches: of the index.
        index: whose archives the system first forgets, and then has in memory.
        count: batches of each.
        config: what is measured.
    """
    forget_files(index)
    cold, _ = rate_of(batches, count)
    for path in archives(index):
        path.read_bytes()
    warm, cpu = rate_of(batches, count)
    config = {**config, "open arks": index.most_open}
    return [
        Metric("index_utterances_read", warm, "1/s", ">= 20000", config),
        Metric("index_utterances_read_cpu", cpu, "1/s of CPU", "", config),
        Metric("index_utterances_read_cold", cold, "1/s", "", config),
    ]


def rate_of(batches: Iterator[Sized], count: int) -> tuple[float, float]:
    """Utterances a second, and a second of CPU time, that are read for `count` batches."""
    start, before = time.perf_counter(), time.process_time()
    read = sum(len(next(batches)) for _ in range(count))
    return read / (time.perf_counter() - start), read / (time.process_time() - before)


def archives(index: TrainingIndex) -> list[Path]:
    """Paths of an index' archives."""
    return [index.directory / ark for ark in index.arks]


def forget_files(index: TrainingIndex) -> None:
    """Have the system forget what it holds of the archives in memory: they are read from the disk again."""
    for path in archives(index):
        descriptor = os.open(path, os.O_RDONLY)
        os.fsync(descriptor)  # only what is written can be forgotten
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def write_synthetic(folder: Path, count: int, num_speakers: int, num_arks: int = 1) -> None:
    """An index of `count` utterances of random lengths; the archives hold the codes of a few of them."""
    rng = np.random.default_rng(0)
    in_each = STORED if num_arks == 1 else STORED_IN_EACH
    frames = rng.integers(int(SECONDS[0] * FRAME_RATE), int(SECONDS[1] * FRAME_RATE), in_each * num_arks)
    shards = ShardedCodes(folder)
    for ark in range(num_arks):
        lengths = frames[ark * in_each : (ark + 1) * in_each]
        codes = rng.integers(0, CODEBOOK_SIZE, (int(lengths.max()), CODEBOOKS), np.int16)
        names = (f"u{ark * in_each + number:08}" for number in range(in_each))
        shards.write(1 + ark, "", {name: codes[:length] for name, length in zip(names, lengths)})
    shards.finish(num_arks)
    lines = (folder / "codes.scp").read_text(encoding="utf-8").splitlines()
    offsets = np.array([int(line.rpartition(":")[2]) for line in lines])
    stored = rng.integers(0, len(frames), count)
    tokens = frames * TOKENS_PER_SECOND // FRAME_RATE
    columns = {
        "frames": frames[stored],
        "tokens": tokens[stored],
        "ark": stored // in_each,
        "offset": offsets[stored],
        "token_start": np.zeros(count),
        "speaker": rng.integers(0, num_speakers, count),
        "language": np.zeros(count),
        "id_start": np.arange(count + 1) * ID_BYTES,
    }
    for name, dtype in COLUMNS.items():
        np.save(folder / f"{name}.npy", columns.pop(name).astype(dtype, copy=False))
    np.save(folder / "token_ids.npy", np.ones(int(tokens.max()), np.int32))
    np.save(folder / "ids.npy", np.full(count * ID_BYTES, ord("u"), np.uint8))
    speakers = [f"s{number}" for number in range(num_speakers)]
    tables = {
        "arks": [shards.ark(1 + ark).name for ark in range(num_arks)],
        "speakers": speakers,
        "languages": ["en"],
    }
    finish_index(folder, tables, CODEBOOKS)


def padding(factory: IndexIterFactory, num_batches: int) -> float:
    """Share of padding in the first batches."""
    index, rule = factory.utterances.index, factory.rule
    used = cost = 0
    for batch in itertools.islice(factory.items(1), num_batches):
        tokens, frames = (
            np.array([sum(int(column[part]) for part in item if part != ALONE) for item in batch])
            for column in (index.tokens, index.frames)
        )
        used += int(rule.positions(tokens, frames).sum())
        cost += len(batch) * int(rule.padded(tokens, frames).max()) * rule.step
    return 1 - used / cost


def private_memory() -> int:
    """Bytes of this process that no file backs, so that no other process can share them."""
    for line in Path("/proc/self/smaps_rollup").read_text(encoding="ascii").splitlines():
        if line.startswith("Anonymous:"):
            return int(line.split()[1]) * 1024
    raise OSError("/proc/self/smaps_rollup says nothing of anonymous memory")


@contextmanager
def peak_private_memory() -> Iterator[list[int]]:
    """Yield a list whose one number is the highest private memory seen so far."""
    peak, done = [private_memory()], threading.Event()

    def watch() -> None:
        while not done.wait(SAMPLE_EVERY):
            peak[0] = max(peak[0], private_memory())

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        done.set()
        thread.join()
