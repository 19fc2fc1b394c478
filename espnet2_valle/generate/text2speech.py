"""Text and a prompt in, speech in the prompt's voice out."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from espnet2_valle.codec.abs_codec import AbsCodec
from espnet2_valle.common.errors import InputError, WorkError
from espnet2_valle.common.seeds import derive_seed
from espnet2_valle.generate.ar_decoding import Decoded, decode_ar
from espnet2_valle.generate.choosing import Scorer, build_scorer
from espnet2_valle.generate.diffusion_options import DiffusionOptions
from espnet2_valle.generate.languages import (
    ACCENT,
    PROMPT,
    TEXT,
    Languages,
    known_languages,
    language_of,
    named_language,
)
from espnet2_valle.generate.options import MEAN, DecodingOptions
from espnet2_valle.generate.outcome import Outcome, rank
from espnet2_valle.generate.postprocess import finish
from espnet2_valle.generate.prefill import Utterance, at_once
from espnet2_valle.generate.prompt import (
    Given,
    PreparedPrompt,
    Prompt,
    Sound,
    load_prompt,
    open_prompt,
    open_prompts,
)
from espnet2_valle.generate.request import Prepared, Request
from espnet2_valle.generate.speech import Speech
from espnet2_valle.generate.stopping import Limits
from espnet2_valle.generate.styles import StyleOptions, StyleTeller
from espnet2_valle.labels.recognizer import heard_emotions
from espnet2_valle.ns2.control import Control
from espnet2_valle.text.characters import check_said
from espnet2_valle.text.encoder import Encoded, TextEncoder
from espnet2_valle.text.markup import in_language, without_emotions
from espnet2_valle.valle.alignment import Alignment, align
from espnet2_valle.valle.decode_steps import prepare_ar, prepare_nar
from espnet2_valle.valle.languages import SpokenLanguages
from espnet2_valle.valle.styles import SpokenStyle, StyleConditions
from espnet2_valle.zoo.trained import MODEL_FILES, ModelFiles, Models, open_trained

Synthesise = Callable[[Sequence[Prepared]], list[Speech]]


class Text2Speech:
    """Zero-shot synthesis with a trained AR and NAR model and their codec.

    Example:
        >>> text2speech = Text2Speech.from_pretrained("exp/mini/model.zip")
        >>> speech = text2speech("seven two nine", "voice.wav", "four stop one left")
        >>> speech.save("out.wav")

    Args:
        models: AR and NAR, in evaluation mode on one device. Their weights take the type of the options, and
            the AR model its decoding step: they are for inference from then on.
        codec: that made the training codes.
        tokenizer: how texts become token ids.
        options: of decoding.
        scorer: rates candidates by their sound, such as with a recogniser. Every candidate is then
            synthesised to the end, where otherwise only the chosen one is. By default that of the options'
            chooser, if it is one.

    Raises:
        InputError: compiled steps, a recogniser or a watermark that are asked for and cannot be had, or a
            style that the models are not told.
    """

    streams = True  # whether it can say a text while the rest of it is still being made

    def __init__(
        self,
        models: Models,
        codec: AbsCodec,
        tokenizer: TextEncoder,
        options: DecodingOptions | None = None,
        scorer: Scorer | None = None,
    ):
        self.options = options or DecodingOptions()
        self.ar, self.nar = models
        self.device = models.device
        self.codec = codec
        self.tokenizer = tokenizer
        self.scorer = scorer or build_scorer(self.options.component, str(self.device))
        self.watermark = self.options.build_watermark()
        self.check_style(self.options)
        prepare_ar(self.ar, self.options.dtype, self.options.native, self.options.cuda_graphs)
        prepare_nar(self.nar, self.options.dtype)
        if self.options.nar_choice == MEAN:
            self.nar.take_means(codewords_of(codec))

    @classmethod
    def from_files(
        cls,
        ar_train_config: str | Path | None = None,
        ar_model_file: str | Path | None = None,
        nar_train_config: str | Path | None = None,
        nar_model_file: str | Path | None = None,
        codec_config: str | Path | None = None,
        device: str = "cpu",
        scorer: Scorer | None = None,
        **options: Any,
    ) -> "Text2Speech":
        """Open a trained model.

        Args:
            ar_train_config, ar_model_file: config.yaml and weights of the AR training.
            nar_train_config, nar_model_file: of the NAR training.
            codec_config: codec.yaml of the codec that made the training codes.
            device: cpu, cuda, cuda:N.
            scorer: see the class.
            options: see `DecodingOptions`.

        Raises:
            InputError: missing files, models and codec that do not belong together, or options out of range.
        """
        files = ModelFiles(ar_train_config, ar_model_file, nar_train_config, nar_model_file, codec_config)
        return cls.open(files, device, DecodingOptions(**options), scorer)

    @classmethod
    def from_pretrained(
        cls, model_tag: str | Path, device: str = "cpu", scorer: Scorer | None = None, **kwargs: Any
    ) -> "Text2Speech":
        """Open a packed model.

        Args:
            model_tag: a zip made by stage 10, a folder of its files, a name that espnet_model_zoo knows, or a
                HuggingFace repository, LAB/NAME or LAB/NAME@REVISION.
            device, scorer, kwargs: any argument of `from_files`; files given here go before the pack's. For a
                NaturalSpeech 2 model also those of `DiffusionOptions`.

        Returns:
            for a NaturalSpeech 2 model a `DiffusionText2Speech`.

        Raises:
            InputError: see `unpack` and `from_files`, or a packed model of another task.
        """
        given = {name: kwargs.pop(name) for name in MODEL_FILES if name in kwargs}
        names = [one.name for one in fields(DiffusionOptions)]
        diffusion = DiffusionOptions(**{name: kwargs.pop(name) for name in names if name in kwargs})
        files = ModelFiles(**given, model_tag=model_tag)
        return cls.open(files, device, DecodingOptions(**kwargs), scorer, diffusion)

    @classmethod
    def open(
        cls,
        files: ModelFiles,
        device: str,
        options: DecodingOptions,
        scorer: Scorer | None = None,
        diffusion: DiffusionOptions | None = None,
    ) -> "Text2Speech":
        """Open what `files` name; see `from_files`.

        Raises:
            InputError: see `from_files`, or options of diffusion for a model that has none.
        """
        diffusion = diffusion or DiffusionOptions()
        if files.is_diffusion or (files.model_tag and files.unpacked().is_diffusion):
            from espnet2_valle.generate.diffusion import DiffusionText2Speech  # which imports this

            return DiffusionText2Speech.of_files(files, device, options, scorer, diffusion)
        if diffusion.changed:
            raise InputError(
                f"--{diffusion.changed[0]}",
                "is for NaturalSpeech 2 models, and this is VALL-E",
                "Leave it out, or give a model of run.sh --model ns2",
            )
        trained = open_trained(files, device)
        return cls(trained.models, trained.codec, trained.tokenizer, options, scorer)

    @property
    def networks(self) -> tuple[torch.nn.Module, ...]:
        """The models, whose weights decide what is said."""
        return self.ar, self.nar

    @property
    def fs(self) -> int:
        """Rate of the output in Hz."""
        return self.codec.sample_rate

    @property
    def seed(self) -> int:
        """Default seed of each call."""
        return self.options.seed

    @property
    def choices(self) -> tuple[Any, ...]:
        """All but models, codec and scorer that decides what a text becomes."""
        options = self.options
        return (
            options.sampling,
            options.duration_ratios,
            options.max_repeat_seconds,
            options.best_of,
            options.retries,
            options.seed,
            self.ar.transformer.decode_step is not None,
            *(options.signature or ()),
            *filter(None, (options.lang, options.prompt_lang, options.accent)),
            *options.style_given.items(),
        )

    def __call__(
        self,
        text: str,
        prompt_speech: Prompt,
        prompt_text: str | None = None,
        prompt_fs: int | None = None,
        seed: int | None = None,
        control: Control | str | None = None,
        lang: str | None = None,
        prompt_lang: str | None = None,
        accent: str | None = None,
        **style: Any,
    ) -> Speech:
        """Say `text` in the voice of the prompt.

        Args:
            text: what to say.
            prompt_speech: about three seconds of the voice: a file, samples (S,) as an array or a tensor,
                codes (T, Q) as an integer tensor that `encode_prompt` made, or a prepared prompt
                (`valle_prepare_prompt`, .npz).
            prompt_text: what is said in the prompt; a prepared one knows.
            prompt_fs: rate of the samples in Hz, when samples are given.
            seed: for this call; the same seed gives the same speech.
            control: durations and pitch, of NaturalSpeech 2 models alone; see `DiffusionText2Speech`.
            lang: of the text, such as "en", for models of several languages; by default detected. In the text
                `<lang=de>...</lang>` marks another.
            prompt_lang: of what is said in the prompt; by default the prepared prompt's, or detected.
            accent: another language that a model with language IDs is told in the place of the text's.
            style: some of `StyleOptions`, such as `emotion="happy"`, for models that are told them. In the
                text `<emotion=happy>...</emotion>` marks words with an emotion of their own.

        Returns:
            the speech at `fs`; the outcomes PROMPT_REJECTED and TEXT_REJECTED are of `batch` alone.

        Raises:
            InputError: a prompt that cannot be used, no prompt text, a text that cannot be said: see
                `TextEncoder.encode`, or a language or a style that the model does not know.
        """
        given = text, prompt_speech, prompt_text, prompt_fs, seed, None, control
        request = Request(*given, lang, prompt_lang, accent, style)
        prepared = self.prepare(request)
        return tell_unknown(self._synthesise([prepared])[0], prepared)

    def batch(self, requests: Sequence[Request], synthesise: Synthesise | None = None) -> list[Speech]:
        """Say several texts at once; each sounds as it would alone, up to rounding.

        Requests of about the same length waste least.

        Args:
            requests: what to say.
            synthesise: another way from prepared requests to results, such as `Streamer.synthesise`.

        Returns:
            what `__call__` returns, for each request. One that it would raise an error for has the outcome
            TEXT_REJECTED or PROMPT_REJECTED and the message under `problem`, no sound and no tries.

        Raises:
            WorkError: a package that reading texts needs is missing.
        """
        given = [
            Given(one.prompt_speech, self._prompt_text(one.prompt_text), one.prompt_fs) for one in requests
        ]
        voices = open_prompts(given, self.codec, self.options.trim_prompt)
        made = [self._prepare_or_reject(*each) for each in zip(requests, voices, strict=True)]
        prepared = [one for one in made if isinstance(one, Prepared)]
        said = iter((synthesise or self._synthesise)(prepared) if prepared else [])
        return [tell_unknown(next(said), one) if isinstance(one, Prepared) else one for one in made]

    def _prepare_or_reject(self, request: Request, voice: PreparedPrompt | InputError) -> Prepared | Speech:
        """A request in the models' terms, or why it is none."""
        outcome = Outcome.TEXT_REJECTED
        try:
            self.check_request(request)
            outcome = Outcome.PROMPT_REJECTED
            if isinstance(voice, InputError):
                raise voice
            return self._in_terms(request, voice)
        except WorkError:  # which no other request would escape
            raise
        except InputError as error:
            return replace(self._silence(outcome), tries=0, problem=str(error))

    def encode_prompt(self, prompt_speech: Sound, prompt_fs: int | None = None) -> torch.Tensor:
        """Codes (T, Q) of a checked prompt, int64, which may stand for it wherever one is asked for.

        Raises:
            InputError: a prompt that cannot be used.
        """
        wav = load_prompt(prompt_speech, prompt_fs, self.fs, self.options.trim_prompt)
        return torch.from_numpy(self.codec.encode(wav).astype(np.int64))

    def prepare(self, request: Request) -> Prepared:
        """Check a request and bring it into the models' terms.

        Raises:
            InputError: see `__call__`.
        """
        self.check_request(request)
        voice = open_prompt(
            request.prompt_speech,
            self._prompt_text(request.prompt_text),
            request.prompt_fs,
            self.codec,
            self.options.trim_prompt,
        )
        return self._in_terms(request, voice)

    def _prompt_text(self, text: str | None) -> str | None:
        """Text of a prompt that is not prepared; a model that needs none puts something in its place."""
        return text

    def _in_terms(self, request: Request, voice: PreparedPrompt) -> Prepared:
        """A request with an open prompt in the models' terms."""
        if request.control is not None:
            raise InputError("control", "is for NaturalSpeech 2 models, and this is VALL-E", "Leave it out")
        spoken = self.languages_of(request, voice)
        text, prompt_text = self._marked(request.text, spoken.text), self._marked(voice.text, spoken.prompt)
        request = replace(request, text=text)
        ids = self.tokenizer.encode_styled(text, self.emotions).ids
        prompt = torch.from_numpy(voice.codes.astype(np.int64)).to(self.device)
        prompt_ids = self.tokenizer.encode(prompt_text, "prompt_text")
        joined = f"{prompt_text} {text}"
        encoded = self.tokenizer.encode_styled(joined, self.emotions)
        both = torch.tensor(encoded.ids, device=self.device)
        seed = self.seed if request.seed is None else request.seed
        first = prompt[:, 0].contiguous()
        unknown = self.tokenizer.unknown(without_emotions(text))
        languages = self._numbered(joined, encoded, len(prompt_ids), spoken)
        style = self._styled(request, encoded.emotions or [""] * len(both), len(prompt_ids))
        # An accent changes what the model is told, not how many tokens the text has.
        read = languages
        if spoken.accent:
            read = self._numbered(joined, encoded, len(prompt_ids), replace(spoken, accent=None))
        relative = self.ar.relative_rate(len(prompt_ids), read, None if voice.styled else style)
        limits = self._limits(len(prompt) / len(prompt_ids) * len(ids) / relative)
        made = request, both, prompt, first, limits, seed, len(prompt_ids), unknown
        return Prepared(*made, voice.provenance, languages, style, relative)

    @property
    def languages(self) -> tuple[str, ...]:
        """Languages that the model knows, ISO 639-1; none where it reads all texts alike."""
        return known_languages(self.tokenizer.languages, self.told_languages)

    @property
    def told_languages(self) -> tuple[str, ...]:
        """Languages of its IDs; none where it has none."""
        return self.ar.language_ids.names or self.nar.language_ids.names

    def language_of(self, text: str, lang: str | None = None) -> str | None:
        """The language of a text, which `lang` or the options name, or which is detected; None: not told.

        Raises:
            InputError: see `languages.language_of`.
        """
        return language_of(lang or self.options.lang, text, self.languages, TEXT)

    def languages_of(self, request: Request, voice: PreparedPrompt) -> Languages:
        """The languages of a request.

        Raises:
            InputError: one that the model does not know, or an accent for a model without language IDs.
        """
        prompt = request.prompt_lang or self.options.prompt_lang or voice.lang
        accent = request.accent or self.options.accent
        if accent and not self.told_languages:
            raise InputError(ACCENT, "is for models with language IDs, and this one has none", "Leave it out")
        return Languages(
            self.language_of(request.text, request.lang),
            language_of(prompt, voice.text, self.languages, PROMPT),
            named_language(accent, self.told_languages, ACCENT) if accent else None,
        )

    def _marked(self, text: str, language: str | None) -> str:
        """A text as the tokenizer reads it: marked, if there are several languages that it reads."""
        several = len(self.tokenizer.languages) > 1
        return in_language(text, language) if several and language else text

    @property
    def emotions(self) -> tuple[str, ...]:
        """Emotions that the model is told; none: it is not."""
        return self.style_conditions.emotions

    @property
    def style_conditions(self) -> StyleConditions:
        """Conditions of style that the models are told, or one of them is."""
        return self.ar.styles if self.ar.styles.names else self.nar.styles

    def _styled(self, request: Request, marked: Sequence[str], prompt_tokens: int) -> SpokenStyle | None:
        """The style of a request as the models are told it, by the emotion that each token is marked with."""
        asked = self.options.with_style(request.style)
        heard: dict[str, float] = {}
        if asked.emotion_reference:
            heard = heard_emotions(asked.emotion_recognizer, asked.emotion_reference)
        teller = StyleTeller(self.style_conditions, self.device)
        return teller.told(asked, marked, prompt_tokens, heard)

    def _numbered(
        self, text: str, encoded: Encoded, prompt_tokens: int, spoken: Languages
    ) -> SpokenLanguages | None:
        """The languages of a request as the models are told them; None: they are not.

        Args:
            text: of prompt and request, marked.
            encoded: the same as token ids.
            prompt_tokens: so many are the prompt's.
            spoken: see `languages_of`.
        """
        told = self.told_languages
        if not told:
            return None
        assert spoken.text is not None
        assert spoken.prompt is not None
        if encoded.emotions is None:
            names = self.tokenizer.languages_of(text, spoken.text)
        else:
            names = encoded.languages or [spoken.text] * len(encoded.ids)
        if len(self.tokenizer.languages) < 2:
            names[:prompt_tokens] = [spoken.prompt] * prompt_tokens
        if spoken.accent:
            names[prompt_tokens:] = [spoken.accent] * (len(names) - prompt_tokens)
        numbers = torch.tensor([told.index(name) for name in names], device=self.device)
        return SpokenLanguages(numbers, told.index(spoken.prompt), told.index(spoken.accent or spoken.text))

    def check_text(self, text: str, lang: str | None = None) -> None:
        """Raise InputError unless `text` can be said; see `language_of` and `TextEncoder.encode`."""
        check_said(text)
        self.tokenizer.encode_styled(self._marked(text, self.language_of(text, lang)), self.emotions)

    def check_request(self, request: Request) -> None:
        """Raise InputError unless the text of a request can be said, and in its style."""
        self.check_text(request.text, request.lang)
        self.check_style(self.options.with_style(request.style))

    def check_style(self, asked: StyleOptions) -> None:
        """Raise InputError for a style that the model is not told, or a value that it does not know."""
        StyleTeller(self.style_conditions, self.device).check(asked)

    def align(self, request: Request, codes: np.ndarray) -> Alignment | None:
        """Attention of the AR model to the text while it says `codes` (T, Q); None if they hold no step.

        Raises:
            InputError: see `__call__`.
        """
        first = torch.from_numpy(codes[:, 0].astype(np.int64)).to(self.device)
        if len(first) < self.ar.group_size:
            return None
        prepared = self.prepare(request)
        given = prepared.text, prepared.first, first, prepared.prompt_tokens, prepared.languages
        return align(self.ar, *given, prepared.style, prepared.relative_rate)

    @torch.inference_mode()
    def _synthesise(self, prepared: Sequence[Prepared]) -> list[Speech]:
        """Synthesise, and try again what did not end well."""
        results: dict[int, Speech] = {}
        pending = list(range(len(prepared)))
        for attempt in range(1 + self.options.retries):
            if not pending:
                break
            for index, result in zip(pending, self._attempt([prepared[i] for i in pending], attempt)):
                results[index] = better(results.get(index), result, attempt)
            pending = [index for index in pending if results[index].outcome is not Outcome.OK]
        return [results[index] for index in range(len(prepared))]

    def _attempt(self, prepared: Sequence[Prepared], attempt: int) -> list[Speech]:
        """One go at each, with `best_of` candidates."""
        count = self.options.best_of
        utterances = [one for each in prepared for one in self.candidates(each, attempt)]
        decoded = decode_ar(self.ar, utterances, self.options)
        return self.choose(
            prepared, [decoded[place : place + count] for place in range(0, len(decoded), count)]
        )

    def candidates(self, prepared: Prepared, attempt: int) -> list[Utterance]:
        """The `best_of` candidates of one attempt at a request, each with its seed."""
        seeds = [derive_seed(prepared.seed, attempt, each) for each in range(self.options.best_of)]
        return [prepared.utterance(seed) for seed in seeds]

    @torch.inference_mode()
    def choose(self, prepared: Sequence[Prepared], candidates: Sequence[Sequence[Decoded]]) -> list[Speech]:
        """The speech of the best candidate of each request.

        Args:
            prepared: the requests.
            candidates: the AR model's answers to the `candidates` of each.
        """
        if self.scorer is None:
            best = [max(row, key=lambda one: rank(one.outcome, one.log_probability)) for row in candidates]
            return self._finish(prepared, best)
        # The first of each, then the second of each, so that no batch has more rows than were asked for.
        sounds = zip(*(self._finish(prepared, column) for column in zip(*candidates)))
        heard = [[self._scored(one, each, self.scorer) for one in row] for each, row in zip(prepared, sounds)]
        return [max(row, key=lambda one: one.rank) for row in heard]

    def _scored(self, speech: Speech, prepared: Prepared, scorer: Scorer) -> Speech:
        """The candidate with its score."""
        silent = speech.outcome is Outcome.NO_SPEECH
        score = float("-inf") if silent else scorer(speech.wav, self.fs, prepared.request.text)
        return replace(speech, score=score)

    def _finish(self, prepared: Sequence[Prepared], decoded: Sequence[Decoded]) -> list[Speech]:
        """Codebook 1 to sound."""
        spoken = [pair for pair in zip(prepared, decoded) if pair[1].outcome is not Outcome.NO_SPEECH]
        sounds = iter([one for part in at_once(spoken, self.device) for one in self._sounds(part)])
        return [
            replace(self._silence(one.outcome), log_probability=one.log_probability)
            if one.outcome is Outcome.NO_SPEECH
            else next(sounds)
            for one in decoded
        ]

    def _sounds(self, spoken: Sequence[tuple[Prepared, Decoded]]) -> list[Speech]:
        """The sounds of codes of codebook 1, of which there are some in each, in one pass."""
        if not spoken:
            return []
        texts, prompts = ([getattr(each, name) for each, _ in spoken] for name in ("text", "prompt"))
        languages, styles = ([getattr(each, name) for each, _ in spoken] for name in ("languages", "style"))
        made = self.nar.generate(texts, prompts, [one.codes for _, one in spoken], None, languages, styles)
        codes = [one.cpu() for one in made]
        sounds = []
        wavs = self.codec.decode_batch([one.numpy() for one in codes])
        for wav, of_wav, (_, one) in zip(wavs, codes, spoken, strict=True):
            speech, outcome = finish(wav, self.fs, one.outcome, self.watermark)
            sounds.append(Speech(torch.from_numpy(speech), self.fs, of_wav, outcome, one.log_probability))
        return sounds

    def _silence(self, outcome: Outcome) -> Speech:
        codes = torch.empty(0, self.codec.num_codebooks, dtype=torch.long)
        return Speech(torch.empty(0), self.fs, codes, outcome)

    def _limits(self, expected_frames: float) -> Limits:
        shortest, longest = (round(ratio * expected_frames) for ratio in self.options.duration_ratios)
        repeats = round(self.options.max_repeat_seconds * self.codec.frame_rate)
        return Limits(shortest, max(longest, self.ar.group_size), repeats)


def better(former: Speech | None, speech: Speech, attempt: int) -> Speech:
    """The better one of two attempts, with how many there have been; `attempt` counts from 0."""
    best = speech if former is None or speech.rank[:2] > former.rank[:2] else former
    return replace(best, tries=attempt + 1)


def codewords_of(codec: AbsCodec) -> list[np.ndarray]:
    """The codewords of a codec.

    Raises:
        InputError: it does not tell them.
    """
    codewords = codec.codewords()
    if codewords is None:
        raise InputError(
            "--nar_choice",
            f"codec {codec.spec.name} does not tell its codewords, of which {MEAN} is made",
            "Leave it out",
        )
    return codewords


def tell_unknown(speech: Speech, prepared: Prepared) -> Speech:
    """The speech with its provenance and the words that the model never learnt, with a warning of them."""
    speech = replace(speech, provenance=prepared.provenance)
    if prepared.problem is None:
        return speech
    logging.warning("%s", prepared.problem)
    outcome = Outcome.UNKNOWN_TOKENS if speech.outcome is Outcome.OK else speech.outcome
    return replace(speech, outcome=outcome, problem=prepared.problem)
