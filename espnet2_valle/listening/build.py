"""Make a listening test: a folder `public/` for a web host, and beside it the key that must stay private."""

import json
import random
import secrets
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from espnet2_valle.common.audio import read_audio, write_audio
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import atomic_open, atomic_path
from espnet2_valle.evaluation.utterance import Trial
from espnet2_valle.listening import sounds
from espnet2_valle.listening.kinds import KINDS, Kind

PUBLIC, KEY, DATABASE = "public", "key.json", "ratings.sqlite"
PAGE_FILES = ("loading.js", "deck.js", "players.js", "outbox.js", "listening.js", "listening.css")
TEST, GOLD, TRAINING = "test", "gold", "training"
REFERENCE, ANCHOR, SPOILED = "hidden_reference", "anchor", "spoiled"
NUM_BLOCKS = 24
ID_BYTES = 8


@dataclass(frozen=True)
class Design:
    """Design of a test: conf/score/listening.yaml.

    Attributes:
        kind: mos, smos, cmos or mushra.
        title: of the page.
        num_items: pairs that are used; 0 for all.
        per_rater: trials of a rater, gold ones not counted; 0 for all.
        num_training: trials before the test that are not counted.
        num_gold: trials whose right answer is known, of each sort (good and bad).
        num_checks: tone triples of the headphone check; 0 for none.
        base: in cmos, the system that others are compared with; "" for the first.
        level: of speech in dBFS.
        gold_ratio: of modulated noise in spoiled copies, in dB.
        anchor_hertz: of the low anchor of mushra.
        seed: of choices and orders.
        contact: whom raters can ask, shown on the page.
    """

    kind: str = "mos"
    title: str = "Listening test"
    num_items: int = 20
    per_rater: int = 40
    num_training: int = 3
    num_gold: int = 2
    num_checks: int = 6
    base: str = ""
    level: float = -26.0
    gold_ratio: float = 0.0
    anchor_hertz: float = 3500.0
    seed: int = 0
    contact: str = ""

    def __post_init__(self) -> None:
        KINDS.check_name(self.kind)


def new_id() -> str:
    """An id that tells nothing and that nobody can compute."""
    return secrets.token_hex(ID_BYTES)


@dataclass
class _Maker:
    """Collector of sounds and trials that remembers what each is."""

    folder: Path
    design: Design
    key: dict[str, dict[str, Any]] = field(default_factory=dict)
    public: dict[str, dict[str, Any]] = field(default_factory=dict)

    def sound(self, path: str, spoil: str = "") -> str:
        """Address of a sound at the level of the test, as it is or spoiled.

        Each use has an address of its own: that of a hidden reference would tell what it is.
        """
        wav, rate = read_audio(path)
        if spoil == SPOILED:
            wav = sounds.add_modulated_noise(wav, self.design.gold_ratio, self.design.seed)
        elif spoil == ANCHOR:
            wav = sounds.low_pass(wav, rate, self.design.anchor_hertz)
        name = f"audio/{new_id()}.wav"
        write_audio(self.folder / name, sounds.at_level(wav, rate, self.design.level), rate)
        return name

    def trial(
        self,
        role: str,
        item: str,
        stimuli: Sequence[tuple[str, str, str]],
        reference: str | None = None,
        expect: tuple[float, float] | None = None,
    ) -> str:
        """Add a trial.

        Args:
            role: TEST, GOLD or TRAINING.
            item: the pair it is of.
            stimuli: (system, sound file, how it is spoiled); in a comparison the second is judged.
            reference: sound file to compare with.
            expect: least and greatest right answer, for gold.
        """
        trial_id = new_id()
        named = {new_id(): (system, self.sound(path, spoil)) for system, path, spoil in stimuli}
        self.key[trial_id] = {
            "role": role,
            "item": item,
            "systems": {stimulus: system for stimulus, (system, _) in named.items()},
            "expect": expect,
        }
        self.public[trial_id] = {
            "id": trial_id,
            "reference": self.sound(reference) if reference else None,
            "stimuli": [{"id": stimulus, "src": source} for stimulus, (_, source) in named.items()],
        }
        return trial_id


