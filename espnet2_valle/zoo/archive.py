"""Files of a packed model, in a zip or in a folder: none leads out of it, and none unpacks without bound."""

import hashlib
import os
import stat
import zlib
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Collection, Iterable
from pathlib import Path, PurePosixPath
from typing import BinaryIO
from zipfile import BadZipFile, ZipFile, ZipInfo, is_zipfile

from espnet2_valle.common.errors import InputError

UNTRUSTED = "Do not use it unless whoever packed it can explain that"
PACK_AGAIN = "Pack it again (stage 10)"
# What zipfile raises for archives that are none, cut short, damaged, encrypted or of a foreign kind.
NO_ZIP = (RuntimeError, ValueError, EOFError, BadZipFile, zlib.error, NotImplementedError)
MOST_FILES = 10_000
# Weights hardly shrink; what grows more than this and is not small was made to fill a disk or a memory.
MOST_GROWTH = 20
SMALL = 64 * 2**20  # bytes
CHUNK = 2**20


class Contents(ABC):
    """The files of a packed model by their names, such as `ar/config.yaml`.

    Attributes:
        where: zip or folder, for messages.
    """

    where: str

    @abstractmethod
    def __contains__(self, name: object) -> bool:
        """Tell whether there is a file of that name."""

    @abstractmethod
    def open(self, name: str) -> BinaryIO:
        """Open a file that is there."""

    def read(self, name: str) -> bytes:
        """Content of a small file, such as a YAML.

        Raises:
            InputError: there is none, or it is not small.
        """
        if name not in self:
            raise InputError(self.where, f"lacks its file '{name}'", PACK_AGAIN)
        with self.open(name) as stream:
            content = stream.read(SMALL + 1)
        if len(content) > SMALL:
            raise InputError(self.where, f"its '{name}' has more than {SMALL >> 20} MiB", UNTRUSTED)
        return content

    def copy(self, name: str, target: Path) -> str:
        """Copy a file to `target`, and return its SHA-256.

        Raises:
            InputError: there is none, or it is a zip that grows beyond measure.
        """
        if name not in self:
            raise InputError(self.where, f"lacks its file '{name}'", PACK_AGAIN)
        target.parent.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        with self.open(name) as stream, open(target, "wb") as copy:
            while chunk := stream.read(CHUNK):
                digest.update(chunk)
                copy.write(chunk)
        if is_zipfile(target):  # weights of torch and NumPy are zips
            with ZipFile(target) as inner:
                check_growth(f"{self.where}: {name}", inner.infolist(), target.stat().st_size)
        return digest.hexdigest()


class ZipContents(Contents):
    """Those of a zip.

    Raises:
        InputError: a name that leads out of the folder, a link, two files of one name, or more bytes or files
            than a model has.
    """

    def __init__(self, archive: ZipFile, path: Path):
        self.where = str(path)
        self.archive = archive
        entries = archive.infolist()
        check_inside(self.where, (entry.filename for entry in entries))
        for entry in entries:
            kind = stat.S_IFMT(entry.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise InputError(self.where, f"its '{entry.filename}' is a link or a device", UNTRUSTED)
        self.names = [entry.filename for entry in entries if not entry.is_dir()]
        twice = [name for name, count in Counter(self.names).items() if count > 1]
        if twice:
            raise InputError(self.where, f"has two files '{twice[0]}'", UNTRUSTED)
        check_growth(self.where, entries, path.stat().st_size)

    def __contains__(self, name: object) -> bool:
        return name in self.names

    def open(self, name: str) -> BinaryIO:
        """See Contents."""
        return self.archive.open(name)  # type: ignore[return-value]


class FolderContents(Contents):
    """Those of a folder.

    Args:
        folder: with meta.yaml in it.
        within: where its links may lead: the folder itself, or that of the cache that made the links.
    """

    def __init__(self, folder: Path, within: Path | None = None):
        self.where = str(folder)
        self.folder = folder
        self.within = (within or folder).resolve()

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.path(name).is_file()

    def path(self, name: str) -> Path:
        """Path of a file, which need not be there.

        Raises:
            InputError: it, or what it links to, lies outside of the folder.
        """
        check_inside(self.where, [name])
        path = self.folder / name
        if not path.resolve().is_relative_to(self.within):
            raise InputError(self.where, f"its '{name}' is a link to {path.resolve()}", UNTRUSTED)
        return path

    def open(self, name: str) -> BinaryIO:
        """See Contents."""
        return open(self.path(name), "rb")

    def state(self, names: Collection[str]) -> str:
        """Digest of the path, and of size and time of the files."""
        digest = hashlib.sha256(os.fsencode(self.folder.resolve()))
        for name in sorted(names):
            found = self.path(name).stat()
            digest.update(f"\n{name} {found.st_size} {found.st_mtime_ns}".encode())
        return digest.hexdigest()[:16]


def check_growth(where: str, entries: Iterable[ZipInfo], size: int) -> None:
    """Raise InputError if a zip of `size` bytes has more files, or grows more, than a model does."""
    entries = list(entries)
    if len(entries) > MOST_FILES:
        raise InputError(where, f"has {len(entries)} files", UNTRUSTED)
    unpacked = sum(entry.file_size for entry in entries)
    if unpacked > max(SMALL, MOST_GROWTH * size):
        raise InputError(where, f"has {size / 1e6:.1f} MB and unpacks to {unpacked / 1e6:,.0f} MB", UNTRUSTED)


def check_inside(where: str, names: Iterable[str]) -> None:
    """Raise InputError at a name that leads out of the folder it is unpacked into."""
    for name in names:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "\\" in name:
            raise InputError(
                where, f"names the file '{name}', which lies outside of the model's folder", UNTRUSTED
            )
