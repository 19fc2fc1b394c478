"""Text and a prompt in, speech in the prompt's voice out."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from espnet2_valle.codec.build import load_codec
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.seeds import derive_seed
from espnet2_valle.generate.ar_decoding import Decoded, decode_ar
from espnet2_valle.generate.outcome import Outcome, rank
from espnet2_valle.generate.postprocess import finish
from espnet2_valle.generate.prepared_prompt import (
    PreparedPrompt,
    check_codes,
    is_sound,
    load_prompt,
    open_prompt,
    require_text,
    to_samples,
)
from espnet2_valle.generate.request import Prepared, Request
from espnet2_valle.generate.sampling import SamplingOptions
from espnet2_valle.generate.stopping import Limits
from espnet2_valle.tasks.valle import VALLETask, codec_spec
from espnet2_valle.text.tokenizer import build_tokenizer
from espnet2_valle.text.tokens import TokenIDs
from espnet2_valle.valle.alignment import Alignment, align
from espnet2_valle.valle.ar import VALLEAR
from espnet2_valle.valle.decode_steps import prepare_ar, prepare_nar
from espnet2_valle.valle.nar import VALLENAR
from espnet2_valle.valle.quantize import DTYPES

# Arguments that name a model; a packed one brings them all.
MODEL_FILES = ("ar_train_config", "ar_model_file", "nar_train_config", "nar_model_file", "codec_config")
# Speech (S,), its rate in Hz, what was to be said -> the larger, the better.
Scorer = Callable[[torch.Tensor, int, str], float]
Synthesise = Callable[[Sequence[Prepared]], list[dict[str, Any]]]


class Text2Speech:
    """Zero-shot synthesis with a trained AR and NAR model and their codec.

    Example:
        >>> text2speech = Text2Speech.from_pretrained("exp/mini/model.zip")
        >>> result = text2speech("seven two nine", "voice.wav", "four stop one left")
        >>> soundfile.write("out.wav", result["wav"].numpy(), text2speech.fs)

    Args:
        ar_train_config, ar_model_file: config.yaml and weights of the AR training.
        nar_train_config, nar_model_file: of the NAR training.
        codec_config: codec.yaml of the codec that made the training codes.
        device: cpu, cuda, cuda:N.
        seed: default seed of each call.
        temperature, top_k, top_p, min_p, repetition_window, repetition_threshold,
            repetition_counts_drawn: see `SamplingOptions`.
        min_duration_ratio, max_duration_ratio: bounds on the output's duration against the one that
            the prompt's own speaking rate (frames per text token) predicts.
        max_repeat_seconds: repeating the same codes for this long ends an utterance as `stuck`; 0 for never.
        best_of: candidates drawn for each utterance; the likeliest is kept, or the one that `scorer` prefers.
        retries: more attempts, each with a seed of its own, at an utterance whose outcome is not `ok`.
        dtype: of the weights: float32, bfloat16, or int8 (AR model only; the NAR model, which is bound by
            computing and not by reading weights, then has what the device multiplies fastest).
        native: whether the AR model's steps run in code that is compiled for the machine on first use:
            "auto" where a compiler is found and the device is a CPU, "always", or "never". Its cache of keys
            and values is of the type of the weights; torch's is float32.
        cuda_graphs: on a GPU, record the AR model's steps as CUDA graphs, see `GraphedStep`; elsewhere, and
            where that fails, a warning says so and torch does the steps.
        scorer: judges candidates by their sound, such as with a recogniser. Every candidate is then
            synthesised to the end, where otherwise only the chosen one is.

    Raises:
        InputError: missing files, or models and codec that do not belong together.
    """

    def __init__(
        self,
        ar_train_config: str | Path | None = None,
        ar_model_file: str | Path | None = None,
        nar_train_config: str | Path | None = None,
        nar_model_file: str | Path | None = None,
        codec_config: str | Path | None = None,
        device: str = "cpu",
        seed: int = 0,
        temperature: float = 1.0,
        top_k: int = 0,
        top_p: float = 1.0,
        repetition_window: int = 0,
        repetition_threshold: float = 0.1,
        min_duration_ratio: float = 0.3,
        max_duration_ratio: float = 3.0,
        min_p: float = 0.0,
        repetition_counts_drawn: bool = False,
        max_repeat_seconds: float = 0.0,
        best_of: int = 1,
        retries: int = 0,
        dtype: str = "float32",
        native: str = "auto",
        cuda_graphs: bool = False,
        scorer: Scorer | None = None,
    ):
        if codec_config is None:
            raise InputError("--codec_config", "is not given", "Give exp/<run>/codec/codec.yaml")
        _check_options(max_repeat_seconds, best_of, retries, dtype)
        self.sampling = SamplingOptions(
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            min_p=min_p,
            repetition_window=repetition_window,
            repetition_threshold=repetition_threshold,
            repetition_counts_drawn=repetition_counts_drawn,
        )
        self.duration_ratios = (min_duration_ratio, max_duration_ratio)
        self.max_repeat_seconds = max_repeat_seconds
        self.best_of = best_of
        self.retries = retries
        self.scorer = scorer
        self.seed = seed
        self.device = device
        ar_model, ar_args = VALLETask.build_model_from_file(ar_train_config, ar_model_file, device)
        nar_model, nar_args = VALLETask.build_model_from_file(nar_train_config, nar_model_file, device)
        self.ar = _expect(VALLEAR, ar_model.valle, "--ar_model_file")
        self.nar = _expect(VALLENAR, nar_model.valle, "--nar_model_file")
        prepare_ar(self.ar, dtype, native, cuda_graphs)
        prepare_nar(self.nar, dtype)
        self.codec = load_codec(codec_config)
        for args, option in ((ar_args, "--ar_model_file"), (nar_args, "--nar_model_file")):
            if codec_spec(args) != self.codec.spec:
                raise InputError(
                    str(codec_config),
                    f"is {self.codec.spec}, but {option} was trained with {codec_spec(args)}",
                    "Give the codec.yaml of the same run",
                )
        if ar_args.token_list != nar_args.token_list:
            raise InputError(
                "--nar_model_file", "its token list is not the AR model's", "Give two models of the same run"
            )
        self.tokens = TokenIDs(ar_args.token_list, "the model")
        self.tokenizer = build_tokenizer(ar_args.token_type, ar_args.g2p, ar_args.cleaner, ar_args.bpemodel)

    @property
    def fs(self) -> int:
        """Rate of the output in Hz."""
        return self.codec.sample_rate

    @property
    def choices(self) -> tuple[Any, ...]:
        """All but models, codec and scorer that decides what a text becomes."""
        return (
            self.sampling,
            self.duration_ratios,
            self.max_repeat_seconds,
            self.best_of,
            self.retries,
            self.seed,
            self.ar.transformer.decode_step is not None,
        )

    def __call__(
        self,
        text: str,
        prompt_speech: str | Path | np.ndarray | torch.Tensor | PreparedPrompt,
        prompt_text: str | None = None,
        prompt_fs: int | None = None,
        seed: int | None = None,
    ) -> dict[str, Any]:
        """Say `text` in the voice of the prompt.

        Args:
            text: what to say.
            prompt_speech: about three seconds of the voice: a file, samples (S,) as an array or a tensor,
                codes (T, Q) as an integer tensor that `encode_prompt` made, or a prepared prompt
                (`valle_prepare_prompt`, .npz).
            prompt_text: what is said in the prompt; a prepared one knows.
            prompt_fs: rate of the samples in Hz, when samples are given.
            seed: for this call; the same seed gives the same speech.

        Returns:
            wav (S,) float32 tensor at `fs`, codes (T, Q) int64 tensor, outcome (`Outcome`; PROMPT_REJECTED is
            one of `batch` alone), tries (attempts made), log_probability (mean of the codes of codebook 1).

        Raises:
            InputError: a prompt that cannot be used, no prompt text, or a text without a known symbol.
        """
        return self._synthesise([self.prepare(Request(text, prompt_speech, prompt_text, prompt_fs, seed))])[0]

    def batch(
        self, requests: Sequence[Request], synthesise: Synthesise | None = None
    ) -> list[dict[str, Any]]:
        """Say several texts at once; each sounds as it would alone, up to rounding.

        Requests of about the same length waste least.

        Args:
            requests: what to say.
            synthesise: another way from prepared requests to results, such as `Streamer.synthesise`.

        Returns:
            what `__call__` returns, for each request. One that it would raise an error for has the outcome
            PROMPT_REJECTED and the message under `problem`, no sound and no tries.
        """
        results: dict[int, dict[str, Any]] = {}
        prepared: dict[int, Prepared] = {}
        for index, request in enumerate(requests):
            try:
                prepared[index] = self.prepare(request)
            except InputError as error:
                rejected = self._silence(Outcome.PROMPT_REJECTED)
                results[index] = {**rejected, "tries": 0, "problem": str(error)}
        if prepared:
            said = (synthesise or self._synthesise)(list(prepared.values()))
            results.update(zip(prepared, said, strict=True))
        return [results[index] for index in range(len(requests))]

    def encode_prompt(
        self, prompt_speech: str | Path | np.ndarray | torch.Tensor, prompt_fs: int | None = None
    ) -> torch.Tensor:
        """Codes (T, Q) of a checked prompt, int64, which may stand for it wherever one is asked for.

        Raises:
            InputError: a prompt that cannot be used.
        """
        if isinstance(prompt_speech, torch.Tensor):
            prompt_speech = to_samples(prompt_speech)
        wav = load_prompt(prompt_speech, prompt_fs, self.fs)
        return torch.from_numpy(self.codec.encode(wav).astype(np.int64))

    def prepare(self, request: Request) -> Prepared:
        """Check a request and bring it into the models' terms.

        Raises:
            InputError: see `__call__`.
        """
        text = request.text
        prompt, prompt_text = self._open_prompt(request)
        prompt_ids = self._ids(prompt_text, "prompt_text")
        ids = self._ids(text, "text")
        both = torch.tensor(self._ids(f"{prompt_text} {text}", "text"), device=self.device)
        limits = self._limits(len(prompt) / len(prompt_ids) * len(ids))
        seed = self.seed if request.seed is None else request.seed
        return Prepared(request, both, prompt, prompt[:, 0].contiguous(), limits, seed, len(prompt_ids))

    def check_text(self, text: str) -> None:
        """Raise InputError unless `text` has a symbol that the model knows."""
        self._ids(text, "text")

    def align(self, request: Request, codes: np.ndarray) -> Alignment | None:
        """Where the AR model looks in the text while it says `codes` (T, Q); None if they hold no step of it.

        Raises:
            InputError: see `__call__`.
        """
        first = torch.from_numpy(codes[:, 0].astype(np.int64)).to(self.device)
        if len(first) < self.ar.group_size:
            return None
        prepared = self.prepare(request)
        return align(self.ar, prepared.text, prepared.first, first, prepared.prompt_tokens)

    def _open_prompt(self, request: Request) -> tuple[torch.Tensor, str]:
        """Codes (T, Q) and text of the prompt."""
        speech, text = request.prompt_speech, request.prompt_text
        if isinstance(speech, torch.Tensor) and is_sound(speech, request.prompt_fs):
            speech = to_samples(speech)
        if isinstance(speech, torch.Tensor):
            codes = check_codes(speech, self.codec.num_codebooks, self.codec.spec.codebook_size)
            return codes.to(self.device), require_text(text)
        prompt = open_prompt(speech, text, request.prompt_fs, self.codec)
        return torch.from_numpy(prompt.codes.astype(np.int64)).to(self.device), prompt.text

    @torch.inference_mode()
    def _synthesise(self, prepared: Sequence[Prepared]) -> list[dict[str, Any]]:
        """Synthesise, and try again what did not end well."""
        results: list[dict[str, Any] | None] = [None] * len(prepared)
        pending = list(range(len(prepared)))
        for attempt in range(1 + self.retries):
            if not pending:
                break
            for index, result in zip(pending, self._attempt([prepared[i] for i in pending], attempt)):
                former = results[index]
                if former is None or _rank(result) > _rank(former):
                    results[index] = former = result
                former["tries"] = attempt + 1
            pending = [i for i in pending if (results[i] or {}).get("outcome") is not Outcome.OK]
        return [result for result in results if result is not None]

    def _attempt(self, prepared: Sequence[Prepared], attempt: int) -> list[dict[str, Any]]:
        """One go at each, with `best_of` candidates."""
        utterances = [
            each.utterance(derive_seed(each.seed, attempt, candidate))
            for each in prepared
            for candidate in range(self.best_of)
        ]
        decoded = decode_ar(self.ar, utterances, self.sampling)
        results = []
        for place, each in enumerate(prepared):
            candidates = decoded[place * self.best_of : (place + 1) * self.best_of]
            if self.scorer is None:
                best = max(candidates, key=lambda one: rank(one.outcome, one.log_probability))
                results.append(self._finish(each, best))
            else:
                results.append(self._choose([self._finish(each, one) for one in candidates], each))
        return results

    def _choose(self, candidates: Sequence[dict[str, Any]], prepared: Prepared) -> dict[str, Any]:
        """Of those with the best outcome the candidate that the scorer likes best, on a tie the likelier."""
        assert self.scorer is not None
        for one in candidates:
            heard = one["outcome"] is not Outcome.NO_SPEECH
            one["score"] = self.scorer(one["wav"], self.fs, prepared.request.text) if heard else float("-inf")
        return max(candidates, key=lambda one: (rank(one["outcome"], one["score"]), one["log_probability"]))

    def _finish(self, prepared: Prepared, decoded: Decoded) -> dict[str, Any]:
        """Codebook 1 to sound."""
        if decoded.outcome is Outcome.NO_SPEECH:
            return {**self._silence(decoded.outcome), "log_probability": decoded.log_probability}
        codes = self.nar.generate(prepared.text[None], prepared.prompt[None], decoded.codes[None])[0].cpu()
        speech, outcome = finish(self.codec.decode(codes.numpy()), decoded.outcome)
        return {
            "wav": torch.from_numpy(speech),
            "codes": codes,
            "outcome": outcome,
            "log_probability": decoded.log_probability,
        }

    def _silence(self, outcome: Outcome) -> dict[str, Any]:
        empty = torch.empty(0, self.codec.num_codebooks, dtype=torch.long)
        return {"wav": torch.empty(0), "codes": empty, "outcome": outcome}

    @staticmethod
    def from_pretrained(model_tag: str, **kwargs: Any) -> "Text2Speech":
        """Open a packed model.

        Args:
            model_tag: a zip made by stage 10, or a name that espnet_model_zoo knows.
            kwargs: any argument of the constructor, to override.

        Raises:
            InputError: see `unpack`, or a packed model of another task.
        """
        from espnet2_valle.zoo.load import unpack

        files = unpack(model_tag)
        if set(files) != set(MODEL_FILES):
            raise InputError(
                model_tag, f"is no VALL-E model (it has {', '.join(sorted(files))})", "Name one of stage 10"
            )
        return Text2Speech(**{**files, **kwargs})

    def _ids(self, text: str, where: str) -> list[int]:
        return self.tokens.encode(self.tokenizer.text2tokens(text), where, text)

    def _limits(self, expected_frames: float) -> Limits:
        shortest, longest = (round(ratio * expected_frames) for ratio in self.duration_ratios)
        repeats = round(self.max_repeat_seconds * self.codec.frame_rate)
        return Limits(shortest, max(longest, self.ar.group_size), repeats)


def _rank(result: dict[str, Any]) -> tuple[int, float]:
    return rank(result["outcome"], result.get("score", result["log_probability"]))


def _check_options(max_repeat_seconds: float, best_of: int, retries: int, dtype: str) -> None:
    """Raise InputError for a value out of range."""
    checks = {
        "max_repeat_seconds": (max_repeat_seconds, max_repeat_seconds >= 0),
        "best_of": (best_of, best_of >= 1),
        "retries": (retries, retries >= 0),
        "dtype": (dtype, dtype in DTYPES),
    }
    for name, (value, valid) in checks.items():
        if not valid:
            raise InputError(f"--{name}", f"{value} is out of range", "See conf/decode.yaml")


def _expect(kind: type[Any], model: torch.nn.Module, option: str) -> Any:
    """Return `model` if it is a `kind`, else raise InputError."""
    if not isinstance(model, kind):
        raise InputError(option, f"holds a {type(model).__name__}", f"Give a {kind.__name__}")
    return model
