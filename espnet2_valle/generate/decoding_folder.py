"""The folder of a list of pairs being decoded: what is done outlives a kill, and other options start anew."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from espnet2_valle.common.fileio import atomic_open, read_journal, remove_unfinished

Ending = tuple[str, int]  # the outcome's name, and attempts made
OPTIONS_FILE, JOURNAL = "options.json", "journal.jsonl"


def wav_path(folder: str | Path, pair_id: str) -> Path:
    """Where the speech of a pair goes."""
    return Path(folder) / "wav" / f"{pair_id}.wav"


class DecodingFolder:
    """Holds wav/<pair_id>.wav, and in the end wav.scp, outcomes and tries.

    Args:
        path: of the folder.
        options: of model and decoding. Where they are others than before, or a file that they name was
            written since, what is there is removed.
    """

    def __init__(self, path: str | Path, options: Mapping[str, Any]):
        self.path = Path(path)
        self.done: dict[str, Ending] = self._take_up(options)

    def _take_up(self, options: Mapping[str, Any]) -> dict[str, Ending]:
        files = [
            Path(value) for value in options.values() if isinstance(value, str) and Path(value).is_file()
        ]
        stamp = {"options": options, "modified": {str(file): file.stat().st_mtime for file in files}}
        known = self.path / OPTIONS_FILE
        if known.is_file() and json.loads(known.read_text(encoding="utf-8")) == stamp:
            return self._read_journal()
        (self.path / JOURNAL).unlink(missing_ok=True)
        for old in [*self.path.glob("wav/*.wav"), *self.path.glob("codes/*.npy")]:
            old.unlink()
        with atomic_open(known) as stream:
            json.dump(stamp, stream)
        return {}

    def _read_journal(self) -> dict[str, Ending]:
        """Finished pairs; a last line cut off by a kill does not count."""
        done: dict[str, Ending] = {}
        path = self.path / JOURNAL
        if path.is_file():
            for endings in read_journal(path):
                done.update(endings)
            with atomic_open(path) as stream:
                stream.writelines(json.dumps({pair: ending}) + "\n" for pair, ending in done.items())
        return done

    def record(self, results: Iterable[Mapping[str, Ending]]) -> None:
        """Write endings down as they come."""
        with open(self.path / JOURNAL, "a", encoding="utf-8") as journal:
            for ended in results:
                self.done.update(ended)
                journal.writelines(json.dumps({pair: ending}) + "\n" for pair, ending in ended.items())
                journal.flush()

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
