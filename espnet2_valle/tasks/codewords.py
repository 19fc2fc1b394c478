"""Use of the codec's codewords in training: embeddings start from them, like ones share targets."""

import argparse
import logging

import torch

from espnet2_valle.codec.build import load_codec
from espnet2_valle.common.errors import InputError
from espnet2_valle.valle.embeddings import neighbourhoods, neighbourhoods_by_mass
from espnet2_valle.valle.espnet_model import ESPnetVALLEModel

INIT, WIDTH, MASS = "--codeword_init", "--codeword_smoothing", "--codeword_smoothing_mass"
LEAST_MASS = 0.5  # else others are the target, together
# By width, as it was first given, less is left: 3 to 23 % of codebooks of `world` in mini, whose figures are
# of such models. Of EnCodec's, in 128 dimensions, one width leaves 0.2 %, and all codes are alike.
LEAST_BY_WIDTH = 0.005


def use_codewords(model: ESPnetVALLEModel, codec_config: str, args: argparse.Namespace) -> None:
    """Give the model what the three options ask for.

    Args:
        model: to be trained.
        codec_config: codec.yaml.
        args: of the training.

    Raises:
        InputError: options out of range or that exclude each other, a codec that does not tell its codewords,
            targets that would hardly name the right code, or a model that also predicts the end.
    """
    width, mass = args.codeword_smoothing, args.codeword_smoothing_mass
    if width < 0:
        raise InputError(WIDTH, f"{width} is negative", "Give 0 or more")
    if not LEAST_MASS <= mass <= 1:
        raise InputError(
            MASS, f"{mass} leaves the right code no majority of its target", f"Give from {LEAST_MASS} to 1"
        )
    if width and mass < 1:
        raise InputError(f"{WIDTH}, {MASS}", "both say how far targets are shared", "Give one of them")
    if not args.codeword_init and not width and mass == 1:
        return
    found = load_codec(codec_config).codewords()
    if found is None:
        raise InputError(
            f"{INIT}, {WIDTH}, {MASS}",
            f"the codec of {codec_config} does not tell its codewords",
            "Set them to false, 0 and 1",
        )
    codewords = [torch.from_numpy(points) for points in found]
    if args.codeword_init:
        model.valle.codes.start_from(codewords)
    if not width and mass == 1:
        return
    option = WIDTH if width else MASS
    if model.valle.codes.size != len(codewords[0]):
        raise InputError(
            option,
            f"--valle {args.valle} also predicts the end",
            "It is for the NAR model: run.sh --nar_args",
        )
    shares = neighbourhoods(codewords, width) if width else neighbourhoods_by_mass(codewords, mass)
    left = shares.diagonal(dim1=1, dim2=2).mean(1)
    told = ", ".join(f"{each:.1%}" for each in left.tolist())
    if width and left.min() < LEAST_BY_WIDTH:
        raise InputError(
            f"{WIDTH} {width}",
            f"would leave the right codes {told} of their targets, by codebook",
            'Give run.sh --nar_args "--codeword_smoothing 0 --codeword_smoothing_mass 0.8"',
        )
    logging.info(f"{option}: targets keep {told} for the right code, the mean of each codebook")
    if width and left.min() < LEAST_MASS:
        logging.info(
            f"{WIDTH} {width}: others are most of the target, as mini was measured; {MASS} says what is left"
        )
    model.smooth_targets(shares)
