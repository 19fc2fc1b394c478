"""The speech of a study's variants: decoded once, found again by what it was made from."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from espnet2_valle.common.audio import audio_seconds
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import atomic_open
from espnet2_valle.common.resume import digest
from espnet2_valle.data.code_files import encode_files
from espnet2_valle.data.datadir import DataDir, read_scp
from espnet2_valle.data.layout import MODELS, TrainedRun
from espnet2_valle.data.pairs import Pair, read_pairs, write_pairs
from espnet2_valle.generate.diffusion_options import DiffusionOptions
from espnet2_valle.generate.opening import ModelSpec
from espnet2_valle.study.completion import complete
from espnet2_valle.study.config import CODEC, NAR, NS2, VALLE, Variant
from espnet2_valle.study.prompt_data import PAIRS, change_prompts
from espnet2_valle.study.speech import decoded_codes, sound_of_codes

RECORDED = {CODEC: "codes", NAR: "recorded"}  # folder of codes that were encoded, not decoded
PROMPT_SEED = 0  # prompts are the same whatever the seed of decoding


@dataclass(frozen=True)
class Speech:
    """Speech of a variant.

    Attributes:
        folder: where it lies.
        codebooks: how many levels of the codes it is made from, None for all.
        wavs: pair id -> sound file.
        outcomes: pair id -> how decoding ended; {} where nothing was decoded.
        prompt_seconds: mean length of the prompts, where they were changed in length.
    """

    folder: Path
    codebooks: int | None
    wavs: dict[str, str]
    outcomes: dict[str, str]
    prompt_seconds: float | None = None

    def rows(self, voice: str) -> Path:
        """File of its scores against a voice."""
        return self.folder / f"scores_{voice}_{self.codebooks or 'all'}.jsonl"


@dataclass(frozen=True)
class Maker:
    """Maker of speech that finds again what is made.

    Attributes:
        pairs: of the test.
        data: their recordings.
        output: folder for all that is made.
        options: of decoding, which variants differ from; a variant may have no others.
        decode: writes wav.scp, outcomes and codes/ for (options with the models, list of pairs, data
            directory, folder); goes on where it was.
        inference_model: name of the weights in a run's ar/ and nar/.
        nj: number of processes.
    """

    pairs: Sequence[Pair]
    data: DataDir
    output: Path
    options: Mapping[str, Any]
    decode: Callable[[dict[str, Any], Path, Path, Path], None]
    inference_model: str
    nj: int = 1

    def overlaid(self, variant: Variant) -> dict[str, Any]:
        """The options of decoding of a variant.

        Raises:
            InputError: it has one that there is not.
        """
        own = asdict(DiffusionOptions()) if variant.source == NS2 else {}
        return overlay({**own, **self.options}, variant.decode, f"variant {variant.name}")

    def make(self, run: TrainedRun, variant: Variant, seed: int) -> Speech:
        """The speech of a variant by a run's models, decoded from a seed."""
        model = run.model_files(self.inference_model, (NS2,) if variant.source == NS2 else MODELS)
        options = {**self.overlaid(variant), "seed": seed}
        made: dict[str, Any] = {"model": model, "source": variant.source}
        asked = repr((self.pairs, self.data.wavs, self.data.texts))
        made["pairs"] = digest([asked], "sha1", digits=40)
        if variant.source != CODEC:
            made |= {"decode": options, "prompt": asdict(variant.prompt)}
        text = json.dumps(made, sort_keys=True, indent=2)
        folder = self.output / "speech" / digest([text], "sha1", digits=12)
        with atomic_open(folder / "made_from.json") as stream:
            stream.write(text)
        codec, codebooks = model["codec_config"], variant.codebooks
        if variant.source == CODEC:
            recorded = self._recorded(codec, folder / RECORDED[CODEC])
            return Speech(folder, codebooks, sound_of_codes(codec, recorded, folder, codebooks, self.nj), {})
        data_dir, pairs = self._prompts(variant, folder)
        outcomes = {}
        if variant.source == NAR:
            spec = ModelSpec.from_dict({**model, **options})
            recorded = self._recorded(codec, folder / RECORDED[NAR])
            complete(spec, read_pairs(pairs), DataDir.load(data_dir), recorded, folder, self.nj)
        else:
            self.decode({**model, **options}, pairs, data_dir, folder)
            outcomes = read_scp(folder / "outcomes")
        if variant.source == NS2 or (variant.source == VALLE and codebooks is None):
            wavs = read_scp(folder / "wav.scp")
        else:
            decoded = decoded_codes(folder, [pair.pair_id for pair in self.pairs])
            wavs = sound_of_codes(codec, decoded, folder, codebooks, self.nj)
        seconds = _prompt_seconds(pairs, data_dir) if variant.prompt.seconds else None
        return Speech(folder, codebooks, wavs, outcomes, seconds)

    def _recorded(self, codec: str, folder: Path) -> Mapping[str, np.ndarray]:
        """Codes of the reference recordings, by pair."""
        references = {pair.pair_id: self.data.wavs[pair.target_utt] for pair in self.pairs}
        return encode_files(codec, references, folder, self.nj)

    def _prompts(self, variant: Variant, folder: Path) -> tuple[Path, Path]:
        """The data directory with the variant's prompts, its own where it changes them, and the pairs."""
        if not (variant.prompt.seconds or variant.prompt.disturbance):
            write_pairs(folder / PAIRS, self.pairs)
            return self.data.path, folder / PAIRS
        changed = folder / "data"
        if not (changed / PAIRS).is_file():
            change_prompts(self.pairs, self.data, variant.prompt, PROMPT_SEED, changed)
        return changed, changed / PAIRS


def overlay(options: Mapping[str, Any], given: Mapping[str, Any], where: str | Path) -> dict[str, Any]:
    """`options` with some of them given anew.

    Raises:
        InputError: one is given that is not among them.
    """
    unknown = sorted(given.keys() - options.keys())
    if unknown:
        raise InputError(where, f"there is no option '{unknown[0]}'", f"Options are {', '.join(options)}")
    return {**options, **given}


def _prompt_seconds(pairs: Path, data_dir: Path) -> float:
    wavs = read_scp(data_dir / "wav.scp")
    return float(np.mean([audio_seconds(wavs[pair.prompt_utt]) for pair in read_pairs(pairs)]))
