"""Raters: those of the server's database, and those who sent their answers as files."""

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from espnet2_valle.common.errors import InputError
from espnet2_valle.listening.build import DATABASE, PUBLIC
from espnet2_valle.listening.store import Store

SENT = "answers-"  # before the name of one who sent a file: the server's raters are numbers


def read_raters(test_dir: Path, files: Sequence[Path]) -> list[dict[str, Any]]:
    """Raters of the server's database and of answer files that raters sent: `rater` and `answers` of each.

    Raises:
        InputError: neither is there, or a file is not of this test.
    """
    raters: list[dict[str, Any]] = []
    if (test_dir / DATABASE).is_file():
        store = Store(test_dir / DATABASE)
        raters += store.everything()
        store.close()
    page = json.loads((test_dir / PUBLIC / "test.json").read_text(encoding="utf-8"))
    raters += _without_copies([(file, read_answers(file, page)) for file in files])
    if not raters:
        raise InputError(test_dir, "has no ratings yet", "Serve the test, or give --answers")
    return raters


def _without_copies(sent: Sequence[tuple[Path, dict[str, Any]]]) -> list[dict[str, Any]]:
    """Each rater once, by the file with the most answers, of several such that with the later name.

    Browsers save a second time as "answers-abc (1).json": that is no second rater.
    """
    fullest = sorted(sent, key=lambda entry: (len(entry[1]["answers"]), entry[0].stem))
    kept = {given["rater"]: (file, given) for file, given in fullest}
    for file, given in sent:
        chosen, by = kept[given["rater"]]
        if by is not given:
            logging.warning("%s: is left out; %s is of the same rater", file, chosen)
    return [given for _, given in kept.values()]


def read_answers(file: Path, page: Mapping[str, Any]) -> dict[str, Any]:
    """`rater` and `answers` (trial -> answer) of a file that a rater sent.

    Raises:
        InputError: it is not readable, of another test, names no rater, or has answers that the page does
            not let one give.
    """
    try:
        given = json.loads(file.read_text(encoding="utf-8"))
        if given["test"] != page["id"]:
            raise InputError(file, "has answers to another test", "Leave it out")
        for trial, answer in given["answers"].items():
            _check_scores(trial, answer["scores"], page)
        return {"rater": SENT + _checked_rater(given["rater"]), "answers": dict(given["answers"])}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(file, f"is no file of answers ({error!r})", "Leave it out") from error


def _checked_rater(rater: Any) -> str:
    """Raise ValueError unless it can be a rater's name."""
    if not isinstance(rater, str) or not rater:
        raise ValueError(f"rater: {rater!r}")
    return rater


def _check_scores(trial: str, scores: Mapping[str, Any], page: Mapping[str, Any]) -> None:
    """Raise ValueError unless the page could have given these scores."""
    if trial not in page["trials"]:
        return  # a tone triple, or nothing that is counted
    names = {stimulus["id"] for stimulus in page["trials"][trial]["stimuli"]}
    values = list(scores.values())
    if set(scores) != names or not all(
        v is None or (isinstance(v, (int, float)) and page["low"] <= v <= page["high"]) for v in values
    ):
        raise ValueError(f"scores of {trial}: {scores}")
