"""Fetch the archives of a corpus: taken up where a transfer broke off, checked, unpacked once.

Written on `requests`: pooch and torchaudio check what they fetch but begin a broken transfer anew, lhotse
goes on with it but compares sizes at most; and an archive here may have hundreds of gigabytes.
"""

import hashlib
import logging
import re
import shutil
import tarfile
import time
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

import requests
from tqdm import tqdm

from espnet2_valle.common.errors import InputError
from espnet2_valle.common.resume import is_done, mark_done
from espnet2_valle.data.datadir import read_if_there, write_scp

ATTEMPTS = 4  # in a row, without a byte received
WAIT = 2.0  # seconds before another attempt, twice as many after each
TIMEOUT = (20, 60)  # seconds to connect, and without a byte
RECEIVED = 1 << 16  # bytes taken from the net at once; so many are lost where a transfer breaks off
CHUNK = 1 << 20  # bytes of a file read at once
UNPACKED_RATIO = 1.6  # unpacked speech over its archive; LJSpeech, the worst, has 1.4
RECORD = "archives"  # `name algorithm:digest` of each archive ever fetched into a folder


@dataclass(frozen=True)
class Archive:
    """One file to fetch.

    Attributes:
        url: where it lies.
        checksum: `md5:...` or `sha256:...` as published; "" where none is: then the first download is
            recorded, and later ones are held against it.
        into: folder, below that of the corpus, which it is unpacked into.
    """

    url: str
    checksum: str = ""
    into: str = ""

    @property
    def name(self) -> str:
        return self.url.rsplit("/", 1)[1]


def fetch(archives: Iterable[Archive], folder: str | Path, mirror: str = "") -> None:
    """Download, check and unpack what is not there yet.

    An archive that lies in `folder` already is not downloaded; once unpacked, it is removed.

    Args:
        archives: what to fetch.
        folder: where it goes.
        mirror: URL of a folder to take all archives from, in place of their own addresses.

    Raises:
        InputError: an address out of reach, a wrong checksum, a broken archive, or too little space.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for archive in archives:
        done = folder / f".{archive.name}.done"
        if is_done(done):
            continue
        path = folder / archive.name
        if not path.is_file():
            download(f"{mirror.rstrip('/')}/{archive.name}" if mirror else archive.url, path)
        check(path, archive.checksum)
        if unpack(path, folder / archive.into):
            path.unlink()
            mark_done(done)


def download(url: str, path: Path) -> None:
    """Fetch `url` to `path`; a broken transfer, of this or an earlier run, is taken up where it was.

    Raises:
        InputError: the address cannot be reached or has no such file, or the disk is too small.
    """
    part = path.with_name(f"{path.name}.part")
    failures = 0
    while True:
        before = _size(part)
        try:
            _transfer(url, part)
            break
        except requests.RequestException as error:
            failures = 1 if _size(part) > before else failures + 1
            if failures == ATTEMPTS:
                raise _unreachable(url, path, f"cannot be reached ({error})") from error
            logging.warning("%s: broken off (%s); taken up again", url, error)
            time.sleep(WAIT * 2 ** (failures - 1))
    part.replace(path)
    _tag_file(part).unlink(missing_ok=True)


def _transfer(url: str, part: Path) -> None:
    """Append to `part` what it lacks of `url`; from the start if the server's file is another by now."""
    tag = _tag_file(part)
    have = _size(part)
    version = tag.read_text(encoding="utf-8") if tag.is_file() else ""
    headers = {"Accept-Encoding": "identity"}
    if have:
        headers |= {"Range": f"bytes={have}-"} | ({"If-Range": version} if version else {})
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
        if response.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            if response.headers.get("Content-Range", "").endswith(f"/{have}"):
                return  # it was whole already
            part.unlink()
            raise requests.ConnectionError("the file there is shorter than what was fetched of it before")
        if response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            response.raise_for_status()
        if response.status_code not in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
            raise _unreachable(url, part, f"answers {response.status_code} {response.reason}")
        resumed = response.status_code == HTTPStatus.PARTIAL_CONTENT
        have = have if resumed else 0
        total = have + int(response.headers.get("Content-Length", 0))
        _need_space(part.parent, total - have + int(UNPACKED_RATIO * total), url)
        version = response.headers.get("ETag", "W/")
        if version.startswith("W/"):  # a weak one promises nothing about bytes
            version = response.headers.get("Last-Modified", "")
        tag.write_text(version, encoding="utf-8")
        with (
            open(part, "ab" if resumed else "wb") as stream,
            tqdm(total=total or None, initial=have, unit="B", unit_scale=True, desc=part.stem) as bar,
        ):
            for chunk in response.iter_content(RECEIVED):
                bar.update(stream.write(chunk))
    if _size(part) < total:
        raise requests.ConnectionError(f"cut short at {_size(part)} of {total} bytes")


