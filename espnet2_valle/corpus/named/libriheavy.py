"""Libriheavy: Libri-Light with the text of the books."""

import gzip
import json
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from tqdm import tqdm

from espnet2_valle.common.errors import InputError
from espnet2_valle.corpus.cutting import Unit
from espnet2_valle.corpus.download import Archive
from espnet2_valle.corpus.long_recordings import DEPTH, LIBRILIGHT, SUBSETS, AbsLongRecordings, Aligned
from espnet2_valle.data.utterances import Utterance


class Corpus(AbsLongRecordings):
    """libriheavy_cuts_PART.jsonl.gz beside the folders of Libri-Light, or with them in download/librilight/.

    Neighbouring sentences of the training parts are joined; those of dev and test stay as they are.
    """

    title = "Libriheavy"
    home = "https://github.com/k2-fsa/libriheavy"
    folder = "libriheavy"
    parts = (*SUBSETS, "dev", "test_clean", "test_other")
    default_parts = ("small", "dev", "test_clean")

    def archives(self, parts: Sequence[str]) -> list[Archive]:
        base = "https://huggingface.co/datasets/pkufool/libriheavy/resolve/main"
        manifests = [Archive(f"{base}/{_manifest(part)}") for part in parts]
        return manifests + [
            Archive(f"{LIBRILIGHT}/{part}.tar", into=_SOUNDS) for part in parts if part in SUBSETS
        ]

    def is_root(self, path: Path) -> bool:
        return any((path / _manifest(part)).is_file() for part in self.parts)

    def recordings(self, root: Path, part: str, bad: dict[str, InputError]) -> Iterator[Utterance]:
        manifest = root / _manifest(part)
        if not manifest.is_file():
            raise InputError(
                manifest,
                f"the part '{part}' is not there",
                "Fetch it, or change --parts (in run.sh's --local_data_opts)",
            )
        sounds = root / _SOUNDS if (root / _SOUNDS).is_dir() else root
        limits = self.limits if part in SUBSETS else None
        return self.cut_recordings(_read_cuts(manifest), sounds, bad, limits)

    def set_of(self, recording: Utterance, part: str) -> str:
        return "train" if part in SUBSETS else "valid" if part == "dev" else "test"


_SOUNDS = "download/librilight"  # which the manifests name too


def _manifest(part: str) -> str:
    return f"libriheavy_cuts_{part}.jsonl.gz"


def _read_cuts(manifest: Path) -> Iterator[Aligned]:
    """Units of a manifest of lhotse cuts, with the text of the book (the second one is a recogniser's)."""
    with gzip.open(manifest, "rt", encoding="utf-8") as stream:
        for number, line in enumerate(tqdm(stream, desc=f"read {manifest.name}", unit=" cuts"), 1):
            try:
                entry = json.loads(line)
                text = entry["supervisions"][0]["custom"]["texts"][0]
                source = PurePosixPath(entry["recording"]["sources"][0]["source"]).with_suffix("")
                unit = Unit(entry["start"], entry["start"] + entry["duration"], " ".join(text.split()))
            except (ValueError, KeyError, IndexError, TypeError) as error:
                raise InputError(
                    f"{manifest}:{number}",
                    f"is not a cut of Libriheavy ({error!r})",
                    "Fetch the full manifest, not one extracted for ASR",
                ) from error
            yield Aligned("/".join(source.parts[-DEPTH:]), unit)
