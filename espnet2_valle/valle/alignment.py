"""Alignment of speech and text by the attention of the AR model."""

from dataclasses import dataclass

import torch

from espnet2_valle.valle.ar import VALLEAR
from espnet2_valle.valle.languages import SpokenLanguages
from espnet2_valle.valle.styles import SpokenStyle
from espnet2_valle.valle.transformer import SelfAttention


@dataclass(frozen=True)
class Alignment:
    """Attention of the head that follows the text most sharply.

    Attributes:
        weights: (groups, text_time), from each step to the text.
        layer, head: which one, counted from 1.
        focus: mean over steps of the largest weight (focus rate: FastSpeech, Ren et al., 2019, sec. 3.1).
        prompt_groups: how many of the steps are the prompt's.
        prompt_tokens: how many of the tokens are the prompt's.
    """

    weights: torch.Tensor
    layer: int
    head: int
    focus: float
    prompt_groups: int
    prompt_tokens: int


@torch.inference_mode()
def align(
    model: VALLEAR,
    text: torch.Tensor,
    prompt: torch.Tensor,
    codes: torch.Tensor,
    prompt_tokens: int,
    languages: SpokenLanguages | None = None,
    style: SpokenStyle | None = None,
    relative_rate: float = 1.0,
) -> Alignment:
    """Read text and speech once more and look at the attention of the steps behind the prompt.

    Args:
        model: in evaluation mode.
        text: (text_time,) ids of prompt text and text.
        prompt: (prompt_time,) codebook 1 of the prompt.
        codes: (time,) codebook 1 of what was said.
        prompt_tokens: how many of the ids are the prompt's.
        languages: None only for models without language IDs.
        style: in which it was said; None: not told.
        relative_rate: how many times as fast as the prompt, see `VALLEAR.relative_rate`.

    Returns:
        the alignment by the head with the largest focus rate.

    Raises:
        ValueError: nothing was said.
    """
    size = model.group_size
    prompt_groups, new_groups = len(prompt) // size, len(codes) // size
    if not new_groups:
        raise ValueError("there are no codes to align")
    frames = torch.cat([prompt[len(prompt) % size :], codes[: new_groups * size]])
    groups = frames.view(1, -1, size)
    known = torch.tensor([prompt_tokens]), torch.tensor([prompt_groups])
    rates, origins = model.pace(*known, torch.tensor([relative_rate]))
    place = torch.arange(groups.shape[1])
    placed = torch.where(place < prompt_groups, place * model.position_rates(*known), origins + place * rates)
    inputs: dict[int, torch.Tensor] = {}

    def keep(layer: int, x: torch.Tensor) -> None:
        inputs[layer] = x

    attentions = [block.attention for block in model.transformer.blocks]
    hooks = [
        attention.register_forward_pre_hook(lambda _, given, layer=layer: keep(layer, given[0]))
        for layer, attention in enumerate(attentions)
    ]
    try:
        cache = model.new_cache(1, len(text) + 1 + groups.shape[1])
        told = [languages], [style and style.weights]
        model.prefill(text[None], groups, cache, None, *told, [placed.to(text.device)])
    finally:
        for hook in hooks:
            hook.remove()
    # The position of group t, behind the text and its end, is where group t + 1 is predicted.
    start = len(text) + prompt_groups
    best: Alignment | None = None
    for layer, attention in enumerate(attentions):
        seen = attention_weights(attention, inputs[layer])[0, :, start : start + new_groups, : len(text)]
        focus = seen.amax(2).mean(1)
        head = int(focus.argmax())
        if best is None or float(focus[head]) > best.focus:
            weights = seen[head].float().cpu()
            best = Alignment(weights, layer + 1, head + 1, float(focus[head]), prompt_groups, prompt_tokens)
    assert best is not None
    return best


def attention_weights(attention: SelfAttention, x: torch.Tensor) -> torch.Tensor:
    """Causal attention weights (batch, heads, time, time) for the input `x` (batch, time, width)."""
    batch, time, _ = x.shape
    query, key, _ = attention.qkv(x).view(batch, time, 3, attention.heads, -1).permute(2, 0, 3, 1, 4)
    scores = torch.matmul(query, key.transpose(2, 3)) * query.shape[3] ** -0.5
    return (scores + torch.full_like(scores[0, 0], float("-inf")).triu(1)).softmax(-1)
