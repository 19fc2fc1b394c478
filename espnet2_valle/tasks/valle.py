"""The one place where our models meet ESPnet's training."""

import argparse
import logging
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from espnet2.iterators.abs_iter_factory import AbsIterFactory
from espnet2.tasks.abs_task import AbsTask, IteratorOptions
from espnet2.train.abs_espnet_model import AbsESPnetModel
from espnet2.train.class_choices import ClassChoices
from espnet2.train.collate_fn import CommonCollateFn
from espnet2.utils.get_default_kwargs import get_default_kwargs
from espnet2.utils.nested_dict_action import NestedDictAction
from espnet2.utils.types import str2bool, str_or_none

from espnet2_valle.common.checks import TOKEN_LIST
from espnet2_valle.common.config_parser import ConfigParser, with_bases_read
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.lock import only_one
from espnet2_valle.common.machine import Choice, cores, describe
from espnet2_valle.tasks.adapter import check_adapter, keep_apart
from espnet2_valle.tasks.batch_size import accept_auto, choose_batch_bins
from espnet2_valle.tasks.codewords import use_codewords
from espnet2_valle.tasks.languages import fill_languages, languages_of
from espnet2_valle.tasks.rates import fill_rates
from espnet2_valle.tasks.styles import fill_emotions, told_style
from espnet2_valle.text.roles import SPACE
from espnet2_valle.text.tokenizer import G2P_HELP, TOKEN_TYPES
from espnet2_valle.text.tokens import TokenIDs
from espnet2_valle.train.batches import BatchPlan, BatchRule
from espnet2_valle.train.compute_dtype import choose_dtype
from espnet2_valle.train.corpus_weights import OPTION, TEMPERATURE, check_temperature, check_weights
from espnet2_valle.train.index import TrainingIndex, read_head
from espnet2_valle.train.iterator import IndexedUtterances, IndexIterFactory
from espnet2_valle.train.preprocessor import VALLEPreprocessor
from espnet2_valle.train.schedule import MAX_PASSES, Schedule
from espnet2_valle.train.sharding import shard
from espnet2_valle.train.trainer import VALLETrainer
from espnet2_valle.valle.abs_valle import AbsVALLE
from espnet2_valle.valle.embeddings import SHAPE_STEP
from espnet2_valle.valle.espnet_model import ESPnetVALLEModel
from espnet2_valle.zoo.checkpoint import MODELS, build_model, codec_spec, load_model, token_list

valle_choices = ClassChoices(
    "valle",
    classes=MODELS,
    type_check=AbsVALLE,
    default="ar",
)

TRAINING_LOCK = ".train.lock"
INDEX_TYPE = "valle_index"  # of --train_data_path_and_name_and_type
FUSED = ("adam", "adamw")  # optimisers of which torch has a version in one pass


