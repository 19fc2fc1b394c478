"""Archives of arrays written shard by shard: kaldiio arks with an index and the arrays' shapes."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import kaldiio
import numpy as np

from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import atomic_open, atomic_path
from espnet2_valle.jobs.pool import parallel_map


def write_ark(path: str | Path, items: Mapping[str, np.ndarray]) -> list[str]:
    """Write arrays to one ark, whole or not at all.

    Returns:
        One line an item: `key offset D1,D2...`, the offset counted in bytes as in an scp.
    """
    with atomic_path(path) as temporary:
        scp = temporary.with_suffix(".scp")
        try:
            with kaldiio.WriteHelper(f"ark,scp:{temporary},{scp}", write_function="numpy") as writer:
                for key, array in items.items():
                    writer(key, array)
            offsets = [
                line.rsplit(":", 1)[1].strip() for line in scp.read_text(encoding="utf-8").splitlines()
            ]
        finally:
            scp.unlink(missing_ok=True)
    return [
        f"{key} {offset} {','.join(map(str, array.shape))}"
        for (key, array), offset in zip(items.items(), offsets, strict=True)
    ]


class ShardedArks:
    """A folder of arrays written shard by shard, each whole or absent.

    A shard is done when its index file is there and carries the same fingerprint of all
    that its arrays depend on, so a killed run goes on where it was and ends with the same bytes.

    Args:
        directory: gets NAME.scp, NAME_shape, NAME.N.ark and index/NAME.N.
        name: of the arrays.
    """

    def __init__(self, directory: str | Path, name: str):
        self.directory = Path(directory)
        self.name = name

    def checked(self, key: str, array: np.ndarray) -> np.ndarray:
        """The array as it is to be stored; raises ValueError where it cannot be."""
        return array

    def ark(self, number: int) -> Path:
        """The ark of shard `number`, counted from 1."""
        return self.directory / f"{self.name}.{number}.ark"

    def index(self, number: int) -> Path:
        """The file that says that shard `number` is done."""
        return self.directory / "index" / f"{self.name}.{number}"

    def is_done(self, number: int, fingerprint: str) -> bool:
        """Whether shard `number` was written from what `fingerprint` stands for."""
        index = self.index(number)
        if not (index.is_file() and self.ark(number).is_file()):
            return False
        with open(index, encoding="utf-8") as stream:
            return stream.readline().strip() == fingerprint

    def write(self, number: int, fingerprint: str, items: Mapping[str, np.ndarray]) -> None:
        """Write shard `number`."""
        self.index(number).unlink(missing_ok=True)
        lines = write_ark(self.ark(number), {key: self.checked(key, array) for key, array in items.items()})
        with atomic_open(self.index(number)) as stream:
            stream.writelines(f"{line}\n" for line in [fingerprint, *lines])

    def finish(self, num_shards: int) -> None:
        """Join the indices of shards 1 .. num_shards to NAME.scp and NAME_shape; drop older shards."""
        with (
            atomic_open(self.directory / f"{self.name}_shape") as shapes,
            atomic_open(self.directory / f"{self.name}.scp") as scp,
        ):
            for number in range(1, num_shards + 1):
                lines = self.index(number).read_text(encoding="utf-8").splitlines()[1:]
                for key, offset, shape in (line.split() for line in lines):
                    scp.write(f"{key} {self.ark(number)}:{offset}\n")
                    shapes.write(f"{key} {shape}\n")
        extra = num_shards + 1
        while self.index(extra).is_file() or self.ark(extra).is_file():
            self.index(extra).unlink(missing_ok=True)
            self.ark(extra).unlink(missing_ok=True)
            extra += 1

    def write_all(
        self,
        items: Mapping[str, str],
        encode: Callable[[tuple[str, str]], tuple[str, np.ndarray]],
        depends_on: str,
        shard_size: int,
        nj: int = 1,
        title: str = "",
    ) -> None:
        """Write `encode((key, file))` of all items, as far as it is not there.

        Args:
            items: key -> file.
            encode: returns the key and its array; picklable when nj > 1.
            depends_on: changes when the arrays would.
            shard_size: items a shard, the unit of resuming.
            nj: processes.
            title: of the progress bar.

        Raises:
            InputError: a shard size below 1.
        """
        if shard_size < 1:
            raise InputError("--shard_size", f"{shard_size} is not a positive number", "Give 1 or more")
        pairs = list(items.items())
        shards = [pairs[start : start + shard_size] for start in range(0, len(pairs), shard_size)]
        prints = [fingerprint([depends_on, *(f"{key} {path}" for key, path in shard)]) for shard in shards]
        pending = [number for number, mark in enumerate(prints, 1) if not self.is_done(number, mark)]
        work = [item for number in pending for item in shards[number - 1]]
        encoded = iter(parallel_map(encode, work, nj=nj, title=title))
        for number in pending:
            self.write(number, prints[number - 1], dict(next(encoded) for _ in shards[number - 1]))
        self.finish(len(shards))


def fingerprint(parts: Sequence[str]) -> str:
    """A short digest of what a shard's arrays depend on."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]
