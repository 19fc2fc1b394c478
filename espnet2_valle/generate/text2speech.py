"""Text and a prompt in, speech in the prompt's voice out."""

import functools
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from espnet2_valle.codec.build import load_codec
from espnet2_valle.common.errors import InputError
from espnet2_valle.generate.ar_decoding import Limits, decode_ar
from espnet2_valle.generate.outcome import Outcome
from espnet2_valle.generate.output import finish
from espnet2_valle.generate.prompt import load_prompt
from espnet2_valle.generate.sampling import SamplingOptions
from espnet2_valle.tasks.valle import VALLETask, codec_spec
from espnet2_valle.text.tokenizer import build_tokenizer
from espnet2_valle.text.tokens import TokenIDs
from espnet2_valle.valle.ar import VALLEAR
from espnet2_valle.valle.nar import VALLENAR


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
        temperature, top_k, top_p, repetition_window, repetition_threshold: see `SamplingOptions`.
        min_duration_ratio, max_duration_ratio: bounds on the output's duration against the one that
            the prompt's own speaking rate (frames per text token) predicts.

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
    ):
        if codec_config is None:
            raise InputError("--codec_config", "is not given", "Give exp/<run>/codec/codec.yaml")
        self.sampling = SamplingOptions(temperature, top_k, top_p, repetition_window, repetition_threshold)
        self.duration_ratios = (min_duration_ratio, max_duration_ratio)
        self.seed = seed
        self.device = device
        ar_model, ar_args = VALLETask.build_model_from_file(ar_train_config, ar_model_file, device)
        nar_model, nar_args = VALLETask.build_model_from_file(nar_train_config, nar_model_file, device)
        self.ar = _expect(VALLEAR, ar_model.valle, "--ar_model_file")
        self.nar = _expect(VALLENAR, nar_model.valle, "--nar_model_file")
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

    @torch.no_grad()
    def __call__(
        self,
        text: str,
        prompt_speech: str | Path | np.ndarray,
        prompt_text: str,
        prompt_fs: int | None = None,
        seed: int | None = None,
    ) -> dict[str, Any]:
        """Say `text` in the voice of the prompt.

        Args:
            text: what to say.
            prompt_speech: about three seconds of the voice: a file, or samples (S,).
            prompt_text: what is said in the prompt.
            prompt_fs: rate of the samples in Hz, when samples are given.
            seed: for this call; the same seed gives the same speech.

        Returns:
            wav (S,) float32 tensor at `fs`, codes (T, Q) int64 tensor, outcome (`Outcome`).

        Raises:
            InputError: a prompt that cannot be used, no prompt text, or a text without a known symbol.
        """
        if not prompt_text.strip():
            raise InputError("prompt_text", "is empty", "Give the words that are said in the prompt")
        prompt_ids = self._ids(prompt_text, "prompt_text")
        ids = self._ids(text, "text")
        both = torch.tensor(self._ids(f"{prompt_text} {text}", "text"), device=self.device)
        wav = load_prompt(prompt_speech, prompt_fs, self.fs)
        prompt = torch.from_numpy(self.codec.encode(wav).astype(np.int64)).to(self.device)
        generator = torch.Generator(self.device).manual_seed(self.seed if seed is None else seed)
        limits = self._limits(len(prompt) / len(prompt_ids) * len(ids))
        first, outcome = decode_ar(
            self.ar, both, prompt[:, 0], len(prompt_ids), limits, self.sampling, generator
        )
        if outcome is Outcome.NO_SPEECH:
            empty = torch.empty(0, self.codec.num_codebooks, dtype=torch.long)
            return {"wav": torch.empty(0), "codes": empty, "outcome": outcome}
        codes = self.nar.generate(both[None], prompt[None], first[None])[0].cpu()
        speech, outcome = finish(self.codec.decode(codes.numpy()), outcome)
        return {"wav": torch.from_numpy(speech), "codes": codes, "outcome": outcome}

    @staticmethod
    def from_pretrained(model_tag: str, **kwargs: Any) -> "Text2Speech":
        """Open a packed model.

        Args:
            model_tag: a zip made by stage 10, or a name that espnet_model_zoo knows.
            kwargs: any argument of the constructor, to override.
        """
        from espnet2_valle.zoo.load import unpack

        return Text2Speech(**{**unpack(model_tag), **kwargs})

    def _ids(self, text: str, where: str) -> list[int]:
        return self.tokens.encode(self.tokenizer.text2tokens(text), where, text)

    def _limits(self, expected_frames: float) -> Limits:
        shortest, longest = (round(ratio * expected_frames) for ratio in self.duration_ratios)
        return Limits(shortest, max(longest, self.ar.group_size))


def _expect(kind: type[Any], model: torch.nn.Module, option: str) -> Any:
    """Return `model` if it is a `kind`, else raise InputError."""
    if not isinstance(model, kind):
        raise InputError(option, f"holds a {type(model).__name__}", f"Give a {kind.__name__}")
    return model


@functools.lru_cache(maxsize=1)
def open_text2speech(options: str) -> Text2Speech:
    """Open a model once in each process.

    Lives here and not in the command that calls it: what is cached can only be sent to a worker by its
    name, and a command's own name is `__main__`.

    Args:
        options: JSON of `Text2Speech`'s arguments, so that it can be a key; `model_tag` for a packed model.
    """
    chosen = json.loads(options)
    tag = chosen.pop("model_tag", None)
    return Text2Speech.from_pretrained(tag, **chosen) if tag else Text2Speech(**chosen)
