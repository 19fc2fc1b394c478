"""EmoV-DB: four speakers of English read CMU ARCTIC sentences in five emotions."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from espnet2_valle.common.errors import InputError
from espnet2_valle.common.sound_files import SoundFolder
from espnet2_valle.corpus.abs_corpus import AbsCorpus
from espnet2_valle.corpus.download import Archive
from espnet2_valle.corpus.recording import Found, make_recording
from espnet2_valle.corpus.split import Splits
from espnet2_valle.data.utterances import Utterance

SPEAKERS = ("bea", "jenie", "josh", "sam")
EMOTIONS = {"amus": "amused", "ang": "angry", "disgust": "disgusted", "neutral": "neutral", "sleep": "sleepy"}
NOT_RECORDED = {"josh": ("Angry", "Disgusted")}
SENTENCES = "cmuarctic.data"
EVERY, TEST, VALID = 20, 0, 10  # sentence numbers whose remainder modulo 20 is 0 are the test, 10 validation


class Corpus(AbsCorpus):
    """SPEAKER_EMOTION/NAME_NUMBER.wav, or SPEAKER/EMOTION/, and the sentences of CMU ARCTIC, set A.

    All say the same sentences, so every twentieth sentence is held out for the test, whoever says it.
    """

    title = "EmoV-DB"
    home = "https://www.openslr.org/115"
    folder = "EmoV-DB"

    def archives(self, parts: Sequence[str]) -> list[Archive]:
        names = [
            f"{speaker}_{emotion.capitalize()}"
            for speaker in SPEAKERS
            for emotion in EMOTIONS.values()
            if emotion.capitalize() not in NOT_RECORDED.get(speaker, ())
        ]
        base = "https://www.openslr.org/resources/115"
        sounds = [Archive(f"{base}/{name}.tar.gz", into=name) for name in names]
        return [Archive(f"http://www.festvox.org/cmu_arctic/{SENTENCES}"), *sounds]

    def is_root(self, path: Path) -> bool:
        return (path / SENTENCES).is_file()

    def read(self, root: Path, part: str) -> Found:
        sentences = _sentences(root / SENTENCES)
        found = Found()
        sounds = SoundFolder(root)
        sounds.warn()
        for path in sounds.files:
            name = path.relative_to(root).as_posix()
            speaker, emotion = _speaker(path.relative_to(root)), _emotion(path.relative_to(root))
            number = re.search(r"(\d{4})$", path.stem)
            if not (speaker and emotion and number):
                found.bad[name] = InputError(
                    path, "its path does not tell speaker, emotion and sentence", "Keep the corpus' own names"
                )
            elif number[1] not in sentences:
                found.bad[name] = InputError(path, f"{SENTENCES} has no sentence {number[1]}", "Remove it")
            else:
                found.recordings.append(
                    make_recording(
                        f"{speaker}-{emotion}-{path.stem}",
                        speaker,
                        sentences[number[1]],
                        path,
                        self.language,
                        emotion,
                    )
                )
        return found

    def split(self, found: Mapping[str, list[Utterance]], seed: int) -> Splits:
        splits: Splits = {"train": [], "valid": [], "test": []}
        names = {TEST: "test", VALID: "valid"}
        for recording in sum(found.values(), []):
            splits[names.get(int(recording.utterance[-4:]) % EVERY, "train")].append(recording)
        return splits


def _sentences(path: Path) -> dict[str, str]:
    """Number -> sentence of set A; a line is `( arctic_a0001 "Author of the danger trail" )`."""
    found = re.findall(r'^\(\s*arctic_a(\d{4})\s+"(.*)"\s*\)', path.read_text(encoding="utf-8"), re.M)
    if not found:
        raise InputError(path, 'has no line like `( arctic_a0001 "..." )`', "Fetch it again")
    return dict(found)


def _speaker(path: Path) -> str:
    """The folder that names the speaker, alone or before the emotion."""
    names = [part.lower().split("_")[0] for part in path.parts[:-1]]
    return next((name for name in names if name in SPEAKERS), "")


def _emotion(path: Path) -> str:
    """The first word of the file's name tells the emotion, in several forms; else a folder does."""
    words = [path.stem, *(word for part in reversed(path.parts[:-1]) for word in part.split("_"))]
    return next(
        (name for word in words for stem, name in EMOTIONS.items() if word.lower().startswith(stem)), ""
    )
