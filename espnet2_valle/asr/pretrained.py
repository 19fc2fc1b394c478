"""Recognisers that need a model from elsewhere: ESPnet ASR, Whisper, CTC models of HuggingFace."""

import logging
from itertools import chain
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import humanfriendly
import numpy as np

from espnet2_valle.asr.recognizer import AbsRecognizer
from espnet2_valle.common.audio import resample
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.extras import import_extra, load_model

MODEL_RATE = 16000
MIN_SAMPLES = 400  # one window of 25 ms: convolutional front ends fail on less
CTRANSLATE2_FILE = "model.bin"  # of a model's folder
WHISPER_SECONDS = 30.0  # which Whisper hears at once


class ESPnetRecognizer(AbsRecognizer):
    """A recogniser trained with ESPnet's ASR task.

    Args:
        model: a model tag, or a training directory with config.yaml.
        model_file: in that directory.
        beam_size: of the search.
        ctc_weight: of CTC in the search.
        device: where it computes: cpu, cuda, cuda:N.

    Raises:
        InputError: the model cannot be had.
    """

    def __init__(
        self,
        model: str,
        model_file: str = "valid.acc.best.pth",
        beam_size: int = 10,
        ctc_weight: float = 0.3,
        device: str = "cpu",
    ):
        from espnet2_valle.common.espnet_imports import import_espnet_quietly

        import_espnet_quietly()
        from espnet2.bin.asr_inference import Speech2Text

        options: dict[str, Any] = {"beam_size": beam_size, "ctc_weight": ctc_weight, "device": device}
        if Path(model).is_dir():
            config, weights = Path(model) / "config.yaml", Path(model) / model_file
            for path in (config, weights):
                if not path.is_file():
                    raise InputError(path, "no such file of the recogniser", "Correct model or model_file")
            self._recognise = Speech2Text(str(config), str(weights), **options)
        else:
            self._recognise = load_model(
                lambda: Speech2Text.from_pretrained(model, **options), "ESPnet ASR", model
            )
        frontend = getattr(self._recognise.asr_train_args, "frontend_conf", None) or {}
        self._rate = int(humanfriendly.parse_size(str(frontend.get("fs", MODEL_RATE))))  # "16k" is usual

    def transcribe(self, wav: np.ndarray, rate: int) -> str:
        """See AbsRecognizer: the best hypothesis."""
        wav = resample(np.asarray(wav, dtype=np.float32), rate, self._rate)
        if len(wav) < MIN_SAMPLES:
            return ""
        found = self._recognise(wav)
        return (found[0][0] or "") if found else ""


class WhisperRecognizer(AbsRecognizer):
    """Whisper (Radford et al., 2022) through faster-whisper, or openai-whisper where only that is installed.

    It searches at temperature 0 and never samples, so that two runs hear the same.

    Args:
        model: name (`large-v3` in Seed-TTS-eval) or, without a network, a folder with a model of CTranslate2;
            of openai-whisper a file.
        language: spoken; "" lets Whisper guess, which short utterances do not survive.
        beam_size: of the search.
        device: where it computes: cpu, cuda or cuda:N.
        compute_type: of CTranslate2; "" is int8 on a CPU and float16 on a GPU.

    Raises:
        InputError: neither package is installed, the model cannot be had, or does not know the language.
    """

    def __init__(
        self,
        model: str = "large-v3",
        language: str = "en",
        beam_size: int = 5,
        device: str = "cpu",
        compute_type: str = "",
    ):
        self._options = {"language": language or None, "beam_size": beam_size, "temperature": 0.0}
        self._weights = _shared_weights(model, device, compute_type)
        if language and not self._weights.hears(language):
            raise InputError(
                model,
                f"does not hear the language '{language}'",
                "Give its code as Whisper has it, and a model of several languages: none that ends in .en",
            )

    def transcribe(self, wav: np.ndarray, rate: int) -> str:
        """See AbsRecognizer. What was heard before does not change what is heard now."""
        wav = resample(np.asarray(wav, dtype=np.float32), rate, MODEL_RATE)
        if len(wav) < MIN_SAMPLES:
            return ""
        # Timestamps are only needed to go on where 30 seconds ended, and cost words.
        short = len(wav) <= WHISPER_SECONDS * MODEL_RATE
        return self._weights.transcribe(
            wav, condition_on_previous_text=False, without_timestamps=short, **self._options
        )


