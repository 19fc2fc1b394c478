"""LibriTTS: 585 hours of audiobooks by 2 456 speakers of English."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from tqdm import tqdm

from espnet2_valle.corpus.download import Archive
from espnet2_valle.corpus.libri import OPENSLR, AbsLibri
from espnet2_valle.corpus.recording import Found, join


class Corpus(AbsLibri):
    """PART/SPEAKER/CHAPTER/NAME.wav with NAME.normalized.txt beside it, at 24 kHz."""

    title = "LibriTTS"
    home = "https://www.openslr.org/60"
    license = "CC BY 4.0"
    folder = "LibriTTS"
    sizes: Mapping[str, int] = {
        "train-clean-100": 33236,
        "train-clean-360": 116500,
        "train-other-500": 205044,
        "dev-clean": 5736,
        "dev-other": 4613,
        "test-clean": 4837,
        "test-other": 5120,
    }
    checksums: Mapping[str, str] = {
        "dev-clean": "sha256:da0864e1bd26debed35da8a869dd5c04dfc27682921936de7cff9c8a254dbe1a",
        "dev-other": "sha256:d413eda26f3a152ac7c9cf3658ef85504dfb1b625296e5fa83727f5186cca79c",
        "test-clean": "sha256:234ea5b25859102a87024a4b9b86641f5b5aaaf1197335c95090cde04fe9a4f5",
        "test-other": "sha256:33a5342094f3bba7ccc2e0500b9e72d558f72eb99328ac8debe1d9080402f10d",
        "train-clean-100": "sha256:c5608bf1ef74bb621935382b8399c5cdd51cd3ee47cec51f00f885a64c6c7f6b",
        "train-clean-360": "sha256:ce7cff44dcac46009d18379f37ef36551123a1dc4e5c8e4eb73ae57260de4886",
        "train-other-500": "sha256:e35f7e34deeb2e2bdfe4403d88c8fdd5fbf64865cae41f027a185a6965f0a5df",
    }

    def archives(self, parts: Sequence[str]) -> list[Archive]:
        return [Archive(f"{OPENSLR}/60/{part}.tar.gz", self.checksums[part]) for part in parts]

    def read(self, root: Path, part: str) -> Found:
        folder = root / part
        self.check_part(folder, part)
        sounds = self.sounds(folder, ".wav")
        files = self.texts(folder, ".normalized.txt")
        texts = {
            name: path.read_text(encoding="utf-8") for name, path in tqdm(files.items(), desc=f"read {part}")
        }
        return join(texts, sounds, {name: name.split("_")[0] for name in sounds}, self.language, folder)
