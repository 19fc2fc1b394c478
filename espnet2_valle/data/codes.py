"""Archives of codec codes: int16 (T, Q) matrices in kaldiio arks with an index and their shapes."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import kaldiio
import numpy as np

from espnet2_valle.common.errors import InputError
from espnet2_valle.data.arks import ShardedArks

NAME = "codes"
INDEX = f"{NAME}.scp"
SHAPES = f"{NAME}_shape"


def check_codes(key: str, codes: np.ndarray) -> np.ndarray:
    """Return `codes` as int16 (T, Q), or raise ValueError."""
    codes = np.asarray(codes)
    if codes.ndim != 2 or not np.issubdtype(codes.dtype, np.integer):
        raise ValueError(f"codes of {key} must be integers of shape (T, Q), got {codes.dtype} {codes.shape}")
    limits = np.iinfo(np.int16)
    if codes.size and (codes.min() < limits.min or codes.max() > limits.max):
        raise ValueError(f"codes of {key} do not fit in int16")
    return codes.astype(np.int16)


class ShardedCodes(ShardedArks):
    """A folder of codes written shard by shard: codes.scp, codes_shape, codes.N.ark and manifest/."""

    def __init__(self, directory: str | Path):
        super().__init__(directory, NAME)

    def checked(self, key: str, array: np.ndarray) -> np.ndarray:
        """See `check_codes`."""
        return check_codes(key, array)


class CodeWriter:
    """Writer of codes of a modest number of utterances to a folder, all of them or nothing.

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