class _WhisperWeights:
    """A Whisper model in memory, by the package that reads it; see `WhisperRecognizer`."""

    def __init__(self, model: str, device: str, compute_type: str):
        self._fast = True
        try:
            package = import_extra("faster_whisper", "the recogniser whisper", "whisper")
        except InputError as missing:
            try:
                package = import_extra("whisper", "the recogniser whisper", "whisper")
            except InputError:
                raise missing from None
            self._fast = False
        if self._fast and Path(model).is_dir() and not (Path(model) / CTRANSLATE2_FILE).is_file():
            raise InputError(
                model,
                f"has no {CTRANSLATE2_FILE}, so it is no model of CTranslate2",
                "Convert one with ct2-transformers-converter, of the package ctranslate2, and have it copy "
                "tokenizer.json and preprocessor_config.json",
            )
        load = (
            (lambda: package.WhisperModel(model, **_for_ctranslate2(device, compute_type)))
            if self._fast
            else (lambda: package.load_model(model, device=device))
        )
        self._model = load_model(load, "Whisper", model)
        logging.getLogger("faster_whisper").setLevel(logging.WARNING)  # a line an utterance, else

    def hears(self, language: str) -> bool:
        """Tell whether the model knows a language, by its code; those of English alone would hear English."""
        if self._fast:
            return language in self._model.supported_languages
        return language == "en" or self._model.is_multilingual

    def transcribe(self, wav: np.ndarray, **options: Any) -> str:
        """Text that is heard in `wav` (S,) at MODEL_RATE, with options of both packages' `transcribe`."""
        result = self._model.transcribe(wav, **options)
        if self._fast:
            return " ".join(segment.text.strip() for segment in result[0])
        return str(result["text"]).strip()


# Recognisers of several languages have the same model, which may be large; it goes when they all do.
_WEIGHTS: "WeakValueDictionary[tuple[str, ...], _WhisperWeights]" = WeakValueDictionary()


def _shared_weights(model: str, device: str, compute_type: str) -> _WhisperWeights:
    """The model in memory, loaded if no recogniser has it."""
    key = (str(Path(model).resolve()) if Path(model).exists() else model, device, compute_type)
    weights = _WEIGHTS.get(key)
    if weights is None:
        weights = _WEIGHTS[key] = _WhisperWeights(model, device, compute_type)
    return weights


def _for_ctranslate2(device: str, compute_type: str) -> dict[str, Any]:
    """The options by which faster-whisper names a device; compute_type "" is what is fast there."""
    kind, _, index = device.partition(":")
    if kind == "cpu":
        return {"device": kind, "compute_type": compute_type or "int8"}
    return {"device": kind, "device_index": int(index or 0), "compute_type": compute_type or "float16"}


class HuggingFaceRecognizer(AbsRecognizer):
    """A CTC model of HuggingFace's transformers, decoded greedily; VALL-E's paper scores with HuBERT-large.

    Args:
        model: name on the hub or a folder.
        device: where it computes: cpu, cuda, cuda:N.

    Raises:
        InputError: transformers is not installed, or the model cannot be had.
    """

    def __init__(self, model: str = "facebook/hubert-large-ls960-ft", device: str = "cpu"):
        transformers = import_extra("transformers", "the recogniser huggingface", "transformers")
        self._processor = load_model(
            lambda: transformers.AutoProcessor.from_pretrained(model), "HuggingFace CTC", model
        )
        self._model = load_model(
            lambda: transformers.AutoModelForCTC.from_pretrained(model), "HuggingFace CTC", model
        )
        self._model.to(device).eval()
        self._device = device

    def transcribe(self, wav: np.ndarray, rate: int) -> str:
        """See AbsRecognizer."""
        import torch

        wav = resample(np.asarray(wav, dtype=np.float32), rate, MODEL_RATE)
        if len(wav) < MIN_SAMPLES:
            return ""
        inputs = self._processor(wav, sampling_rate=MODEL_RATE, return_tensors="pt")
        with torch.inference_mode():
            best = self._model(inputs.input_values.to(self._device)).logits.argmax(dim=-1)
        return " ".join(chain.from_iterable(text.split() for text in self._processor.batch_decode(best)))
