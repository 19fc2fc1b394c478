"""Text and prompt -> codebook 1, one group after another, for several utterances at once."""

from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import torch

from espnet2_valle.generate.options import SamplingOptions
from espnet2_valle.generate.outcome import Outcome
from espnet2_valle.generate.prefill import Utterance, at_once, joined, read_prefixes
from espnet2_valle.generate.sampling import draw_codes
from espnet2_valle.generate.stopping import RepetitionTrap
from espnet2_valle.valle.ar import VALLEAR
from espnet2_valle.valle.cache import KVCache
from espnet2_valle.valle.styles import Lanes, SpokenStyle


@dataclass(frozen=True)
class Decoded:
    """The AR model's answer.

    Attributes:
        codes: (time,) of the new part alone.
        outcome: OK, HIT_LENGTH_CAP, STUCK or NO_SPEECH.
        log_probability: mean over the drawn codes, the end included, under the model at temperature 1.
    """

    codes: torch.Tensor
    outcome: Outcome
    log_probability: float


class _Row:
    """An utterance that is being decoded."""

    def __init__(
        self, index: int, utterance: Utterance, prompt: list[int], group_size: int, options: SamplingOptions
    ):
        self.index = index
        self.options = utterance.sampling or options
        self.limits = utterance.limits
        self.language = utterance.languages.target if utterance.languages else None
        self.style: SpokenStyle | None = utterance.style
        self.generator = utterance.generator
        self.max_frames = utterance.limits.max_frames // group_size * group_size
        self.prompt_groups = len(prompt) // group_size
        self.recent = deque(prompt, maxlen=self.options.repetition_window)
        self.trap = RepetitionTrap(utterance.limits.max_repeat_frames)
        self.codes: list[int] = []
        self.draws = 0
        self.stuck = False
        self.outcome: Outcome | None = None

    def groups_left(self, group_size: int) -> int:
        """Groups that it may still say."""
        return (self.max_frames - len(self.codes)) // group_size

    def add(self, code: int, is_end: bool) -> None:
        """Take a drawn code."""
        self.draws += 1
        if is_end:
            self.outcome = Outcome.OK if self.codes else Outcome.NO_SPEECH
            return
        self.codes.append(code)
        self.recent.append(code)
        self.stuck |= self.trap.add(code)

    def end_group(self) -> None:
        """Decide whether the utterance ends behind the group that is complete now."""
        if self.outcome is None and self.stuck:
            self.outcome = Outcome.STUCK
        elif self.outcome is None and len(self.codes) >= self.max_frames:
            self.outcome = Outcome.HIT_LENGTH_CAP


