"""Training of the diffusion model by ESPnet's trainer."""

import argparse
import logging
from pathlib import Path

import numpy as np
import torch
from espnet2.iterators.abs_iter_factory import AbsIterFactory
from espnet2.tasks.abs_task import AbsTask, IteratorOptions
from espnet2.train.abs_espnet_model import AbsESPnetModel
from espnet2.train.class_choices import ClassChoices
from espnet2.utils.types import str_or_none

from espnet2_valle.codec.abs_codec import AbsCodec
from espnet2_valle.codec.arrays import NO_ARRAYS
from espnet2_valle.codec.build import load_codec
from espnet2_valle.common.errors import InputError
from espnet2_valle.ns2.espnet_model import ESPnetNS2Model
from espnet2_valle.ns2.losses import CodewordLoss
from espnet2_valle.ns2.model import NaturalSpeech2
from espnet2_valle.tasks.valle import (
    INDEX_TYPE,
    VALLETask,
    add_text_arguments,
    add_training_arguments,
    bound_schedule,
    check_inputs,
    loading,
    ranks_of,
    use_choice,
    with_fused,
)
from espnet2_valle.text.roles import EDGE
from espnet2_valle.train.batches import BatchRule
from espnet2_valle.train.compute_dtype import choose_dtype
from espnet2_valle.train.index import TrainingIndex
from espnet2_valle.train.memory import AUTO
from espnet2_valle.train.timed_utterances import (
    OTHER,
    PROMPT_SOURCES,
    PromptRule,
    TimedIterFactory,
    TimedUtterances,
)
from espnet2_valle.valle.embeddings import SHAPE_STEP
from espnet2_valle.zoo.checkpoint import codec_spec, token_list
from espnet2_valle.zoo.ns2_checkpoint import NS2_MODELS, build_ns2, load_ns2

ns2_choices = ClassChoices("ns2", classes=NS2_MODELS, type_check=NaturalSpeech2, default="wavenet")

TIMING_TYPE = "timing"  # of --train_data_path_and_name_and_type
BUFFERS = ("latent_mean", "latent_std", "token_mean", "token_variance")  # of the aligner, in the model
NOT_HERE = {
    "use_adapter": "Fine-tune all weights (--init_param)",
    "fsdp": "Train on as many GPUs without it",
}