def build_test(
    design: Design, trials: Sequence[Trial], systems: Mapping[str, Mapping[str, str]], output: Path
) -> dict[str, int]:
    """Write a test.

    Args:
        design: how.
        trials: what systems were asked.
        systems: name -> pair id -> sound file; pairs that a system lacks are left out for all.
        output: gets public/ and key.json.

    Returns:
        How many items, trials of each role and sounds there are.

    Raises:
        InputError: too few systems or pairs, no reference recordings where the kind needs them, a bad sound.
    """
    if (output / DATABASE).exists():
        raise InputError(output, "already has ratings", "Give another --test_dir, or move the old test away")
    kind = KINDS[design.kind]
    rng = random.Random(design.seed)
    usable = _usable(kind, design, trials, systems)
    drawn = rng.sample(usable, min(len(usable), design.num_training + (design.num_items or len(usable))))
    training = drawn[: design.num_training] if len(drawn) > design.num_training else []
    items = drawn[len(training) :]
    folder = output / PUBLIC
    if folder.exists():
        shutil.rmtree(folder)
    maker = _Maker(folder, design)
    main = [trial for item in items for trial in _trials_of(TEST, item, kind, systems, maker)]
    gold = [trial for item in items[: design.num_gold] for trial in _gold(item, kind, maker)]
    first = [_training(item, number, kind, systems, maker) for number, item in enumerate(training)]
    checks = _write_checks(maker)
    page = {
        "id": new_id(),
        **{name: getattr(kind, name) for name in ("name", "source", "question", "scale", "low", "high")},
        **{name: getattr(kind, name) for name in ("is_comparison", "has_sliders", "instructions")},
        "title": design.title,
        "contact": design.contact,
        "checks": [{"id": check["id"], "src": check["src"]} for check in checks],
        "training": first,
        "trials": maker.public,
        "blocks": make_blocks(main, gold, design.per_rater, rng),
    }
    key = {
        "design": asdict(design),
        "trials": maker.key,
        "checks": {check["id"]: check["answer"] for check in checks},
    }
    _write(folder, output, page, key)
    return {
        "items": len(items),
        TEST: len(main),
        GOLD: len(gold),
        TRAINING: len(first),
        "checks": len(checks),
    }


def _usable(
    kind: Kind, design: Design, trials: Sequence[Trial], systems: Mapping[str, Mapping[str, str]]
) -> list[Trial]:
    """Trials that every system answered."""
    if len(systems) < (2 if kind.is_comparison else 1):
        raise InputError("--system", f"{len(systems)} given", "A comparison needs two, every test one")
    if kind.is_comparison and design.base and design.base not in systems:
        raise InputError("base", f"no system is called '{design.base}'", f"Choose among {', '.join(systems)}")
    usable = [trial for trial in trials if all(trial.pair_id in wavs for wavs in systems.values())]
    if kind.has_sliders or kind.is_comparison:
        usable = [trial for trial in usable if trial.reference]
    if not usable:
        raise InputError(
            "--system", "there is no pair that all systems answered", "Give systems that were run on one list"
        )
    return usable


def _trials_of(
    role: str, item: Trial, kind: Kind, systems: Mapping[str, Mapping[str, str]], maker: _Maker
) -> list[str]:
    """The trials of one pair: one a system, but all systems at once in mushra."""
    answers = {name: wavs[item.pair_id] for name, wavs in systems.items()}
    if kind.has_sliders:
        assert item.reference is not None
        stimuli = [(name, path, "") for name, path in answers.items() if path != item.reference]
        stimuli += [(REFERENCE, item.reference, ""), (ANCHOR, item.reference, ANCHOR)]
        return [maker.trial(role, item.pair_id, stimuli, item.reference)]
    if kind.is_comparison:
        base = maker.design.base or next(iter(systems))
        return [
            maker.trial(role, item.pair_id, [(base, answers[base], ""), (name, path, "")])
            for name, path in answers.items()
            if name != base
        ]
    reference = item.prompt if kind.has_reference else None
    return [maker.trial(role, item.pair_id, [(name, path, "")], reference) for name, path in answers.items()]


