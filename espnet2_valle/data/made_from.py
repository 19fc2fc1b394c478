"""Origin of each sound file of a set, so that it is made again when that is another."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from espnet2_valle.common.audio import Span
from espnet2_valle.common.fileio import remove_unfinished
from espnet2_valle.common.resume import Journal, digest, file_state
from espnet2_valle.jobs.pool import parallel_map

Job = TypeVar("Job")
LIST = "made_from"  # rows of name, state and samples
FLAC = "wav/{}.flac"


def sound_state(source: str | Path, span: Span | None, *options: object) -> str:
    """A digest of what a sound file is made from: its source as it is now, the part of it, and options."""
    return digest([file_state(source), repr(span), *map(repr, options)])


class MadeFrom:
    """The sound files of a set, and the list of what each was made from.

    Within its `with` block `samples` has the files that need not be made again, and `add` takes the others as
    they are written.

    Args:
        folder: of the set; gets the list.
        states: of each file wanted, by its name; see `sound_state`. A file that was made in another state, or
            is not there, is to be made again.
        place: of a file below `folder`, with {} for its name.

    Attributes:
        samples: of each file that is as wanted, by its name.
    """

    def __init__(self, folder: str | Path, states: Mapping[str, str], place: str = FLAC):
        self.folder = Path(folder)
        self.states = states
        self.place = place
        self.samples: dict[str, int] = {}
        self._journal = Journal(self.folder / LIST)

    def path(self, name: str) -> Path:
        """Path of a file."""
        return self.folder / self.place.format(name)

    def __enter__(self) -> "MadeFrom":
        for name, state, samples in self._journal.rows():
            if self.states.get(name) == state and self.path(name).is_file():
                self.samples[name] = samples
        self._write()  # without those to be made again: a kill before they are added would leave it wrong
        return self

    def add(self, name: str, samples: int) -> None:
        """Say that a file is written, and how long it is."""
        self.samples[name] = samples
        self._journal.append(self._row(name))

    def __exit__(self, kind: type | None, error: BaseException | None, trace: object) -> None:
        self._journal.close()
        if kind is None:
            remove_unfinished(self.folder, self.path("").parent)
            self._write()

    def _write(self) -> None:
        """Write the list in the order of what is wanted, however it came about."""
        self._journal.rewrite(self._row(name) for name in self.states if name in self.samples)

    def _row(self, name: str) -> list[str | int]:
        return [name, self.states[name], self.samples[name]]


def make_missing(
    folder: str | Path,
    states: Mapping[str, str],
    jobs: Mapping[str, Job],
    write: Callable[[Job], int],
    nj: int,
    title: str,
    place: str = FLAC,
) -> dict[str, int]:
    """Write the sound files of a set that are not there as they are wanted; see `MadeFrom`.

    Args:
        folder, states, place: of `MadeFrom`.
        jobs: of each file, what `write` takes.
        write: picklable; writes a file and returns its samples.
        nj, title: of `parallel_map`.

    Returns:
        samples of every file, by its name.
    """
    with MadeFrom(folder, states, place) as made:
        pending = [name for name in jobs if name not in made.samples]
        work = [jobs[name] for name in pending]
        for name, samples in zip(pending, parallel_map(write, work, nj, title)):
            made.add(name, samples)
    return made.samples
