"""Numbers in the place of chance where a loss has to be the same each time: an utterance alone decides."""

import torch

from espnet2_valle.valle.rows import length_mask, on_device

PRIME = 2**31 - 1  # products of two numbers below it fit into 63 bits
FACTOR = 1_103_515_245  # any number of that size: spreads sums, which lie close together, over all numbers


def content_numbers(codes: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """A number for each utterance, whatever else is in its batch, on whichever device.

    Args:
        codes: (batch, time, Q); what is padding does not count.
        lengths: (batch,)

    Returns:
        (batch,) int64, spread evenly over 0..2**31 - 2.
    """
    time, codebooks = codes.shape[1:]
    places = torch.arange(1, time * codebooks + 1, device=codes.device).view(time, codebooks)
    inside = length_mask(on_device(lengths, codes.device), time).unsqueeze(2)
    sums = ((codes.long() + 1) * places * inside).sum((1, 2))
    return sums % PRIME * FACTOR % PRIME