def _training(
    item: Trial, number: int, kind: Kind, systems: Mapping[str, Mapping[str, str]], maker: _Maker
) -> str:
    """A trial to practise on; systems take turns, so that practice shows how far they lie apart."""
    if kind.has_sliders:
        return _trials_of(TRAINING, item, kind, systems, maker)[0]
    base = (maker.design.base or next(iter(systems))) if kind.is_comparison else None
    judged = [name for name in systems if name != base]
    names = [base, judged[number % len(judged)]]
    return _trials_of(TRAINING, item, kind, {n: systems[n] for n in names if n is not None}, maker)[0]


def _gold(item: Trial, kind: Kind, maker: _Maker) -> list[str]:
    """Trials whose answer is known. MUSHRA has its hidden references in place of them."""
    if kind.has_sliders:
        return []
    clean = item.reference or item.prompt
    if kind.is_comparison:
        worse = [(REFERENCE, clean, ""), (SPOILED, clean, SPOILED)]
        better = worse[::-1]
        return [
            maker.trial(GOLD, item.pair_id, worse, expect=(kind.low, -1)),
            maker.trial(GOLD, item.pair_id, better, expect=(1, kind.high)),
        ]
    middle = (kind.low + kind.high) / 2
    if kind.has_reference:
        found = [maker.trial(GOLD, item.pair_id, [(REFERENCE, item.prompt, "")], item.prompt, (4, kind.high))]
        if item.other:
            other = [("other_speaker", item.other, "")]
            found.append(maker.trial(GOLD, item.pair_id, other, item.prompt, (kind.low, middle)))
        return found
    return [
        maker.trial(GOLD, item.pair_id, [(REFERENCE, clean, "")], expect=(middle, kind.high)),
        maker.trial(GOLD, item.pair_id, [(SPOILED, clean, SPOILED)], expect=(kind.low, 2)),
    ]


def make_blocks(
    main: Sequence[str], gold: Sequence[str], per_rater: int, rng: random.Random
) -> list[list[str]]:
    """Divide trials into blocks, one a rater, each with all gold trials and an equal share of the others.

    Taken in turn the blocks use every trial equally often, up to one.
    """
    if not per_rater or per_rater >= len(main):
        return [[*main, *gold]]
    order = rng.sample(list(main), len(main))
    starts = [number * per_rater % len(order) for number in range(NUM_BLOCKS)]
    return [[*(order + order)[start : start + per_rater], *gold] for start in starts]


def _write_checks(maker: _Maker) -> list[dict[str, Any]]:
    checks = []
    for number in range(maker.design.num_checks):
        tones, answer = sounds.headphone_check(maker.design.seed + number)
        name = f"audio/{new_id()}.wav"
        _write_stereo(maker.folder / name, tones)
        checks.append({"id": new_id(), "src": name, "answer": answer})
    return checks


def _write_stereo(path: Path, wav: np.ndarray) -> None:
    import soundfile

    with atomic_path(path) as temporary:
        soundfile.write(temporary, wav, sounds.CHECK_RATE, subtype="PCM_16")


def _write(folder: Path, output: Path, page: Mapping[str, Any], key: Mapping[str, Any]) -> None:
    import jinja2

    here = Path(__file__).parent
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(here), autoescape=True, undefined=jinja2.StrictUndefined
    )
    with atomic_open(folder / "index.html") as stream:
        stream.write(environment.get_template("listening.html.j2").render(title=page["title"]))
    for name in PAGE_FILES:
        shutil.copyfile(here / name, folder / name)
    for path, content in ((folder / "test.json", page), (output / KEY, key)):
        with atomic_open(path) as stream:
            json.dump(content, stream, ensure_ascii=False, indent=1)
