"""Prepare models for inference: the type of their weights, and what takes their decoding steps.

This is the one file that chooses: native code on a CPU, CUDA graphs on a GPU, or torch itself.
"""

import ctypes
import functools
import logging

from espnet2_valle.common.compiled import load_or_warn
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.machine import bfloat16
from espnet2_valle.valle.ar import VALLEAR
from espnet2_valle.valle.cuda_graph import GraphedStep
from espnet2_valle.valle.nar import VALLENAR
from espnet2_valle.valle.native.step import SOURCES, NativeStep
from espnet2_valle.valle.quantize import convert_linears
from espnet2_valle.valle.transformer import DecodeStep, Transformer

MODES = ("auto", "always", "never")


def prepare_ar(model: VALLEAR, dtype: str, native: str = "auto", cuda_graphs: bool = False) -> None:
    """Give an AR model weights of another type and its fastest decoding step, for inference from then on.

    Args:
        model: on its device, in evaluation mode.
        dtype: one of `quantize.DTYPES`.
        native: see `native_step`, which has its turn where there are no CUDA graphs.
        cuda_graphs: see `graphed_step`.

    Raises:
        InputError: int8 on another device than a CPU, or see `native_step`.
    """
    device = model.transformer.norm.scale.device
    if dtype == "int8" and device.type != "cpu":
        raise InputError(
            "--dtype int8",
            f"the model is on {device}, where each step would unpack all weights",
            "Give --dtype bfloat16 (in run.sh's --inference_args)",
        )
    convert_linears(model, dtype)
    step: DecodeStep | None = graphed_step(model.transformer, cuda_graphs)
    model.transformer.decode_step = step or native_step(model.transformer, native)


def prepare_nar(model: VALLENAR, dtype: str) -> None:
    """Give a NAR model weights of another type, for inference from then on.

    Args:
        model: on its device, in evaluation mode.
        dtype: one of `quantize.DTYPES`. int8 spares reading, and this model is bound by computing: in its
            place it takes the type that its device multiplies fastest.
    """
    found = bfloat16(model.transformer.norm.scale.device)
    if dtype == "int8":
        logging.info(f"the NAR model computes in {found.value}: {found.why}")
        dtype = found.value
    elif dtype == "bfloat16" and found.value != dtype:
        logging.warning(f"the NAR model computes in bfloat16, but {found.why}: float32 is faster")
    convert_linears(model, dtype)


def native_step(transformer: Transformer, mode: str = "auto") -> NativeStep | None:
    """A decoding step in compiled code, or None where torch takes it.

    Args:
        transformer: of an AR model, on its device and with weights of the type that it will have.
        mode: "auto": None where it is not to be had, and the log says why; "always"; "never": None.

    Raises:
        InputError: unknown mode, or "always" where it is not to be had.
    """
    if mode not in MODES:
        raise InputError("--native", f"{mode} is out of range", f"Give one of {', '.join(MODES)}")
    if mode == "never":
        return None
    if transformer.norm.scale.device.type == "cpu":
        library, problem = _library()
    else:  # nothing is compiled that would not be used
        library, problem = None, "the model is not on a CPU"
    if library is not None:
        return NativeStep(transformer, library)
    if mode == "always":
        raise InputError(
            "--native always",
            problem,
            "Install a C++ compiler, or give --native auto (in run.sh's --inference_args)",
        )
    return None


def graphed_step(transformer: Transformer, wanted: bool) -> GraphedStep | None:
    """A decoding step as a CUDA graph; None where graphs are not wanted or there is no GPU."""
    if not wanted:
        return None
    if transformer.norm.scale.device.type != "cuda":
        logging.warning("--cuda_graphs: the model is not on a GPU, so that there is nothing to record")
        return None
    return GraphedStep(transformer)


@functools.cache
def _library() -> tuple[ctypes.CDLL | None, str]:
    """The compiled code, or None and the reason, which is logged once."""
    return load_or_warn(SOURCES, "decoding steps are left to torch, which takes longer")
