"""Archives of codec codes: int16 (T, Q) matrices in kaldiio arks with an index and their shapes."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from espnet2_valle.common.errors import InputError
from espnet2_valle.data.arks import ArrayReader, ShardedArks

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


class CodeReader(ArrayReader):
    """Codes by key, read when asked for; see `ArrayReader`."""

    def __init__(self, path: str | Path):
        super().__init__(path, NAME)

    def __getitem__(self, key: str) -> np.ndarray:
        codes = super().__getitem__(key)
        if not isinstance(codes, np.ndarray) or codes.ndim != 2 or codes.dtype != np.int16:
            raise InputError(
                self.place(key)[0], f"the codes of {key} are not an int16 matrix", "Run stage 4 again"
            )
        return codes


def read_codes(codes_scp: str | Path) -> Mapping[str, np.ndarray]:
    """Open a codes.scp: utterance -> codes (T, Q) int16, read lazily."""
    return CodeReader(codes_scp)
