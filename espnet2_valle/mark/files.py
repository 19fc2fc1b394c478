"""Sound files looked at, one after the other."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from espnet2_valle.common.audio import audio_seconds, read_audio, read_comment
from espnet2_valle.mark.abs_watermark import AbsWatermark, Detection

if TYPE_CHECKING:
    from espnet2_valle.mark.detector import Detector, Verdict


@dataclass(frozen=True)
class Finding:
    """The result of looking at a sound file.

    Attributes:
        file: its path.
        watermark: the kind that was looked for.
        detection: of it.
        comment: that the file carries: consent and origin, where it is ours and they were stated.
        verdict: of a detector of synthetic speech; None without one, or where there is too little to hear.
    """

    file: str
    watermark: str
    detection: Detection
    comment: str | None = None
    verdict: "Verdict | None" = None

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        found = self.detection
        mark = {"kind": self.watermark, "marked": found.marked, "payload": found.payload}
        synthetic = self.verdict and {**asdict(self.verdict), "synthetic": self.verdict.synthetic}
        return {
            "file": self.file,
            "watermark": {**mark, "chance": found.chance},
            "comment": self.comment,
            "detector": synthetic,
        }

    def line(self) -> str:
        """The finding in words."""
        found = self.detection
        payload = "" if found.payload is None else f", payload {found.payload}"
        marked = "marked" if found.marked else "not marked"
        chance = f"probability of chance {found.chance:.1g}"
        comment = f"; {self.comment}" if self.comment else ""
        opinion = f"; {self.verdict.words()}" if self.verdict else ""
        return f"{self.file}: {marked} ({self.watermark}{payload}; {chance}){opinion}{comment}"


def examine(
    files: Sequence[str | Path], kind: str, watermark: AbsWatermark, detector: "Detector | None" = None
) -> Iterator[Finding]:
    """Look at sound files of any rate.

    Args:
        files: all are checked to be there before the first is looked at.
        kind: name of the watermark.
        watermark: to look for.
        detector: of synthetic speech, to be asked too.

    Raises:
        InputError: one cannot be read.
    """
    for file in files:
        audio_seconds(file)
    for file in files:
        wav, rate = read_audio(file)
        verdict = detector.hear_if_enough(wav, rate, file) if detector else None
        yield Finding(str(file), kind, watermark.detect(wav, rate), read_comment(file), verdict)