class VALLETask(AbsTask):
    """Training of neural codec language models."""

    num_optimizers: int = 1
    class_choices_list = [valle_choices]
    trainer = VALLETrainer

    @classmethod
    def get_parser(cls) -> ConfigParser:
        """ESPnet's options and ours; a `--config` may name a `base`."""
        return with_bases_read(super().get_parser())

    @classmethod
    def add_task_arguments(cls, parser: argparse.ArgumentParser) -> None:
        """Add the options of this task to ESPnet's."""
        group = add_training_arguments(parser, ESPnetVALLEModel)
        accept_auto(parser)
        group.add_argument(
            "--codeword_init",
            type=str2bool,
            default=False,
            help="start the embeddings of codes from what the codec's codewords stand for; for little data",
        )
        group.add_argument(
            "--codeword_smoothing_mass",
            type=float,
            default=1.0,
            help="of each target, what codes that sound alike leave to the right one: 0.5 to 1, which is all",
        )
        group.add_argument(
            "--join_seconds",
            type=float,
            default=0.0,
            help="longest training utterance made by laying two of a speaker behind one another; 0: none",
        )
        group.add_argument(
            "--corpus_weights",
            action=NestedDictAction,
            default={},
            help="of several corpora: how often a pass over the training index draws an utterance of each, "
            "such as NAME=2; default: once",
        )
        group.add_argument(
            "--language_temperature",
            type=float,
            default=1.0,
            help="of several languages (utt2lang): 1 draws their utterances as often as they are there, 5 "
            "those of rare ones oftener, inf all languages alike",
        )
        group.add_argument(
            "--base_token_list",
            type=str_or_none,
            default=None,
            help="list of the model of --init_param, where --token_list has more tokens; those are learnt",
        )
        group = add_text_arguments(parser)
        for choices in cls.class_choices_list:
            choices.add_arguments(group)

    @classmethod
    def main(cls, args: argparse.Namespace | None = None, cmd: Sequence[str] | None = None) -> None:
        """Train, alone in the output directory.

        Raises:
            InputError: another process trains there.
        """
        args = cls.get_parser().parse_args(cmd) if args is None else args
        one_of_many = args.dist_launcher is not None or (args.dist_rank or 0) > 0
        if args.output_dir is None or args.print_config or one_of_many:
            super().main(args)
            return
        with only_one(args.output_dir, TRAINING_LOCK):
            super().main(args)

    @classmethod
    def check_required_command_args(cls, args: argparse.Namespace) -> None:
        """Check what is known before any work; ESPnet calls it first.

        Raises:
            InputError: there is no such token list or training index, a weight is none; see `check_adapter`,
                `fill_languages`, `fill_emotions` and `fill_rates`.
        """
        super().check_required_command_args(args)
        check_adapter(args)
        check_weights(args.corpus_weights)
        check_temperature(args.language_temperature)
        sampled = {OPTION: args.corpus_weights, TEMPERATURE: args.language_temperature != 1}
        option = next((name for name, given in sampled.items() if given), None)
        if option and args.iterator_type != "task":
            raise InputError(
                option,
                f"is not for --iterator_type {args.iterator_type}",
                "Choose --iterator_type task",
            )
        check_inputs(args)
        data = args.train_data_path_and_name_and_type
        index = data[0][0] if data and data[0][2] == INDEX_TYPE else None
        fill_languages(args, index)
        fill_emotions(args, index)
        fill_rates(args, index)

    @classmethod
    def build_optimizers(
        cls, args: argparse.Namespace, model: torch.nn.Module
    ) -> list[torch.optim.Optimizer]:
        """ESPnet calls this when the model is on its device and adapters, if any, have just been put in.

        Adam goes over weights and moments once instead of a dozen times, unless `optim_conf` says how.

        Raises:
            InputError: see `choose_batch_bins`.
        """
        if args.use_adapter:
            keep_apart(model)
            if args.base_token_list:
                model.valle.text.adapt_rows(_base_size(args))
        args.batch_bins = choose_batch_bins(args, cast(ESPnetVALLEModel, model))
        bound_schedule(args, lambda *limits: _batch_rule(args, cast(ESPnetVALLEModel, model).valle, *limits))
        return super().build_optimizers(with_fused(args), model)

    @classmethod
    def build_collate_fn(
        cls, args: argparse.Namespace, train: bool
    ) -> Callable[[Collection[tuple[str, dict[str, np.ndarray]]]], tuple[list[str], dict[str, torch.Tensor]]]:
        """Pad on the right with zeros; lengths go with the batch."""
        return CommonCollateFn(int_pad_value=0)

    @classmethod
    def build_preprocess_fn(
        cls, args: argparse.Namespace, train: bool
    ) -> Callable[[str, dict[str, np.ndarray]], dict[str, np.ndarray]] | None:
        """Check each utterance against token list and codec."""
        if not args.use_preprocessor:
            return None
        spec = codec_spec(args)
        return VALLEPreprocessor(len(token_list(args)), spec.num_codebooks, spec.codebook_size)

    @classmethod
    def required_data_names(cls, train: bool = True, inference: bool = False) -> tuple[str, ...]:
        """Token ids and codes."""
        return ("text",) if inference else ("text", "codes")

    @classmethod
    def optional_data_names(cls, train: bool = True, inference: bool = False) -> tuple[str, ...]:
        """None so far."""
        return ()

    @classmethod
    def build_task_iter_factory(
        cls, args: argparse.Namespace, iter_options: IteratorOptions, mode: str
    ) -> AbsIterFactory:
        """Batches from a training index, the one entry of --{train,valid}_data_path_and_name_and_type.

        Raises:
            InputError: another kind of data is given, or the index is at fault.
        """
        data = iter_options.data_path_and_name_and_type
        if len(data) != 1 or data[0][2] != INDEX_TYPE:
            raise InputError(
                f"--{mode}_data_path_and_name_and_type",
                f"{data} is not a training index",
                f"Give FOLDER,index,{INDEX_TYPE} of `valle data index`, or choose --iterator_type sequence",
            )
        with torch.device("meta"):
            valle = build_model(args).valle
        rule = _batch_rule(args, valle, iter_options.batch_bins, iter_options.train, ranks_of(iter_options))
        return IndexIterFactory(
            IndexedUtterances(
                TrainingIndex(data[0][0]),
                iter_options.preprocess_fn,
                rule.separator,
                languages_of(args),
                told_style(valle.styles),
                valle.positions_by_part,
            ),
            rule,
            iter_options.collate_fn,
            **loading(args, iter_options),
        )

    @classmethod
    def build_model(cls, args: argparse.Namespace) -> ESPnetVALLEModel:
        """Build the model that `args` describe, and make `args` portable.

        Token list and codec numbers are written into `args`, which ESPnet saves as config.yaml, so
        that a trained model needs neither file; the machine and what was chosen for it stand there too.
        With `--fsdp` each rank keeps a shard of the model.

        Raises:
            InputError: token list or codec configuration missing, or a key that the model does not know.
        """
        codec_config = args.codec_config
        device = "cuda" if getattr(args, "ngpu", 0) > 0 else "cpu"
        sharded = getattr(args, "fsdp", False) and torch.distributed.is_initialized()
        choice = choose_dtype(args.model_conf.get("bf16", False), device, sharded)
        model = build_model(args)
        use_choice(model, choice, args)
        if getattr(args, "base_token_list", None):
            model.valle.text.grow_from(_base_size(args))
        if isinstance(codec_config, str):  # of a training, with the codec at hand
            use_codewords(model, codec_config, args)
        if sharded:
            shard(model, device)
        return model

    @classmethod
    def build_model_from_file(
        cls,
        config_file: str | Path | None = None,
        model_file: str | Path | None = None,
        device: str = "cpu",
    ) -> tuple[AbsESPnetModel, argparse.Namespace]:
        """Load a trained model as ESPnet's tasks do; see `zoo.checkpoint.load_model`."""
        return load_model(config_file, model_file, device)


