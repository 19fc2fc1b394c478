"""Published weights of codecs, fetched once into torch's cache."""

from pathlib import Path

from espnet2_valle.common.errors import InputError


def fetch_weights(url: str, sha256: str, name: str, where: str, remedy: str) -> Path:
    """Path of a file in torch's cache, downloaded and checked on first use.

    Args:
        url: the file's address.
        sha256: its digest, or how that begins.
        name: path below the cache's folder of weights.
        where: the codec, to be named in the error.
        remedy: of the error.

    Raises:
        InputError: no network, or another file than the digest's.
    """
    import torch

    target = Path(torch.hub.get_dir()) / "checkpoints" / name
    if not target.is_file():
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(url, str(target), hash_prefix=sha256)
        except (OSError, RuntimeError) as error:
            raise InputError(where, f"its weights could not be downloaded ({error})", remedy) from error
    return target
