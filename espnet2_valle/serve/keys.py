"""Keys of those who may ask; without one only programs of this machine may."""

import hashlib
import hmac
import ipaddress
from collections.abc import Mapping
from pathlib import Path

from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import read_text
from espnet2_valle.serve.refusal import Refusal

MIN_LENGTH = 20  # characters of a key
FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip", "via")  # headers of proxies
LOCAL_NAMES = ("localhost", "127.0.0.1", "[::1]")
REMEDY = "Write lines `NAME KEY`, each key made with: openssl rand -hex 24"


class Keys:
    """The keys of a service, by their digests.

    Args:
        keys: name of the holder -> key.
    """

    def __init__(self, keys: Mapping[str, str] | None = None):
        self._names = {_digest(key): name for name, key in (keys or {}).items()}

    def __bool__(self) -> bool:
        return bool(self._names)

    @classmethod
    def load(cls, path: str | Path) -> "Keys":
        """Read lines `NAME KEY`.

        Raises:
            InputError: a line of another kind, a key that can be guessed, or one name twice.
        """
        keys: dict[str, str] = {}
        for number, line in enumerate(read_text(path).splitlines(), 1):
            words = line.split()
            if not words or words[0].startswith("#"):
                continue
            if len(words) != 2 or len(words[1]) < MIN_LENGTH or words[0] in keys:
                problem = f"line {number} is no name of its own with a key of {MIN_LENGTH} characters or more"
                raise InputError(path, problem, REMEDY)
            keys[words[0]] = words[1]
        if not keys:
            raise InputError(path, "has no key", REMEDY)
        return cls(keys)

    def holder(self, key: str) -> str | None:
        """The name of the holder of a key; None where it is none."""
        asked = _digest(key)
        found = None
        for digest, name in self._names.items():  # all, so that time tells nothing
            if hmac.compare_digest(digest, asked):
                found = name
        return found


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()


def identify(keys: Keys, peer: str | None, headers: Mapping[str, str], key: str | None = None) -> str:
    """Name whoever asks: a holder of a key, or a program of this machine.

    A browser of this machine may be sent here by a page from elsewhere, and a proxy on it stands for others:
    neither passes without a key.

    Args:
        keys: of the service.
        peer: address of the other end.
        headers: of the request, in lower case.
        key: where it is not in the header Authorization.

    Returns:
        `key NAME`, or `address ADDRESS`.

    Raises:
        Refusal: neither.
    """
    given = key or _bearer(headers.get("authorization", ""))
    if given:
        name = keys.holder(given)
        if name is not None:
            return f"key {name}"
        if keys:
            raise Refusal(401, "this is no key of this service", "invalid_api_key")
    if not _is_loopback(peer):
        raise Refusal(401, "a key is needed: Authorization: Bearer KEY", "invalid_api_key")
    if any(name in headers for name in FORWARDED):
        raise Refusal(401, "a key is needed behind a proxy: Authorization: Bearer KEY", "invalid_api_key")
    host = headers.get("host", "")
    if _without_port(host) not in LOCAL_NAMES:
        raise Refusal(401, f"a key is needed for the host {host[:80]}", "invalid_api_key")
    origin = headers.get("origin")
    if origin is not None and origin.partition("://")[2] != host:
        raise Refusal(403, "pages from elsewhere need a key", "foreign_origin")
    return f"address {peer}"


def is_holder(caller: str) -> bool:
    """Tell holders of keys from others."""
    return caller.startswith("key ")


def _bearer(header: str) -> str:
    kind, _, key = header.partition(" ")
    return key.strip() if kind.lower() == "bearer" else ""


def _is_loopback(peer: str | None) -> bool:
    try:
        return peer is not None and ipaddress.ip_address(peer).is_loopback
    except ValueError:
        return False


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return name.lower() if colon and port.isdigit() else host.lower()


def check_binding(host: str, keys: Keys) -> None:
    """Raise InputError for an address that others reach, where there are no keys."""
    if not keys and not _is_loopback("127.0.0.1" if host == "localhost" else host):
        raise InputError("--host", f"others reach {host}, and there are no keys", f"Give --keys. {REMEDY}")
