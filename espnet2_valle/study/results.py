"""Sections of a Markdown file that a program writes anew, among others that people write."""

from pathlib import Path

from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import atomic_open
from espnet2_valle.common.machine import cores, processor
from espnet2_valle.evaluation.scorecard import git_commit


def write_section(path: Path, key: str, text: str) -> None:
    """Put `text` between the markers of `key`; at the end of the file where it has none yet.

    Raises:
        InputError: the file has the first marker without the second behind it.
    """
    begin, end = f"<!-- {key} -->", f"<!-- end of {key} -->"
    section = f"{begin}\n{text.strip()}\n{end}\n"
    old = path.read_text(encoding="utf-8") if path.is_file() else ""
    before, found, rest = old.partition(begin)
    if found:
        _, closed, after = rest.partition(end)
        if not closed:
            raise InputError(path, f"has '{begin}' without '{end}'", "Remove the marker or add the other")
        new = before + section + after.removeprefix("\n")
    else:
        new = f"{old.rstrip()}\n\n{section}".lstrip()
    with atomic_open(path) as stream:
        stream.write(new)


def origin() -> list[str]:
    """Origin of metrics in a few words: the commit, and this machine's cores and processor."""
    commit = git_commit()
    return [f"commit {commit[:7] if commit else 'unknown'}", f"{cores()} CPU cores ({processor()})"]
