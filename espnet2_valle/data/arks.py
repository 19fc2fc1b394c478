"""Archives of arrays written shard by shard: kaldiio arks with an index and the arrays' shapes."""

from collections.abc import Mapping
from pathlib import Path

import kaldiio
import numpy as np

from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import atomic_open, atomic_path, remove_unfinished
from espnet2_valle.jobs.shards import Manifest, bad_row, error_of, lasting

Row = tuple[str | int, ...]  # key, offset, and the array's dimensions


def write_ark(path: str | Path, items: Mapping[str, np.ndarray]) -> list[Row]:
    """Write arrays to one ark, whole or not at all.

    Returns:
        Key, offset and dimensions of each item, the offset counted in bytes as in an scp.
    """
    with atomic_path(path) as temporary:
        scp = temporary.with_suffix(".scp")
        try:
            with kaldiio.WriteHelper(f"ark,scp:{temporary},{scp}", write_function="numpy") as writer:
                for key, array in items.items():
                    writer(key, array)
            offsets = [int(line.rsplit(":", 1)[1]) for line in scp.read_text(encoding="utf-8").splitlines()]
        finally:
            scp.unlink(missing_ok=True)
    return [(key, offset, *array.shape) for (key, array), offset in zip(items.items(), offsets, strict=True)]


class ShardedArks:
    """A folder of arrays written shard by shard, each whole or absent.

    A shard is done when the manifest has it with the same fingerprint of all that its arrays depend on, so a
    killed run goes on where it was and ends with the same bytes.

    Args:
        directory: gets NAME.scp, NAME_shape, NAME.N.ark and manifest/.
        name: of the arrays.
    """

    def __init__(self, directory: str | Path, name: str):
        self.directory = Path(directory)
        self.name = name
        self.manifest = Manifest(self.directory / "manifest")

    def checked(self, key: str, array: np.ndarray) -> np.ndarray:
        """The array as it is to be stored; raises ValueError where it cannot be."""
        return array

    def ark(self, number: int) -> Path:
        """The ark of shard `number`, counted from 1."""
        return self.directory / f"{self.name}.{number}.ark"

    def is_done(self, number: int, fingerprint: str) -> bool:
        """Whether shard `number` was written from what `fingerprint` stands for."""
        return self.ark(number).is_file() and self.manifest.is_done(number, fingerprint)

    def write(
        self,
        number: int,
        fingerprint: str,
        items: Mapping[str, np.ndarray],
        bad: Mapping[str, InputError] | None = None,
    ) -> None:
        """Write shard `number`: arrays by key, and the errors of keys that have none.

        With a WorkError among them it is not done: another run writes it again.
        """
        self.manifest.forget(number)
        rows = write_ark(self.ark(number), {key: self.checked(key, array) for key, array in items.items()})
        errors = [(key, bad_row(error)) for key, error in (bad or {}).items()]
        self.manifest.write(number, lasting(fingerprint, (bad or {}).values()), [*rows, *errors])

    def bad(self, number: int) -> dict[str, InputError]:
        """The errors of keys without an array in shard `number`, which is done."""
        errors = {key: error_of(rest[0]) for key, *rest in self.manifest.rows(number)}
        return {key: error for key, error in errors.items() if error}

    def finish(self, num_shards: int) -> None:
        """Join shards 1 .. num_shards to NAME.scp and NAME_shape; drop older and half-written files."""
        with (
            atomic_open(self.directory / f"{self.name}_shape") as shapes,
            atomic_open(self.directory / f"{self.name}.scp") as scp,
        ):
            for number in range(1, num_shards + 1):
                for key, offset, *shape in self.manifest.rows(number):
                    if error_of(offset):
                        continue
                    scp.write(f"{key} {self.ark(number)}:{offset}\n")
                    shapes.write(f"{key} {','.join(map(str, shape))}\n")
        extra = num_shards + 1
        while self.manifest.path(extra).is_file() or self.ark(extra).is_file():
            self.manifest.forget(extra)
            self.ark(extra).unlink(missing_ok=True)
            extra += 1
        remove_unfinished(self.directory, self.manifest.directory)
