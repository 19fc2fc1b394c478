"""Empty files whose names are those of sound files, in either Unicode form."""

import unicodedata

NFC = unicodedata.normalize("NFC", "caf\u00e9_0")
NFD = unicodedata.normalize("NFD", NFC)


def touch(path):
    """Make an empty file and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path
