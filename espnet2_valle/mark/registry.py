"""The kinds of watermark by name. A new one is a line here."""

from espnet2_valle.common.registry import Component, Registry
from espnet2_valle.mark.abs_watermark import AbsWatermark

NONE = "none"
WATERMARKS: Registry[type[AbsWatermark]] = Registry(
    "watermark",
    {"spread": "espnet2_valle.mark.spread:Spread", "perth": "espnet2_valle.mark.perth:Perth"},
)
DEFAULT = "spread"
DEFAULT_KEY = "espnet2_valle"  # known to all: what is signed with it can be found by all
PAYLOADS = 1 << 16


def valid_payload(payload: int) -> bool:
    """Check that a payload has 16 bits."""
    return 0 <= payload < PAYLOADS


def build_watermark(name: str, key: str, payload: int) -> AbsWatermark | None:
    """The watermark of a name, with its key and payload where the kind has such; None for `none`.

    Raises:
        InputError: there is no such kind, a payload out of range, or a package that is missing.
    """
    if name == NONE:
        return None
    return WATERMARKS.build(Component(name), key=key, payload=payload)
