"""A few bad utterances are left out with a warning; more than a few end the work."""

import logging
from collections.abc import Mapping
from pathlib import Path

from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import atomic_open

SHOWN = 10  # of the utterances left out, so many are named in the log
LIST = "set_aside"  # beside the work's output: each utterance left out, and why
MAX_BAD = 0.01  # the default of --max_bad


class SetAside:
    """Counter of bad utterances while work goes on.

    Args:
        total: number of utterances that are looked at.
        max_bad: the share that may be bad.
        where: the set, for messages.
    """

    def __init__(self, total: int, max_bad: float, where: str):
        self.total = total
        self.max_bad = max_bad
        self.where = where
        self.bad: dict[str, InputError] = {}

    def extend(self, bad: Mapping[str, InputError]) -> None:
        """Count bad utterances.

        Raises:
            InputError: now more than `max_bad` of the utterances are bad; it names the first.
        """
        self.bad.update(bad)
        if len(self.bad) <= self.max_bad * self.total:
            return
        first = next(iter(self.bad.values()))
        raise InputError(
            first.where,
            f"{first.problem} ({len(self.bad)} of {self.total} utterances of {self.where} are bad; "
            f"--max_bad: {self.max_bad:g})",
            f"{first.remedy}, or raise --max_bad to go on without them",
        )

    def report(self, folder: str | Path | None = None) -> None:
        """Warn of the bad utterances, if there are some; list them all in `folder`, sorted."""
        bad = sorted(self.bad.items())
        if folder is not None:
            with atomic_open(Path(folder) / LIST) as stream:
                stream.writelines(f"{utterance} {error}\n" for utterance, error in bad)
        if not bad:
            return
        logging.warning("%s: %d of %d utterances are bad and LEFT OUT:", self.where, len(bad), self.total)
        for utterance, error in bad[:SHOWN]:
            logging.warning("  %s: %s", utterance, error)


def set_aside(bad: Mapping[str, InputError], total: int, max_bad: float, where: str) -> None:
    """Warn of bad utterances, all found already, or raise when they are too many; see `SetAside`."""
    kept = SetAside(total, max_bad, where)
    kept.extend(bad)
    kept.report()
