"""What each sound file of a set was made from, so that it is made again when that is another."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, TypeVar

from espnet2_valle.common.audio import Span
from espnet2_valle.common.fileio import atomic_open, read_journal, remove_unfinished
from espnet2_valle.jobs.pool import parallel_map
from espnet2_valle.jobs.shards import file_state, fingerprint

Job = TypeVar("Job")
LIST = "made_from"  # beside wav/: rows of name, state and samples


def sound_state(source: str | Path, span: Span | None, *options: object) -> str:
    """A digest of what a sound file is made from: its source as it is now, the part of it, and options."""
    return fingerprint([file_state(source), repr(span), *map(repr, options)])


class MadeFrom:
    """The sound files wav/NAME.flac of a set, and the list of what each was made from.

    Within its `with` block `samples` has the files that need not be made again, and `add` takes the others as
    they are written.

    Args:
        folder: of the set.
        states: of each file wanted, by its name; see `sound_state`. A file that was made in another state, or
            is not there, is to be made again.

    Attributes:
        samples: of each file that is as wanted, by its name.
    """

    def __init__(self, folder: str | Path, states: Mapping[str, str]):
        self.folder = Path(folder)
        self.states = states
        self.samples: dict[str, int] = {}

    def __enter__(self) -> "MadeFrom":
        for name, state, samples in read_journal(self.folder / LIST):
            if self.states.get(name) == state and (self.folder / "wav" / f"{name}.flac").is_file():
                self.samples[name] = samples
        self._write()  # without those to be made again: a kill before they are added would leave it wrong
        self._journal: IO[str] = open(self.folder / LIST, "a", encoding="utf-8")
        return self

    def add(self, name: str, samples: int) -> None:
        """Say that a file is written, and how long it is."""
        self.samples[name] = samples
        self._journal.write(self._row(name))
        self._journal.flush()

    def __exit__(self, kind: type | None, error: BaseException | None, trace: object) -> None:
        self._journal.close()
        if kind is None:
            remove_unfinished(self.folder / "wav")
            self._write()

    def _write(self) -> None:
        """Write the list in the order of what is wanted, however it came about."""
        with atomic_open(self.folder / LIST, alone=True) as stream:
            stream.writelines(self._row(name) for name in self.states if name in self.samples)

    def _row(self, name: str) -> str:
        return json.dumps([name, self.states[name], self.samples[name]]) + "\n"


def make_missing(
    folder: str | Path,
    states: Mapping[str, str],
    jobs: Mapping[str, Job],
    write: Callable[[Job], int],
    nj: int,
    title: str,
) -> dict[str, int]:
    """Write the sound files of a set that are not there as they are wanted; see `MadeFrom`.

    Args:
        folder, states: of `MadeFrom`.
        jobs: of each file, what `write` takes.
        write: picklable; writes a file and returns its samples.
        nj, title: of `parallel_map`.

    Returns:
        samples of every file, by its name.
    """
    with MadeFrom(folder, states) as made:
        pending = [name for name in jobs if name not in made.samples]
        work = [jobs[name] for name in pending]
        for name, samples in zip(pending, parallel_map(write, work, nj, title)):
            made.add(name, samples)
    return made.samples
