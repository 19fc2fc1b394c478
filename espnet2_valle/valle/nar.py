"""The non-autoregressive model: codebooks 2..Q, one stage each (VALL-E, sec. 4.2.2)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence
from typeguard import typechecked

from espnet2_valle.valle.abs_valle import AbsVALLE, Lengths, Prediction
from espnet2_valle.valle.cache import GrowingCache
from espnet2_valle.valle.chunks import MASK_KINDS, Chunks, draw_chunk_ranks
from espnet2_valle.valle.embeddings import CodeTables, TextEmbedding, sinusoids
from espnet2_valle.valle.languages import NONE, BatchLanguages, LanguageIDs, SpokenLanguages
from espnet2_valle.valle.packing import Packing
from espnet2_valle.valle.padding import Padding
from espnet2_valle.valle.rows import filled_places, join, length_mask, on_device, round_up, take
from espnet2_valle.valle.styles import BINS, Lanes, SpokenStyle, StyleConditions
from espnet2_valle.valle.transformer import Mask, Transformer
from espnet2_valle.valle.utterance_hash import content_numbers

PROMPT_MODES = ("random", "prefix")
ROOM = 2  # times what they hold: with that the caches of a stream begin


class NARLanguages(NamedTuple):
    """Languages in a batch, by their numbers.

    Attributes:
        text: (batch, text_time) of each token.
        prompt, target: (batch, time) of each frame.
    """

    text: torch.Tensor
    prompt: torch.Tensor
    target: torch.Tensor


@dataclass
class NARContext:
    """State of chunk-by-chunk generation: text, prompt and the chunks so far, in each stage.

    Attributes:
        caches: one for each stage, of batch 1; of what is guided twice.
        position: of the next frame.
        own_codes: (utterance_codebooks,) codes of the utterance as a whole.
        language: number of that of the chunks; None only for models without language IDs.
        lanes: how often it is read.
    """

    caches: list[list[GrowingCache]]
    position: int
    own_codes: torch.Tensor
    language: int | None = None
    lanes: Lanes = field(default_factory=lambda: Lanes([None]))


class VALLENAR(AbsVALLE):
    """Model of codebook j from text, a prompt with all its codebooks, and the codebooks below j.

    Sequence: text, text end, prompt (sum of Q embeddings per frame), target (sum of the embeddings
    of the codebooks below j). Attention is full; a model that is to stream is trained with chunks too
    (`chunk_frames`), see `Chunks`. In training each utterance draws one stage; in evaluation its codes decide
    on it, so that an utterance has one loss, whatever batch it is in.

    Args:
        vocab_size: text tokens; the last one is <sos/eos>.
        num_codebooks: Q of the codec.
        codebook_size: entries of each codebook.
        prompt_mode: where the training prompt comes from. "random": a random segment of the utterance,
            which is the target as a whole (VALL-E), so that the prompt's frames are there twice; in synthesis
            they are not. "prefix": the utterance is cut in two and only the second part is the target
            (VALL-E 2), as in synthesis. docs/faithfulness.md compares them.
        utterance_codebooks: of the codec, how many codebooks behind the first are the same in all frames of
            an utterance: given in training, taken from the prompt in synthesis.
        max_prompt_frames: longest training prompt, 3 s in the paper.
        restart_positions: the target's positions begin at zero, as the prompt's do (VALL-E, sec. 4.2.2: they
            are computed separately for prompts and the acoustic sequence). Otherwise both are counted through
            (VALL-E 2, sec. 3.3.2).
        layers, width, heads, feed_forward, dropout, attention_dropout: of the Transformer.
        chunk_frames: length of a chunk in training; 0 trains with full attention alone, as the papers do.
        mask_mix: share of each kind of mask in training (full, causal, chunk, two_chunks); all alike by
            default.
        language_id: what is told its language by a learned embedding: none, text (its tokens), audio (its
            frames: VALL-E X, Zhang et al., 2023) or both.
        languages: that it knows, whose order gives their numbers.
        style, emotions, style_bins, style_dropout: conditions of style that the tokens are told, see
            `StyleConditions`; none by default.

    Raises:
        ValueError: unknown `prompt_mode` or kind of mask, no share above 0, fewer than two codebooks, or see
            `LanguageIDs` and `StyleConditions`.
    """

    causal = False
    codewords: list[torch.Tensor] | None = None  # see `take_means`

    @typechecked
    def __init__(
        self,
        vocab_size: int,
        num_codebooks: int,
        codebook_size: int,
        prompt_mode: str = "random",
        max_prompt_frames: int = 225,
        restart_positions: bool = False,
        layers: int = 12,
        width: int = 1024,
        heads: int = 16,
        feed_forward: int = 4096,
        dropout: float = 0.1,
        chunk_frames: int = 0,
        mask_mix: dict[str, float] | None = None,
        attention_dropout: float = 0.0,
        utterance_codebooks: int = 0,
        language_id: str = NONE,
        languages: list[str] | None = None,
        style: list[str] | None = None,
        emotions: list[str] | None = None,
        style_bins: int = BINS,
        style_dropout: float = 0.2,
    ):
        super().__init__()
        if prompt_mode not in PROMPT_MODES:
            raise ValueError(f"prompt_mode must be one of {PROMPT_MODES}, not {prompt_mode!r}")
        if num_codebooks < 2 + utterance_codebooks:
            raise ValueError(
                "a NAR model needs a codec with at least two codebooks beside those of the whole utterance"
            )
        mix = dict.fromkeys(MASK_KINDS, 1.0) if mask_mix is None else mask_mix
        if set(mix) - set(MASK_KINDS) or min(mix.values(), default=0) < 0 or sum(mix.values()) <= 0:
            raise ValueError(f"mask_mix must give shares of {MASK_KINDS}, not {mask_mix}")
        if chunk_frames < 0:
            raise ValueError(f"chunk_frames must not be negative, as {chunk_frames} is")
        self.chunk_frames = chunk_frames
        self.mask_mix = mix
        self.num_codebooks = num_codebooks
        self.first_stage = 1 + utterance_codebooks
        self.prompt_mode = prompt_mode
        self.max_prompt_frames = max_prompt_frames
        self.restart_positions = restart_positions
        self.text = TextEmbedding(vocab_size, width)
        self.codes = CodeTables(num_codebooks, codebook_size, width)
        self.dropout = nn.Dropout(dropout)
        self.transformer = Transformer(
            layers, width, heads, feed_forward, dropout, num_codebooks - 1, attention_dropout
        )
        self.language_ids = LanguageIDs(language_id, languages or [], width)
        self.styles = StyleConditions(style or [], emotions or [], style_bins, style_dropout, width)

    def forward(
        self,
        text: torch.Tensor,
        text_lengths: torch.Tensor,
        codes: torch.Tensor,
        codes_lengths: torch.Tensor,
        languages: BatchLanguages | None = None,
        styles: torch.Tensor | None = None,
        parts: torch.Tensor | None = None,
    ) -> Prediction:
        """See `AbsVALLE.forward`; N = sum of target lengths, one codebook of each."""
        numbers = None if self.training else content_numbers(codes, codes_lengths).cpu()
        stage = self._draw_stages(codes_lengths, numbers)
        start, length = self._draw_prompts(codes_lengths)
        cuts = [(start, length)]
        prompt = _cut(codes, start, length, self.shape_step)
        if self.prompt_mode == "prefix":
            start, target_lengths = length, codes_lengths - length
        else:
            start, target_lengths = torch.zeros_like(length), codes_lengths
        cuts.append((start, target_lengths))
        target = _cut(codes, start, target_lengths, self.shape_step)
        spoken = None
        if languages is not None:
            frames = languages.codes.unsqueeze(2)
            of_prompt, of_target = (_cut(frames, *each, self.shape_step).squeeze(2) for each in cuts)
            spoken = NARLanguages(languages.text, of_prompt, of_target)
        ranks = None
        if self.chunk_frames:
            rows, frames = target.shape[:2]
            if numbers is not None:
                stages = self.num_codebooks - self.first_stage
                numbers = numbers // stages  # what the stages have not made use of
            ranks = draw_chunk_ranks(self.chunk_frames, self.mask_mix, rows, frames, stage.device, numbers)
        given = text, text_lengths, prompt, length, target, target_lengths, stage
        logits = self.logits(*given, ranks, spoken, styles)
        inside, codebooks = on_device(
            torch.stack(
                [filled_places(target_lengths, target.shape[1]), stage.repeat_interleave(target_lengths)]
            ),
            target.device,
        )
        answer = take(target, inside).gather(1, codebooks.unsqueeze(1)).squeeze(1)
        return Prediction(take(logits, inside), answer, codebooks)

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
        ranks: torch.Tensor | None = None,
        languages: NARLanguages | None = None,
        styles: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Predict one codebook of the target.

        Args:
            text: (batch, text_time); text_lengths: (batch,), on the CPU like all lengths, stages and ranks.
            prompt: (batch, prompt_time, Q); prompt_lengths: (batch,)
            target: (batch, time, Q), of which codebooks >= stage are not looked at; target_lengths: (batch,)
            stage: (batch,) zero-based codebook to predict, `first_stage`..Q-1.
            ranks: (batch, time) number of each target frame's chunk (`chunk_ranks`): a position sees ranks
                up to its own; text and prompt have rank 0. None for full attention.
            languages: None only for models without language IDs.
            styles: of the tokens, see `forward`.

        Returns:
            (batch, time, codebook_size)
        """
        of_text, of_prompt, of_target = languages or (None, None, None)
        batch, time = target.shape[:2]
        codebook = on_device(stage, text.device)
        all_codebooks = torch.full_like(codebook, self.num_codebooks)
        embedded_text, embedded_lengths = self.embed_text(text, text_lengths, of_text, styles)
        parts = [
            (self.language_ids.of_audio(self.codes.sum(prompt, all_codebooks), of_prompt), prompt_lengths),
            (self.language_ids.of_audio(self.codes.sum(target, codebook), of_target), target_lengths),
        ]
        if self.restart_positions:
            parts = [(self._place(each, 0), its_lengths) for each, its_lengths in parts]
        audio, audio_lengths = join(parts)
        if not self.restart_positions:
            audio = self._place(audio, 0)
        parts = [(embedded_text, embedded_lengths), (audio, audio_lengths)]
        x, lengths = join(parts, self.shape_step)
        first = on_device(embedded_lengths + prompt_lengths, text.device)
        if ranks is not None:
            ranks = _shift(on_device(ranks, text.device), first, x.shape[1])
        mask: Mask | None = None
        packing = None
        if self.transformer.packed:
            packing = Packing(lengths, x.shape[1], x.device, causal=False, ranks=ranks, stages=stage - 1)
        else:
            mask = _padding(lengths, x) if ranks is None else _chunk_mask(ranks, lengths, x)
        hidden = self.transformer(
            self.dropout(x), causal=False, mask=mask, stage=codebook - 1, packing=packing
        )
        index = (first.unsqueeze(1) + torch.arange(time, device=text.device)).clamp(max=x.shape[1] - 1)
        return self.codes.logits(hidden.gather(1, index.unsqueeze(2).expand(-1, -1, x.shape[2])), codebook)

    @torch.no_grad()
    def generate(
        self,
        text: Iterable[torch.Tensor],
        prompt: Iterable[torch.Tensor],
        first_codes: Iterable[torch.Tensor],
        chunks: Chunks | None = None,
        languages: Sequence[SpokenLanguages | None] | None = None,
        styles: Sequence[SpokenStyle | None] | None = None,
    ) -> list[torch.Tensor]:
        """Fill in codebooks 2..Q greedily, stage by stage; rows are padded so that they end together.

        Those of the utterance as a whole are the prompt's.

        Args:
            text: (text_time,) of each row: prompt text and text.
            prompt: (prompt_time, Q) of each row.
            first_codes: (time,) of each row, codebook 1 of the target.
            chunks: how much of the target a frame sees; None for all of it.
            languages: of each row; None only for models without language IDs.
            styles: of each row; None: nothing is told. Guided rows are read twice.

        Returns:
            (time, Q) of each row.
        """
        texts, prompts = list(text), list(prompt)
        spoken = languages or [None] * len(prompts)
        lanes = Lanes(styles or [None] * len(prompts))
        given = [self._given(*row) for row in zip(first_codes, map(self._own_codes, prompts), strict=True)]
        targets = [given[owner] for owner in lanes.owners]
        rows = [
            self._row(texts[owner], prompts[owner], given[owner], spoken[owner], style)
            for owner, style in zip(lanes.owners, lanes.weights)
        ]
        x = pad_sequence(rows, batch_first=True, padding_side="left")
        mask = _mask_of_rows(x, rows, targets, chunks)
        codes = list(pad_sequence(targets, batch_first=True, padding_side="left").unbind(2))
        time = codes[0].shape[1]
        frames = torch.tensor([len(target) for target in targets], device=x.device)
        inside = length_mask(frames, time).flip(1).unsqueeze(2)
        # Text and prompt are embedded once; each stage only adds its codebook to the target.
        for stage in range(self.first_stage, self.num_codebooks):
            hidden = self.transformer(x, causal=False, mask=mask, stage=stage - 1, last=time)
            logits = lanes.combined(self.codes.logits(hidden, torch.full_like(frames, stage)))
            codes.append(lanes.spread(self._choose(logits, stage)))
            x[:, -time:] += torch.where(inside, self.codes.embed(codes[-1], stage), 0)
        filled = torch.stack(codes, dim=2)
        return lanes.gathered([row[time - len(target) :] for row, target in zip(filled, targets)])

    def take_means(self, codewords: Sequence[np.ndarray]) -> None:
        """From now on choose the code nearest to the mean of the codewords, each as likely as it is.

        The papers take the likeliest code. Where many are likely and mean different things, that is one
        extreme of them, and the mean has the least error.

        Args:
            codewords: (size, dim) of each codebook, as `AbsCodec.codewords` gives them.
        """
        device = self.codes.weight.device
        self.codewords = [torch.as_tensor(points, dtype=torch.float32, device=device) for points in codewords]

    def _choose(self, logits: torch.Tensor, stage: int) -> torch.Tensor:
        """Codes (batch, time) of codebook `stage` from logits (batch, time, size)."""
        if self.codewords is None:
            return logits.argmax(-1)
        points = self.codewords[stage]
        means = logits.float().softmax(-1) @ points
        # argmin of the squared distance, without the mean's own square
        return (0.5 * points.square().sum(1) - means @ points.T).argmin(-1)

    def _own_codes(self, prompt: torch.Tensor) -> torch.Tensor:
        """Codes (utterance_codebooks,) that a prompt (time, Q) has as a whole."""
        return prompt[0, 1 : self.first_stage]

    def _given(self, first_codes: torch.Tensor, own_codes: torch.Tensor) -> torch.Tensor:
        """Codes of the target that are not predicted, (time, first_stage)."""
        return torch.cat([first_codes[:, None], own_codes.expand(len(first_codes), -1)], dim=1)

    def _row(
        self,
        text: torch.Tensor,
        prompt: torch.Tensor,
        given: torch.Tensor,
        spoken: SpokenLanguages | None,
        style: torch.Tensor | None,
    ) -> torch.Tensor:
        """Text, text end, prompt and what is given of the target as the Transformer reads them.

        Returns:
            (positions, width)
        """
        length = torch.tensor([len(text)], device=text.device)
        beginning = torch.cat(self._beginning(text, prompt, spoken, style), dim=1)
        embedded = self.codes.sum(given[None], torch.full_like(length, self.first_stage))
        embedded = self.language_ids.of_audio(embedded, spoken and spoken.target)
        said = self._place(embedded, self._first_position(len(prompt)))
        return torch.cat([beginning, said], dim=1)[0]

    def _beginning(
        self,
        text: torch.Tensor,
        prompt: torch.Tensor,
        spoken: SpokenLanguages | None,
        style: torch.Tensor | None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Text with its end, and prompt, as the Transformer reads them: (1, positions, width) of each."""
        length = torch.tensor([len(text)], device=text.device)
        embedded, _ = self.embed_text(
            text[None], length, spoken and spoken.text[None], None if style is None else style[None]
        )
        audio = self.codes.sum(prompt[None], torch.full_like(length, self.num_codebooks))
        audio = self.language_ids.of_audio(audio, spoken and spoken.prompt)
        return embedded, self._place(audio, 0)

    @torch.no_grad()
    def prefill(
        self,
        text: torch.Tensor,
        prompt: torch.Tensor,
        languages: SpokenLanguages | None = None,
        style: SpokenStyle | None = None,
    ) -> NARContext:
        """Read text and prompt, for `extend`: all stages at once.

        Args:
            text: (text_time,): prompt text and text.
            prompt: (prompt_time, Q).
            languages: None only for models without language IDs.
            style: None: nothing is told.
        """
        lanes = Lanes([style])
        caches = [self._caches(text, prompt, languages, weights) for weights in lanes.weights]
        language = None if languages is None else languages.target
        place = self._first_position(len(prompt))
        return NARContext(caches, place, self._own_codes(prompt), language, lanes)

    def _caches(
        self,
        text: torch.Tensor,
        prompt: torch.Tensor,
        languages: SpokenLanguages | None,
        style: torch.Tensor | None,
    ) -> list[GrowingCache]:
        """Text and prompt as each stage has read them."""
        stages = torch.arange(self.first_stage - 1, self.num_codebooks - 1, device=text.device)
        embedded_text, audio = self._beginning(text, prompt, languages, style)
        x = torch.cat([embedded_text, audio.to(embedded_text.dtype)], dim=1).expand(len(stages), -1, -1)
        cache = self.transformer.new_cache(len(stages), ROOM * x.shape[1])
        self.transformer(x, causal=False, stage=stages, cache=cache, last=0)
        return [GrowingCache(cache, row) for row in range(len(stages))]

    @torch.no_grad()
    def extend(self, first_codes: torch.Tensor, context: NARContext) -> torch.Tensor:
        """Fill in the next chunk, as `generate` does under the mask whose chunks these are.

        Args:
            first_codes: (time,), codebook 1 of the chunk.
            context: from `prefill`; the chunk is added to it.

        Returns:
            (time, Q)
        """
        given = self._given(first_codes, context.own_codes)
        count = torch.tensor([self.first_stage], device=given.device)
        x = self.language_ids.of_audio(self.codes.sum(given[None], count), context.language)
        x = self._place(x, context.position)
        codes = list(given.unbind(1))
        for stage, caches in enumerate(zip(*context.caches), self.first_stage):
            hidden = [self.transformer(x, causal=False, stage=stage - 1, cache=cache) for cache in caches]
            codebook = torch.tensor([stage] * len(caches), device=first_codes.device)
            logits = context.lanes.combined(self.codes.logits(torch.cat(hidden), codebook))
            codes.append(self._choose(logits, stage)[0])
            x = x + self.codes.embed(codes[-1][None], stage)
        context.position += len(first_codes)
        return torch.stack(codes, dim=1)

    def _place(self, audio: torch.Tensor, first_position: int) -> torch.Tensor:
        """Add the positions from `first_position` on to embeddings (batch, time, width)."""
        positions = torch.arange(first_position, first_position + audio.shape[1], device=audio.device)
        return audio + sinusoids(positions, audio.shape[2])

    def _first_position(self, prompt_frames: int) -> int:
        """Position of the target's first frame."""
        return 0 if self.restart_positions else prompt_frames

    def _draw_stages(self, lengths: torch.Tensor, numbers: torch.Tensor | None = None) -> torch.Tensor:
        """A stage `first_stage`..Q-1 for each row, at random or by the row's number.

        On the CPU, like `lengths`.
        """
        choices = self.num_codebooks - self.first_stage
        if numbers is None:
            drawn = torch.randint(1, choices + 1, lengths.shape, device=lengths.device)
        else:
            drawn = numbers % choices + 1
        return drawn + self.first_stage - 1

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
        codes: (batch, time, Q); start, length: (batch,), on the CPU.
        step: the padded length becomes a multiple of this.

    Returns:
        (batch, max length or more, Q)
    """
    frames = torch.arange(round_up(int(length.max()), step), device=codes.device)
    index = (on_device(start, codes.device).unsqueeze(1) + frames).clamp(max=codes.shape[1] - 1)
    return codes.gather(1, index.unsqueeze(2).expand(-1, -1, codes.shape[2]))


def _mask_of_rows(
    x: torch.Tensor, rows: Sequence[torch.Tensor], targets: Sequence[torch.Tensor], chunks: Chunks | None
) -> Mask | None:
    """Mask of rows that are padded to `x` (batch, time, width) on the left; None: all see all.

    Args:
        x: all rows.
        rows: (positions, width) of each.
        targets: (frames,) at the end of each.
        chunks: see `VALLENAR.generate`.
    """
    time = x.shape[1]
    lengths = torch.tensor([len(row) for row in rows])
    if chunks is None:
        return _padding(lengths, x, left=True)
    each = [chunks.ranks(len(target), x.device)[0] for target in targets]
    ranks = torch.stack([F.pad(one, (time - len(one), 0)) for one in each])
    return _ranked(ranks) & Padding(lengths, time, x.device, left=True).mask


def _padding(lengths: torch.Tensor, x: torch.Tensor, left: bool = False) -> Padding | None:
    """Padding of rows of `lengths` (batch,), on the CPU, in `x` (batch, time, width); None: there is none."""
    return None if int(lengths.min()) == x.shape[1] else Padding(lengths, x.shape[1], x.device, left)


def _shift(ranks: torch.Tensor, first: torch.Tensor, length: int) -> torch.Tensor:
    """Ranks (batch, time) of a target that begins at `first` (batch,) -> (batch, length), 0 before it."""
    index = torch.arange(length, device=ranks.device) - first.unsqueeze(1)
    shifted = ranks.gather(1, index.clamp(0, ranks.shape[1] - 1))
    return torch.where(index >= 0, shifted, 0)


def _chunk_mask(ranks: torch.Tensor, lengths: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """(batch, 1, time, time): a position sees ranks (batch, time) up to its own, no padding."""
    return _ranked(ranks) & Padding(lengths, x.shape[1], x.device).mask


def _ranked(ranks: torch.Tensor) -> torch.Tensor:
    """(batch, 1, time, time): a position sees ranks (batch, time) up to its own."""
    return (ranks.unsqueeze(1) <= ranks.unsqueeze(2)).unsqueeze(1)
