"""A loss that makes one head of the AR model's attention read what is to be said next.

An aligner that hears whole utterances finds which token each group says, by sound alone, and the head learns
from it where to look. Without it a small model on little real speech learns how speech goes on long before it
learns that it is to say the text.
"""

import torch
from torch import nn
from torch.nn import functional as F

from espnet2_valle.valle.rows import length_mask, on_device

IMPOSSIBLE = -1e4  # a log probability that float32 adds without losing the others
WIDTH, KERNEL = 128, 5
SPREAD = 0.1  # of a token's place around the diagonal, in parts of the text


class Aligner(nn.Module):
    """Finder of the token that each group of codes says, by what they are and not by where they are.

    Text and codes meet in a space in which near means alike (Badlani et al., "One TTS alignment to rule them
    all", 2022, sec. 2.1). Of use in training only.

    Args:
        vocab_size: text tokens.
        group_width: of an embedded group of codes.
    """

    def __init__(self, vocab_size: int, group_width: int):
        super().__init__()
        self.tokens = nn.Embedding(vocab_size, WIDTH)
        self.token_context = nn.Conv1d(WIDTH, WIDTH, 3, padding=1)
        self.groups = nn.Linear(group_width, WIDTH)
        self.sound = nn.ModuleList([nn.Conv1d(WIDTH, WIDTH, KERNEL, padding=KERNEL // 2) for _ in range(2)])

    def forward(
        self,
        text: torch.Tensor,
        text_mask: torch.Tensor,
        groups: torch.Tensor,
        group_mask: torch.Tensor,
        prior: torch.Tensor,
    ) -> torch.Tensor:
        """Log probability of each token at each group, (batch, groups, text_time).

        Args:
            text: (batch, text_time), and what of it is no padding.
            groups: (batch, groups, group_width), embedded, and what of it is no padding.
            prior: (batch, groups, text_time), added to the scores.
        """
        said = self.tokens(text) * text_mask.unsqueeze(2)
        said = said + self.token_context(said.transpose(1, 2)).transpose(1, 2)
        inside = group_mask.unsqueeze(1)
        heard = self.groups(groups).transpose(1, 2) * inside
        for conv in self.sound:
            heard = (heard + F.relu(conv(heard))) * inside
        scores = torch.matmul(heard.transpose(1, 2), said.transpose(1, 2)).float() * WIDTH**-0.5
        return (scores + prior).masked_fill(~text_mask.unsqueeze(1), IMPOSSIBLE).log_softmax(2)

    def align(
        self,
        text: torch.Tensor,
        text_lengths: torch.Tensor,
        groups: torch.Tensor,
        group_lengths: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Loss of the aligner, and what it finds.

        The loss is the negative log of the sum over all ways of saying the text once and in order (eq. 3).

        Args:
            text: (batch, text_time); text_lengths: (batch,), on the CPU like those of the groups.
            groups: (batch, groups, group_width), embedded; group_lengths: (batch,). Rows with fewer groups
                than tokens, or without text, do not count.

        Returns:
            mean over groups in nats, and the share of each group that each token has, (batch, groups,
            text_time), without a gradient; zeros for rows that do not count and behind the rows' ends.
        """
        device = text.device
        counted = (text_lengths > 0) & (text_lengths <= group_lengths)
        written = length_mask(on_device(text_lengths, device), text.shape[1])
        spoken = length_mask(on_device(group_lengths, device), groups.shape[1])
        prior = diagonal(text_lengths, text.shape[1], group_lengths, groups.shape[1])
        given = self(text, written, groups, spoken, on_device(prior, device))
        with torch.enable_grad():
            paths = given if given.requires_grad else given.detach().requires_grad_()
            # CTC without its blank: what it sums over are those ways.
            order = torch.arange(1, text.shape[1] + 1, device=device).expand(len(text), -1)
            each = F.ctc_loss(
                F.pad(paths, (1, 0), value=IMPOSSIBLE).transpose(0, 1),
                order,
                group_lengths.tolist(),
                text_lengths.tolist(),
                reduction="none",
                zero_infinity=True,
            )
            each = each * on_device(counted, device)
            # Its gradient is what the probabilities are more than the shares (Graves et al., 2006, eq. 16).
            (excess,) = torch.autograd.grad(each.sum(), paths, retain_graph=given.requires_grad)
        inside = spoken * on_device(counted, device).unsqueeze(1)
        shares = (paths.detach().exp() - excess).clamp(min=0) * inside.unsqueeze(2) * written.unsqueeze(1)
        return each.sum() / (group_lengths * counted).sum().clamp(min=1), shares


def diagonal(
    text_lengths: torch.Tensor, text_time: int, group_lengths: torch.Tensor, groups: int
) -> torch.Tensor:
    """Log of how likely tokens (text_time) and groups (groups) belong together by where they are alone.

    (batch, groups, text_time). A token is about as far in its text as its group is in the speech.
    """
    said = (torch.arange(groups) + 0.5) / group_lengths.clamp(min=1).unsqueeze(1)
    read = (torch.arange(text_time) + 0.5) / text_lengths.clamp(min=1).unsqueeze(1)
    return -((said.unsqueeze(2) - read.unsqueeze(1)) / SPREAD).square() / 2


def head_scores(qkv: torch.Tensor, heads: int) -> torch.Tensor:
    """Causal log attention weights of the first head.

    Args:
        qkv: (batch, time, 3 * width), queries, keys and values.
        heads: of the attention.

    Returns:
        (batch, time, time) float32, -inf where a position is not seen.
    """
    width = qkv.shape[2] // 3
    size = width // heads
    query, key = qkv[..., :size], qkv[..., width : width + size]
    scores = torch.matmul(query, key.transpose(1, 2)).float() * size**-0.5
    return (scores + torch.full_like(scores[0], float("-inf")).triu(1)).log_softmax(-1)


def reading_loss(attention: torch.Tensor, shares: torch.Tensor, text_lengths: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of a head's attention and of the tokens that are to be said.

    Args:
        attention: (batch, time, time) of `head_scores`; positions are text, text end and groups, and the one
            before a group predicts it.
        shares: (batch, groups, text_time) of `Aligner.align`.
        text_lengths: (batch,), on the CPU.

    Returns:
        mean over groups, in nats.
    """
    steps = on_device(text_lengths, shares.device).unsqueeze(1) + torch.arange(
        shares.shape[1], device=shares.device
    )
    steps = steps.clamp(max=attention.shape[1] - 1).unsqueeze(2).expand_as(shares)
    to_text = attention[..., : shares.shape[2]].gather(1, steps).clamp(min=IMPOSSIBLE)
    return -(shares * to_text).sum() / shares.sum().clamp(min=1)
