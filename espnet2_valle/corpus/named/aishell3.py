"""AISHELL-3: 85 hours of 218 speakers of Mandarin."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from espnet2_valle.common.errors import InputError
from espnet2_valle.corpus.abs_corpus import AbsCorpus, split_by_name
from espnet2_valle.corpus.download import Archive
from espnet2_valle.corpus.recording import Found, join
from espnet2_valle.corpus.split import Splits
from espnet2_valle.data.utterances import Utterance


class Corpus(AbsCorpus):
    """PART/content.txt (characters and pinyin by turns) and PART/wav/SPEAKER/NAME.wav; its own test set."""

    title = "AISHELL-3"
    home = "https://www.openslr.org/93"
    license = "Apache-2.0"
    language = "zh"
    folder = "data_aishell3"
    parts = default_parts = ("train", "test")
    recipe_defaults = {
        "g2p": "pypinyin_g2p_phone_without_prosody",
        "score_config": "../../conf/score/aishell3.yaml",
    }

    def archives(self, parts: Sequence[str]) -> list[Archive]:
        return [Archive("https://www.openslr.org/resources/93/data_aishell3.tgz", into=self.folder)]

    def is_root(self, path: Path) -> bool:
        return any((path / part / "content.txt").is_file() for part in self.parts)

    def read(self, root: Path, part: str) -> Found:
        self.check_part(root / part, part)
        content = root / part / "content.txt"
        texts = {}
        for number, line in enumerate(content.read_text(encoding="utf-8").splitlines(), 1):
            name, tab, words = line.partition("\t")
            if not tab:
                raise InputError(f"{content}:{number}", "has no tab behind its file name", "Unpack it again")
            texts[Path(name).stem] = "".join(words.split()[::2])  # the others are pinyin
        sounds = self.sounds(root / part / "wav", ".wav")
        speakers = {name: path.parent.name for name, path in sounds.items()}
        return join(texts, sounds, speakers, self.language, content)

    def split(self, found: Mapping[str, list[Utterance]], seed: int) -> Splits:
        return split_by_name(found, seed)
