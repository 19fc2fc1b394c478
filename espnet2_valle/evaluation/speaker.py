"""Similarity of two voices."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from espnet2_valle.common.audio import resample
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.extras import import_extra, load_model

if TYPE_CHECKING:
    import torch

RESEMBLYZER_RATE = MODEL_RATE = 16000
SHORTEST_SECONDS = 0.1  # of which CAM++ can take a deviation over time


class AbsSpeakerEncoder(ABC):
    """Interface of a speaker encoder: a recording into a vector of the voice in it."""

    name: str

    @abstractmethod
    def embed(self, wav: np.ndarray, rate: int) -> np.ndarray:
        """Embed a voice.

        Args:
            wav: (samples,) float32, not silent.
            rate: in Hz.

        Returns:
            A vector (dimensions,) of length 1.
        """


def similarity(one: np.ndarray, other: np.ndarray) -> float:
    """Cosine of two unit vectors."""
    return float(np.dot(one, other))


class ResemblyzerEncoder(AbsSpeakerEncoder):
    """Resemblyzer's GE2E speaker encoder; its weights come with its wheel.

    Args:
        device: where it computes: cpu, cuda, cuda:N.
    """

    name = "Resemblyzer"

    def __init__(self, device: str = "cpu") -> None:
        resemblyzer = import_extra("resemblyzer", "speaker similarity")
        self._preprocess = resemblyzer.preprocess_wav
        self._encoder = resemblyzer.VoiceEncoder(device=device, verbose=False)

    def embed(self, wav: np.ndarray, rate: int) -> np.ndarray:
        """See the base class. Long pauses are cut, unless nothing would be left."""
        mono = resample(wav, rate, RESEMBLYZER_RATE)
        voiced = self._preprocess(mono, RESEMBLYZER_RATE)
        vector = self._encoder.embed_utterance(voiced if len(voiced) else mono)
        return vector / np.linalg.norm(vector)


class ESPnetEncoder(AbsSpeakerEncoder):
    """A speaker model trained with ESPnet's SPK task.

    Args:
        model: a model tag, such as espnet/voxcelebs12_rawnet3, or a training directory with config.yaml.
        model_file: in that directory.
        device: where it computes: cpu, cuda, cuda:N.

    Raises:
        InputError: the model cannot be had.
    """

    name = "ESPnet-SPK"

    def __init__(
        self,
        model: str = "espnet/voxcelebs12_rawnet3",
        model_file: str = "valid.eer.best.pth",
        device: str = "cpu",
    ):
        from espnet2.bin.spk_inference import Speech2Embedding

        if Path(model).is_dir():
            config, weights = Path(model) / "config.yaml", Path(model) / model_file
            for path in (config, weights):
                if not path.is_file():
                    raise InputError(path, "no such file of the speaker model", "Correct model or model_file")
            self._embed = Speech2Embedding(train_config=str(config), model_file=str(weights), device=device)
        else:
            self._embed = load_model(
                lambda: Speech2Embedding.from_pretrained(model, device=device), "ESPnet-SPK", model
            )

    def embed(self, wav: np.ndarray, rate: int) -> np.ndarray:
        """See the base class."""
        mono = np.ascontiguousarray(resample(wav, rate, MODEL_RATE), dtype=np.float32)
        return _unit(self._embed(mono).detach().cpu().numpy())


class WavLMEncoder(AbsSpeakerEncoder):
    """WavLM with an x-vector head through transformers: the family that VALL-E's papers report.

    Args:
        model: name on the hub or a folder.
        device: where it computes: cpu, cuda, cuda:N.

    Raises:
        InputError: transformers is not installed, or the model cannot be had.
    """

    name = "WavLM"

    def __init__(self, model: str = "microsoft/wavlm-base-plus-sv", device: str = "cpu"):
        transformers = import_extra("transformers", "the speaker encoder wavlm", "transformers")
        self._features = load_model(
            lambda: transformers.AutoFeatureExtractor.from_pretrained(model), self.name, model
        )
        self._model = load_model(
            lambda: transformers.WavLMForXVector.from_pretrained(model), self.name, model
        )
        self._model.to(device).eval()
        self._device = device

    def embed(self, wav: np.ndarray, rate: int) -> np.ndarray:
        """See the base class."""
        import torch

        mono = np.asarray(resample(wav, rate, MODEL_RATE), dtype=np.float32)
        inputs = self._features(mono, sampling_rate=MODEL_RATE, return_tensors="pt")
        with torch.inference_mode():
            return _unit(self._model(inputs.input_values.to(self._device)).embeddings.cpu().numpy())


class CAMPPlusEncoder(AbsSpeakerEncoder):
    """CAM++ of 3D-Speaker, trained on other data and features than Resemblyzer.

    Args:
        model: file of its published weights, see `campplus.SOURCE`.
        device: cpu, cuda or cuda:N.

    Raises:
        InputError: the weights cannot be had.
    """

    name = "CAM++"

    def __init__(self, model: str = "", device: str = "cpu"):
        from espnet2_valle.evaluation.campplus import SOURCE, load_campplus

        if not model:
            raise InputError("the speaker encoder campplus", "has no model", f"{SOURCE}: model: FILE")
        self._model = load_campplus(model).to(device)
        self._device = device

    def embed(self, wav: np.ndarray, rate: int) -> np.ndarray:
        """See the base class. What is shorter than SHORTEST_SECONDS is repeated."""
        import torch

        mono = np.asarray(resample(wav, rate, MODEL_RATE), dtype=np.float32)
        mono = np.resize(mono, max(len(mono), round(SHORTEST_SECONDS * MODEL_RATE)))
        with torch.inference_mode():
            features = log_mel(torch.from_numpy(mono)).to(self._device)
            return _unit(self._model(features[None]).cpu().numpy())


def log_mel(wav: "torch.Tensor") -> "torch.Tensor":
    """Kaldi's log mel energies, each bin with a mean of 0: (samples,) at MODEL_RATE to (T, MEL_BINS)."""
    from torchaudio.compliance.kaldi import fbank

    from espnet2_valle.evaluation.campplus import MEL_BINS

    features: torch.Tensor = fbank(wav[None], num_mel_bins=MEL_BINS, sample_frequency=MODEL_RATE, dither=0.0)
    return features - features.mean(dim=0)


def _unit(vector: np.ndarray) -> np.ndarray:
    """`vector` of any shape as (dimensions,) of length 1."""
    flat = vector.reshape(-1).astype(np.float64)
    return flat / np.linalg.norm(flat)
