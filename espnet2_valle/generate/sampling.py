"""Drawing codes from the AR model's logits."""

from collections.abc import Sequence

import torch

from espnet2_valle.generate.options import SamplingOptions


def draw_codes(
    logits: torch.Tensor,
    recent: Sequence[Sequence[int]],
    options: SamplingOptions,
    generators: Sequence[torch.Generator],
) -> list[int]:
    """Draw one code for each row, each from its own random numbers.

    Args:
        logits: (rows, classes); -inf forbids a code.
        recent: the last codes of each row, oldest first; of use are `repetition_window` of them.
        options: how to draw.
        generators: each row's own source of randomness, on the device of `logits`.

    Returns:
        a code for each row.
    """
    if options.temperature == 0:
        return logits.argmax(-1).tolist()
    full = torch.softmax(logits.float() / options.temperature, dim=-1)
    kept = _min_p(_nucleus(_top_k(full, options.top_k), options.top_p), options.min_p)
    codes = _draw(kept, generators)
    again = [row for row, code in enumerate(codes) if _repeats(code, recent[row], options)]
    if again:
        redrawn = _draw(full[again], [generators[row] for row in again])
        for row, code in zip(again, redrawn, strict=True):
            codes[row] = code
    return codes


def _repeats(code: int, recent: Sequence[int], options: SamplingOptions) -> bool:
    """Check whether `code` makes up too much of the window."""
    size = options.repetition_window
    if not size:
        return False
    earlier = size - 1 if options.repetition_counts_drawn else size
    count = list(recent)[max(0, len(recent) - earlier) :].count(code) + options.repetition_counts_drawn
    return count / size > options.repetition_threshold


def _top_k(probabilities: torch.Tensor, k: int) -> torch.Tensor:
    if not 0 < k < probabilities.shape[-1]:
        return probabilities
    values, indices = probabilities.topk(k)
    return torch.zeros_like(probabilities).scatter(-1, indices, values)


def _nucleus(probabilities: torch.Tensor, p: float) -> torch.Tensor:
    if p == 1:
        return probabilities
    values, indices = (probabilities / probabilities.sum(-1, keepdim=True)).sort(dim=-1, descending=True)
    before = values.cumsum(-1) - values
    return torch.zeros_like(probabilities).scatter(-1, indices, values * (before < p))


def _min_p(probabilities: torch.Tensor, p: float) -> torch.Tensor:
    if p == 0:
        return probabilities
    return probabilities * (probabilities >= p * probabilities.amax(-1, keepdim=True))


def _draw(weights: torch.Tensor, generators: Sequence[torch.Generator]) -> list[int]:
    """A class of each row with probability in proportion to its weight.

    What `torch.multinomial` does (weights over exponential noise, the largest wins), but with a generator
    for each row, so that a row draws the same whatever rows are beside it.
    """
    noise = torch.empty_like(weights)
    for row, generator in zip(noise, generators, strict=True):
        row.exponential_(generator=generator)
    return (weights / noise).argmax(-1).tolist()