class NS2Task(VALLETask):
    """Training of NaturalSpeech 2."""

    class_choices_list = [ns2_choices]

    @classmethod
    def add_task_arguments(cls, parser: argparse.ArgumentParser) -> None:
        """Add the options of this task to ESPnet's."""
        group = add_training_arguments(parser, ESPnetNS2Model)
        group.add_argument(
            "--aligner",
            type=str_or_none,
            default=None,
            help="what `valle data timing` fitted to the training set; its numbers are kept in the model",
        )
        group.add_argument(
            "--prompt_source",
            default=OTHER,
            choices=PROMPT_SOURCES,
            help="a training utterance's prompt: another one of its speaker, or a piece of its own, which is "
            "then no part of the losses",
        )
        group.add_argument("--min_prompt_seconds", type=float, default=1.0, help="shortest prompt")
        group.add_argument("--max_prompt_seconds", type=float, default=3.0, help="longest prompt")
        group = add_text_arguments(parser)
        for choices in cls.class_choices_list:
            choices.add_arguments(group)

    @classmethod
    def check_required_command_args(cls, args: argparse.Namespace) -> None:
        """Check what is known before any work; ESPnet calls it first.

        Raises:
            InputError: a missing file, an option that is not for this model, or a prompt that cannot be.
        """
        AbsTask.check_required_command_args(args)
        for name, remedy in NOT_HERE.items():
            if getattr(args, name):
                raise InputError(f"--{name}", "is not for the diffusion model", remedy)
        if args.batch_bins == AUTO:
            raise InputError("--batch_bins", "auto is for VALL-E's models", "Give a number of frames")
        if not 0 < args.min_prompt_seconds <= args.max_prompt_seconds:
            raise InputError(
                "--min_prompt_seconds",
                f"{args.min_prompt_seconds:g} to {args.max_prompt_seconds:g} s is no range",
                "Give 0 < least <= most",
            )
        check_inputs(args)

    @classmethod
    def build_optimizers(
        cls, args: argparse.Namespace, model: torch.nn.Module
    ) -> list[torch.optim.Optimizer]:
        """ESPnet calls this when the model is on its device."""
        bound_schedule(args, batch_rule)
        return AbsTask.build_optimizers.__func__(cls, with_fused(args), model)

    @classmethod
    def required_data_names(cls, train: bool = True, inference: bool = False) -> tuple[str, ...]:
        """Token ids, codes and their timing."""
        return ("text",) if inference else ("text", "codes", "timing")

    @classmethod
    def build_task_iter_factory(
        cls, args: argparse.Namespace, iter_options: IteratorOptions, mode: str
    ) -> AbsIterFactory:
        """Batches from a training index and the timing of its utterances.

        Raises:
            InputError: other data are given, or the index is at fault.
        """
        data = iter_options.data_path_and_name_and_type
        if [kind for _, _, kind in data] != [INDEX_TYPE, TIMING_TYPE]:
            raise InputError(
                f"--{mode}_data_path_and_name_and_type",
                f"{data} is not a training index and its timing",
                f"Give FOLDER,index,{INDEX_TYPE} and FOLDER,timing,{TIMING_TYPE} of `valle data timing`",
            )
        rate = codec_spec(args).frame_rate
        rule = PromptRule(
            args.prompt_source, round(args.min_prompt_seconds * rate), round(args.max_prompt_seconds * rate)
        )
        utterances = TimedUtterances(
            TrainingIndex(data[0][0]),
            data[1][0],
            args.codec_file,
            token_list(args).index(EDGE),
            rule,
            iter_options.preprocess_fn,
        )
        return TimedIterFactory(
            utterances,
            batch_rule(iter_options.batch_bins, iter_options.train, ranks_of(iter_options)),
            iter_options.collate_fn,
            **loading(args, iter_options),
        )

    @classmethod
    def build_model(cls, args: argparse.Namespace) -> ESPnetNS2Model:
        """Build the model that `args` describe, and make `args` portable; see `VALLETask.build_model`.

        Raises:
            InputError: token list, codec or aligner missing or of other runs, or a key that the model does
                not know.
        """
        codec = load_codec(args.codec_config) if isinstance(args.codec_config, str) else None
        if codec is not None:
            args.codec_file = args.codec_config
            args.latent_dim = latent_dim(codec)
        codec_spec(args)
        device = "cuda" if getattr(args, "ngpu", 0) > 0 else "cpu"
        choice = choose_dtype(args.model_conf.get("bf16", False), device)
        model = build_ns2(args)
        use_choice(model, choice, args)
        if codec is None:
            return model
        if args.aligner is not None:
            fill_buffers(model.ns2, args.aligner)
        found = codec.latent_codewords()
        if found is None:
            logging.info("latents of codec %s are no sums of codewords: no cross-entropy", codec.spec.name)
        elif model.weights.ce:
            codewords, weights = map(torch.from_numpy, (found.codewords, found.weights))
            model.learn_codes(CodewordLoss(codewords, weights))
        return model

    @classmethod
    def build_model_from_file(
        cls,
        config_file: str | Path | None = None,
        model_file: str | Path | None = None,
        device: str = "cpu",
    ) -> tuple[AbsESPnetModel, argparse.Namespace]:
        """Load a trained model as ESPnet's tasks do; see `load_ns2`."""
        config = config_file or Path(str(model_file)).parent / "config.yaml"
        return load_ns2(config, model_file, device)


def batch_rule(bins: int, train: bool, ranks: int) -> BatchRule:
    """Limits of batches, in frames."""
    return BatchRule(bins, SHAPE_STEP if train else 1, frames_alone, ranks)


def frames_alone(tokens: np.ndarray, frames: np.ndarray) -> np.ndarray:
    """Positions that an utterance costs: its frames."""
    return frames


def latent_dim(codec: AbsCodec) -> int:
    """Size D of the latents of a codec.

    Raises:
        InputError: it tells none.
    """
    return codec.latent(np.zeros((1, codec.num_codebooks), dtype=np.int16)).shape[1]


def fill_buffers(model: NaturalSpeech2, aligner: str) -> None:
    """Give a model the statistics of an aligner.

    Raises:
        InputError: there is none, or it is of other latents or tokens.
    """
    remedy = "Run stage 4 again"
    if not Path(aligner).is_file():
        raise InputError(aligner, "no such aligner", remedy)
    try:
        with np.load(aligner, allow_pickle=False) as stored:
            arrays = {name: torch.from_numpy(stored[name]).float() for name in BUFFERS}
    except NO_ARRAYS as error:
        raise InputError(aligner, f"is no aligner ({error})", remedy) from error
    for name, array in arrays.items():
        buffer = getattr(model, name)
        if buffer.shape != array.shape:
            raise InputError(
                aligner, f"has {name} of shape {tuple(array.shape)}, not {tuple(buffer.shape)}", remedy
            )
        buffer.copy_(array)
