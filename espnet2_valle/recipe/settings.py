"""Settings of a run: its names, its stages, and the words of its commands."""

import json
import os
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from espnet2_valle.common.errors import InputError
from espnet2_valle.common.machine import workers
from espnet2_valle.recipe.corpora import DOWNLOADS, EMBEDDED, Source
from espnet2_valle.recipe.names import TEST, Names
from espnet2_valle.recipe.options import FIELDS

FIRST, LAST = 1, 11
DATA_STAGES, TRAINING_STAGES, EVALUATION_STAGES, PACK, UPLOAD = (1, 2, 3, 4), (5, 6), (7, 8, 9), 10, 11
# What a packed model needs no stage for: its codec and tokens are in it.
TEXT, CODEC, SCORE = 3, 4, 8
GPU_BATCH_SIZE = "16"
WEIGHT = re.compile(r"[0-9]+\.?[0-9]*|\.[0-9]+")


@dataclass(frozen=True)
class Settings(Names):
    """A run: what valle.sh goes by."""

    @property
    def stages(self) -> list[int]:
        """Numbers of the stages that were asked for and are of use."""
        options = self.options
        wanted = set(range(max(options.stage, FIRST), min(options.stop_stage, LAST) + 1))
        if options.skip_data_prep or options.train_share:
            wanted -= {*DATA_STAGES}
        if options.skip_train or options.download_model:
            wanted -= {*TRAINING_STAGES}
        if options.skip_eval:
            wanted -= {*EVALUATION_STAGES}
        if options.skip_upload_hf:
            wanted -= {UPLOAD}
        if options.download_model:
            wanted -= {TEXT, CODEC, PACK, UPLOAD}
        if options.train_share:  # all but the two models is the run's
            wanted &= {*TRAINING_STAGES}
        return sorted(wanted)

    @property
    def loads_scorers(self) -> bool:
        """True if models are yet to be trained, and will be scored by others than the default's."""
        trained = all(Path(self.exp, kind, ".done").is_file() for kind in self.kinds)
        training = bool({*TRAINING_STAGES} & {*self.stages}) and not trained
        return bool(self.options.score_config) and training and SCORE in self.stages

    # Words of commands

    @cached_property
    def nj(self) -> str:
        """Number of workers of the data stages."""
        return self.options.nj or str(workers())

    @property
    def inference_nj(self) -> str:
        """Number of workers of decoding and scoring."""
        return self.options.inference_nj or self.nj

    @property
    def batch_size(self) -> str:
        """Utterances at once in a worker, of codec and decoding."""
        return self.options.batch_size or (GPU_BATCH_SIZE if self.options.gpu_inference else "1")

    @property
    def text_options(self) -> list[str]:
        """Options of reading texts."""
        options = self.options
        words = ["--token_type", options.token_type, "--g2p", options.g2p, "--cleaner", options.cleaner]
        return words + (["--bpemodel", f"{self.token}/bpe.model"] if options.token_type == "bpe" else [])

    @property
    def phone_options(self) -> list[str]:
        """The same for the recogniser of phones, which knows no pieces."""
        if self.options.token_type == "bpe":
            return ["--token_type", "char", "--cleaner", self.options.cleaner]
        return self.text_options

    @property
    def model_options(self) -> list[str]:
        """The models and the codec that speak."""
        if self.options.download_model:
            return ["--model_tag", self.options.download_model]
        words = []
        for kind in self.kinds:
            words += [f"--{kind}_train_config", f"{self.exp}/{kind}/config.yaml"]
            words += [f"--{kind}_model_file", f"{self.exp}/{kind}/{self.options.inference_model}"]
        return [*words, *self.codec_options]

    @property
    def codec_options(self) -> list[str]:
        """The codec alone."""
        if self.options.download_model:
            return ["--model_tag", self.options.download_model]
        return ["--codec_config", f"{self.exp}/codec/codec.yaml"]

    @property
    def model_done(self) -> list[str]:
        """Files that change with the models that speak."""
        if self.options.download_model:
            return _if_file(self.options.download_model)
        return [f"{self.exp}/{kind}/.done" for kind in self.kinds]

    @property
    def codec_done(self) -> list[str]:
        """Files that change with the codec that speaks."""
        if self.options.download_model:
            return _if_file(self.options.download_model)
        return [f"{self.exp}/codec/.done"]

    def _workers(self, number: str) -> list[str]:
        cluster = self.options.cluster
        return ["--nj", number, *(["--cluster", cluster] if cluster else [])]

    @property
    def preparations(self) -> str:
        """Commands of valle.sh that prepare the corpora, one a line.

        Raises:
            InputError: see `data_options`.
        """
        options = self.options
        if not self.sources:
            one = (options.corpus, options.db, self.data, options.test_sets, options.download)
            return _command("prepare", *one, *self.data_options())
        return "".join(
            _command(
                "prepare",
                *(source.corpus, source.db, self.data_of(source), TEST, self._is_fetched(source)),
                *self.data_options(source.name),
            )
            for source in self.sources
        )

    def _is_fetched(self, source: Source) -> bool:
        """Tell whether a corpus lies where the recipe downloads it to."""
        folder = Path(source.db)
        fetched = folder.name == source.corpus and folder.parent.name == DOWNLOADS
        return self.options.download and fetched and os.path.realpath(folder.parent.parent) == os.getcwd()

    def data_options(self, name: str = "") -> list[str]:
        """Options of local/data.sh. Recordings that are made need no limit: none is bad.

        Args:
            name: of one of several corpora, which gets those for all and those behind its name.

        Raises:
            InputError: options are for a corpus that is none of the run's.
        """
        words = [] if self.options.corpus in EMBEDDED else ["--max_bad", self.options.max_bad]
        names = {source.name for source in self.sources}
        meant = name
        for word in self.options.local_data_opts.split():
            if names and word.endswith(":"):
                meant = word[:-1]
                if meant not in names:
                    raise InputError(
                        "--local_data_opts",
                        f"'{meant}' is none of the corpora",
                        f"Write one of {' '.join(sorted(names))} before the colon",
                    )
            elif meant == name:
                words.append(word)
        return words

    @property
    def parts(self) -> list[str]:
        """Options that name several corpora, to be put together."""
        return [w for source in self.sources for w in ("--part", f"{source.name}={self.data_of(source)}")]

    @property
    def corpus_weights(self) -> dict[str, float]:
        """Of several corpora: name -> how often a pass of training draws an utterance.

        Raises:
            InputError: a word is no weight, or of no corpus.
        """
        names = [source.name for source in self.sources]
        weights = {}
        for word in self.options.corpus_weights.split():
            name, _, value = word.rpartition("=")
            if name not in names or not WEIGHT.fullmatch(value):
                raise InputError(
                    "--corpus_weights",
                    f"'{word}' is not NAME=NUMBER of one of several corpora",
                    f"Give such as {names[0]}=2; the corpora are {' '.join(names)}"
                    if names
                    else "Leave it out: it is for several corpora",
                )
            weights[name] = float(value)
        return weights

    def training_options(self, own: str) -> list[str]:
        """Options of valle_train: of added tokens, of weights, the user's for both models and for one."""
        added = ["--base_token_list", f"{self.base}/tokens.txt"] if self.options.add_tokens else []
        weights = self.corpus_weights
        if weights:
            added += ["--corpus_weights", json.dumps(weights)]
        return added + f"{self.options.train_args} {own}".split()

    def variables(self) -> dict[str, str | bool | Sequence[str]]:
        """The variables of valle.sh, by name: all options and what is derived from them."""
        options = self.options
        given = {name: getattr(options, name) for name in FIELDS}
        derived = {name: getattr(self, name) for name in _DERIVED}
        return {
            **{name: value if isinstance(value, bool) else str(value) for name, value in given.items()},
            **derived,
            "init_model_done": _if_file(options.init_model),
            "recorded_set": options.train_set,
            "stages": " ".join(map(str, self.stages)),
            "preparations": self.preparations,
            "parts": self.parts,
            "part_done": [f"{self.data_of(source)}/.done" for source in self.sources],
            "ar_options": self.training_options(options.ar_args),
            "nar_options": self.training_options(options.nar_args),
            "ns2_options": self.training_options(options.ns2_args),
            "training_stages": ",".join(f"train_{kind}" for kind in self.kinds),
            "inference_options": options.inference_args.split(),
            "baseline_options": options.baseline_args.split(),
            "workers": self._workers(self.nj),
            "inference_workers": self._workers(self.inference_nj),
            "device": "cuda" if options.gpu_inference else "cpu",
        }


def _command(*words: str | bool) -> str:
    return shlex.join(str(word).lower() if isinstance(word, bool) else word for word in words) + "\n"


def _if_file(name: str) -> list[str]:
    return [name] if Path(name).is_file() else []


# Attributes of Settings that are variables of valle.sh.
_DERIVED = (
    *(
        "data",
        "raw",
        "token",
        "codes",
        "index",
        "timing",
        "style",
        "aligner",
        "packed",
        "pack_done",
        "spembs",
        "durations",
        "exp",
        "base",
        "decode",
        "resynthesis",
        "results",
        "stage_times",
    ),
    *("train_set", "voiced_set", "sets", "train_index", "inference_tag", "pairs_suffix"),
    *(
        "ar_config",
        "nar_config",
        "ns2_config",
        "finetune_config",
        "codec",
        "codec_config",
        "score_config",
        "baseline_conf",
    ),
    "inference_config",
    *("model_options", "codec_options", "model_done", "codec_done"),
    *("nj", "inference_nj", "batch_size", "text_options", "phone_options", "loads_scorers"),
)
