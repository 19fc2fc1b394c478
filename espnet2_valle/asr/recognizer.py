"""Recognisers: sound -> words."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from espnet2_valle.common.audio import resample
from espnet2_valle.common.errors import InputError

if TYPE_CHECKING:
    import pocketsphinx
    import torch

PHONE_UNITS = "units.json"  # in the directory of a recogniser that hears phones
_POCKETSPHINX_RATE = 16000
_POCKETSPHINX_RMS = 0.1  # it expects speech of ordinary loudness
_INT16 = 32767


class AbsRecognizer(ABC):
    """Interface of a speech recogniser."""

    @abstractmethod
    def transcribe(self, wav: np.ndarray, rate: int) -> str:
        """Return the words, separated by spaces, said in `wav` (S,) float32 at `rate` Hz; "" for none."""


class NoRecognizer(AbsRecognizer):
    """Recogniser that hears nothing: for recordings without transcripts, where only voice and sound count."""

    def transcribe(self, wav: np.ndarray, rate: int) -> str:
        """See AbsRecognizer."""
        return ""


class CTCModel:
    """Model that `judge_train` trained: the likelihood of each of its tokens in each frame.

    Args:
        judge_dir: its training directory.
        device: where it computes: cpu, cuda, cuda:N.

    Attributes:
        tokens: what it hears, words or phones, by number.
        blank: the number that stands for none of them.

    Raises:
        InputError: there is no trained recogniser.
    """

    def __init__(self, judge_dir: str | Path, device: str = "cpu"):
        judge_dir = Path(judge_dir)
        config = judge_dir / "config.yaml"
        model = judge_dir / "valid.loss.best.pth"
        for path in (config, model):
            if not path.is_file():
                raise InputError(
                    path, "no such file, so there is no trained recogniser", "Run `valle asr train` first"
                )
        from espnet2_valle.common.espnet_imports import import_espnet_quietly

        import_espnet_quietly()
        from espnet2.tasks.asr import ASRTask

        self._model, args = ASRTask.build_model_from_file(config, model, device)
        self._model.eval()
        self._device = device
        self.tokens: list[str] = args.token_list
        self.blank: int = self._model.blank_id
        self._rate = int(args.frontend_conf["fs"])
        self._min_samples = int(args.frontend_conf["fs"] * _MIN_SECONDS)

    def log_probs(self, wav: np.ndarray, rate: int) -> "torch.Tensor | None":
        """Of each token in each of the encoder's frames (T, V); None for silence and scraps.

        Args:
            wav: (S,) float32 at `rate` Hz.
        """
        import torch

        wav = resample(np.asarray(wav, dtype=np.float32), rate, self._rate)
        peak = float(np.abs(wav).max(initial=0.0))
        if len(wav) < self._min_samples or peak == 0.0:
            return None
        speech = torch.from_numpy(wav / peak * _TRAINING_PEAK)[None]
        with torch.inference_mode():
            lengths = torch.tensor([speech.shape[1]], device=self._device)
            encoded, _ = self._model.encode(speech.to(self._device), lengths)
            log_probs: torch.Tensor = self._model.ctc.log_softmax(encoded)[0]
        return log_probs.cpu()


class CTCRecognizer(AbsRecognizer):
    """A word-level CTC recogniser trained by `judge_train`, decoded greedily.

    Args:
        judge_dir: its training directory.
        device: where it computes: cpu, cuda, cuda:N.

    Raises:
        InputError: there is no trained recogniser, or one that hears phones.
    """

    def __init__(self, judge_dir: str | Path, device: str = "cpu"):
        if (Path(judge_dir) / PHONE_UNITS).is_file():
            raise InputError(
                judge_dir,
                "hears phones, not words",
                "It is for --chooser phones (run.sh: --phone_chooser true)",
            )
        self._model = CTCModel(judge_dir, device)

    def transcribe(self, wav: np.ndarray, rate: int) -> str:
        """See AbsRecognizer."""
        log_probs = self._model.log_probs(wav, rate)
        best = [] if log_probs is None else log_probs.argmax(1).tolist()
        return " ".join(self._model.tokens[token] for token, _ in groupby(best) if token != self._model.blank)


def _decoder(**options: Any) -> "pocketsphinx.Decoder":
    """A decoder with the English model.

    Raises:
        InputError: pocketsphinx is not installed.
    """
    try:
        import pocketsphinx
    except ImportError as error:
        raise InputError("pocketsphinx", "not installed", "Run: pip install pocketsphinx") from error
    return pocketsphinx.Decoder(samprate=_POCKETSPHINX_RATE, loglevel="FATAL", **options)


@lru_cache(maxsize=1)
def unknown_words(vocabulary: tuple[str, ...]) -> tuple[str, ...]:
    """The words that are not in pocketsphinx's English dictionary.

    Raises:
        InputError: pocketsphinx is not installed.
    """
    if not vocabulary:
        return ()
    decoder = _decoder(lm=None)
    return tuple(word for word in vocabulary if decoder.lookup_word(word) is None)


_MIN_SECONDS = 0.25
_TRAINING_PEAK = 0.5  # speech_volume_normalize of conf/judge


class PocketsphinxRecognizer(AbsRecognizer):
    """CMU Pocketsphinx with the English model of its wheel.

    Args:
        vocabulary: the only words that can be said, in any order and number; None for free English text.

    Raises:
        InputError: pocketsphinx is not installed, or a word is not in its dictionary.
    """

    def __init__(self, vocabulary: Sequence[str] | None = None):
        if not vocabulary:
            self._decoder = _decoder()
            return
        unknown = unknown_words(tuple(vocabulary))
        if unknown:
            raise InputError(
                "vocabulary",
                f"pocketsphinx does not know the word '{unknown[0]}'",
                "Give a trained --judge, or score without --vocabulary",
            )
        self._decoder = _decoder(lm=None)
        grammar = f"#JSGF V1.0; grammar words; public <words> = ({' | '.join(vocabulary)})+;"
        self._decoder.add_jsgf_string("words", grammar)
        self._decoder.activate_search("words")

    def transcribe(self, wav: np.ndarray, rate: int) -> str:
        """See AbsRecognizer. The level is evened out first."""
        wav = resample(np.asarray(wav, dtype=np.float32), rate, _POCKETSPHINX_RATE)
        rms = float(np.sqrt(np.mean(wav**2))) if len(wav) else 0.0
        if rms == 0.0:
            return ""
        samples = (np.clip(wav * (_POCKETSPHINX_RMS / rms), -1, 1) * _INT16).astype(np.int16)
        self._decoder.reinit_feat()  # or what was heard before would change what is heard now
        self._decoder.start_utt()
        self._decoder.process_raw(samples.tobytes(), full_utt=True)
        self._decoder.end_utt()
        hypothesis = self._decoder.hyp()
        return hypothesis.hypstr if hypothesis else ""