def check(path: Path, checksum: str = "") -> None:
    """Hold a file against its published checksum, or against what was recorded when it was first fetched.

    Raises:
        InputError: it is another; the file is put aside, so that it is fetched anew.
    """
    record = path.parent / RECORD
    known = read_if_there(record)
    expected = checksum or known.get(path.name, "")
    algorithm = expected.partition(":")[0] or "sha256"
    found = f"{algorithm}:{file_checksum(path, algorithm)}"
    if expected and found != expected:
        path.replace(path.with_name(f"{path.name}.bad"))
        source = "published" if checksum else f"recorded in {record}"
        raise InputError(
            path,
            f"has {found}, and {source} is {expected}; it is now called {path.name}.bad",
            "Run again to fetch it anew, or give the corpus with --db DIR",
        )
    if path.name not in known:
        write_scp(record, {**known, path.name: found})


def file_checksum(path: Path, algorithm: str) -> str:
    """Hexadecimal digest of a file's bytes, with a bar."""
    found = hashlib.new(algorithm)
    with open(path, "rb") as file, _bar(path, f"{algorithm} of {path.name}") as bar:
        while chunk := file.read(CHUNK):
            found.update(chunk)
            bar.update(len(chunk))
    return found.hexdigest()


def unpack(path: Path, folder: Path) -> bool:
    """Unpack a tar (however compressed) or zip into `folder`, outside of which nothing is written.

    Returns:
        False for a file that is no archive, which is left where it is.

    Raises:
        InputError: a broken archive.
    """
    try:
        if zipfile.is_zipfile(path):
            _unzip(path, folder)
        elif re.search(r"\.(tar|tgz)(\.\w+)?$", path.name):
            _untar(path, folder)
        else:
            return False
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # of the disk, not of the archive
        raise InputError(path, f"is a broken archive ({error})", "Remove it and run again") from error
    return True


def _unzip(path: Path, folder: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        for member in tqdm(archive.infolist(), desc=f"unpack {path.name}"):
            archive.extract(member, folder)


def _untar(path: Path, folder: Path) -> None:
    # Read as one stream, whose position in the file is the progress.
    with (
        open(path, "rb") as file,
        tarfile.open(fileobj=file, mode="r|*") as archive,
        _bar(path, f"unpack {path.name}") as bar,
    ):
        archive.extraction_filter = getattr(tarfile, "data_filter", None)
        for member in archive:
            if archive.extraction_filter is None:  # Python 3.10 before .12, 3.11 before .4
                _check_inside(member, folder.resolve())
            archive.extract(member, folder)
            bar.update(file.tell() - bar.n)


def _check_inside(member: tarfile.TarInfo, folder: Path) -> None:
    """Raise TarError at what is no file, folder or link, or would lie or lead outside of `folder`."""
    place = folder / member.name
    leads = [place]
    if member.issym():
        leads.append(place.parent / member.linkname)
    elif member.islnk():
        leads.append(folder / member.linkname)
    elif not (member.isfile() or member.isdir()):
        raise tarfile.TarError(f"'{member.name}' is no file")
    if not all(lead.resolve().is_relative_to(folder) for lead in leads):
        raise tarfile.TarError(f"'{member.name}' would be outside of the folder")


def _bar(path: Path, title: str) -> tqdm:
    return tqdm(total=path.stat().st_size, unit="B", unit_scale=True, desc=title)


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _tag_file(part: Path) -> Path:
    """Path of the server's name for the version of the file that `part` begins."""
    return part.with_name(f"{part.name}.etag")


def _need_space(folder: Path, needed: int, url: str) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise InputError(
            folder,
            f"{free / 1e9:.1f} GB are free, and {url} needs {needed / 1e9:.1f} GB to be fetched and unpacked",
            "Free some, or name another folder in db.sh or with --db",
        )


def _unreachable(url: str, path: Path, problem: str) -> InputError:
    return InputError(
        url,
        problem,
        f"Run again later, put {path.name.removesuffix('.part')} into {path.parent} yourself, "
        "name a mirror (--mirror URL, in run.sh's --local_data_opts), or give the unpacked corpus "
        "with --db DIR",
    )
