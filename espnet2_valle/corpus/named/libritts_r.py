"""LibriTTS-R: LibriTTS after speech restoration."""

from collections.abc import Mapping, Sequence

from espnet2_valle.corpus.download import Archive
from espnet2_valle.corpus.libri import OPENSLR
from espnet2_valle.corpus.named import libritts


class Corpus(libritts.Corpus):
    """LibriTTS after speech restoration, in the same layout."""

    title = "LibriTTS-R"
    home = "https://www.openslr.org/141"
    license = "CC BY 4.0"
    folder = "LibriTTS_R"
    sizes: Mapping[str, int] = {}  # some utterances could not be restored
    checksums = {
        "dev-clean": "md5:2c1f5312914890634cc2d15783032ff3",
        "dev-other": "md5:62d3a80ad8a282b6f31b3904f0507e4f",
        "test-clean": "md5:4d373d453eb96c0691e598061bbafab7",
        "test-other": "md5:dbc0959d8bdb6d52200595cabc9995ae",
        "train-clean-100": "md5:6df668d8f5f33e70876bfa33862ad02b",
        "train-clean-360": "md5:382eb3e64394b3da6a559f864339b22c",
        "train-other-500": "md5:a37a8e9f4fe79d20601639bf23d1add8",
    }

    def archives(self, parts: Sequence[str]) -> list[Archive]:
        names = {part: part.replace("-", "_") for part in parts}
        return [Archive(f"{OPENSLR}/141/{names[part]}.tar.gz", self.checksums[part]) for part in parts]
