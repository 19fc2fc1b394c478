"""Archives of codec codes: int16 (T, Q) matrices in kaldiio arks with an index and their shapes."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import kaldiio
import numpy as np

from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import atomic_open, atomic_path, remove_unfinished
from espnet2_valle.jobs.shards import Manifest, bad_row, error_of

INDEX = "codes.scp"
SHAPES = "codes_shape"


def write_ark(path: str | Path, items: Mapping[str, np.ndarray]) -> list[tuple[str, int, int, int]]:
    """Write codes to one ark, whole or not at all.

    Returns:
        Key, offset, T and Q of each item, the offset counted in bytes as in an scp.
    """
    with atomic_path(path) as temporary:
        scp = temporary.with_suffix(".scp")
        try:
            with kaldiio.WriteHelper(f"ark,scp:{temporary},{scp}", write_function="numpy") as writer:
                for key, codes in items.items():
                    writer(key, codes)
            offsets = [int(line.rsplit(":", 1)[1]) for line in scp.read_text(encoding="utf-8").splitlines()]
        finally:
            scp.unlink(missing_ok=True)
    return [
        (key, offset, codes.shape[0], codes.shape[1])
        for (key, codes), offset in zip(items.items(), offsets, strict=True)
    ]


def check_codes(key: str, codes: np.ndarray) -> np.ndarray:
    """Return `codes` as int16 (T, Q), or raise ValueError."""
    codes = np.asarray(codes)
    if codes.ndim != 2 or not np.issubdtype(codes.dtype, np.integer):
        raise ValueError(f"codes of {key} must be integers of shape (T, Q), got {codes.dtype} {codes.shape}")
    limits = np.iinfo(np.int16)
    if codes.size and (codes.min() < limits.min or codes.max() > limits.max):
        raise ValueError(f"codes of {key} do not fit in int16")
    return codes.astype(np.int16)


class ShardedCodes:
    """A folder of codes written shard by shard, each whole or absent.

    A shard is done when the manifest has it with the same fingerprint of all that its codes depend on, so a
    killed run goes on where it was and ends with the same bytes.

    Args:
        directory: gets codes.scp, codes_shape, codes.N.ark and manifest/.
    """

    def __init__(self, directory: str | Path):
        self.directory = Path(directory)
        self.manifest = Manifest(self.directory / "manifest")

    def ark(self, number: int) -> Path:
        """The ark of shard `number`, counted from 1."""
        return self.directory / f"codes.{number}.ark"

    def is_done(self, number: int, fingerprint: str) -> bool:
        """Whether shard `number` was written from what `fingerprint` stands for."""
        return self.ark(number).is_file() and self.manifest.is_done(number, fingerprint)

    def write(
        self,
        number: int,
        fingerprint: str,
        items: Mapping[str, np.ndarray],
        bad: Mapping[str, InputError] | None = None,
    ) -> None:
        """Write shard `number`: codes by utterance, and the errors of utterances that have none."""
        self.manifest.forget(number)
        rows = write_ark(self.ark(number), {key: check_codes(key, codes) for key, codes in items.items()})
        errors = [(key, bad_row(error)) for key, error in (bad or {}).items()]
        self.manifest.write(number, fingerprint, [*rows, *errors])

    def bad(self, number: int) -> dict[str, InputError]:
        """The errors of utterances without codes in shard `number`, which is done."""
        errors = {key: error_of(rest[0]) for key, *rest in self.manifest.rows(number)}
        return {key: error for key, error in errors.items() if error}

    def finish(self, num_shards: int) -> None:
        """Join shards 1 .. num_shards to codes.scp and codes_shape; drop older and half-written files."""
        with atomic_open(self.directory / SHAPES) as shapes, atomic_open(self.directory / INDEX) as scp:
            for number in range(1, num_shards + 1):
                for key, *place in self.manifest.rows(number):
                    if error_of(place[0]):
                        continue
                    offset, frames, codebooks = place
                    scp.write(f"{key} {self.ark(number)}:{offset}\n")
                    shapes.write(f"{key} {frames},{codebooks}\n")
        extra = num_shards + 1
        while self.manifest.path(extra).is_file() or self.ark(extra).is_file():
            self.manifest.forget(extra)
            self.ark(extra).unlink(missing_ok=True)
            extra += 1
        remove_unfinished(self.directory, self.manifest.directory)


class CodeWriter:
    """Writes codes of a modest number of utterances to a folder, all of them or nothing.

    Example:
        with CodeWriter("exp/x/decode") as writer:
            writer["utt1"] = codes

    Args:
        directory: gets codes.scp, codes_shape and codes.1.ark when the block ends well.
    """

    def __init__(self, directory: str | Path):
        self.shards = ShardedCodes(directory)
        self.items: dict[str, np.ndarray] = {}

    def __enter__(self) -> "CodeWriter":
        return self

    def __setitem__(self, key: str, codes: np.ndarray) -> None:
        self.items[key] = check_codes(key, codes)

    def __exit__(self, kind: type | None, error: BaseException | None, trace: object) -> None:
        if kind is None:
            self.shards.write(1, "", self.items)
            self.shards.finish(1)


class CodeReader(Mapping[str, np.ndarray]):
    """Codes by key, read when asked for.

    Args:
        path: a codes.scp. An ark that is not where it says is looked for beside it.

    Raises:
        InputError: missing file or a line at fault; on access, an ark at fault.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        if not self.path.is_file():
            raise InputError(path, "no such index of codes", "Run stage 4 first, or correct the path")
        self.entries: dict[str, tuple[Path, int]] = {}
        for number, line in enumerate(self.path.read_text(encoding="utf-8").splitlines(), 1):
            key, _, rest = line.partition(" ")
            ark, _, offset = rest.rpartition(":")
            if not ark or not offset.isdigit() or key in self.entries:
                raise InputError(
                    path, f"line {number} is not `utterance ark:offset`: {line!r}", "Run stage 4 again"
                )
            self.entries[key] = (Path(ark), int(offset))

    def __getitem__(self, key: str) -> np.ndarray:
        ark, offset = self.entries[key]
        if not ark.is_file():
            ark = self.path.parent / ark.name
        try:
            codes = kaldiio.load_mat(f"{ark}:{offset}")
        except (OSError, ValueError, EOFError, AssertionError, RuntimeError) as error:
            raise InputError(ark, f"cannot read the codes of {key} ({error})", "Run stage 4 again") from error
        if not isinstance(codes, np.ndarray) or codes.ndim != 2 or codes.dtype != np.int16:
            raise InputError(ark, f"the codes of {key} are not an int16 matrix", "Run stage 4 again")
        return codes

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)


def read_codes(codes_scp: str | Path) -> Mapping[str, np.ndarray]:
    """Open a codes.scp: utterance -> codes (T, Q) int16, read lazily."""
    return CodeReader(codes_scp)
