"""The sound card, through PortAudio."""

from typing import Any

import numpy as np

from espnet2_valle.common.errors import InputError
from espnet2_valle.common.extras import import_extra

WHERE = "the sound card"
ELSEWHERE = "Give --output_wav a file, or - for standard output"


def open_card() -> Any:
    """The module that plays, once it has found a device to play on.

    Raises:
        InputError: it, PortAudio or a device is missing.
    """
    try:
        sounddevice = import_extra("sounddevice", WHERE, "play")
        sounddevice.query_devices(kind="output")
    except InputError:
        raise
    except Exception as error:  # PortAudio is loaded by the import; its errors are a class of the module
        raise InputError(WHERE, f"cannot be played on ({error})", ELSEWHERE) from error
    return sounddevice


def play(wav: np.ndarray, rate: int) -> None:
    """Play samples (S,) at `rate` Hz to their end.

    Raises:
        InputError: see `open_card`, or the device does not take them.
    """
    card = open_card()
    try:
        card.play(wav, rate, blocking=True)
    except card.PortAudioError as error:
        raise InputError(WHERE, f"cannot be played on ({error})", ELSEWHERE) from error
