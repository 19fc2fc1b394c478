"""Statistics and training of ESPnet's TTS systems, by ESPnet's own commands."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from espnet2_valle.baseline.data import SPEMBS, SPLITS, TrainingData, model_options, source, source_options
from espnet2_valle.baseline.kinds import Kind
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.espnet_imports import import_espnet_quietly
from espnet2_valle.common.fileio import atomic_open
from espnet2_valle.common.resume import is_done, mark_done
from espnet2_valle.data.datadir import read_scp
from espnet2_valle.jobs.pool import parallel_map

COLLECTED = ("pitch", "energy")  # slow to extract: kept from the collection of statistics
PARTS = "parts"


def run_espnet(task: str, command: Sequence[str]) -> None:
    """Do what espnet2.bin.<task>_train does with these words, and --train_minutes."""
    import_espnet_quietly()
    from espnet2_valle.baseline.budget import TASKS

    TASKS[task].main(cmd=list(command))


def collect_stats(kind: Kind, config: Path, data: TrainingData, stats_dir: Path, nj: int = 1) -> None:
    """Write shapes, and means and variances of features, to `stats_dir`/{train,valid}.

    The work is done in `nj` parts at once; a killed run goes on with the parts that are missing.

    Raises:
        InputError: no such config, or a set without utterances.
    """
    keys = {split: sorted(read_scp(data.wavs(split))) for split in SPLITS}
    for split in SPLITS:
        if not keys[split]:
            raise InputError(data.wavs(split), "has no utterance", "Give the set at least one")
    nj = max(1, min(nj, *map(len, keys.values())))
    parts = [stats_dir / PARTS / f"{number}of{nj}" for number in range(1, nj + 1)]
    for number, part in enumerate(parts):
        for split in SPLITS:
            with atomic_open(part / f"{split}.keys") as stream:
                stream.writelines(f"{key} 1\n" for key in keys[split][number::nj])
    command = [*model_options(kind, config, data), *source_options(kind, data), "--collect_stats", "true"]
    command += ["--ngpu", "0", "--num_workers", "0"]
    for option in kind.statistics:
        command += [f"--{option}", "none"]
    command += ["--write_collected_feats", str(bool(set(COLLECTED) & set(kind.statistics.values())))]
    for _ in parallel_map(partial(_collect_part, kind.task, command), parts, nj, "statistics"):
        pass
    import_espnet_quietly()
    from espnet2.bin.aggregate_stats_dirs import aggregate_stats_dirs

    aggregate_stats_dirs(parts, stats_dir, log_level="INFO", skip_sum_stats=False)


def _collect_part(task: str, command: Sequence[str], part: Path) -> None:
    done = part / ".done"
    made_by = " ".join(command)
    if is_done(done, made_by):
        return
    shapes = [word for split in SPLITS for word in (f"--{split}_shape_file", str(part / f"{split}.keys"))]
    run_espnet(task, [*command, *shapes, "--output_dir", str(part)])
    mark_done(done, made_by)


def train(
    kind: Kind, config: Path, data: TrainingData, stats_dir: Path, output_dir: Path, more: Sequence[str]
) -> None:
    """Train; a killed training goes on with its last epoch.

    Args:
        kind: the system.
        config: ESPnet's training config.
        data: see there.
        stats_dir: of `collect_stats`.
        output_dir: ESPnet's training directory.
        more: further options of ESPnet's command.

    Raises:
        InputError: no statistics.
    """
    if not (stats_dir / "train" / "text_shape").is_file():
        raise InputError(stats_dir, "has no statistics", "Collect them first: `valle baseline stats`")
    command = [*model_options(kind, config, data), *source_options(kind, data)]
    for split in SPLITS:
        command += source(split, data.spembs(split), SPEMBS, "kaldi_ark")
        # Batches are sorted by the first of the two, and Tacotron 2's encoder needs the longest text first.
        for name in ("text", "speech"):
            command += [f"--{split}_shape_file", str(stats_dir / split / f"{name}_shape")]
    for option, feature in kind.statistics.items():
        statistics = stats_dir / "train" / f"{feature}_stats.npz"
        command += [f"--{option}", "global_mvn", f"--{option}_conf", f"stats_file={statistics}"]
        if feature in COLLECTED:
            for split in SPLITS:
                collected = stats_dir / split / "collect_feats" / f"{feature}.scp"
                command += source(split, collected, feature, "npy")
    run_espnet(kind.task, [*command, "--output_dir", str(output_dir), "--resume", "true", *more])
