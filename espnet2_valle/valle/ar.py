"""The autoregressive model: text, then codebook 1 (VALL-E, sec. 4.2.1; groups: VALL-E 2, sec. 3.2)."""

from collections.abc import Iterable, Sequence

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence
from typeguard import typechecked

from espnet2_valle.valle.abs_valle import AbsVALLE, Lengths, Prediction
from espnet2_valle.valle.aligner import Aligner, head_scores, reading_loss
from espnet2_valle.valle.cache import KVCache
from espnet2_valle.valle.embeddings import CodeTables, TextEmbedding, sinusoids
from espnet2_valle.valle.languages import NONE, BatchLanguages, LanguageIDs, SpokenLanguages
from espnet2_valle.valle.packing import Packing
from espnet2_valle.valle.relative_rates import relative_rate
from espnet2_valle.valle.rows import filled_places, join, length_mask, on_device, round_up, take
from espnet2_valle.valle.styles import BINS, SpokenStyle, StyleConditions
from espnet2_valle.valle.transformer import Transformer


class VALLEAR(AbsVALLE):
    """Causal language model over groups of `group_size` codes of codebook 1.

    One sequence per utterance: text, text end, group 1, group 2, ... Each position from the text
    end on predicts the next group; after the last one, a group of end codes. With `group_size` 1
    the two group projections do not exist and this is VALL-E.

    Args:
        vocab_size: text tokens; the last one is <sos/eos>.
        num_codebooks: Q of the codec (only codebook 1 is used here).
        codebook_size: entries of codebook 1; id `codebook_size` is the end code.
        group_size: G, codes per position.
        layers, width, heads, feed_forward, dropout, attention_dropout: of the Transformer.
        history_dropout: share of audio positions whose codes are hidden from the model in training, so
            that it has to look at the text (word dropout: Bowman et al., 2016). Not in the papers, where
            data abounds; without it a small model on little data learns to babble long before it learns
            to read.
        position_rate: what an audio position counts in text positions, so that speech and text that belong
            together have about the same position and attention starts near the diagonal (Deep Voice 3,
            Ping et al., 2018, sec. 3.5). About the text tokens spoken during one group; 1 is VALL-E.
        own_rate_weight: w, from 0 to 1: how far an utterance's own speaking rate takes the place of
            `position_rate`; see `position_rates`. Without it a fast voice runs ahead of its text, and the
            model says words twice or not at all. 0 is VALL-E.
        alignment_layer: of which layer the first head is taught by an `Aligner` to read what is to be said
            next, counted from 1. Without a teacher a small model on little real speech finds the text late
            or never. 0: none, as in the papers.
        positions_by_part: each of two joined utterances has a rate and a beginning of its own, and what is
            said behind a prompt has them too; see `part_positions`. Without it both have the rate of the
            whole, which is neither's where languages or styles are spoken at different rates.
        relative_rates: how many times as fast as usual each language (`language`), emotion (`emotion`) and
            value of the speaking rate (`speaking_rate`) is spoken; see `relative_rates.relative_rate`. A
            training with `positions_by_part` measures them.
        language_id: what is told its language by a learned embedding: none, text (its tokens), audio (its
            frames: VALL-E X, Zhang et al., 2023) or both.
        languages: that it knows, whose order gives their numbers.
        style, emotions, style_bins, style_dropout: conditions of style that the tokens are told, see
            `StyleConditions`; none by default.

    Raises:
        ValueError: there is no such layer, or see `LanguageIDs` and `StyleConditions`.
    """

    causal = True

    @typechecked
    def __init__(
        self,
        vocab_size: int,
        num_codebooks: int,
        codebook_size: int,
        group_size: int = 1,
        layers: int = 12,
        width: int = 1024,
        heads: int = 16,
        feed_forward: int = 4096,
        dropout: float = 0.1,
        history_dropout: float = 0.0,
        position_rate: float = 1.0,
        own_rate_weight: float = 0.0,
        attention_dropout: float = 0.0,
        alignment_layer: int = 0,
        language_id: str = NONE,
        languages: list[str] | None = None,
        style: list[str] | None = None,
        emotions: list[str] | None = None,
        style_bins: int = BINS,
        style_dropout: float = 0.2,
        positions_by_part: bool = False,
        relative_rates: dict[str, list[float]] | None = None,
    ):
        super().__init__()
        if not 0 <= alignment_layer <= layers:
            raise ValueError(f"alignment_layer must be 0 (none) to {layers}, not {alignment_layer}")
        self.alignment_layer = alignment_layer
        self.group_size = group_size
        self.history_dropout = history_dropout
        self.position_rate = position_rate
        self.own_rate_weight = own_rate_weight
        self.positions_by_part = positions_by_part
        self.relative_rates = relative_rates or {}
        self.end = codebook_size
        self.text = TextEmbedding(vocab_size, width)
        self.codes = CodeTables(1, codebook_size + 1, width)
        if group_size > 1:
            self.group_in = nn.Linear(group_size * width, width)
            self.group_out = nn.Linear(width, group_size * width)
        if alignment_layer:
            self.aligner = Aligner(vocab_size, group_size * width)
        self.dropout = nn.Dropout(dropout)
        self.transformer = Transformer(
            layers, width, heads, feed_forward, dropout, attention_dropout=attention_dropout
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
        """See `AbsVALLE.forward`; predicts every group and the end: N = G * sum(groups + 1)."""
        groups, group_lengths = self.group(codes[..., 0], codes_lengths)
        rates = placed = None
        if self.positions_by_part and parts is not None:
            placed = self.part_positions(parts, text_lengths, codes_lengths, groups.shape[1])
        else:
            rates = self.position_rates(text_lengths, group_lengths)
        taps = {self.alignment_layer - 1: text} if self.alignment_layer else {}
        if languages is not None:  # a group is of the language of its last frame
            languages = languages._replace(codes=self.group(languages.codes, codes_lengths)[0][..., -1])
        logits = self.logits(
            text, text_lengths, groups, group_lengths, rates, taps, languages, styles, placed
        )
        said = length_mask(on_device(group_lengths, groups.device), groups.shape[1] + 1)
        ended = F.pad(groups, (0, 0, 0, 1)).masked_fill(~said.unsqueeze(2), self.end)
        inside = on_device(filled_places(group_lengths + 1, ended.shape[1]), groups.device)
        targets = take(ended, inside).flatten()
        alignment = self._alignment(taps, text, text_lengths, groups, group_lengths) if taps else None
        return Prediction(take(logits, inside).flatten(0, 1), targets, torch.zeros_like(targets), alignment)

    def _alignment(
        self,
        taps: dict[int, torch.Tensor],
        text: torch.Tensor,
        text_lengths: torch.Tensor,
        groups: torch.Tensor,
        group_lengths: torch.Tensor,
    ) -> torch.Tensor:
        """Losses of the aligner and of the head that learns from it to read."""
        ((layer, x),) = taps.items()
        block = self.transformer.blocks[layer]
        attention = head_scores(block.attention.qkv(block.attention_norm(x)), block.attention.heads)
        codes = F.embedding(groups, self.codes.weight[0]).flatten(2) * self.codes.scale
        aligning, shares = self.aligner.align(text, text_lengths, codes, group_lengths)
        return aligning + reading_loss(attention, shares, text_lengths)

    def position_rates(self, tokens: torch.Tensor, groups: torch.Tensor) -> torch.Tensor:
        """Text positions that one audio position counts: position_rate^(1 - w) * (tokens / groups)^w.

        In training the rate is that of the whole utterance, in synthesis that of the prompt, which
        is of the same voice but short, so that it deserves less than full weight.

        Args:
            tokens: (batch,) text tokens; groups: (batch,) groups in which they are spoken.

        Returns:
            (batch,) float32; `position_rate` where there are no tokens or no groups.
        """
        known = (tokens > 0) & (groups > 0)
        own = torch.where(known, tokens / groups.clamp(min=1), self.position_rate)
        return self.position_rate ** (1 - self.own_rate_weight) * own**self.own_rate_weight

    def part_positions(
        self, parts: torch.Tensor, text_lengths: torch.Tensor, codes_lengths: torch.Tensor, groups: int
    ) -> torch.Tensor:
        """Text positions of groups of joined utterances: each begins where its text does, at its own rate.

        Args:
            parts: (batch, 2), tokens and frames of the first.
            text_lengths, codes_lengths: (batch,) of both, on the CPU.
            groups: so many positions.

        Returns:
            (batch, groups) float32.
        """
        text_lengths, codes_lengths = (on_device(one, parts.device) for one in (text_lengths, codes_lengths))
        tokens, frames = parts.unbind(1)
        all_groups = codes_lengths // self.group_size
        first = ((frames - codes_lengths % self.group_size) // self.group_size).clamp(min=0)
        rates = self.position_rates(tokens, first).unsqueeze(1)
        others = self.position_rates(text_lengths - tokens, all_groups - first).unsqueeze(1)
        place, first = torch.arange(groups, device=parts.device), first.unsqueeze(1)
        behind = tokens.unsqueeze(1) + (place - first) * others
        return torch.where(place < first, place * rates, behind)

    def pace(
        self, tokens: torch.Tensor, groups: torch.Tensor, relative: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Rate of what is said behind prompts, and the text position that group 0 would have at that rate.

        Args:
            tokens, groups: (batch,) of the prompts, see `position_rates`.
            relative: (batch,) how many times as fast as its prompt each is said.

        Returns:
            both (batch,): group k, the prompt's counted, stands at origin + k * rate.
        """
        rates = self.position_rates(tokens, groups)
        if not self.positions_by_part:
            return rates, torch.zeros_like(rates)
        rates = rates * relative**self.own_rate_weight
        return rates, torch.where(tokens > 0, tokens - groups * rates, 0.0)

    def relative_rate(
        self, prompt_tokens: int, languages: SpokenLanguages | None, style: SpokenStyle | None
    ) -> float:
        """Rate of a text over that of its prompt; 1 of models without `positions_by_part`."""
        return relative_rate(self.relative_rates, self.styles, prompt_tokens, languages, style)

    def positions(self, text_lengths: Lengths, codes_lengths: Lengths) -> Lengths:
        """See `AbsVALLE.positions`: text, text end, and groups."""
        return text_lengths + 1 + codes_lengths // self.group_size

    def group(self, codes: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Fold codes into groups, clipping leading frames to a multiple of G (VALL-E 2, sec. 3.2).

        Args:
            codes: (batch, time) of codebook 1.
            lengths: (batch,), on the CPU.

        Returns:
            (batch, groups, G) and the number of groups (batch,). In training `groups` is rounded up.
        """
        size = self.group_size
        lengths_in_groups = lengths // size
        longest = round_up(int(lengths_in_groups.max()), self.shape_step)
        frames = torch.arange(longest * size, device=codes.device)
        index = (frames + on_device(lengths % size, codes.device).unsqueeze(1)).clamp(max=codes.shape[1] - 1)
        return codes.gather(1, index).unflatten(1, (-1, size)), lengths_in_groups

    def logits(
        self,
        text: torch.Tensor,
        text_lengths: torch.Tensor,
        groups: torch.Tensor,
        group_lengths: torch.Tensor,
        rates: torch.Tensor | None = None,
        taps: dict[int, torch.Tensor] | None = None,
        languages: BatchLanguages | None = None,
        styles: torch.Tensor | None = None,
        placed: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Teacher-forced prediction.

        Args:
            text: (batch, text_time); text_lengths: (batch,), on the CPU like those of the groups.
            groups: (batch, groups, G); group_lengths: (batch,)
            rates: (batch,) from `position_rates`; None means `position_rate` for all.
            taps: see `Transformer.forward`.
            languages: of tokens and groups; None only for models without language IDs.
            styles: of the tokens, see `forward`.
            placed: (batch, groups) text positions of the groups, in the place of `rates`.

        Returns:
            (batch, groups + 1, G, codebook_size + 1): at index t the prediction of group t
            from the groups before it.
        """
        of_text, of_groups = languages or (None, None)
        embedded_text, embedded_lengths = self.embed_text(text, text_lengths, of_text, styles)
        if placed is None:
            placed = self._placed(torch.arange(groups.shape[1], device=groups.device), rates)
        audio = self._embed(groups, placed, of_groups)
        parts = [(embedded_text, embedded_lengths), (audio, group_lengths)]
        x, lengths = join(parts, self.shape_step)
        packing = Packing(lengths, x.shape[1], x.device, causal=True) if self.transformer.packed else None
        hidden = self.transformer(self.dropout(x), causal=True, packing=packing, taps=taps)
        steps = torch.arange(groups.shape[1] + 1, device=text.device)
        index = (on_device(text_lengths, text.device).unsqueeze(1) + steps).clamp(max=hidden.shape[1] - 1)
        return self._predict(hidden.gather(1, index.unsqueeze(2).expand(-1, -1, hidden.shape[2])))

    def new_cache(self, batch: int, max_length: int) -> KVCache:
        """The state of incremental decoding for `max_length` positions of text, end mark and groups."""
        return self.transformer.new_cache(batch, max_length)

    @torch.no_grad()
    def prefill(
        self,
        text: Iterable[torch.Tensor],
        groups: Iterable[torch.Tensor],
        cache: KVCache,
        rates: torch.Tensor | None = None,
        languages: Sequence[SpokenLanguages | None] | None = None,
        styles: Sequence[torch.Tensor | None] | None = None,
        placed: Sequence[torch.Tensor] | None = None,
    ) -> torch.Tensor:
        """Read the text and the prompt into an empty cache.

        Rows begin together. What the cache holds behind the end of a shorter one is padding, see
        `KVCache.split`.

        Args:
            text: (text_time,) of each row.
            groups: (prompt_groups, G) of each row, may be empty.
            cache: from `new_cache`, for the longest row.
            rates: (batch,) from `position_rates`; None means `position_rate` for all.
            languages: of each row; None only for models without language IDs.
            styles: (text_time, values) of each row, see `StyleConditions`; None: nothing is told.
            placed: (prompt_groups,) text positions of the groups of each row, in the place of `rates`.

        Returns:
            logits of the next group, (batch, G, codebook_size + 1).
        """
        texts = list(text)
        each = [None] * len(texts) if rates is None else rates.split(1)
        spoken = languages or [None] * len(texts)
        told = styles or [None] * len(texts)
        parts = list(groups)
        if placed is None:
            counted = [torch.arange(len(part), device=part.device) for part in parts]
            placed = [self._placed(one, rate)[0] for one, rate in zip(counted, each, strict=True)]
        rows = [self._row(*row) for row in zip(texts, parts, placed, spoken, told, strict=True)]
        x = pad_sequence(rows, batch_first=True)
        if all(len(row) == x.shape[1] for row in rows):
            return self._predict(self.transformer(x, causal=True, cache=cache, last=1))[:, 0]
        hidden = self.transformer(x, causal=True, cache=cache)  # no row sees what is behind it
        return self._predict(torch.stack([one[len(row) - 1 :][:1] for one, row in zip(hidden, rows)]))[:, 0]

    def _row(
        self,
        text: torch.Tensor,
        groups: torch.Tensor,
        placed: torch.Tensor,
        spoken: SpokenLanguages | None,
        style: torch.Tensor | None,
    ) -> torch.Tensor:
        """(text_time,) and (groups, G) -> (text_time + 1 + groups, width), as the Transformer reads them."""
        length = torch.tensor([len(text)], device=text.device)
        embedded, _ = self.embed_text(
            text[None], length, spoken and spoken.text[None], None if style is None else style[None]
        )
        audio = self._embed(groups[None], placed[None], spoken and spoken.prompt)
        return torch.cat([embedded, audio.to(embedded.dtype)], dim=1)[0]

    @torch.no_grad()
    def step(
        self,
        group: torch.Tensor,
        position: torch.Tensor,
        cache: KVCache,
        rates: torch.Tensor | None = None,
        languages: torch.Tensor | None = None,
        origins: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Add one group to each row.

        Args:
            group: (batch, G), the groups just sampled.
            position: (batch,), their index among the row's audio groups, the prompt's included.
            cache: state after `prefill` or the former `step`.
            rates, origins: (batch,) see `pace`; None: `position_rate` for all, and 0.
            languages: (batch,), of what the rows are to say; None only for models without language IDs.

        Returns:
            logits of the next group, (batch, G, codebook_size + 1).
        """
        spoken = None if languages is None else languages.unsqueeze(1)
        placed = self._placed(position.unsqueeze(1), rates)
        if origins is not None:
            placed = placed + origins.unsqueeze(1)
        x = self._embed(group.unsqueeze(1), placed, spoken)
        return self._predict(self.transformer(x, causal=True, cache=cache))[:, 0]

    def _placed(self, positions: torch.Tensor, rates: torch.Tensor | None) -> torch.Tensor:
        """Text positions (batch, groups) of groups at `positions`, (batch, groups) or (groups,) of all."""
        if rates is None:
            rates = torch.tensor([self.position_rate])
        return positions * on_device(rates, positions.device).unsqueeze(1)

    def _embed(
        self,
        groups: torch.Tensor,
        placed: torch.Tensor,
        languages: torch.Tensor | int | None = None,
    ) -> torch.Tensor:
        """(batch, groups, G) -> (batch, groups, width), at text positions (batch, groups)."""
        table = self.codes.weight[0]
        x = F.embedding(groups, table).flatten(2) * self.codes.scale
        if self.group_size > 1:
            x = self.group_in(x)
        if self.training and self.history_dropout:
            x = x * (torch.rand(x.shape[:2], device=x.device) >= self.history_dropout).unsqueeze(2)
        return self.language_ids.of_audio(x, languages) + sinusoids(placed, table.shape[1])

    def _predict(self, hidden: torch.Tensor) -> torch.Tensor:
        """(batch, steps, width) -> (batch, steps, G, codebook_size + 1)."""
        if self.group_size > 1:
            hidden = self.group_out(hidden)
        table = self.codes.weight[0]
        if not torch.is_autocast_enabled(hidden.device.type):
            hidden = hidden.to(table.dtype)  # projections of smaller type return that type
        return F.linear(hidden.unflatten(2, (self.group_size, -1)), table)
