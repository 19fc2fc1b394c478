"""A few bad utterances are left out with a warning; more than a few end the work."""

import logging
from collections.abc import Mapping

from espnet2_valle.common.errors import InputError

SHOWN = 10  # of the utterances left out, so many are named in the log


def set_aside(bad: Mapping[str, InputError], total: int, max_bad: float, where: str) -> None:
    """Warn of bad utterances, or raise when they are too many.

    Args:
        bad: utterance -> what is wrong with it.
        total: number of utterances looked at.
        max_bad: the share that may be bad.
        where: the set, for the message.

    Raises:
        InputError: more than `max_bad` of the utterances are bad; it names the first.
    """
    if not bad:
        return
    first = next(iter(bad.values()))
    if len(bad) > max_bad * total:
        raise InputError(
            first.where,
            f"{first.problem} ({len(bad)} of {total} utterances of {where} are bad; --max_bad: {max_bad:g})",
            f"{first.remedy}, or raise --max_bad to go on without them",
        )
    logging.warning("%s: %d of %d utterances are bad and LEFT OUT:", where, len(bad), total)
    for utterance, error in list(bad.items())[:SHOWN]:
        logging.warning("  %s: %s", utterance, error)
