"""Open a packed model: a local zip, or a name that espnet_model_zoo resolves."""

import glob
import shutil
import uuid
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import NamedTuple
from zipfile import BadZipFile, ZipFile

import yaml
from espnet2.main_funcs.pack_funcs import find_path_and_change_it_recursive

from espnet2_valle.common.cache import user_cache
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import UNFINISHED

META = "meta.yaml"
# What zipfile and yaml raise for archives that are none, cut short, encrypted or of other content.
NO_PACK = (RuntimeError, KeyError, ValueError, EOFError, BadZipFile, zlib.error, yaml.YAMLError)


class _Meta(NamedTuple):
    """The content of meta.yaml: argument -> name in the archive; names in YAML files become paths."""

    yaml_files: dict[str, str]
    files: dict[str, str]

    @property
    def names(self) -> dict[str, str]:
        return {**self.yaml_files, **self.files}


def unpack(model_tag: str | Path, cachedir: str | Path | None = None) -> dict[str, str]:
    """Unpack a model once and return the files that `Text2Speech` takes.

    Args:
        model_tag: path of a zip, or a model-zoo name or URL (downloaded by espnet_model_zoo).
        cachedir: where to unpack; default `user_cache()`, since espnet_model_zoo's own
            default lies inside site-packages.

    Returns:
        argument name -> path.

    Raises:
        InputError: no such file, not a packed model, or one that would write or read outside of its folder.
    """
    # Absolute, since paths in it are written into the YAML files.
    cache = Path(cachedir or user_cache()).expanduser().resolve()
    tag = str(model_tag)
    if "://" not in tag and Path(tag).suffix == ".zip":
        return _unpack_once(Path(tag), cache)
    return _from_zoo(tag, cache)


def _from_zoo(tag: str, cache: Path) -> dict[str, str]:
    """Download what espnet_model_zoo knows as `tag`. Its own unpacking would write whatever a model names."""
    from espnet_model_zoo.downloader import ModelDownloader

    downloader = ModelDownloader(cachedir=str(cache))
    with _told(tag):
        on_hub = downloader.get_url(name=tag).strip("/").endswith("huggingface.co")
        found = Path(downloader.huggingface_download(name=tag) if on_hub else downloader.download(name=tag))
    if not on_hub:
        return _unpack_once(found, cache)
    folder = found
    if not (folder / META).is_file():
        raise InputError(tag, f"is not a packed model (it has no {META})", "Correct the name")
    _read_meta(tag, (folder / META).read_bytes())
    # The very commit that was looked at, after which its folder is named.
    return dict(downloader.download_and_unpack(name=f"{tag.split('@')[0]}@{folder.name}"))


@contextmanager
def _told(tag: str) -> Iterator[None]:
    """Turn whatever a download fails with into InputError: each library of it has errors of its own."""
    try:
        yield
    except Exception as error:
        reason = (str(error).splitlines() or [repr(error)])[0]
        raise InputError(
            tag, f"cannot be fetched ({reason})", "Correct the name, or give the path of a zip"
        ) from error


def _unpack_once(archive: Path, cache: Path) -> dict[str, str]:
    """Unpack a zip where that is not done yet; where several processes do it, the first one's files stay."""
    if not archive.is_file():
        raise InputError(archive, "no such packed model", "Run stage 10 first, or correct the path")
    stat = archive.stat()
    target = cache / f"{archive.stem}-{stat.st_size}-{stat.st_mtime_ns}"
    if not target.is_dir():
        temporary = target.with_name(f"{UNFINISHED}{target.name}.{uuid.uuid4().hex}")
        try:
            _extract(archive, temporary, target)
            temporary.rename(target)
        except OSError:
            if not target.is_dir():  # else another process was faster
                raise
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        _remove_unfinished(target)
    return _unpacked(archive, target)


def _remove_unfinished(target: Path) -> None:
    """Remove what killed processes left of `target`; one still at work notices that it is not the first."""
    for folder in target.parent.glob(glob.escape(f"{UNFINISHED}{target.name}.") + "*"):
        shutil.rmtree(folder, ignore_errors=True)


def _extract(archive: Path, folder: Path, target: Path) -> None:
    """Write the files of `archive` into `folder`, which is to become `target`."""
    try:
        with ZipFile(archive) as opened:
            names = [entry.filename for entry in opened.infolist() if not entry.is_dir()]
            _check_inside(archive, opened.namelist())
            meta = _read_meta(archive, opened.read(META))
            for name in meta.names.values():
                if name not in names:
                    raise InputError(archive, f"lacks its file '{name}'", "Pack it again (stage 10)")
            opened.extractall(folder)
        for name in set(meta.yaml_files.values()):
            content = yaml.safe_load((folder / name).read_text(encoding="utf-8"))
            for named in names:
                content = find_path_and_change_it_recursive(content, named, str(target / named))
            (folder / name).write_text(yaml.safe_dump(content), encoding="utf-8")
    except NO_PACK as error:
        raise InputError(archive, f"is not a packed model ({error})", "Pack it again (stage 10)") from error


def _unpacked(archive: Path, folder: Path) -> dict[str, str]:
    """Argument name -> path of what lies in `folder`."""
    remedy = f"Remove {folder}, and it is unpacked again"
    paths = {META: folder / META}
    if paths[META].is_file():
        meta = _read_meta(archive, paths[META].read_bytes())
        paths = {argument: folder / name for argument, name in meta.names.items()}
    for path in paths.values():
        if not path.is_file():
            raise InputError(path, f"was unpacked from {archive} and is gone", remedy)
    return {argument: str(path) for argument, path in paths.items()}


def _read_meta(where: str | Path, text: bytes) -> _Meta:
    """Read and check meta.yaml.

    Raises:
        InputError: it does not name files, or some outside of the model's folder.
    """
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InputError(where, f"its {META} is not YAML ({error})", "Pack it again (stage 10)") from error
    groups: list[dict[str, str]] = []
    for field in _Meta._fields:
        group = content.get(field) if isinstance(content, dict) else None
        if not isinstance(group, dict) or not all(isinstance(name, str) for name in group.values()):
            raise InputError(where, f"its {META} does not say which files it has", "Pack it again (stage 10)")
        _check_inside(where, group.values())
        groups.append(group)
    return _Meta(*groups)


def _check_inside(where: str | Path, names: Iterable[str]) -> None:
    """Raise InputError at a name that leads out of the folder it is unpacked into."""
    for name in names:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts:
            raise InputError(
                where,
                f"names the file '{name}', which lies outside of the model's folder",
                "Do not use it unless whoever packed it can explain that",
            )
