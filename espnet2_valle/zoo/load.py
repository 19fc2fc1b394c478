"""Open a packed model: a local zip, or a name that espnet_model_zoo resolves."""

from pathlib import Path
from zipfile import BadZipFile

from espnet2.main_funcs.pack_funcs import unpack as espnet_unpack

from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import user_cache


def unpack(model_tag: str | Path, cachedir: str | Path | None = None) -> dict[str, str]:
    """Unpack a model once and return the files that `Text2Speech` takes.

    Args:
        model_tag: path of a zip, or a model-zoo name or URL (downloaded by espnet_model_zoo).
        cachedir: where to unpack; default `~/.cache/espnet2_valle`, since espnet_model_zoo's own
            default lies inside site-packages.

    Returns:
        argument name -> path.

    Raises:
        InputError: no such file, or not a packed model.
    """
    cache = Path(cachedir or user_cache()).expanduser()
    path = Path(model_tag)
    if path.suffix != ".zip":
        from espnet_model_zoo.downloader import ModelDownloader

        return ModelDownloader(cachedir=str(cache)).download_and_unpack(str(model_tag))
    if not path.is_file():
        raise InputError(path, "no such packed model", "Run stage 10 first, or correct the path")
    stat = path.stat()
    target = cache / f"{path.stem}-{stat.st_size}-{int(stat.st_mtime)}"
    try:
        return espnet_unpack(path, target)
    except (RuntimeError, KeyError, ValueError, BadZipFile) as error:
        raise InputError(path, f"is not a packed model ({error})", "Pack it again (stage 10)") from error