class ARDecoder:
    """All state of decoding a batch of utterances; `step` adds a group of codes to each.

    A finished utterance leaves the batch, and others may enter it meanwhile: batching at the level of steps
    (Orca: Yu et al., 2022, sec. 4.1, "continuous batching"). Each draws from its own generator, so that what
    it says does not depend on the others (up to rounding: products of matrices are summed in another order).

    Codes of a group are drawn one after another from the group's distributions, so that
    repetition-aware sampling sees the earlier ones. The end code counts only as the first of a group.

    Args:
        model: in evaluation mode.
        utterances: what to say; see `admit`.
        options: how codes are drawn, where an utterance does not say.

    Attributes:
        results: of each utterance by its number, None until it has ended.
    """

    @torch.inference_mode()
    def __init__(self, model: VALLEAR, utterances: Sequence[Utterance], options: SamplingOptions):
        self.model = model
        self.options = options
        self.results: dict[int, Decoded | None] = {}
        self._rows: list[_Row] = []
        self._cache: KVCache
        self._logits: torch.Tensor
        self._pace: torch.Tensor  # rate and origin, see `VALLEAR.pace`
        self._log_probabilities: torch.Tensor
        self._lanes = Lanes([])  # of cache and pace; all else has the rows
        self._admitted = 0
        self.admit(utterances)

    @torch.inference_mode()
    def admit(self, utterances: Sequence[Utterance]) -> list[int]:
        """Begin utterances beside those that are being decoded.

        Args:
            utterances: what to say. Those with the very same text and prompt tensors share their prefix.

        Returns:
            the number of each, by which `step` and `results` name it.
        """
        if not utterances:
            return []
        new = Lanes([one.style for one in utterances])
        read = [
            one if one.style is style else replace(one, style=style)
            for one, style in ((utterances[owner], style) for owner, style in zip(new.owners, new.styles))
        ]
        places: dict[tuple[int, ...], int] = {}
        of_lane = [places.setdefault(one.beginning, len(places)) for one in read]
        first = [of_lane.index(place) for place in range(len(places))]
        parts = at_once([read[lane] for lane in first], utterances[0].text.device)
        prefixes = joined([read_prefixes(self.model, part) for part in parts])
        of_row = new.gathered(of_lane)
        size = self.model.group_size
        numbers = [self._admitted + n for n in range(len(utterances))]
        rows = [
            _Row(number, one, prefixes.prompts[n], size, self.options)
            for number, one, n in zip(numbers, utterances, of_row)
        ]
        caches = [prefixes.caches[n] for n in of_lane]
        logits = new.combined(prefixes.logits[of_lane])
        pace = torch.stack([prefixes.rates, prefixes.origins], dim=1)[of_lane]
        # Of the codes drawn so far, in float64: summed where they are, so that no step waits for them.
        totals = pace.new_zeros(len(rows), dtype=torch.float64)
        room = max(row.groups_left(size) for row in [*self._rows, *rows])
        if self._rows:
            self._cache = self._cache.admit(caches, room)
            logits = torch.cat([self._logits, logits])
            pace = torch.cat([self._pace, pace])
            totals = torch.cat([self._log_probabilities, totals])
        else:
            self._cache = KVCache.stack(caches, room)
        self._logits, self._pace, self._log_probabilities = logits, pace, totals
        self._rows = [*self._rows, *rows]
        self._lanes = Lanes([row.style for row in self._rows])
        self._admitted += len(rows)
        self.results |= dict.fromkeys(numbers)
        for row in rows:
            row.end_group()  # where nothing at all may be said
        self._leave()
        return numbers

    @torch.inference_mode()
    def drop(self, numbers: Collection[int]) -> None:
        """Forget utterances, ended or not."""
        staying = [place for place, row in enumerate(self._rows) if row.index not in numbers]
        if len(staying) < len(self._rows):
            self._keep(staying)
        for number in numbers:
            self.results.pop(number, None)

    @property
    def finished(self) -> bool:
        """True when no utterance is being decoded; then all of `results` are there."""
        return not self._rows

    @torch.inference_mode()
    def step(self) -> dict[int, list[int]]:
        """Draw the next group of every utterance that goes on.

        Returns:
            number of the utterance -> its new codes, none where it has just ended.
        """
        before = {row.index: len(row.codes) for row in self._rows}
        rows = self._rows
        self._draw_group()
        survivors = self._leave()
        if survivors:
            self._logits = self._predict()
        return {row.index: row.codes[before[row.index] :] for row in rows}

    def _draw_group(self) -> None:
        """Draw G codes for each row, or the end."""
        end = self.model.end
        self._logits[:, 1:, end] = float("-inf")
        early = [n for n, row in enumerate(self._rows) if len(row.codes) < row.limits.min_frames]
        if early:
            self._logits[early, 0, end] = float("-inf")
        for member in range(self.model.group_size):
            going = [place for place, row in enumerate(self._rows) if row.outcome is None]
            if not going:
                break
            for options in dict.fromkeys(self._rows[place].options for place in going):
                alike = [place for place in going if self._rows[place].options == options]
                self._draw(member, alike, options)
        for row in self._rows:
            row.end_group()

    def _draw(self, member: int, places: Sequence[int], options: SamplingOptions) -> None:
        """Draw a code of the group for the rows at these places, which share their options."""
        logits = self._logits[:, member]
        logits = logits if len(places) == len(self._rows) else logits[places]
        rows = [self._rows[place] for place in places]
        codes = draw_codes(logits, [row.recent for row in rows], options, [row.generator for row in rows])
        chosen = torch.tensor(codes, device=logits.device).unsqueeze(1)
        scores = logits.float().log_softmax(-1).gather(1, chosen)
        self._log_probabilities[places] += scores.flatten().double()
        for row, code in zip(rows, codes, strict=True):
            row.add(code, code == self.model.end)

    def _leave(self) -> list[_Row]:
        """Take finished rows out of the batch; returns those that stay."""
        staying = [place for place, row in enumerate(self._rows) if row.outcome is None]
        if len(staying) < len(self._rows):
            for row, total in zip(self._rows, self._log_probabilities.tolist(), strict=True):
                if row.outcome is not None:
                    codes = torch.tensor(row.codes, dtype=torch.long, device=self._logits.device)
                    self.results[row.index] = Decoded(codes, row.outcome, total / max(1, row.draws))
            self._keep(staying)
        return self._rows

    def _keep(self, staying: Sequence[int]) -> None:
        """Drop all rows but those at these places."""
        lanes = self._lanes.of_rows(staying)
        self._rows = [self._rows[place] for place in staying]
        self._lanes = Lanes([row.style for row in self._rows])
        self._cache.keep(lanes)
        self._logits = self._logits[staying]
        self._pace = self._pace[lanes]
        self._log_probabilities = self._log_probabilities[staying]

    def _predict(self) -> torch.Tensor:
        """Feed every row's newest group; logits (rows, G, classes) of the next."""
        size, device = self.model.group_size, self._logits.device
        rows = [self._rows[owner] for owner in self._lanes.owners]
        groups = torch.tensor([row.codes[-size:] for row in rows], device=device)
        positions = [row.prompt_groups + len(row.codes) // size - 1 for row in rows]
        placed = torch.tensor(positions, device=device)
        spoken = [row.language for row in rows if row.language is not None]
        languages = torch.tensor(spoken, device=device) if spoken else None
        rates, origins = self._pace.unbind(1)
        return self._lanes.combined(self.model.step(groups, placed, self._cache, rates, languages, origins))


def decode_ar(model: VALLEAR, utterances: Sequence[Utterance], options: SamplingOptions) -> list[Decoded]:
    """Continue each utterance's prompt until the model ends or a limit is hit; see `ARDecoder`."""
    decoder = ARDecoder(model, utterances, options)
    while not decoder.finished:
        decoder.step()
    return [result for result in decoder.results.values() if result is not None]
