"""Text and prompt -> codebook 1, one group after another."""

from dataclasses import dataclass

import torch

from espnet2_valle.generate.outcome import Outcome
from espnet2_valle.generate.sampling import SamplingOptions, sample_code
from espnet2_valle.valle.ar import VALLEAR


@dataclass(frozen=True)
class Limits:
    """Bounds on what is generated, in codec frames, the prompt not counted."""

    min_frames: int
    max_frames: int


def decode_ar(
    model: VALLEAR,
    text: torch.Tensor,
    prompt: torch.Tensor,
    prompt_tokens: int,
    limits: Limits,
    options: SamplingOptions,
    generator: torch.Generator,
) -> tuple[torch.Tensor, Outcome]:
    """Continue the prompt until the model ends or the cap is hit.

    Codes of a group are drawn one after another from the group's distributions, so that
    repetition-aware sampling sees the earlier ones. The end code counts only as the first of a group.

    Args:
        model: in evaluation mode.
        text: (text_time,) ids of prompt text and text together.
        prompt: (prompt_time,) codebook 1 of the prompt.
        prompt_tokens: how many of the text's ids are the prompt's.
        limits: shortest and longest output.
        options: how codes are drawn.
        generator: source of randomness.

    Returns:
        codes (time,) of the new part alone, and OK, HIT_LENGTH_CAP or NO_SPEECH.
    """
    size = model.group_size
    groups, lengths = model.group(prompt.unsqueeze(0), torch.tensor([len(prompt)], device=prompt.device))
    prompt_groups = int(lengths[0])
    max_groups = limits.max_frames // size
    cache = model.new_cache(1, len(text) + 1 + prompt_groups + max_groups)
    rates = model.position_rates(torch.tensor([prompt_tokens], device=prompt.device), lengths)
    logits = model.prefill(text.unsqueeze(0), groups, cache, rates)[0]
    history = groups.flatten().tolist()
    drawn: list[int] = []
    outcome = Outcome.HIT_LENGTH_CAP
    while len(drawn) < max_groups * size:
        logits[1:, model.end] = float("-inf")
        if len(drawn) < limits.min_frames:
            logits[0, model.end] = float("-inf")
        for member in range(size):
            code = sample_code(logits[member], history, options, generator)
            if code == model.end:
                break
            history.append(code)
            drawn.append(code)
        if code == model.end:
            outcome = Outcome.OK if drawn else Outcome.NO_SPEECH
            break
        if len(drawn) < max_groups * size:
            group = torch.tensor([drawn[-size:]], device=text.device)
            logits = model.step(group, prompt_groups + len(drawn) // size - 1, cache, rates)[0]
    return torch.tensor(drawn, dtype=torch.long, device=text.device), outcome
