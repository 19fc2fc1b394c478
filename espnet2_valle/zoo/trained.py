"""The AR model, the NAR model and the codec of one run, opened together."""

from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple

import torch

from espnet2_valle.codec.abs_codec import AbsCodec
from espnet2_valle.codec.build import load_codec
from espnet2_valle.common.errors import InputError
from espnet2_valle.ns2.model import NaturalSpeech2
from espnet2_valle.text.encoder import TextEncoder
from espnet2_valle.text.reading import ESPNET
from espnet2_valle.valle.ar import VALLEAR
from espnet2_valle.valle.nar import VALLENAR
from espnet2_valle.zoo.checkpoint import load_model


@dataclass(frozen=True)
class ModelFiles:
    """Files of a trained run, or the packed model that has them. Hashable: what a worker opens once.

    Attributes:
        ar_train_config, ar_model_file: config.yaml and weights of the AR training.
        nar_train_config, nar_model_file: of the NAR training.
        codec_config: codec.yaml of the codec that made the training codes.
        model_tag: a packed model, see `unpack`; it has what is not given.
        ns2_train_config, ns2_model_file: of a NaturalSpeech 2 training, in place of the AR and NAR files.
    """

    ar_train_config: str | Path | None = None
    ar_model_file: str | Path | None = None
    nar_train_config: str | Path | None = None
    nar_model_file: str | Path | None = None
    codec_config: str | Path | None = None
    model_tag: str | Path | None = None
    ns2_train_config: str | Path | None = None
    ns2_model_file: str | Path | None = None

    @property
    def is_diffusion(self) -> bool:
        """Tell a NaturalSpeech 2 model from one of VALL-E's; a packed one has to be unpacked first."""
        return bool(self.ns2_train_config or self.ns2_model_file)

    def given(self) -> dict[str, str]:
        """The files that are given, by name."""
        return {one.name: str(getattr(self, one.name)) for one in fields(self) if getattr(self, one.name)}

    def unpacked(self) -> "ModelFiles":
        """The same with the files of `model_tag` in the place of what is not given.

        Raises:
            InputError: see `unpack`, or a packed model of another task.
        """
        if not self.model_tag:
            return self
        from espnet2_valle.zoo.load import unpack

        files = unpack(self.model_tag)
        if set(files) not in (VALLE_FILES, NS2_FILES):
            raise InputError(
                self.model_tag,
                f"is neither a VALL-E nor a NaturalSpeech 2 model (it has {', '.join(sorted(files))})",
                "Name one of stage 10",
            )
        given = self.given()
        del given["model_tag"]
        return ModelFiles(**{**files, **given})


MODEL_FILES = tuple(field.name for field in fields(ModelFiles) if field.name != "model_tag")
NS2_FILES = {"codec_config", "ns2_train_config", "ns2_model_file"}
VALLE_FILES = {*MODEL_FILES} - NS2_FILES | {"codec_config"}


class Models(NamedTuple):
    """The two models, in evaluation mode on one device."""

    ar: VALLEAR
    nar: VALLENAR

    @property
    def device(self) -> torch.device:
        """The device of both."""
        return self.ar.transformer.norm.scale.device


class Trained(NamedTuple):
    """The models, codec and tokenizer of one run.

    Attributes:
        models: AR and NAR.
        codec: theirs.
        tokenizer: how texts become token ids.
    """

    models: Models
    codec: AbsCodec
    tokenizer: TextEncoder


class TrainedNS2(NamedTuple):
    """The diffusion model, codec and tokenizer of one run.

    Attributes:
        model: in evaluation mode.
        codec: its.
        tokenizer: how texts become token ids.
    """

    model: NaturalSpeech2
    codec: AbsCodec
    tokenizer: TextEncoder


def open_trained_ns2(files: ModelFiles, device: str = "cpu") -> TrainedNS2:
    """Open a diffusion model and its codec; see `open_trained`.

    Raises:
        InputError: missing files, or model and codec that do not belong together.
    """
    from espnet2_valle.zoo.ns2_checkpoint import load_ns2

    with _foreign(files.model_tag):
        files = files.unpacked()
        codec = _codec(files, device)
        for name in ("ns2_train_config", "ns2_model_file"):
            if getattr(files, name) is None:
                raise InputError(f"--{name}", "is not given", "Give that of exp/<run>/ns2")
        loaded, args = load_ns2(str(files.ns2_train_config), files.ns2_model_file, device, codec.spec)
        return TrainedNS2(loaded.ns2, codec, _tokenizer(args))


def open_trained(files: ModelFiles, device: str = "cpu") -> Trained:
    """Open models and codec and check that they belong together.

    Args:
        files: of one run.
        device: cpu, cuda, cuda:N; a codec that knows the CPU only stays there.

    Raises:
        InputError: missing files, or models and codec that do not belong together.
    """
    with _foreign(files.model_tag):
        return _open(files.unpacked(), device)


# What values that no training of ours writes make of code that reads them.
UNREADABLE = (TypeError, ValueError, KeyError, AttributeError, IndexError)


@contextmanager
def _foreign(model_tag: str | Path | None) -> Iterator[None]:
    """Blame what goes wrong in reading a packed model, if one is given, on it: others can have made it.

    Raises:
        InputError: in place of the errors of Python.
    """
    try:
        yield
    except UNREADABLE as error:
        if not model_tag:
            raise
        raise InputError(
            model_tag, f"cannot be opened ({error!r})", "Pack it again (stage 10), or ask whoever packed it"
        ) from error


def _codec(files: ModelFiles, device: str) -> AbsCodec:
    if files.codec_config is None:
        raise InputError("--codec_config", "is not given", "Give exp/<run>/codec/codec.yaml")
    codec = load_codec(files.codec_config)
    return codec.to(codec.nearest(device))


def _open(files: ModelFiles, device: str) -> Trained:
    codec = _codec(files, device)  # the first: models are only built for what it is
    ar_model, ar_args = load_model(files.ar_train_config, files.ar_model_file, device, codec.spec)
    nar_model, nar_args = load_model(files.nar_train_config, files.nar_model_file, device, codec.spec)
    models = Models(
        _expect(VALLEAR, ar_model.valle, "--ar_model_file"),
        _expect(VALLENAR, nar_model.valle, "--nar_model_file"),
    )
    if ar_args.token_list != nar_args.token_list:
        raise InputError(
            "--nar_model_file", "its token list is not the AR model's", "Give two models of the same run"
        )
    told = [one.language_ids.names for one in models if one.language_ids.names]
    if any(names != told[0] for names in told):
        raise InputError(
            "--nar_model_file", "knows other languages than the AR model", "Give two models of the same run"
        )
    styles = [(one.styles.emotions, one.styles.sizes) for one in models if one.styles.names]
    if any(style != styles[0] for style in styles):
        raise InputError(
            "--nar_model_file", "is told another style than the AR model", "Give two models of the same run"
        )
    return Trained(models, codec, _tokenizer(ar_args))


def _tokenizer(args: Namespace) -> TextEncoder:
    """The way in which a model reads texts, by its training arguments."""
    return TextEncoder(
        args.token_list,
        args.token_type,
        args.g2p,
        args.cleaner,
        args.bpemodel,
        getattr(args, "text_reading", ESPNET),
    )


def _expect(kind: type[Any], model: torch.nn.Module, option: str) -> Any:
    """Return `model` if it is a `kind`, else raise InputError."""
    if not isinstance(model, kind):
        raise InputError(option, f"holds a {type(model).__name__}", f"Give a {kind.__name__}")
    return model
