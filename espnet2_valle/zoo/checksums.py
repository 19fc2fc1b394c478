"""Checksums of the files of a packed model, as `sha256sum` writes and checks them."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from espnet2_valle.common.errors import InputError

FILE = "SHA256SUMS"
LINE = re.compile(r"([0-9a-f]{64}) [ *](.+)")
CHUNK = 2**20


def write_checksums(folder: Path, files: Iterable[Path]) -> Path:
    """Write the checksums of `files`, which lie in `folder`, and return the file that has them."""
    sums = {str(path.relative_to(folder)): _sha256(path) for path in files}
    (folder / FILE).write_text("".join(f"{sums[name]}  {name}\n" for name in sorted(sums)), encoding="utf-8")
    return folder / FILE


def read_checksums(where: str, content: bytes) -> dict[str, str]:
    """Name -> SHA-256.

    Raises:
        InputError: a line is none of `sha256sum`.
    """
    sums = {}
    for line in content.decode("utf-8", "replace").splitlines():
        found = LINE.fullmatch(line)
        if not found:
            raise InputError(where, f"its {FILE} has the line {line[:80]!r}", "Pack it again (stage 10)")
        sums[found[2]] = found[1]
    return sums


def check_sums(where: str, expected: Mapping[str, str], found: Mapping[str, str]) -> None:
    """Raise InputError unless each file that was found is as expected, name -> SHA-256."""
    for name, digest in found.items():
        if name not in expected:
            raise InputError(
                where, f"its '{name}' is not in {FILE}", "Fetch it again, or ask whoever packed it"
            )
        if expected[name] != digest:
            raise InputError(
                where,
                f"its '{name}' is not what was packed (sha256 {digest}, expected {expected[name]})",
                "Fetch it again; if it stays so, ask whoever packed it",
            )


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
