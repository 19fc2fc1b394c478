"""Open a packed model: a zip, a folder, a name that espnet_model_zoo knows, or a HuggingFace repository."""

import glob
import re
import shutil
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from zipfile import ZipFile

from espnet2_valle.common.cache import CACHES, user_cache
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import UNFINISHED
from espnet2_valle.zoo.archive import NO_ZIP, PACK_AGAIN, Contents, FolderContents, ZipContents
from espnet2_valle.zoo.checksums import FILE as CHECKSUMS
from espnet2_valle.zoo.checksums import check_sums, read_checksums
from espnet2_valle.zoo.hub import fetch
from espnet2_valle.zoo.meta import META, read_meta
from espnet2_valle.zoo.named import NamedFiles

CHECKED = "checked"  # ends names of folders in the cache; those of earlier versions were not


def unpack(model_tag: str | Path, cachedir: str | Path | None = None) -> dict[str, str]:
    """Unpack a model once and return the files that `Text2Speech` takes.

    Nothing of it is run: see `Contents` for its files, `NamedFiles` for its YAML files, `read_checksums`.

    Args:
        model_tag: path of a zip or a folder; a model-zoo name or URL (downloaded by espnet_model_zoo); or a
            HuggingFace repository, LAB/NAME or LAB/NAME@REVISION.
        cachedir: where to unpack; default `user_cache()`, since espnet_model_zoo's own
            default lies inside site-packages.

    Returns:
        argument name -> path.

    Raises:
        InputError: no such file, not a packed model, one that would write or read outside of its folder or
            without bound, or one that is not what was packed.
    """
    # Absolute, since paths in it are written into the YAML files.
    cache = Path(cachedir or user_cache()).expanduser().resolve()
    tag = str(model_tag)
    if "://" not in tag and Path(tag).suffix == ".zip":
        return _unpack_zip(Path(tag), cache)
    if Path(tag).is_dir():
        return _unpack_folder(FolderContents(Path(tag)), cache, Path(tag).resolve().name)
    return _from_zoo(tag, cache)


def _from_zoo(tag: str, cache: Path) -> dict[str, str]:
    """Download what espnet_model_zoo knows as `tag`. Its own unpacking would write whatever a model names."""
    from espnet_model_zoo.downloader import ModelDownloader

    with _told(tag):
        downloader = ModelDownloader(cachedir=str(cache))
        on_hub = downloader.get_url(name=tag).strip("/").endswith("huggingface.co")
        found = None if on_hub else Path(downloader.download(name=tag))
    if found is not None:
        return _unpack_zip(found, cache)
    with _told(tag):
        snapshot = fetch(tag, cache)
    name = re.sub(r"[^\w.@-]", "--", tag)
    return _unpack_folder(FolderContents(snapshot.folder, snapshot.within), cache, name)


@contextmanager
def _told(tag: str) -> Iterator[None]:
    """Turn whatever a download fails with into InputError: each library of it has errors of its own."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        reason = (str(error).splitlines() or [repr(error)])[0]
        raise InputError(
            tag, f"cannot be fetched ({reason})", "Correct the name, or give the path of a zip"
        ) from error


def _unpack_zip(archive: Path, cache: Path) -> dict[str, str]:
    if not archive.is_file():
        raise InputError(archive, "no such packed model", "Run stage 10 first, or correct the path")
    stat = archive.stat()
    target = cache / f"{archive.stem}-{stat.st_size}-{stat.st_mtime_ns}-{CHECKED}"
    if not target.is_dir():
        with _once(target) as folder:
            _extract(archive, folder, target)
    return _unpacked(str(archive), target)


def _unpack_folder(contents: FolderContents, cache: Path, name: str) -> dict[str, str]:
    meta = read_meta(contents.where, contents.read(META))
    named = NamedFiles(contents, meta.yaml_files, cache / name)  # for the names alone
    used = {META, *meta.names.values(), *named.names}
    used |= {CHECKSUMS} if CHECKSUMS in contents else set()
    for one in used:
        if one not in contents:
            raise InputError(contents.where, f"lacks its file '{one}'", PACK_AGAIN)
    target = cache / f"{name}-{contents.state(used)}-{CHECKED}"
    if not target.is_dir():
        with _once(target) as folder:
            _write(contents, folder, target, used)
    return _unpacked(contents.where, target)


@contextmanager
def _once(target: Path) -> Iterator[Path]:
    """A folder that becomes `target`; where several processes make one, the first one's stays.

    Raises:
        InputError: the disk takes no files.
    """
    temporary = target.with_name(f"{UNFINISHED}{target.name}.{uuid.uuid4().hex}")
    try:
        yield temporary
        temporary.rename(target)
    except OSError as error:
        if not target.is_dir():  # else another process was faster
            raise InputError(
                target,
                f"cannot be written ({error})",
                f"Make room there, or set {CACHES} to a folder that has it",
            ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    _remove_unfinished(target)


def _remove_unfinished(target: Path) -> None:
    """Remove what killed processes left of `target`; one still at work notices that it is not the first."""
    for folder in target.parent.glob(glob.escape(f"{UNFINISHED}{target.name}.") + "*"):
        shutil.rmtree(folder, ignore_errors=True)


def _extract(archive: Path, folder: Path, target: Path) -> None:
    """Write the files of `archive` into `folder`, which is to become `target`."""
    try:
        with ZipFile(archive) as opened:
            contents = ZipContents(opened, archive)
            _write(contents, folder, target, contents.names)
    except NO_ZIP as error:
        raise InputError(archive, f"is not a packed model ({error})", PACK_AGAIN) from error


def _write(contents: Contents, folder: Path, target: Path, names: Iterable[str]) -> None:
    """Write files of a pack into `folder`, which is to become `target`; YAML files get paths of `target`."""
    meta = read_meta(contents.where, contents.read(META))
    named = NamedFiles(contents, meta.yaml_files, target)
    used = {*meta.names.values(), *named.names}
    found = {name: contents.copy(name, folder / name) for name in sorted({*names, *used})}
    if CHECKSUMS in contents:  # which packs of earlier versions lack
        expected = read_checksums(contents.where, contents.read(CHECKSUMS))
        check_sums(contents.where, expected, {name: found[name] for name in sorted(used)})
    for name, text in named.texts.items():
        (folder / name).write_text(text, encoding="utf-8")


def _unpacked(where: str, folder: Path) -> dict[str, str]:
    """Argument name -> path of what lies in `folder`."""
    remedy = f"Remove {folder}, and it is unpacked again"
    paths = {META: folder / META}
    if paths[META].is_file():
        meta = read_meta(where, paths[META].read_bytes())
        paths = {argument: folder / name for argument, name in meta.names.items()}
    for path in paths.values():
        if not path.is_file():
            raise InputError(path, f"was unpacked from {where} and is gone", remedy)
    return {argument: str(path) for argument, path in paths.items()}
