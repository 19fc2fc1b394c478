"""The options of conf/serve.yaml."""

from dataclasses import dataclass, fields
from pathlib import Path

from espnet2_valle.common.errors import InputError
from espnet2_valle.common.options import load

AUTO, ALWAYS, NEVER = "auto", "always", "never"


@dataclass(frozen=True)
class ServeOptions:
    """Options and limits of the service; conf/serve.yaml explains each.

    Raises:
        InputError: a value out of range.
    """

    model_names: tuple[str, ...] = ("valle",)
    streaming: str = AUTO
    require_consent: bool = False
    max_words: int = 12
    rows: int = 16
    max_characters: int = 4096
    max_body_bytes: int = 65536
    max_upload_bytes: int = 20_000_000
    max_prompt_seconds: float = 60.0
    max_voices: int = 1000
    requests_per_minute: float = 120
    burst: int = 40
    concurrent: int = 16
    queue: int = 64
    connections: int = 256
    read_seconds: float = 10.0
    write_seconds: float = 20.0
    answer_seconds: float = 120.0
    idle_seconds: float = 60.0
    stuck_seconds: float = 60.0
    shutdown_seconds: float = 30.0
    retries: int = 2

    @classmethod
    def load(cls, path: str | Path) -> "ServeOptions":
        """Read conf/serve.yaml or one like it.

        Raises:
            InputError: it cannot be read, an unknown key, or a value out of range.
        """
        return load(cls, path, "--serve_config", example="conf/serve.yaml")

    def __post_init__(self) -> None:
        if self.streaming not in (AUTO, ALWAYS, NEVER):
            raise InputError("streaming", f"{self.streaming} is out of range", "Give auto, always or never")
        for one in fields(self):
            value = getattr(self, one.name)
            least = 0 if one.name == "retries" else 1 if isinstance(value, int) else None
            if (
                isinstance(value, int | float)
                and not isinstance(value, bool)
                and (value <= 0 if least is None else value < least)
            ):
                raise InputError(one.name, f"{value} is out of range", "See conf/serve.yaml")
        if not self.model_names:
            raise InputError("model_names", "is empty", "See conf/serve.yaml")
