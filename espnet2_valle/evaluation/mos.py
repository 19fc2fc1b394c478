"""Quality of speech: estimates of a listener's mean opinion, from the waveform alone."""

import io
from abc import ABC, abstractmethod
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np

from espnet2_valle.common.audio import resample
from espnet2_valle.common.extras import import_extra, load_model

DNSMOS_RATE = MODEL_RATE = 16000
WINDOW_SECONDS = 9.01  # what the network was trained on
WINDOW_SAMPLES = int(WINDOW_SECONDS * DNSMOS_RATE)
OVERALL_OUTPUT = 2  # of signal, background, overall
P808_TAIL = 160  # samples that speechmos leaves out of a window


class AbsQualityScorer(ABC):
    """Interface of a quality scorer, which rates a recording from 1 (bad) to 5 (excellent)."""

    name: str
    key: str  # of the metric in scores.json

    @abstractmethod
    def score(self, wav: np.ndarray, rate: int) -> float:
        """Rate `wav` (samples,) float32 at `rate` Hz."""


class DNSMOSScorer(AbsQualityScorer):
    """Overall score of DNSMOS P.835 (Reddy et al., 2022); its weights come with the speechmos wheel.

    A clip at least as long as the network's window is rated as speechmos does: the mean over windows one
    second apart. A shorter one is repeated until it fills one window and rated once. speechmos doubles it
    instead and rates up to seven windows of the same sound, at seven times the cost.
    """

    name = "DNSMOS P.835 overall"
    key = "dnsmos"

    def __init__(self) -> None:
        self._session = open_model("sig_bak_ovr.onnx")
        dnsmos = import_extra("speechmos.dnsmos", "DNSMOS")
        self._calibrate = dnsmos.DNSMOS.get_polyfit_val

    def score(self, wav: np.ndarray, rate: int) -> float:
        """See the base class."""
        scores = []
        for window in _windows(np.clip(resample(wav, rate, DNSMOS_RATE), -1, 1)):
            raw = self._session.run(None, {"input_1": window[None]})[0][0]
            # The first argument is `self`, which the calibration does not use.
            scores.append(self._calibrate(None, *raw, False)[OVERALL_OUTPUT])
        return float(np.mean(scores))


class DNSMOSP808Scorer(AbsQualityScorer):
    """DNSMOS P.808 (Reddy et al., 2021): one score, on the same windows; its weights are in speechmos."""

    name = "DNSMOS P.808"
    key = "dnsmos_p808"

    def __init__(self) -> None:
        dnsmos = import_extra("speechmos.dnsmos", "DNSMOS")
        self._session = open_model("model_v8.onnx")
        self._spectrum = dnsmos.DNSMOS.audio_melspec

    def score(self, wav: np.ndarray, rate: int) -> float:
        """See the base class."""
        scores = []
        for window in _windows(np.clip(resample(wav, rate, DNSMOS_RATE), -1, 1)):
            # The first argument is `self`, which it does not use.
            features = self._spectrum(None, audio=window[:-P808_TAIL]).astype(np.float32)
            scores.append(self._session.run(None, {"input_1": features[None]})[0][0][0])
        return float(np.mean(scores))


class DistillMOSScorer(AbsQualityScorer):
    """DistillMOS (Stahl and Gamper, 2025): learnt from a larger predictor; its weights come with the package.

    Args:
        device: cpu, cuda or cuda:N.

    Raises:
        InputError: the package is not installed.
    """

    name = "DistillMOS"
    key = "distillmos"

    def __init__(self, device: str = "cpu") -> None:
        package = import_extra("distillmos", "DistillMOS", "distillmos")
        with redirect_stdout(io.StringIO()):  # it says which weights it reads
            self._model = package.ConvTransformerSQAModel().eval().to(device)
        self._device = device

    def score(self, wav: np.ndarray, rate: int) -> float:
        """See the base class."""
        import torch

        mono = np.asarray(resample(wav, rate, MODEL_RATE), dtype=np.float32)
        with torch.inference_mode():
            return float(self._model(torch.from_numpy(mono)[None].to(self._device))[0])


class TorchHubScorer(AbsQualityScorer):
    """A predictor of opinions from torch.hub that maps (batch, samples) and a rate to (batch,) scores.

    Args:
        repo: of GitHub, or a folder with hubconf.py; the default holds UTMOS (Saeki et al., 2022).
        model: in its hubconf.py.
        key: of the metric in scores.json.
        device: where it computes: cpu, cuda, cuda:N.

    Raises:
        InputError: the model cannot be had.
    """

    name = "torch.hub"

    def __init__(
        self,
        repo: str = "tarepan/SpeechMOS:v1.2.0",
        model: str = "utmos22_strong",
        key: str = "utmos",
        device: str = "cpu",
    ):
        import torch

        self.key = key
        self._device = device
        source = "local" if Path(repo).is_dir() else "github"
        self._model = load_model(
            lambda: torch.hub.load(repo, model, source=source, trust_repo=True).to(device),
            "torch.hub",
            f"{repo} {model}",
        )

    def score(self, wav: np.ndarray, rate: int) -> float:
        """See the base class."""
        import torch

        with torch.inference_mode():
            samples = torch.from_numpy(np.ascontiguousarray(wav)).to(self._device)
            return float(self._model(samples[None], rate)[0])


def open_model(file: str) -> Any:
    """An onnxruntime session of one of speechmos' models, on one thread: several workers share the cores.

    Raises:
        InputError: onnxruntime or speechmos is not installed.
    """
    onnxruntime = import_extra("onnxruntime", "DNSMOS")
    dnsmos = import_extra("speechmos.dnsmos", "DNSMOS")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    path = Path(dnsmos.__file__).parent / "dnsmos_models" / file
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _windows(wav: np.ndarray) -> list[np.ndarray]:
    """Cut `wav` (samples,) into windows (WINDOW_SAMPLES,), one second apart."""
    wav = wav.astype(np.float32)
    if len(wav) < WINDOW_SAMPLES:
        return [np.resize(wav, WINDOW_SAMPLES)]
    # As speechmos counts them: only whole seconds of the clip, so its last window may be left out.
    count = int(len(wav) // DNSMOS_RATE - WINDOW_SECONDS) + 1
    starts = range(0, count * DNSMOS_RATE, DNSMOS_RATE)
    return [wav[start : start + WINDOW_SAMPLES] for start in starts]
