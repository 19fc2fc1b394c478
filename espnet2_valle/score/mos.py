"""How clean speech sounds: an estimate of a listener's mean opinion, from the waveform alone."""

from abc import ABC, abstractmethod
from pathlib import Path

import numpy as np

from espnet2_valle.common.audio import resample
from espnet2_valle.score.extras import import_extra

DNSMOS_RATE = 16000
WINDOW_SECONDS = 9.01  # what the network was trained on
WINDOW_SAMPLES = int(WINDOW_SECONDS * DNSMOS_RATE)
OVERALL_OUTPUT = 2  # of signal, background, overall


class AbsQualityScorer(ABC):
    """Rates a recording from 1 (bad) to 5 (excellent)."""

    name: str

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

    def __init__(self) -> None:
        onnxruntime = import_extra("onnxruntime", "DNSMOS")
        dnsmos = import_extra("speechmos.dnsmos", "DNSMOS")
        model = Path(dnsmos.__file__).parent / "dnsmos_models" / "sig_bak_ovr.onnx"
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # several workers share the cores
        self._session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        self._calibrate = dnsmos.DNSMOS.get_polyfit_val

    def score(self, wav: np.ndarray, rate: int) -> float:
        """See the base class."""
        scores = []
        for window in _windows(np.clip(resample(wav, rate, DNSMOS_RATE), -1, 1)):
            raw = self._session.run(None, {"input_1": window[None]})[0][0]
            # The first argument is `self`, which the calibration does not use.
            scores.append(self._calibrate(None, *raw, False)[OVERALL_OUTPUT])
        return float(np.mean(scores))


def _windows(wav: np.ndarray) -> list[np.ndarray]:
    """Cut `wav` (samples,) into windows (WINDOW_SAMPLES,), one second apart."""
    wav = wav.astype(np.float32)
    if len(wav) < WINDOW_SAMPLES:
        return [np.resize(wav, WINDOW_SAMPLES)]
    # As speechmos counts them: only whole seconds of the clip, so its last window may be left out.
    count = int(len(wav) // DNSMOS_RATE - WINDOW_SECONDS) + 1
    starts = range(0, count * DNSMOS_RATE, DNSMOS_RATE)
    return [wav[start : start + WINDOW_SAMPLES] for start in starts]