def add_training_arguments(
    parser: argparse.ArgumentParser, model: type[torch.nn.Module]
) -> argparse._ArgumentGroup:
    """Add the options that the training of every model of ours has, and return their group.

    Args:
        parser: of ESPnet's options.
        model: that ESPnet's trainer sees; `--model_conf` has its arguments.
    """
    group = parser.add_argument_group(description="Task related")
    required = parser.get_default("required")
    required += ["token_list", "codec_config"]
    parser.set_defaults(iterator_type="task", num_att_plot=0)
    group.add_argument("--token_list", type=str_or_none, default=None, help="Token list, one token a line")
    group.add_argument(
        "--codec_config",
        type=str_or_none,
        default=None,
        help="codec.yaml of the codec that made the codes; its numbers are kept in the model's config",
    )
    group.add_argument(
        "--model_conf",
        action=NestedDictAction,
        default=get_default_kwargs(model),
        help=f"The keyword arguments for {model.__name__}",
    )
    group.add_argument(
        "--max_passes",
        type=float,
        default=MAX_PASSES,
        help="over the training set; a longer schedule is shortened in proportion; 0: it is not",
    )
    return group


def check_inputs(args: argparse.Namespace) -> None:
    """Raise InputError unless token list and training indexes are there."""
    if isinstance(args.token_list, str):
        TOKEN_LIST(args.token_list, "--token_list")
    for path, _, kind in args.train_data_path_and_name_and_type + args.valid_data_path_and_name_and_type:
        if kind == INDEX_TYPE:
            read_head(Path(path))


def ranks_of(iter_options: IteratorOptions) -> int:
    """Processes that share a training."""
    return torch.distributed.get_world_size() if iter_options.distributed else 1


def loading(args: argparse.Namespace, iter_options: IteratorOptions) -> dict[str, Any]:
    """Arguments of an iterator factory that say which batches this process loads, and how."""
    return {
        "num_iters_per_epoch": iter_options.num_iters_per_epoch,
        "seed": args.seed,
        "shuffle": iter_options.train,
        "rank": torch.distributed.get_rank() if iter_options.distributed else 0,
        "num_workers": min(args.num_workers, cores()),
        "pin_memory": args.ngpu > 0,
    }


