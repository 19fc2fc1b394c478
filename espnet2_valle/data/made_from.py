"""Origin of each sound file of a set, so that it is made again when that is another."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Generic, TypeVar

from espnet2_valle.common.audio import Span
from espnet2_valle.common.errors import InputError, WorkError
from espnet2_valle.common.fileio import remove_unfinished
from espnet2_valle.common.resume import Journal, digest, file_state
from espnet2_valle.data.tables import Row, in_order, matched
from espnet2_valle.jobs.pool import parallel_map

Job = TypeVar("Job")
LIST = "made_from"  # rows of name, state and samples
FLAC = "wav/{}.flac"


def sound_state(source: str | Path, span: Span | None, *options: object) -> str:
    """A digest of what a sound file is made from: its source as it is now, the part of it, and options."""
    return digest([file_state(source), repr(span), *map(repr, options)])


@contextmanager
def told_to_make_anew() -> Iterator[None]:
    """Within the block, a bad sound file of a formatted set is said to be one that stage 2 can make anew.

    Raises:
        InputError: in place of another that names the file.
    """
    try:
        yield
    except WorkError:
        raise
    except InputError as error:
        folder = Path(error.where).parents[1] if len(Path(error.where).parts) > 2 else Path()
        if not (folder / LIST).is_file():
            raise
        remedy = f"Remove it and {folder}/.done, and run stage 2 again, which makes it anew"
        raise InputError(error.where, error.problem, remedy) from error


class MadeFrom(Generic[Job]):
    """The sound files of a set, and the list of what each was made from, in order of their names.

    Within its `with` block `missing` gives those to be made, and `add` takes them as they are written. Memory
    does not grow with the set.

    Args:
        folder: of the set; gets the list.
        wanted: name of each file wanted, in order, and what it is made from; taken several times.
        state_of: what a file is made from, as a text; see `sound_state`. A file that was made in another
            state, or is not there, is to be made again.
        place: of a file below `folder`, with {} for its name.

    Attributes:
        kept: number of files that need not be made again.
        num_missing: number of those that are to be made.
    """

    def __init__(
        self,
        folder: str | Path,
        wanted: Iterable[tuple[str, Job]],
        state_of: Callable[[Job], str],
        place: str = FLAC,
    ):
        self.folder = Path(folder)
        self.wanted = wanted
        self.state_of = state_of
        self.place = place
        self.kept = self.num_missing = 0
        self._journal = Journal(self.folder / LIST)

    def path(self, name: str) -> Path:
        """Path of a file."""
        return self.folder / self.place.format(name)

    def __enter__(self) -> "MadeFrom[Job]":
        # Without those to be made again: a kill before they are added would leave the list wrong.
        self._journal.rewrite(self._good())
        return self

    def _good(self) -> Iterator[Row]:
        """Rows of the list that are of files which need not be made again."""
        for (name, job), rows in matched(self.wanted, in_order(self._journal.read, 3)):
            state = self.state_of(job) if rows else ""
            good = next((row for row in rows if row[1] == state), None)
            if good and self.path(name).is_file():
                self.kept += 1
                yield good
            else:
                self.num_missing += 1

    def missing(self) -> Iterator[tuple[str, str, Job]]:
        """Name, state now, and what it is made from, of each file that is to be made."""
        there = islice(self._journal.read(), self.kept)  # and not those that are added meanwhile
        for (name, job), rows in matched(self.wanted, there):
            if not rows:
                yield name, self.state_of(job), job

    def add(self, name: str, state: str, samples: int) -> None:
        """Say that a file is written, from what, and how long it is."""
        self._journal.append([name, state, samples])

    def __exit__(self, kind: type | None, error: BaseException | None, trace: object) -> None:
        self._journal.close()
        if kind is None:
            remove_unfinished(self.folder, self.path("").parent)
            self._journal.rewrite(in_order(self._journal.read, 3))

    def samples(self) -> Iterator[tuple[str, int]]:
        """Name and length of each file that is there, when all are made."""
        return ((name, samples) for name, _, samples in self._journal.read())


def make_missing(
    folder: str | Path,
    states: Mapping[str, str],
    jobs: Mapping[str, Job],
    write: Callable[[Job], int],
    nj: int,
    title: str,
    place: str = FLAC,
) -> dict[str, int]:
    """Write the sound files of a modest set that are not there as they are wanted; see `MadeFrom`.

    Args:
        folder, place: of `MadeFrom`.
        states: of each file, by its name.
        jobs: of each file, what `write` takes.
        write: picklable; writes a file and returns its samples.
        nj, title: of `parallel_map`.

    Returns:
        samples of every file, by its name.
    """
    wanted = [(name, name) for name in sorted(jobs)]
    with MadeFrom(folder, wanted, states.__getitem__, place) as made:
        pending = list(made.missing())
        work = [jobs[name] for name, _, _ in pending]
        for (name, state, _), samples in zip(pending, parallel_map(write, work, nj, title)):
            made.add(name, state, samples)
    return dict(made.samples())
