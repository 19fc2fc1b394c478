"""A job of a few seconds for tests that kill it: squares of numbers by shards, and a file of all of them.

python small_job.py FOLDER NJ
"""

import sys
import time
from pathlib import Path

from espnet2_valle.common.fileio import atomic_open
from espnet2_valle.jobs.pool import use_cluster
from espnet2_valle.jobs.shards import Manifest, cut, work_on_shards

NUMBERS, SHARD = 40, 4
SECONDS = 0.1  # of each number


def square(number: int) -> int:
    time.sleep(SECONDS)
    return number * number


def run(folder: Path, nj: int) -> None:
    manifest = Manifest(folder / "manifest")
    shards = dict(enumerate(cut(range(NUMBERS), SHARD), 1))
    pending = [(number, shard) for number, shard in shards.items() if not manifest.is_done(number, "squares")]
    with use_cluster():
        for number, results in work_on_shards(square, pending, nj, "squares"):
            manifest.write(number, "squares", results)
    with atomic_open(folder / "squares") as stream:
        stream.writelines(f"{row}\n" for number in shards for row in manifest.rows(number))


if __name__ == "__main__":
    run(Path(sys.argv[1]), int(sys.argv[2]))
