"""Use of the codec's codewords in training: embeddings start from them, like ones share targets."""

import argparse
import logging

import torch

from espnet2_valle.codec.build import load_codec
from espnet2_valle.common.errors import InputError
from espnet2_valle.valle.embeddings import neighbourhoods
from espnet2_valle.valle.espnet_model import ESPnetVALLEModel

INIT, MASS = "--codeword_init", "--codeword_smoothing_mass"
LEAST_MASS = 0.5  # else others are the target, together


def use_codewords(model: ESPnetVALLEModel, codec_config: str, args: argparse.Namespace) -> None:
    """Give the model what the two options ask for.

    Args:
        model: to be trained.
        codec_config: codec.yaml.
        args: of the training.

    Raises:
        InputError: a mass out of range, a codec that does not tell its codewords, or a model that also
            predicts the end.
    """
    mass = args.codeword_smoothing_mass
    if not LEAST_MASS <= mass <= 1:
        raise InputError(
            MASS, f"{mass} leaves the right code no majority of its target", f"Give from {LEAST_MASS} to 1"
        )
    if not args.codeword_init and mass == 1:
        return
    found = load_codec(codec_config).codewords()
    if found is None:
        raise InputError(
            f"{INIT}, {MASS}",
            f"the codec of {codec_config} does not tell its codewords",
            "Set them to false and 1",
        )
    codewords = [torch.from_numpy(points) for points in found]
    if args.codeword_init:
        model.valle.codes.start_from(codewords)
    if mass == 1:
        return
    if model.valle.codes.size != len(codewords[0]):
        raise InputError(
            MASS,
            f"--valle {args.valle} also predicts the end",
            "It is for the NAR model: run.sh --nar_args",
        )
    shares = neighbourhoods(codewords, mass)
    left = shares.diagonal(dim1=1, dim2=2).mean(1)
    told = ", ".join(f"{each:.1%}" for each in left.tolist())
    logging.info(f"{MASS}: targets keep {told} for the right code, the mean of each codebook")
    model.smooth_targets(shares)
