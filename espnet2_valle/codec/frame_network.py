"""Networks of TensorFlow Lite that work frame by frame, run by LiteRT."""

from typing import Any

import numpy as np

from espnet2_valle.common.errors import InputError
from espnet2_valle.common.extras import import_extra

THREADS = 1  # a frame is too little work to share


class FrameNetwork:
    """A network that maps a frame to a frame and remembers the frames before.

    Args:
        content: a .tflite file's bytes.
        where: that file, to be named in errors.
        remedy: of errors.

    Raises:
        InputError: LiteRT is not installed, or the content is no such network.
    """

    def __init__(self, content: bytes, where: str, remedy: str):
        self.content = content
        self._where, self._remedy = where, remedy
        interpreter = self._open()
        inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
        if len(inputs) != 1 or len(outputs) != 1:
            found = f"{len(inputs)} inputs and {len(outputs)} outputs"
            raise InputError(where, f"a network of {found}, and one of each is needed", remedy)
        self._input, self._output = inputs[0]["index"], outputs[0]["index"]
        self._shape = tuple(map(int, inputs[0]["shape"]))
        self.input_size = int(np.prod(self._shape))
        self.output_size = int(np.prod(outputs[0]["shape"]))

    def __call__(self, frames: np.ndarray) -> np.ndarray:
        """Map the frames (T, input_size) of one signal, from its beginning, to (T, output_size) float32."""
        # A new one each time, in milliseconds: `reset_all_variables` leaves what such networks remember.
        interpreter = self._open()
        found = np.empty((len(frames), self.output_size), dtype=np.float32)
        for row, frame in zip(found, frames.astype(np.float32), strict=True):
            interpreter.set_tensor(self._input, frame.reshape(self._shape))
            interpreter.invoke()
            row[:] = interpreter.get_tensor(self._output).reshape(-1)
        return found

    def _open(self) -> Any:
        interpreter = open_interpreter(self.content, self._where, self._remedy)
        interpreter.allocate_tensors()
        return interpreter


def open_interpreter(content: bytes, where: str, remedy: str) -> Any:
    """LiteRT's interpreter of a .tflite file's bytes; see FrameNetwork."""
    package = import_extra("ai_edge_litert.interpreter", "codec lyra", "lyra")
    try:
        return package.Interpreter(model_content=content, num_threads=THREADS)
    except (ValueError, RuntimeError) as error:
        raise InputError(where, f"not a network of TensorFlow Lite ({error})", remedy) from error
