"""Text2Speech by a diffusion model: durations and pitch can be asked for, and no word is skipped."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from espnet2_valle.asr.gaussians import TokenGaussians
from espnet2_valle.asr.timing import frame_pitch
from espnet2_valle.codec.abs_codec import AbsCodec
from espnet2_valle.common.audio import read_audio
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.seeds import derive_seed
from espnet2_valle.generate.choosing import Scorer, build_scorer
from espnet2_valle.generate.control_lines import split_control
from espnet2_valle.generate.diffusion_options import DiffusionOptions
from espnet2_valle.generate.options import DecodingOptions
from espnet2_valle.generate.outcome import Outcome
from espnet2_valle.generate.postprocess import finish
from espnet2_valle.generate.prompt import PreparedPrompt
from espnet2_valle.generate.request import Prepared, Request
from espnet2_valle.generate.speech import Speech
from espnet2_valle.generate.stopping import Limits
from espnet2_valle.generate.text2speech import Text2Speech, better
from espnet2_valle.ns2.control import Control
from espnet2_valle.ns2.generation import Generated, Wanted, generate
from espnet2_valle.ns2.model import NaturalSpeech2
from espnet2_valle.text.encoder import TextEncoder
from espnet2_valle.text.roles import EDGE, Role, roles
from espnet2_valle.valle.alignment import Alignment
from espnet2_valle.valle.styles import BINS, StyleConditions
from espnet2_valle.zoo.trained import ModelFiles, open_trained_ns2

UNSAID = "-"  # text of a prompt that nobody has to know
MOST_SECONDS = 60.0  # of one sentence


class DiffusionText2Speech(Text2Speech):
    """Zero-shot synthesis with a trained NaturalSpeech 2 model and its codec.

    It is used like `Text2Speech`. The text of a prompt need not be known. What `__call__` and `Request` take
    as `control` is a `Control`, or a line such as "speed=0.8 pitch=2 2-3:speed=0.5 reference=said.wav".

    Args:
        model: in evaluation mode.
        codec: that made the training codes.
        tokenizer: how texts become token ids.
        options: of decoding, as far as they are not VALL-E's.
        diffusion: of the solver, and speed and pitch of all that is said.
        scorer: see `Text2Speech`.

    Raises:
        InputError: a recogniser or a watermark that are asked for and cannot be had, candidates without
            anything to choose by, or a type of numbers that it cannot have.
    """

    streams = False

    def __init__(
        self,
        model: NaturalSpeech2,
        codec: AbsCodec,
        tokenizer: TextEncoder,
        options: DecodingOptions | None = None,
        diffusion: DiffusionOptions | None = None,
        scorer: Scorer | None = None,
    ):
        self.options = options or DecodingOptions()
        self.diffusion = diffusion or DiffusionOptions()
        self.solver = self.diffusion.of_solver(self.options.dtype)
        self.model = model
        self.device = model.device
        self.codec = codec
        self.tokenizer = tokenizer
        self.scorer = scorer or build_scorer(self.options.component, str(self.device))
        if self.options.best_of > 1 and self.scorer is None:
            raise InputError(
                "--best_of",
                "a diffusion model does not tell which of its candidates is likeliest",
                "Give --chooser (in run.sh's --inference_args), or leave it out",
            )
        self.watermark = self.options.build_watermark()
        self.check_style(self.options)
        tokens = tokenizer.ids.tokens
        self.roles = roles(tokens)
        self.edge = tokens.index(EDGE)

    @classmethod
    def of_files(
        cls,
        files: ModelFiles,
        device: str,
        options: DecodingOptions,
        scorer: Scorer | None,
        diffusion: DiffusionOptions,
    ) -> "DiffusionText2Speech":
        """Open what `files` name; see `Text2Speech.from_files`."""
        trained = open_trained_ns2(files, device)
        return cls(trained.model, trained.codec, trained.tokenizer, options, diffusion, scorer)

    @property
    def networks(self) -> tuple[torch.nn.Module, ...]:
        """See `Text2Speech.networks`."""
        return (self.model,)

    @property
    def told_languages(self) -> tuple[str, ...]:
        """None: such models have no language IDs."""
        return ()

    @property
    def style_conditions(self) -> StyleConditions:
        """None: such models are told no style by its name; see `DiffusionOptions` for theirs."""
        return StyleConditions([], [], BINS, 0.0, 1)

    @property
    def choices(self) -> tuple[Any, ...]:
        """See `Text2Speech.choices`."""
        options = self.options
        own = (options.best_of, options.retries, options.seed, *(options.signature or ()))
        rough = () if options.dtype == "float32" else (options.dtype,)  # as it was before there were any
        return (self.diffusion, *own, *rough)

    def _prompt_text(self, text: str | None) -> str | None:
        """See `Text2Speech._prompt_text`."""
        return text or UNSAID

    def _in_terms(self, request: Request, voice: PreparedPrompt) -> Prepared:
        """A request with an open prompt in the model's terms.

        Raises:
            InputError: a control that is none, or is of another text.
        """
        text = self._marked(request.text, self.language_of(request.text, request.lang))
        request = replace(request, text=text)
        ids = self.ids(text)
        prompt = torch.from_numpy(voice.codes.astype(np.int64))
        seed = self.seed if request.seed is None else request.seed
        control = self.control(request)
        if control.durations is not None and len(control.durations) != len(ids):
            raise InputError(
                "control durations",
                f"are of {len(control.durations)} tokens, the text has {len(ids)} with its edges",
                "Give those of the same text (control_from)",
            )
        words = int(self.words(ids).max())
        last = max((last for _, last in control.words), default=0)
        if last > words:
            raise InputError("control", f"names word {last}, the text has {words}", "Count its words from 1")
        request = replace(request, control=control)
        unknown = self.tokenizer.unknown(request.text)
        limits = Limits(0, round(MOST_SECONDS * self.codec.frame_rate))
        made = torch.from_numpy(ids), prompt, prompt[:, 0], limits, seed, 0, unknown
        return Prepared(request, *made, voice.provenance)

    def ids(self, text: str) -> np.ndarray:
        """Token ids (S,) int64 of a text, edges included."""
        return np.array([self.edge, *self.tokenizer.encode(text), self.edge], dtype=np.int64)

    def words(self, ids: np.ndarray) -> np.ndarray:
        """Number (S,) of the word that each token is of, counted from 1; 0 for pauses, which part words."""
        numbers, count, inside = [], 0, False
        for kind in self.roles[ids]:
            count += kind == Role.SOUND and not inside
            inside = kind != Role.PAUSE and (inside or kind == Role.SOUND)
            numbers.append(count if inside else 0)
        return np.array(numbers)

    def control(self, request: Request) -> Control:
        """The wishes of a request, with those for all that is said.

        Raises:
            InputError: a line that is none, or a reference that cannot be aligned with the text.
        """
        control = request.control
        if isinstance(control, str):
            control, reference = split_control(control)
            if reference is not None:
                told = self.control_from(reference, request.text)
                control = replace(control, durations=told.durations, contour=told.contour)
        return (control or Control()).within(self.diffusion.control)

    def control_from(self, recording: str | Path, text: str) -> Control:
        """Durations and pitch of a recording of `text`, to be said again by another voice.

        Raises:
            InputError: the recording cannot be read, or is too short for the text.
        """
        wav, _ = read_audio(recording, self.codec.sample_rate)
        codes = self.codec.encode(wav)
        ids = self.ids(text)
        gaussians = TokenGaussians(
            self.model.token_mean.cpu().numpy(), self.model.token_variance.cpu().numpy()
        )
        try:
            durations = gaussians.align(self.codec.latent(codes), ids, self.roles[ids])
        except ValueError as error:
            raise InputError(
                recording, f"does not fit the text ({error})", "Give one of this text"
            ) from error
        pitch = frame_pitch(wav, self.codec.sample_rate, self.codec.frame_rate, len(codes))
        return Control(durations=durations.astype(np.int64), contour=pitch)

    def align(self, request: Request, codes: np.ndarray) -> Alignment | None:
        """See `Text2Speech.align`: this model looks at no text while it speaks."""
        return None

    @torch.inference_mode()
    def _synthesise(self, prepared: Sequence[Prepared]) -> list[Speech]:
        """Synthesise, and try again what did not end well."""
        results: dict[int, Speech] = {}
        pending = list(range(len(prepared)))
        for attempt in range(1 + self.options.retries):
            for index, result in zip(pending, self._attempt([prepared[i] for i in pending], attempt)):
                results[index] = better(results.get(index), result, attempt)
            pending = [index for index in pending if results[index].outcome is not Outcome.OK]
        return [results[index] for index in range(len(prepared))]

    def _attempt(self, prepared: Sequence[Prepared], attempt: int) -> list[Speech]:
        """One go at each, with the best of its candidates."""
        if not prepared:
            return []
        rows = [
            self._speak(prepared, [derive_seed(each.seed, attempt, number) for each in prepared])
            for number in range(self.options.best_of)
        ]
        if self.scorer is None:
            return rows[0]
        heard = [
            [self._scored(one, each, self.scorer) for one, each in zip(row, prepared, strict=True)]
            for row in rows
        ]
        return [max(candidates, key=lambda one: one.rank) for candidates in zip(*heard, strict=True)]

    def _speak(self, prepared: Sequence[Prepared], seeds: Sequence[int]) -> list[Speech]:
        """Speech of each request from its seed, in one pass of the model."""
        wanted = [self.wanted(each, seed) for each, seed in zip(prepared, seeds, strict=True)]
        made = generate(self.model, wanted, self.solver)
        return [self._sound(one, each) for one, each in zip(made, prepared, strict=True)]

    def wanted(self, prepared: Prepared, seed: int) -> Wanted:
        """A prepared request as the model takes it."""
        ids = prepared.text.numpy()
        control = prepared.request.control
        assert isinstance(control, Control)
        speed, pitch, pitch_range = (
            np.full(len(ids), value) for value in (control.speed, control.pitch, control.pitch_range)
        )
        places = self.words(ids)
        for (first, last), own in control.words.items():
            spoken = (first <= places) & (places <= last)
            speed[spoken] *= own.speed
            pitch[spoken] += own.pitch
            pitch_range[spoken] *= own.pitch_range
        return Wanted(
            ids,
            (self.roles[ids] == Role.SOUND).astype(np.int64),
            self.codec.latent(prepared.prompt.numpy()),
            seed,
            speed,
            pitch,
            pitch_range,
            control.durations,
            control.contour,
        )

    def _sound(self, made: Generated, prepared: Prepared) -> Speech:
        """Latents to sound, through the output tail.

        Where F0 is a part of the latent, it is the one that was asked for: the denoiser, which also looks at
        the prompt, comes only near to it.
        """
        most = prepared.limits.max_frames
        latent = self.codec.with_pitch(made.latent, made.log_f0)[:most]
        outcome = Outcome.HIT_LENGTH_CAP if len(made.latent) > most else Outcome.OK
        wav = self.codec.decode_latent(latent)
        speech, outcome = finish(wav, self.fs, outcome, self.watermark)
        codes = torch.empty(0, self.codec.num_codebooks, dtype=torch.long)
        return Speech(torch.from_numpy(speech), self.fs, codes, outcome)
