"""Rows of padded batches, by lengths that stay on the CPU: to ask a GPU for them is to wait for it."""

import torch


def on_device(numbers: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Copy numbers of the CPU to a device, for which neither waits; those that are there stay."""
    if device.type == "cuda" and numbers.device.type == "cpu":
        return numbers.pin_memory().to(device, non_blocking=True)
    return numbers.to(device)


def round_up(length: int, step: int) -> int:
    """The smallest multiple of `step` that is not below `length`."""
    return -(-length // step) * step


def length_mask(lengths: torch.Tensor, max_length: int) -> torch.Tensor:
    """(batch,) lengths -> (batch, max_length) bool, True inside."""
    return torch.arange(max_length, device=lengths.device) < lengths.unsqueeze(1)


def filled_places(lengths: torch.Tensor, time: int) -> torch.Tensor:
    """Places of what is no padding among the batch * time positions of padded rows, (N,) int64, ascending.

    Args:
        lengths: (batch,) of the rows, on the CPU.
        time: padded length.
    """
    return length_mask(lengths, time).flatten().nonzero().squeeze(1)


def take(padded: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """(batch, time, ...) -> (N, ...), what lies at `places`."""
    return padded.flatten(0, 1).index_select(0, places)


def join(parts: list[tuple[torch.Tensor, torch.Tensor]], step: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    """Lay the valid frames of several padded sequences behind one another, row by row.

    No padding remains between the parts, so under causal attention the padding at the right
    end changes nothing and no mask is needed.

    Args:
        parts: pairs of a padded sequence (batch, time_i, width) and its lengths (batch,), on the CPU.
        step: the padded length becomes a multiple of this.

    Returns:
        (batch, max total length or more, width), zeros behind each row's end, and total lengths (batch,).
    """
    totals = torch.stack([lengths for _, lengths in parts]).sum(0)
    first = parts[0][0]
    batch, length, width = first.shape[0], round_up(int(totals.max()), step), first.shape[2]
    # Under autocast the parts may differ in type (a projected one is bfloat16): keep the widest.
    dtype = max((part.dtype for part, _ in parts), key=lambda kind: kind.itemsize)
    joined = first.new_zeros(batch * length, width, dtype=dtype)
    start = torch.zeros_like(totals)
    for part, lengths in parts:
        source = filled_places(lengths, part.shape[1])
        rows = source.div(part.shape[1], rounding_mode="floor")
        target = rows * length + start[rows] + source - rows * part.shape[1]
        source, target = on_device(torch.stack([source, target]), part.device)
        joined = joined.index_put(
            (target,), take(part, source).to(dtype)
        )  # `index_copy` keeps what it copies
        start = start + lengths
    return joined.view(batch, length, width), totals
