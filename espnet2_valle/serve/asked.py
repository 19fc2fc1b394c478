"""Requests as OpenAI's clients write them."""

from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from espnet2_valle.generate.styles import MOST_STRENGTH
from espnet2_valle.serve.refusal import Refusal, invalid

Asked = TypeVar("Asked", bound=BaseModel)
FormatName = Literal["mp3", "opus", "flac", "wav", "pcm"]
LANGUAGES = ("lang", "prompt_lang", "accent")
Seed = Annotated[int, Field(ge=0, lt=2**63)]


class Strict(BaseModel):
    """A message in which nothing unknown is overlooked."""

    model_config = ConfigDict(extra="forbid")


class VoiceId(Strict):
    """A voice as newer clients name it."""

    id: str


Level = str | Annotated[float, Field(ge=1)] | None


class Wishes(Strict):
    """Languages and style of a text; what is not given is as the service's options say.

    Files are none of them: who asks names no path on the service's machine.
    """

    lang: str | None = None
    prompt_lang: str | None = None
    accent: str | None = None
    emotion: str | None = None
    emotion_strength: Annotated[float, Field(ge=0, le=MOST_STRENGTH)] | None = None
    speaking_rate: Level = None
    pitch_level: Level = None
    pitch_variation: Level = None
    energy: Level = None

    @property
    def wishes(self) -> dict[str, Any]:
        """Those that are given, under the names of `generate.request.Request`."""
        given = {name: getattr(self, name) for name in Wishes.model_fields}
        given = {name: value for name, value in given.items() if value is not None}
        languages = {name: given.pop(name) for name in LANGUAGES if name in given}
        return {**languages, **({"style": given} if given else {})}


class SpeechRequest(Wishes):
    """The body of POST /v1/audio/speech; `seed`, `stream` and `Wishes` are ours (`extra_body` of the client).

    Attributes:
        stream: chunk by chunk, not sentence by sentence.
    """

    model: str
    input: str
    voice: str | VoiceId
    response_format: FormatName = "mp3"
    stream_format: Literal["audio", "sse"] = "audio"
    speed: float = 1.0
    instructions: str | None = None
    seed: Seed | None = None
    stream: bool | None = None

    @property
    def voice_name(self) -> str:
        """The voice, however it is named."""
        return self.voice if isinstance(self.voice, str) else self.voice.id


class Start(Wishes):
    """The first message of a WebSocket."""

    type: Literal["start"]
    voice: str
    model: str | None = None
    response_format: FormatName = "pcm"
    seed: Seed | None = None
    stream: bool | None = None
    key: str | None = None


class Text(Strict):
    """A part of the text."""

    type: Literal["text"]
    text: str


class Flush(Strict):
    """Say what there is, whole sentence or not."""

    type: Literal["flush"]


class Stop(Strict):
    """The text is complete."""

    type: Literal["end"]


class Later(BaseModel):
    """Any message behind the first."""

    message: Annotated[Text | Flush | Stop, Field(discriminator="type")]


def parsed(kind: type[Asked], content: str | bytes) -> Asked:
    """JSON as a request.

    Raises:
        Refusal: it is none; the first thing that is wrong is told.
    """
    try:
        return kind.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(one) for one in first["loc"])
        raise invalid(f"{place}: {first['msg']}" if place else first["msg"], place or None) from error


def check_supported(asked: SpeechRequest) -> None:
    """Raise Refusal for what these models cannot do."""
    if asked.speed != 1.0:
        raise invalid("speed: only 1.0; the prompt's pace decides", "speed")
    if asked.instructions:
        raise invalid("instructions are not followed; the prompt decides how it sounds", "instructions")


def check_model(name: str, names: tuple[str, ...]) -> None:
    """Raise Refusal for a model that is not served."""
    if name not in names:
        raise Refusal(
            404, f"there is no model {name[:80]!r}, but {', '.join(names)}", "model_not_found", "model"
        )
