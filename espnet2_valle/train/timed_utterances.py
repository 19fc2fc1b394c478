"""Utterances with latents, durations and pitch, and a prompt of the same voice, from a training index."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from espnet2_valle.codec.build import open_codec
from espnet2_valle.codec.world_features import interpolate_pitch
from espnet2_valle.common.errors import InputError
from espnet2_valle.data.arks import ArrayReader
from espnet2_valle.train.concatenate import ALONE
from espnet2_valle.train.index import SPEAKER_SHIFT, TrainingIndex
from espnet2_valle.train.iterator import IndexedUtterances, IndexIterFactory, Utterance

TIMING = "timing"
OTHER, OWN = PROMPT_SOURCES = ("other", "own")
OWN_SHARE = 0.5  # of an utterance that may be its own prompt
DRAWS = 2**31 - 1


@dataclass(frozen=True)
class PromptRule:
    """Source and length of the prompt of a training utterance.

    Attributes:
        source: `other`, another utterance of the speaker, where there is one; or `own`, a piece of the
            utterance itself, which is then left out of the losses, as in the paper.
        shortest, longest: frames.
    """

    source: str
    shortest: int
    longest: int

    def length(self, most: int, rng: np.random.Generator) -> int:
        """Draw a number of frames, as many as allowed and there."""
        drawn = int(rng.integers(self.shortest, max(self.shortest, self.longest) + 1))
        return max(1, min(drawn, most))


class TimedUtterances(IndexedUtterances):
    """Utterances by (number, ALONE, draw), where the draw decides on the prompt.

    Args:
        index: of the set.
        timing_dir: timing.scp of the set, see `valle data timing`.
        codec_config: codec.yaml of the codes.
        edge: token id that stands before and behind each text.
        rule: of prompts.
        preprocess: checks text and codes of an utterance, or None.

    Raises:
        InputError: timing or codec are missing.
    """

    def __init__(
        self,
        index: TrainingIndex,
        timing_dir: str | Path,
        codec_config: str,
        edge: int,
        rule: PromptRule,
        preprocess: Callable[[str, dict[str, np.ndarray]], dict[str, np.ndarray]] | None = None,
    ):
        super().__init__(index, preprocess)
        self.timing = ArrayReader(Path(timing_dir) / f"{TIMING}.scp", TIMING)
        self.codec_config = codec_config
        open_codec(codec_config)
        self.edge = edge
        self.rule = rule

    def __getitem__(self, item: tuple[int, ...]) -> Utterance:
        """Name, and what `ESPnetNS2Model.forward` takes of one utterance."""
        number, _, draw = item
        codec = open_codec(self.codec_config)
        name, text, codes = (
            self.index.utterance(number),
            self.index.text(number),
            self.index.codes(number),
        )
        if self.preprocess:
            self.preprocess(name, {"text": text, "codes": codes})
        text = np.concatenate([[self.edge], text, [self.edge]])
        pitch, durations = self.timed(name, len(text), len(codes))
        latent = codec.latent(codes)
        scored = np.ones(len(codes), dtype=np.float32)
        rng = np.random.default_rng(draw)
        other = self.companion(number, rng) if self.rule.source == OTHER else None
        if other is None:
            length = self.rule.length(int(len(codes) * OWN_SHARE), rng)
            begin = int(rng.integers(0, len(codes) - length + 1))
            prompt = latent[begin : begin + length]
            scored[begin : begin + length] = len(codes) <= length  # of a single frame all counts
        else:
            spoken = self.index.codes(other)
            length = self.rule.length(len(spoken), rng)
            begin = int(rng.integers(0, len(spoken) - length + 1))
            prompt = codec.latent(spoken[begin : begin + length])
        return name, {
            "text": text,
            "durations": durations,
            "latent": latent,
            "codes": codes.astype(np.int64),
            "pitch": pitch,
            "scored": scored,
            "prompt": prompt,
        }

    def timed(self, name: str, tokens: int, frames: int) -> tuple[np.ndarray, np.ndarray]:
        """Log F0 (T,) float32, drawn through what is unvoiced, and frames (S,) int64 of each token.

        Raises:
            InputError: the utterance has no timing, or one of other codes or another text.
        """
        remedy = "Run stage 4 again"
        try:
            array = self.timing[name]
        except KeyError as error:
            raise InputError(self.timing.path, f"'{name}' of the index is not in it", remedy) from error
        places = array[:, 1].astype(np.int64)
        if len(array) != frames or (len(places) and places.max() >= tokens):
            raise InputError(
                self.timing.path,
                f"'{name}' has {len(array)} frames of {places.max() + 1} tokens, not {frames} of {tokens}",
                remedy,
            )
        return interpolate_pitch(array[:, 0]).astype(np.float32), np.bincount(places, minlength=tokens)

    def companion(self, number: int, rng: np.random.Generator) -> int | None:
        """Draw another utterance of the same speaker; None where there is none."""
        speaker = int(self.index.columns["speaker"][number])
        keys = self.index.columns["speaker_frames"]
        first, last = np.searchsorted(keys, [speaker << SPEAKER_SHIFT, (speaker + 1) << SPEAKER_SHIFT])
        if last - first < 2:
            return None
        drawn = int(self.index.columns["by_speaker"][int(rng.integers(first, last - 1))])
        return drawn if drawn != number else int(self.index.columns["by_speaker"][last - 1])


class TimedIterFactory(IndexIterFactory):
    """Batches of `TimedUtterances`: the draws of prompts follow from seed, epoch and step."""

    def items(self, epoch: int, begin: int = 0) -> Iterator[list[tuple[int, ...]]]:  # type: ignore[override]
        """See `IndexIterFactory.items`."""
        for step, batch in enumerate(super().items(epoch, begin), begin):
            place = (self.seed, epoch, step, self.rank) if self.shuffle else (self.seed,)
            rng = np.random.default_rng(place)
            if self.shuffle:
                yield [(first, ALONE, int(rng.integers(DRAWS))) for first, _ in batch]
            else:  # the same prompt in each validation
                yield [(first, ALONE, first) for first, _ in batch]
