"""Speech on the page, with its settings, to be compared."""

import base64
import html
from collections.abc import Sequence
from dataclasses import dataclass

SOUND = "/sound"  # where the page's player reads speech that is being made
STYLE = """
.takes table { border-collapse: collapse; width: 100%; font-size: 0.9rem; }
.takes table, .takes th, .takes td { border-left: none !important; border-right: none !important; }
.takes th, .takes td { text-align: left; padding: 0.35rem 0.6rem; vertical-align: top; }
.takes audio { width: 13rem; height: 2.2rem; }
.now audio { width: 100%; }
footer { display: none !important; }
@media (max-width: 48rem) {
  .takes thead { display: none; }
  .takes tr, .takes td { display: block; border: none !important; padding: 0.15rem 0; }
  .takes tr { border-top: 1px solid #8886 !important; padding: 0.6rem 0; }
  .takes td::before { content: attr(data-title) " "; opacity: 0.65; }
  .takes audio { width: 100%; }
}
"""


@dataclass(frozen=True)
class Take:
    """Speech, how it was made, and what it is like.

    Attributes:
        sound: an MP3.
        settings: in words.
        outcomes: of its sentences.
        first, total: seconds until the first sound and the last.
        seconds: of speech.
        alike: similarity to the prompt; None where there is no encoder.
        problem: words that the model never learnt.
    """

    sound: bytes
    text: str
    settings: str
    outcomes: tuple[str, ...]
    first: float
    total: float
    seconds: float
    alike: float | None
    problem: str | None


def player(token: str) -> str:
    """A player that begins when there is something to hear."""
    return f'<audio controls autoplay src="{SOUND}/{html.escape(token)}"></audio>'


def table(takes: Sequence[Take]) -> str:
    """A table of takes, the newest first."""
    head = ("", "text", "settings", "outcome", "similarity", "first sound", "in all", "speech")
    rows = []
    for take in takes:
        sound = base64.b64encode(take.sound).decode()
        outcome = ", ".join(dict.fromkeys(take.outcomes)) + (f" ({take.problem})" if take.problem else "")
        alike = "not told" if take.alike is None else f"{take.alike:.2f}"
        cells = [f'<audio controls preload="metadata" src="data:audio/mpeg;base64,{sound}"></audio>']
        cells += [html.escape(one) for one in (take.text, take.settings, outcome, alike)]
        cells += [f"{seconds:.2f} s" for seconds in (take.first, take.total, take.seconds)]
        rows.append("<tr>" + "".join(map(_cell, head, cells)) + "</tr>")
    titles = "".join(f"<th>{title}</th>" for title in head)
    return f"<table><thead><tr>{titles}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _cell(title: str, content: str) -> str:
    """A cell, which on a narrow screen has its title beside it."""
    return f'<td data-title="{title}">{content}</td>'
