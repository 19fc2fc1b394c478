"""Models by what they are opened from: once in each process, however many batches a worker is sent."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from espnet2_valle.generate.choosing import LIKELIEST
from espnet2_valle.generate.diffusion_options import DiffusionOptions
from espnet2_valle.generate.options import DecodingOptions
from espnet2_valle.generate.streaming import Streamer
from espnet2_valle.generate.styles import StyleOptions
from espnet2_valle.generate.text2speech import Text2Speech
from espnet2_valle.zoo.trained import ModelFiles

# Options that came when there were decoding folders: as long as none is given, these stay of use.
LATER: tuple[str, ...] = ("trim_prompt", "nar_choice", "lang", "prompt_lang", "accent")
LATER += tuple(one.name for one in fields(StyleOptions))


@dataclass(frozen=True)
class ModelSpec:
    """A model and how it decodes; hashable, and small enough to be sent to every worker.

    Attributes:
        files: of the model.
        device: cpu, cuda, cuda:N.
        options: of decoding.
        diffusion: of a NaturalSpeech 2 model.
    """

    files: ModelFiles = ModelFiles()
    device: str = "cpu"
    options: DecodingOptions = field(default_factory=DecodingOptions)
    diffusion: DiffusionOptions = field(default_factory=DiffusionOptions)

    def to_dict(self) -> dict[str, Any]:
        """JSON values under the names of the command line, as a decoding folder and a study keep them."""
        options = {one.name: getattr(self.options, one.name) for one in fields(self.options)}
        conf = {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in options.pop("chooser_conf")
        }
        if options["chooser"] == LIKELIEST:
            del options["chooser"]
        else:
            options["chooser"] = {"name": options["chooser"], **conf}
        for name in LATER:
            if options[name] == getattr(DecodingOptions, name):
                del options[name]
        first = {"device": self.device, "seed": options.pop("seed")}
        diffusion = {name: getattr(self.diffusion, name) for name in self.diffusion.changed}
        return {**self.files.given(), **first, **options, **diffusion}

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> "ModelSpec":
        """The inverse of `to_dict`; what is not given has its default.

        Raises:
            InputError: see `DecodingOptions`.
        """
        options = dict(given)
        files = {one.name: options.pop(one.name, None) for one in fields(ModelFiles)}
        device = options.pop("device", cls.device)
        conf: Any = dict(options.pop("chooser", {"name": LIKELIEST}))
        names = [one.name for one in fields(DiffusionOptions) if one.name in options]
        diffusion = DiffusionOptions(**{name: options.pop(name) for name in names})
        chosen = DecodingOptions(chooser=conf.pop("name"), chooser_conf=conf, **options)
        return cls(ModelFiles(**files), device, chosen, diffusion)


@functools.lru_cache(maxsize=1)
def open_text2speech(spec: ModelSpec) -> Text2Speech:
    """Open a model once in each process.

    Lives here and not in the command that calls it: what is cached can only be sent to a worker by its
    name, and a command's own name is `__main__`.
    """
    return Text2Speech.open(spec.files, spec.device, spec.options, diffusion=spec.diffusion)


@functools.lru_cache(maxsize=1)
def open_streamer(spec: ModelSpec) -> Streamer:
    """A streamer of the model that `open_text2speech` opens."""
    return Streamer.of(open_text2speech(spec))
