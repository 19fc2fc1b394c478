"""The voices of a service: prepared prompts by their names. A request names one, never a file."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from espnet2_valle.generate.prompt import SUFFIX, PreparedPrompt
from espnet2_valle.serve.refusal import Refusal, invalid

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
UPLOADED = "uploaded"  # folder of what came through the service


class Voices:
    """Prepared prompts, kept in memory as their codes.

    Args:
        folder: of prepared prompts (.npz); uploaded ones go into a folder in it.
        most: voices in all.
        whole: keep their sound too.

    Raises:
        InputError: one of the files is no prepared prompt.
    """

    def __init__(self, folder: str | Path | None, most: int, whole: bool = False):
        self._folder, self._most = Path(folder) if folder else None, most
        self._voices: dict[str, PreparedPrompt] = {}
        self._uploaded: set[str] = set()
        if self._folder is None:
            return
        kept = (lambda voice: voice) if whole else _light
        for path in sorted(self._folder.glob(f"*{SUFFIX}")):
            self._voices[path.stem] = kept(PreparedPrompt.read(path))
        for path in sorted((self._folder / UPLOADED).glob(f"*{SUFFIX}")):
            if path.stem not in self._voices:
                self._voices[path.stem] = kept(PreparedPrompt.read(path))
                self._uploaded.add(path.stem)

    def __len__(self) -> int:
        return len(self._voices)

    def items(self) -> list[tuple[str, PreparedPrompt]]:
        """Names and voices."""
        return sorted(self._voices.items())

    def is_uploaded(self, name: str) -> bool:
        """Tell what came through the service."""
        return name in self._uploaded

    def get(self, name: str) -> PreparedPrompt:
        """The voice of a name.

        Raises:
            Refusal: there is none.
        """
        if name not in self._voices:
            raise Refusal(
                404, f"there is no voice {name[:80]!r}: GET /v1/voices lists them", "voice_not_found", "voice"
            )
        return self._voices[name]

    def check_new(self, name: str) -> None:
        """Raise Refusal unless a voice of this name can be added."""
        if self._folder is None:
            raise Refusal(403, "this service keeps no voices: it was begun without --voices", "no_uploads")
        if not NAME.fullmatch(name):
            raise invalid(
                "a name has 1 to 64 letters, digits, - and _, and begins with none of these", "name"
            )
        if name in self._voices:
            raise Refusal(409, f"there is a voice {name!r} already", "voice_exists", "name")
        if len(self._voices) >= self._most:
            raise Refusal(507, f"there are {self._most} voices, and no room for more", "too_many_voices")

    def add(self, name: str, voice: PreparedPrompt) -> None:
        """Keep a voice under a name that `check_new` has passed."""
        self.check_new(name)
        assert self._folder is not None
        voice.save(self._folder / UPLOADED / f"{name}{SUFFIX}")
        self._voices[name] = _light(voice)
        self._uploaded.add(name)

    def remove(self, name: str) -> None:
        """Forget an uploaded voice.

        Raises:
            Refusal: there is none of this name, or it was not uploaded.
        """
        self.get(name)
        if name not in self._uploaded:
            raise Refusal(403, f"the voice {name!r} was not uploaded", "voice_is_fixed", "voice")
        assert self._folder is not None
        (self._folder / UPLOADED / f"{name}{SUFFIX}").unlink(missing_ok=True)
        del self._voices[name]
        self._uploaded.discard(name)


def _light(voice: PreparedPrompt) -> PreparedPrompt:
    """A voice without its sound, which the models do not need: it travels with every request."""
    return replace(voice, wav=np.zeros(0, dtype=np.float32))
