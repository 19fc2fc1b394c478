"""The kinds of listening test: their question, scale and instructions."""

from dataclasses import dataclass

from espnet2_valle.common.registry import Registry

FIVE = ((5, "Excellent"), (4, "Good"), (3, "Fair"), (2, "Poor"), (1, "Bad"))


@dataclass(frozen=True)
class Kind:
    """One kind of test.

    Attributes:
        name: of the kind.
        source: the recommendation it follows.
        question: asked at every trial.
        scale: (value, label), best first; for a slider, its marks.
        low: lowest value.
        high: highest value.
        has_reference: a recording to compare with is played first.
        is_comparison: two recordings, one answer.
        has_sliders: all systems of an item are rated side by side.
        instructions: paragraphs.
    """

    name: str
    source: str
    question: str
    scale: tuple[tuple[int, str], ...]
    low: int
    high: int
    has_reference: bool = False
    is_comparison: bool = False
    has_sliders: bool = False
    instructions: tuple[str, ...] = ()


_KINDS = {
    kind.name: kind
    for kind in (
        Kind(
            "mos",
            "ITU-T P.800 (absolute category rating) and P.808",
            "How good is the quality of this speech?",
            FIVE,
            1,
            5,
            instructions=(
                "You will hear one recording of speech after another. Listen to each to its end, then choose "
                "the word that says how it sounds: how natural, how clear, how free of noise and distortion.",
                "Judge how it sounds, not what is said. There is no right answer; we want your own opinion.",
            ),
        ),
        Kind(
            "smos",
            "ITU-T P.800 and P.808, applied to the likeness of voices",
            "How alike are the two voices?",
            (
                (5, "The same speaker, certainly"),
                (4, "Probably the same speaker"),
                (3, "Hard to say"),
                (2, "Probably different speakers"),
                (1, "Different speakers, certainly"),
            ),
            1,
            5,
            has_reference=True,
            instructions=(
                "Each time you will hear two recordings: first a voice, then speech that may be by the same "
                "speaker. They say different things.",
                "Judge whether it could be the same speaker. Do not mind the words, noise or sound quality.",
            ),
        ),
        Kind(
            "cmos",
            "ITU-T P.800, annex E (comparison category rating)",
            "Compared with the first recording, the second is …",
            (
                (3, "Much better"),
                (2, "Better"),
                (1, "Slightly better"),
                (0, "About the same"),
                (-1, "Slightly worse"),
                (-2, "Worse"),
                (-3, "Much worse"),
            ),
            -3,
            3,
            is_comparison=True,
            instructions=(
                "Each time you will hear two recordings of the same words. Say how the second sounds "
                "compared with the first: how natural and clear it is.",
            ),
        ),
        Kind(
            "mushra",
            "ITU-R BS.1534 (MUSHRA)",
            "How close is each recording to the reference?",
            ((100, "Excellent"), (80, "Good"), (60, "Fair"), (40, "Poor"), (20, "Bad")),
            0,
            100,
            has_reference=True,
            has_sliders=True,
            instructions=(
                "Each page has a reference recording and several others of the same words. Rate each of the "
                "others from 0 to 100 by how good it is compared with the reference.",
                "One of them is the reference itself: it should get 100. The recordings of a page run side "
                "by side: switch between them at any moment, as often as you like.",
            ),
        ),
    )
}
KINDS: Registry[Kind] = Registry("kind", _KINDS)
