"""Every option of decoding, declared once: for conf/decode.yaml, for the command line and for Python."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from espnet2_valle.common.errors import InputError
from espnet2_valle.common.registry import Component
from espnet2_valle.generate.choosing import CHOOSERS, LIKELIEST, check_chooser
from espnet2_valle.generate.option import ACCEPTED, Pairs, kinds, not_negative, option, share
from espnet2_valle.generate.styles import StyleOptions
from espnet2_valle.mark.abs_watermark import AbsWatermark
from espnet2_valle.mark.registry import DEFAULT, DEFAULT_KEY, NONE, WATERMARKS, build_watermark, valid_payload
from espnet2_valle.valle.quantize import DTYPES

LIKELIEST_CODE, MEAN = NAR_CHOICES = ("likeliest", "mean")


@dataclass(frozen=True)
class SamplingOptions:
    """Options of drawing codes from the AR model's logits.

    Raises:
        InputError: a value of another type, or out of range.
    """

    temperature: float = option(1.0, "divides the logits; 0 takes the most likely code", not_negative)
    top_k: int = option(0, "keep the k most likely codes; 0 keeps all", not_negative)
    top_p: float = option(
        1.0,
        "keep the most likely codes up to this share, the one that crosses it included; 1 keeps all",
        lambda value: 0 < value <= 1,
    )
    min_p: float = option(
        0.0, "keep codes at least this fraction as likely as the most likely one; 0 keeps all", share
    )
    repetition_window: int = option(
        0, "K of repetition-aware sampling (VALL-E 2, sec. 3.3.1); 0 turns it off", not_negative
    )
    repetition_threshold: float = option(
        0.1, "t_r; a code that makes up more of the last K codes is drawn anew from all codes", share
    )
    repetition_counts_drawn: bool = option(
        False, "the K codes include the one just drawn; otherwise they are the K before it"
    )

    def __post_init__(self) -> None:
        for one in fields(self):
            value, kind, valid = getattr(self, one.name), kinds(type(self))[one.name], one.metadata["valid"]
            if not isinstance(value, ACCEPTED[kind]) or (valid and not valid(value)):
                raise InputError(f"--{one.name}", f"{value} is out of range", "See conf/decode.yaml")


LANG_HELP = (
    "language of the text, for models of several, such as en; <lang=de>...</lang> in the text marks another; "
    "default: detected, as the log tells"
)


@dataclass(frozen=True)
class DecodingOptions(StyleOptions, SamplingOptions):
    """Options of turning text into speech. Hashable: a model is opened once for the same files and options.

    Raises:
        InputError: see `SamplingOptions` and `StyleOptions`, or a chooser that there is not or that has
            nothing to choose from.
    """

    seed: int = option(0, "default seed of each utterance")
    min_duration_ratio: float = option(
        0.3, "shortest output, against the duration that the prompt's own frames per text token predict"
    )
    max_duration_ratio: float = option(3.0, "longest output, against the same")
    max_repeat_seconds: float = option(
        0.0, "repeating the same codes for this long ends an utterance as `stuck`; 0: never", not_negative
    )
    trim_prompt: bool = option(
        True, "cut the silent edges of a prompt: one that ends in silence reads as one that has ended"
    )
    best_of: int = option(
        1, "candidates drawn for each utterance, of which one is kept", lambda value: value >= 1
    )
    retries: int = option(
        0, "more attempts, each with its own seed, at an utterance that does not end `ok`", not_negative
    )
    nar_choice: str = option(
        LIKELIEST_CODE,
        f"code that the NAR model takes: {LIKELIEST_CODE}, as in the papers, or nearest to the {MEAN} "
        "of the codewords, each as likely as it is (codecs that tell their codewords)",
        lambda value: value in NAR_CHOICES,
    )
    dtype: str = option(
        "float32",
        f"type of the weights: {', '.join(DTYPES)}; int8 is for the AR model on a CPU, the NAR model then "
        "has what the CPU multiplies fastest",
        lambda value: value in DTYPES,
    )
    native: str = option(
        "auto",
        "the AR model's steps in code compiled for this CPU on first use: auto (where there is a compiler), "
        "always, never",
    )
    cuda_graphs: bool = option(
        False, "on a GPU the AR model's steps are recorded as CUDA graphs; elsewhere a warning, and torch"
    )
    chooser: str = option(
        LIKELIEST,
        f"which of --best_of candidates is kept: that of the highest {LIKELIEST} (mean of its codes), or "
        f"that in which a recogniser hears the text best: {', '.join(sorted(CHOOSERS))}",
    )
    chooser_conf: Pairs = option((), "options of the recogniser, such as judge_dir=exp/mini/judge for ctc")
    watermark: str = option(
        DEFAULT,
        f"how speech is signed, to be found again by `valle detect`: {', '.join(WATERMARKS)}, or {NONE}",
        lambda value: value == NONE or value in WATERMARKS,
    )
    watermark_key: str = option(DEFAULT_KEY, "who knows it, and no one else, finds the mark of spread", bool)
    lang: str = option("", LANG_HELP)
    prompt_lang: str = option(
        "", "of what is said in the prompt, in the same way; a prepared prompt may know its own"
    )
    accent: str = option(
        "", "another language that a model with language IDs is told in the place of the text's: its accent"
    )
    watermark_payload: int = option(0, "number of 16 bits that the mark of spread carries", valid_payload)

    def __post_init__(self) -> None:
        given: Any = self.chooser_conf
        if isinstance(given, Mapping):
            pairs = [(name, tuple(v) if isinstance(v, list) else v) for name, v in sorted(given.items())]
            object.__setattr__(self, "chooser_conf", tuple(pairs))
        StyleOptions.__post_init__(self)
        SamplingOptions.__post_init__(self)
        component = self.component
        if component is None and self.chooser_conf:
            raise InputError(
                "--chooser_conf",
                f"--chooser {LIKELIEST} has no options",
                "Give --chooser (in run.sh's --inference_args)",
            )
        if component is not None:
            if self.best_of < 2:
                raise InputError("--best_of", f"{self.best_of} leaves --chooser no choice", "Give 2 or more")
            check_chooser(component)

    @property
    def component(self) -> Component | None:
        """The recogniser that chooses among candidates; None where the likeliest is kept."""
        if self.chooser == LIKELIEST:
            return None
        return Component.parse({"name": self.chooser, **dict(self.chooser_conf)}, "--chooser")

    def build_watermark(self) -> AbsWatermark | None:
        """The watermark that speech is signed with.

        Raises:
            InputError: a package that it needs is missing.
        """
        return build_watermark(self.watermark, self.watermark_key, self.watermark_payload)

    @property
    def signature(self) -> tuple[str, str, int] | None:
        """All that decides the watermark; None where there is none."""
        if self.watermark == NONE:
            return None
        return self.watermark, self.watermark_key, self.watermark_payload

    @property
    def sampling(self) -> SamplingOptions:
        """The options of drawing codes alone."""
        return SamplingOptions(**{one.name: getattr(self, one.name) for one in fields(SamplingOptions)})

    @property
    def duration_ratios(self) -> tuple[float, float]:
        """Bounds on the output's duration."""
        return self.min_duration_ratio, self.max_duration_ratio
