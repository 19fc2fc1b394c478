"""Archives of arrays written shard by shard: kaldiio arks with an index and the arrays' shapes."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import kaldiio
import numpy as np

from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import atomic_open, atomic_path, remove_unfinished
from espnet2_valle.data.setaside import SetAside
from espnet2_valle.jobs.shards import (
    Manifest,
    bad_row,
    cut,
    error_of,
    lasting,
    numbered_shards,
    shard_state,
    work_on_shards,
)

Row = tuple[str | int, ...]  # key, offset, and the array's dimensions
Source = tuple[str, str]  # key, and the file that its array is made from
Batch = Sequence[Source]
Made = dict[str, np.ndarray | InputError]  # by key


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

    A shard is done when the manifest has it with the same digest of all that its arrays depend on, so a
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

    def is_done(self, number: int, mark: str) -> bool:
        """Tell whether shard `number` was written from what the digest `mark` stands for."""
        return self.ark(number).is_file() and self.manifest.is_done(number, mark)

    def fill(
        self,
        sources: Iterable[Source],
        depends_on: str,
        work: Callable[[Sequence[Source]], Made],
        *,
        nj: int,
        title: str,
        shard_size: int,
        aside: SetAside | None = None,
        batch_size: int = 1,
        length: Callable[[Source], float] | None = None,
    ) -> None:
        """Make an array of each source, but for shards that are done.

        Args:
            sources: taken shard by shard, twice: once to see which are done.
            depends_on: what the arrays depend on besides the files.
            work: makes the arrays of a batch; picklable.
            nj: workers.
            title: of the progress bar.
            shard_size: files a shard.
            aside: takes the keys whose files are bad; without it the first of them ends the work.
            batch_size: sources of a shard that are worked on at once.
            length: of a source; batches are of about the same length, since the shorter ones are padded.

        Raises:
            InputError: a bad file, or more of them than `aside` allows.
        """
        marks: dict[int, str] = {}  # of shards to be done
        total = last = 0
        for last, sounds in numbered_shards(sources, shard_size):
            mark = shard_state(depends_on, sounds)
            if self.is_done(last, mark):
                _put_aside(self.bad(last), aside)
            else:
                marks[last] = mark
                total += -(-len(sounds) // batch_size)

        def pending() -> Iterator[tuple[tuple[int, Sequence[Source], Sequence[Batch]], Sequence[Batch]]]:
            for number, shard in numbered_shards(sources, shard_size):
                if number in marks:
                    batches = cut(
                        sorted(shard, key=length) if length and batch_size > 1 else shard, batch_size
                    )
                    yield (number, shard, batches), batches

        for (number, shard, batches), results in work_on_shards(work, pending(), nj, title, total=total):
            arrays, bad = _divide(shard, batches, results)
            self.write(number, marks[number], arrays, bad)
            _put_aside(bad, aside)
        self.finish(last)

    def write(
        self,
        number: int,
        mark: str,
        items: Mapping[str, np.ndarray],
        bad: Mapping[str, InputError] | None = None,
    ) -> None:
        """Write shard `number`: arrays by key, and the errors of keys that have none.

        With a WorkError among them it is not done: another run writes it again.
        """
        self.manifest.forget(number)
        rows = write_ark(self.ark(number), {key: self.checked(key, array) for key, array in items.items()})
        errors = [(key, bad_row(error)) for key, error in (bad or {}).items()]
        self.manifest.write(number, lasting(mark, (bad or {}).values()), [*rows, *errors])

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
                ark = str(self.ark(number))
                for key, offset, *shape in self.manifest.rows(number):
                    if error_of(offset):
                        continue
                    scp.write(f"{key} {ark}:{offset}\n")
                    shapes.write(f"{key} {','.join(map(str, shape))}\n")
        extra = num_shards + 1
        while self.manifest.path(extra).is_file() or self.ark(extra).is_file():
            self.manifest.forget(extra)
            self.ark(extra).unlink(missing_ok=True)
            extra += 1
        remove_unfinished(self.directory, self.manifest.directory)


class ArrayReader(Mapping[str, np.ndarray]):
    """Arrays by key, read when asked for.

    Args:
        path: a NAME.scp. An ark that is not where it says is looked for beside it.
        name: of the arrays, for messages.

    Raises:
        InputError: missing file or a line at fault; on access, an ark at fault.
    """

    def __init__(self, path: str | Path, name: str):
        self.path = Path(path)
        self.name = name
        if not self.path.is_file():
            raise InputError(path, f"no such index of {name}", "Run stage 4 first, or correct the path")
        self.entries: dict[str, tuple[Path, int]] = {}
        for number, line in enumerate(self.path.read_text(encoding="utf-8").splitlines(), 1):
            key, _, rest = line.partition(" ")
            ark, _, offset = rest.rpartition(":")
            if not ark or not offset.isdigit() or key in self.entries:
                raise InputError(
                    path, f"line {number} is not `utterance ark:offset`: {line!r}", "Run stage 4 again"
                )
            self.entries[key] = (Path(ark), int(offset))

    def place(self, key: str) -> tuple[Path, int]:
        """Ark of an array, and the byte in it."""
        ark, offset = self.entries[key]
        return (ark if ark.is_file() else self.path.parent / ark.name), offset

    def __getitem__(self, key: str) -> np.ndarray:
        ark, offset = self.place(key)
        try:
            return kaldiio.load_mat(f"{ark}:{offset}")
        except (OSError, ValueError, EOFError, AssertionError, RuntimeError) as error:
            raise InputError(
                ark, f"cannot read the {self.name} of {key} ({error})", "Run stage 4 again"
            ) from error

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)


def _divide(
    shard: Sequence[Source], batches: Iterable[Sequence[Source]], results: Iterable[Made | InputError]
) -> tuple[dict[str, np.ndarray], dict[str, InputError]]:
    """Arrays of a shard's files in their order, and errors of those that have none.

    A batch at which workers died is bad as a whole.
    """
    made: Made = {}
    for batch, result in zip(batches, results, strict=True):
        made |= {key: result for key, _ in batch} if isinstance(result, InputError) else result
    arrays: dict[str, np.ndarray] = {}
    bad: dict[str, InputError] = {}
    for key, _ in shard:
        found = made[key]
        if isinstance(found, InputError):
            bad[key] = found
        else:
            arrays[key] = found
    return arrays, bad


def _put_aside(bad: Mapping[str, InputError], aside: SetAside | None) -> None:
    """Let `aside` take bad files, or raise the first one's error."""
    if aside is not None:
        aside.extend(bad)
    elif bad:
        raise next(iter(bad.values()))
