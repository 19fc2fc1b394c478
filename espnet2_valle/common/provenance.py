"""Consent and origin of a voice, as they go with what is said in it."""

import json
from dataclasses import dataclass


@dataclass(frozen=True)
class Provenance:
    """Statements about a voice, both of which may be empty.

    Attributes:
        consent: statement of the speaker's consent, in any words.
        origin: where the recording comes from.
    """

    consent: str = ""
    origin: str = ""

    def __bool__(self) -> bool:
        return bool(self.consent or self.origin)

    def to_dict(self) -> dict[str, str]:
        """JSON values of the statements that are not empty."""
        stated = {"consent": self.consent, "origin": self.origin}
        return {name: value for name, value in stated.items() if value}

    def comment(self) -> str | None:
        """JSON for sound files to carry (RIFF INFO, Vorbis comment); None where nothing is stated."""
        if not self:
            return None
        return json.dumps({"synthetic_speech": True, **self.to_dict()}, ensure_ascii=False)
