"""A voice as the command line names it: a prepared prompt, or a recording with its text or without."""

import sys
from dataclasses import dataclass

from espnet2_valle.asr.recognizer import AbsRecognizer
from espnet2_valle.codec.abs_codec import AbsCodec
from espnet2_valle.generate.prepare_prompt import prepare_recording
from espnet2_valle.generate.prompt import PreparedPrompt, open_prompt
from espnet2_valle.generate.prompt_check import PromptLimits


@dataclass(frozen=True)
class Voice:
    """A recording, or a prepared prompt.

    Attributes:
        path: of the file.
        text: what is said in all of it; a prepared prompt knows.
        listener: writes down what is said where no text is given.
        name: of the listener, for messages.
    """

    path: str
    text: str | None = None
    listener: AbsRecognizer | None = None
    name: str = "the recogniser"

    def open(self, codec: AbsCodec, trim: bool) -> PreparedPrompt:
        """Make it a prompt; what a listener has heard is told on stderr.

        Args:
            codec: the model's.
            trim: cut the silent edges of a recording whose text is given.

        Raises:
            InputError: it cannot be used, or no word is heard in it.
        """
        if self.listener is None:
            return open_prompt(self.path, self.text, None, codec, trim)
        transcribe = self.listener.transcribe
        prompt, report = prepare_recording(
            self.path, codec, None, transcribe, PromptLimits(), listener=self.name
        )
        lines = [f"heard by {self.name}, please check: {prompt.text}", *report.lines()]
        print("\n".join(lines), file=sys.stderr)
        return prompt
