"""The folder of a list of pairs being decoded: what is done outlives a kill, what changed is done anew."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from espnet2_valle.common.fileio import atomic_open, remove_unfinished
from espnet2_valle.common.resume import Journal, is_done, mark_done

Ending = tuple[str, int]  # the outcome's name, and attempts made
OPTIONS_FILE, JOURNAL = "options.json", "journal.jsonl"


def wav_path(folder: str | Path, pair_id: str) -> Path:
    """Path of the speech of a pair."""
    return Path(folder) / "wav" / f"{pair_id}.wav"


def codes_path(folder: str | Path, pair_id: str) -> Path:
    """Path of its codes, of systems that have codes."""
    return Path(folder) / "codes" / f"{pair_id}.npy"


class DecodingFolder:
    """Folder with wav/<pair_id>.wav, and in the end wav.scp, outcomes and tries.

    Args:
        path: of the folder.
        options: of model and decoding. Where they are others than before, or a file that they name was
            written since, what is there is removed.
        asked: pair id -> a digest of what is to be said and in which voice. What is there of a pair that
            asked for something else is removed.

    Attributes:
        done: how each pair of `asked` ended that is done.
    """

    def __init__(self, path: str | Path, options: Mapping[str, Any], asked: Mapping[str, str]):
        self.path = Path(path)
        self._asked = asked
        self._journal = Journal(self.path / JOURNAL)
        self._forget_others(options)
        self.done: dict[str, Ending] = self._take_up()

    def _forget_others(self, options: Mapping[str, Any]) -> None:
        """Remove what was made with other options."""
        files = [
            Path(value) for value in options.values() if isinstance(value, str) and Path(value).is_file()
        ]
        stamp = {"options": options, "modified": {str(file): file.stat().st_mtime for file in files}}
        if is_done(self.path / OPTIONS_FILE, stamp):
            return
        self._journal.path.unlink(missing_ok=True)
        for old in [*self.path.glob("wav/*.wav"), *self.path.glob("codes/*.npy")]:
            old.unlink()
        mark_done(self.path / OPTIONS_FILE, stamp)

    def _take_up(self) -> dict[str, Ending]:
        """Endings of the pairs that are done; the others lose what is there of them.

        Pairs that are not asked for now keep what they have.
        """
        lines: dict[str, list[Any]] = {}
        for line in self._journal.rows():
            lines.update(line)
        kept = {
            pair: line
            for pair, line in lines.items()
            if pair not in self._asked or line[2:] == [self._asked[pair]]
        }
        self._journal.rewrite({pair: line} for pair, line in kept.items())
        for pair in self._asked.keys() - kept.keys():
            for old in (wav_path(self.path, pair), codes_path(self.path, pair)):
                old.unlink(missing_ok=True)
        return {pair: (line[0], line[1]) for pair, line in kept.items() if pair in self._asked}

    def record(self, results: Iterable[Mapping[str, Ending]]) -> None:
        """Write endings down as they come."""
        with self._journal as journal:
            for ended in results:
                self.done.update(ended)
                journal.append(*({pair: [*ending, self._asked[pair]]} for pair, ending in ended.items()))

    def finish(self, pair_ids: Sequence[str]) -> None:
        """Write wav.scp, outcomes (`pair_id outcome`) and tries (`pair_id attempts`) of these pairs."""
        remove_unfinished(self.path / "wav", self.path / "codes")
        with (
            atomic_open(self.path / "outcomes") as outcomes,
            atomic_open(self.path / "tries") as tries,
            atomic_open(self.path / "wav.scp") as scp,
        ):
            for pair_id in pair_ids:
                outcome, attempts = self.done[pair_id]
                outcomes.write(f"{pair_id} {outcome}\n")
                tries.write(f"{pair_id} {attempts}\n")
                if wav_path(self.path, pair_id).is_file():
                    scp.write(f"{pair_id} {wav_path(self.path, pair_id)}\n")
