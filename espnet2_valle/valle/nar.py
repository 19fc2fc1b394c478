"""The non-autoregressive model: codebooks 2..Q, one stage each (VALL-E, sec. 4.2.2)."""

import torch
from torch import nn
from typeguard import typechecked

from espnet2_valle.valle.abs_valle import AbsVALLE, Lengths
from espnet2_valle.valle.embeddings import (
    CodeTables,
    TextEmbedding,
    join,
    length_mask,
    round_up,
    sinusoids,
)
from espnet2_valle.valle.transformer import Transformer

PROMPT_MODES = ("random", "prefix")


class VALLENAR(AbsVALLE):
    """Predicts codebook j from text, a prompt with all its levels, and the levels below j.

    Sequence: text, text end, prompt (sum of Q embeddings per frame), target (sum of the embeddings
    of the levels below j); attention is full. In training each utterance draws one stage.

    Args:
        vocab_size: text tokens; the last one is <sos/eos>.
        num_codebooks: Q of the codec.
        codebook_size: entries of each codebook.
        prompt_mode: where the training prompt comes from. "random": a random segment of the utterance,
            which is the target as a whole (VALL-E). "prefix": the utterance is cut in two and only the
            second part is the target (VALL-E 2); for short utterances, where "random" would let the model
            copy the answer from the prompt.
        max_prompt_frames: longest training prompt, 3 s in the paper.
        layers, width, heads, feed_forward, dropout: of the Transformer.

    Raises:
        ValueError: unknown `prompt_mode`, or fewer than two codebooks.
    """

    causal = False

    @typechecked
    def __init__(
        self,
        vocab_size: int,
        num_codebooks: int,
        codebook_size: int,
        prompt_mode: str = "random",
        max_prompt_frames: int = 225,
        layers: int = 12,
        width: int = 1024,
        heads: int = 16,
        feed_forward: int = 4096,
        dropout: float = 0.1,
    ):
        super().__init__()
        if prompt_mode not in PROMPT_MODES:
            raise ValueError(f"prompt_mode must be one of {PROMPT_MODES}, not {prompt_mode!r}")
        if num_codebooks < 2:
            raise ValueError("a NAR model needs a codec with at least two codebooks")
        self.num_codebooks = num_codebooks
        self.prompt_mode = prompt_mode
        self.max_prompt_frames = max_prompt_frames
        self.text = TextEmbedding(vocab_size, width)
        self.codes = CodeTables(num_codebooks, codebook_size, width)
        self.dropout = nn.Dropout(dropout)
        self.transformer = Transformer(layers, width, heads, feed_forward, dropout, num_codebooks - 1)

    def forward(
        self,
        text: torch.Tensor,
        text_lengths: torch.Tensor,
        codes: torch.Tensor,
        codes_lengths: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """See `AbsVALLE.forward`; N = sum of target lengths, one codebook of each."""
        stage = self._draw_stages(codes_lengths)
        start, length = self._draw_prompts(codes_lengths)
        prompt = _cut(codes, start, length, self.shape_step)
        if self.prompt_mode == "prefix":
            start, target_lengths = length, codes_lengths - length
        else:
            start, target_lengths = torch.zeros_like(length), codes_lengths
        target = _cut(codes, start, target_lengths, self.shape_step)
        logits = self.logits(text, text_lengths, prompt, length, target, target_lengths, stage)
        inside = length_mask(target_lengths, target.shape[1])
        answer = target.gather(2, stage.view(-1, 1, 1).expand(-1, target.shape[1], 1)).squeeze(2)
        return logits[inside], answer[inside]

    def positions(self, text_lengths: Lengths, codes_lengths: Lengths) -> Lengths:
        """See `AbsVALLE.positions`: text, text end, the prompt where it is a copy, and the utterance."""
        whole = text_lengths + 1 + codes_lengths
        if self.prompt_mode == "prefix":
            return whole
        return whole + (codes_lengths // 2).clip(max=self.max_prompt_frames)

    def logits(
        self,
        text: torch.Tensor,
        text_lengths: torch.Tensor,
        prompt: torch.Tensor,
        prompt_lengths: torch.Tensor,
        target: torch.Tensor,
        target_lengths: torch.Tensor,
        stage: torch.Tensor,
    ) -> torch.Tensor:
        """Predict one codebook of the target.

        Args:
            text: (batch, text_time); text_lengths: (batch,)
            prompt: (batch, prompt_time, Q); prompt_lengths: (batch,)
            target: (batch, time, Q), of which levels >= stage are not looked at; target_lengths: (batch,)
            stage: (batch,) zero-based codebook to predict, 1..Q-1.

        Returns:
            (batch, time, codebook_size)
        """
        batch, time = target.shape[:2]
        all_levels = torch.full_like(stage, self.num_codebooks)
        embedded_text, embedded_lengths = self.text(text, text_lengths)
        audio, audio_lengths = join(
            [
                (self.codes.sum(prompt, all_levels), prompt_lengths),
                (self.codes.sum(target, stage), target_lengths),
            ]
        )
        audio = audio + sinusoids(torch.arange(audio.shape[1], device=audio.device), audio.shape[2])
        parts = [(embedded_text, embedded_lengths), (audio, audio_lengths)]
        x, lengths = join(parts, self.shape_step)
        hidden = self.transformer(
            self.dropout(x), causal=False, mask=_padding_mask(lengths, x), stage=stage - 1
        )
        first = embedded_lengths + prompt_lengths
        index = (first.unsqueeze(1) + torch.arange(time, device=text.device)).clamp(max=x.shape[1] - 1)
        return self.codes.logits(hidden.gather(1, index.unsqueeze(2).expand(-1, -1, x.shape[2])), stage)

    @torch.no_grad()
    def generate(self, text: torch.Tensor, prompt: torch.Tensor, first_codes: torch.Tensor) -> torch.Tensor:
        """Fill in codebooks 2..Q greedily, stage by stage.

        Args:
            text: (batch, text_time), without padding: prompt text and text.
            prompt: (batch, prompt_time, Q).
            first_codes: (batch, time), codebook 1 of the target.

        Returns:
            (batch, time, Q)
        """
        batch, time = first_codes.shape
        codes = first_codes.new_zeros(batch, time, self.num_codebooks)
        codes[..., 0] = first_codes
        sizes = [torch.full((batch,), part.shape[1], device=text.device) for part in (text, prompt, codes)]
        for stage in range(1, self.num_codebooks):
            stages = torch.full_like(sizes[0], stage)
            logits = self.logits(text, sizes[0], prompt, sizes[1], codes, sizes[2], stages)
            codes[..., stage] = logits.argmax(-1)
        return codes

    def _draw_stages(self, lengths: torch.Tensor) -> torch.Tensor:
        """A stage 1..Q-1 for each row; in evaluation they cycle, so that losses can be compared."""
        choices = self.num_codebooks - 1
        if self.training:
            return torch.randint(1, choices + 1, lengths.shape, device=lengths.device)
        return torch.arange(len(lengths), device=lengths.device) % choices + 1

    def _draw_prompts(self, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Start and length (batch,) of each row's prompt, at most half the utterance."""
        drawn = torch.rand(2, len(lengths), device=lengths.device)
        if not self.training:
            drawn = torch.full_like(drawn, 0.5)
        longest = (lengths // 2).clamp(max=self.max_prompt_frames)
        if self.prompt_mode == "prefix":
            return torch.zeros_like(lengths), (longest * (0.5 + 0.5 * drawn[0])).long()
        return (drawn[0] * (lengths - longest + 1)).long(), longest


def _cut(codes: torch.Tensor, start: torch.Tensor, length: torch.Tensor, step: int) -> torch.Tensor:
    """Rows' segments codes[b, start_b : start_b + length_b], padded with what follows or code 0.

    Args:
        codes: (batch, time, Q); start, length: (batch,)
        step: the padded length becomes a multiple of this.

    Returns:
        (batch, max length or more, Q)
    """
    frames = torch.arange(round_up(int(length.max()), step), device=codes.device)
    index = (start.unsqueeze(1) + frames).clamp(max=codes.shape[1] - 1)
    return codes.gather(1, index.unsqueeze(2).expand(-1, -1, codes.shape[2]))


def _padding_mask(lengths: torch.Tensor, x: torch.Tensor) -> torch.Tensor | None:
    """Additive mask (batch, 1, 1, time) that hides padding; None when there is none."""
    if int(lengths.min()) == x.shape[1]:
        return None
    hidden = ~length_mask(lengths, x.shape[1])
    return x.new_zeros(hidden.shape).masked_fill(hidden, float("-inf"))[:, None, None]
