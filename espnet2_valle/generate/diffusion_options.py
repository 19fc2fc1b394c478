"""Options of diffusion models alone: the solver, and speed and pitch of all that is said."""

from dataclasses import dataclass, fields

import torch

from espnet2_valle.common.errors import InputError
from espnet2_valle.generate.option import ACCEPTED, kinds, not_negative, option
from espnet2_valle.ns2.control import Control
from espnet2_valle.ns2.generation import SolverOptions
from espnet2_valle.ns2.schedule import SOLVERS

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass(frozen=True)
class DiffusionOptions:
    """Options of speaking with a diffusion model; conf/decode_ns2.yaml has them all. Hashable.

    Raises:
        InputError: a value of another type, or out of range.
    """

    diffusion_steps: int = option(16, "steps of the solver", lambda value: value >= 1)
    solver: str = option(
        "ddim", f"of the probability-flow ODE: {', '.join(SOLVERS)}", lambda value: value in SOLVERS
    )
    noise_temperature: float = option(
        1.2, "the noise that a latent is made of has the variance 1 / this", lambda value: value > 0
    )
    guidance: float = option(
        1.0, "above 1 the prompt counts more (classifier-free guidance, twice the work)", not_negative
    )
    speed: float = option(1.0, "times as fast as the model would say it")
    pitch: float = option(0.0, "semitones up, or down")
    pitch_range: float = option(1.0, "times as wide as the model's own range of pitch")

    def __post_init__(self) -> None:
        for one in fields(self):
            value, kind, valid = getattr(self, one.name), kinds(type(self))[one.name], one.metadata["valid"]
            if not isinstance(value, ACCEPTED[kind]) or (valid and not valid(value)):
                raise InputError(f"--{one.name}", f"{value} is out of range", "See conf/decode_ns2.yaml")
        self.control  # noqa: B018 -- which checks its values

    @property
    def control(self) -> Control:
        """Wishes for all that is said."""
        return Control(self.speed, self.pitch, self.pitch_range)

    def of_solver(self, dtype: str = "float32") -> SolverOptions:
        """Options of the solver, whose products are of a type of `DTYPES`.

        Raises:
            InputError: int8, which has none here.
        """
        if dtype not in DTYPES:
            raise InputError(
                "--dtype", f"{dtype} is not for a diffusion model", f"Choose {' or '.join(DTYPES)}"
            )
        chosen = DTYPES[dtype]
        return SolverOptions(self.diffusion_steps, self.solver, self.noise_temperature, self.guidance, chosen)

    @property
    def changed(self) -> list[str]:
        """Names of those that are not as by default."""
        return [one.name for one in fields(self) if getattr(self, one.name) != one.default]
