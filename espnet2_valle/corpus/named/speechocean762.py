"""speechocean762: 250 speakers of Mandarin, half of them children, read English; five experts scored them."""

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import read_text
from espnet2_valle.corpus.abs_corpus import AbsCorpus, split_by_speaker
from espnet2_valle.corpus.download import Archive
from espnet2_valle.corpus.recording import Found, join
from espnet2_valle.corpus.split import Splits
from espnet2_valle.data.datadir import read_scp
from espnet2_valle.data.utterances import Utterance

SCORES = ("resource/scores.json", "scores.json")
ACCURACY, TEST_AGE = "min_accuracy", "min_test_age"
ALL_CLIPS = "take all clips: --corpus_conf min_accuracy=0 (in run.sh's --local_data_opts)"
ALL_AGES = "test with all speakers: --corpus_conf min_test_age=0 (in run.sh's --local_data_opts)"


class Corpus(AbsCorpus):
    """PART/{text,utt2spk,spk2age}, WAVE/SPEAKER*/NAME.WAV at 16 kHz, resource/scores.json; its own test set.

    Clips below an accuracy of `min_accuracy` (0 to 10) are left out, and of the test also speakers younger
    than `min_test_age`. Some speakers of the training part, whole, are the validation.
    """

    title = "speechocean762"
    home = "https://www.openslr.org/101"
    folder = "speechocean762"
    parts = default_parts = ("train", "test")
    options = {ACCURACY: 7.0, TEST_AGE: 18.0}

    def archives(self, parts: Sequence[str]) -> list[Archive]:
        return [Archive("https://www.openslr.org/resources/101/speechocean762.tar.gz")]

    def is_root(self, path: Path) -> bool:
        parts = (path / part / "text" for part in self.parts)
        return (path / "WAVE").is_dir() and any(text.is_file() for text in parts)

    def read(self, root: Path, part: str) -> Found:
        folder = root / part
        self.check_part(folder, part)
        texts, speakers = read_scp(folder / "text"), read_scp(folder / "utt2spk")
        kept = self._accurate(root, texts)
        kept = self._of_age(folder, kept, speakers) if part == "test" else kept
        if len(kept) < len(texts):
            logging.info("%s: %d of %d clips are left out", folder, len(texts) - len(kept), len(texts))
        sounds = self.sounds(root / "WAVE", ".wav")
        return join(
            {name: texts[name].lower() for name in kept},  # it is all capitals
            {name: sounds[name] for name in kept if name in sounds},
            speakers,
            self.language,
            folder / "text",
        )

    def _accurate(self, root: Path, names: Iterable[str]) -> list[str]:
        """Names of the clips that experts found accurate enough.

        Raises:
            InputError: there are no scores, or not of each.
        """
        least = self.conf[ACCURACY]
        if least <= 0:
            return list(names)
        path = next((root / name for name in SCORES if (root / name).is_file()), root / SCORES[0])
        if not path.is_file():
            raise InputError(path, "no such file", f"Unpack it, or {ALL_CLIPS}")
        try:
            scores = json.loads(read_text(path))
            return [name for name in names if float(scores[name]["accuracy"]) >= least]
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(
                path,
                f"does not tell the accuracy of each clip ({error!r})",
                f"Unpack it again, or {ALL_CLIPS}",
            ) from error

    def _of_age(self, folder: Path, names: Sequence[str], speakers: Mapping[str, str]) -> list[str]:
        """Names of the clips whose speakers are old enough.

        Raises:
            InputError: an age is not known.
        """
        least = self.conf[TEST_AGE]
        if least <= 0:
            return list(names)
        path = folder / "spk2age"
        try:
            ages = {speaker: float(age) for speaker, age in read_scp(path).items()}
            return [name for name in names if ages[speakers[name]] >= least]
        except (ValueError, KeyError) as error:
            raise InputError(
                path,
                f"does not tell the age of each speaker ({error!r})",
                f"Unpack it again, or {ALL_AGES}",
            ) from error

    def split(self, found: Mapping[str, list[Utterance]], seed: int) -> Splits:
        return split_by_speaker(found)