def use_choice(model: torch.nn.Module, choice: Choice, args: argparse.Namespace) -> None:
    """Give a model the chosen type of its products; the log and `args` tell of it and of the machine."""
    model.compute_dtype = getattr(torch, choice.value)
    args.machine = {**describe(), "products": f"{choice.value} ({choice.why})"}
    logging.info("; ".join(f"{name}: {value}" for name, value in args.machine.items()))


def add_text_arguments(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """Add the options of how texts become tokens, and return their group."""
    group = parser.add_argument_group(description="How texts become tokens; kept for inference")
    group.add_argument("--use_preprocessor", type=str2bool, default=True, help="Check each utterance")
    group.add_argument("--token_type", type=str, default="phn", choices=TOKEN_TYPES)
    group.add_argument("--bpemodel", type=str_or_none, default=None, help="Sentencepiece model")
    group.add_argument("--cleaner", type=str_or_none, default=None, help="ESPnet text cleaner")
    group.add_argument("--g2p", type=str_or_none, default=None, help=G2P_HELP)
    return group


def _batch_rule(args: argparse.Namespace, valle: AbsVALLE, bins: int, train: bool, ranks: int) -> BatchRule:
    """Limits of the batches of a set."""
    tokens = token_list(args)
    return BatchRule(
        bins=bins,
        step=SHAPE_STEP if train else 1,
        positions=valle.positions,
        world_size=ranks,
        max_join_frames=int((args.join_seconds if train else 0.0) * codec_spec(args).frame_rate),
        separator=tokens.index(SPACE) if SPACE in tokens else None,
        weights=args.corpus_weights if train else {},
        language_temperature=args.language_temperature if train else 1.0,
    )


def with_fused(args: argparse.Namespace) -> argparse.Namespace:
    """Options with which Adam goes over weights and moments once, unless `optim_conf` says how."""
    if args.optim not in FUSED or args.optim_conf.keys() & {"fused", "foreach"}:
        return args
    return argparse.Namespace(**{**vars(args), "optim_conf": {**args.optim_conf, "fused": True}})


def bound_schedule(args: argparse.Namespace, rule_of: Callable[[int, bool, int], BatchRule]) -> None:
    """Shorten, in `args`, a schedule of more than `--max_passes` over the training set, and tell of it.

    Args:
        args: of the training.
        rule_of: makes the rule of batches from `bins`, `train` and `ranks`.
    """
    data = getattr(args, "train_data_path_and_name_and_type", ())
    if not data or data[0][2] != INDEX_TYPE or not args.max_passes:
        return
    index = TrainingIndex(data[0][0])
    rule = rule_of(args.batch_bins, True, 1)
    schedule = Schedule(args.max_epoch, args.num_iters_per_epoch, args.scheduler_conf)
    fewest = rule.padded(index.tokens, index.frames).sum(dtype=np.int64) * rule.step / rule.bins
    if schedule.passes(max(1.0, fewest)) <= args.max_passes:
        return  # so many data need no plan of their batches, which takes long
    batches = len(BatchPlan(index, rule, (args.seed, 0)))
    shorter = schedule.bounded(batches, args.max_passes)
    if shorter is schedule:
        return
    minutes = index.frames.sum(dtype=np.int64) / codec_spec(args).frame_rate / 60
    logging.warning(
        "%d steps would be %d passes over the training set of %d utterances (%.1f min): shortened to "
        "%d steps in %d epochs. --max_passes 0 (in run.sh's --train_args) keeps the schedule; so few "
        "recordings rather fine-tune a packed model (run.sh --init_model)",
        *(schedule.steps(batches), schedule.passes(batches), len(index), minutes),
        *(shorter.steps(batches), shorter.max_epoch),
    )
    args.max_epoch, args.num_iters_per_epoch = shorter.max_epoch, shorter.num_iters_per_epoch
    args.scheduler_conf = dict(shorter.scheduler_conf)


def _base_size(args: argparse.Namespace) -> int:
    """Number of tokens of the model that a fine-tuning begins with.

    Raises:
        InputError: the token list does not begin with that model's.
    """
    base, tokens = TokenIDs.load(args.base_token_list).tokens, token_list(args)
    if [*tokens[: len(base) - 1], tokens[-1]] != base:
        raise InputError(
            "--token_list",
            f"is not {args.base_token_list} with tokens added",
            "Run stage 3 again with --add_tokens true",
        )
    return len(base)
