"""A run from the words of its command line: its settings, and what it ends with."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import read_text
from espnet2_valle.recipe.baselines import comparison, trained_baselines
from espnet2_valle.recipe.checks import check_settings
from espnet2_valle.recipe.corpora import EMBEDDED, FOLDER, MINI, MINI_EMO, MINI_X
from espnet2_valle.recipe.names import CONF
from espnet2_valle.recipe.options import FIELDS, make_options, read_words
from espnet2_valle.recipe.settings import Settings
from espnet2_valle.recipe.shell import as_shell
from espnet2_valle.recipe.steps import log

BASE_OPTIONS = "options"  # in exp/TAG/base: lines `option value`, what a packed model asks for
MINI_X_G2P = "en=espeak:en-us zh=pypinyin_g2p_phone de=espeak:de es=espeak:es pl=espeak:pl"
ALWAYS_INSTALLED = "espeak,score"


def extras(words: Sequence[str]) -> str:
    """Extras of the package that a run needs installed.

    Raises:
        InputError: an option is wrong.
    """
    given = read_words(words)
    corpus = given.get("corpus", MINI)
    own = corpus_defaults(corpus) if corpus in EMBEDDED else {}  # others' may need what is to be installed
    options = make_options({**own, **given})
    more = [
        ("finetune", bool(options.init_model)),
        ("lyra", options.codec == "lyra"),
        ("emotion", options.emotion_recognizer or options.language_recognizer),
    ]
    return ",".join([ALWAYS_INSTALLED, *(extra for extra, needed in more if needed)])


def settings_of(words: Sequence[str]) -> Settings:
    """The run that the words of valle.sh ask for; options that are not given are the corpus' own.

    Raises:
        InputError: an option is wrong.
    """
    return with_base(_settings_as_given(words))


def _settings_as_given(words: Sequence[str]) -> Settings:
    given = read_words(words)
    defaults = corpus_defaults(given.get("corpus", MINI))
    if not is_usual_model(given):  # the configs of a corpus are for the usual one
        defaults = {name: value for name, value in defaults.items() if not name.endswith("r_config")}
    return Settings(make_options({**defaults, **given}))


def is_usual_model(given: Mapping[str, str]) -> bool:
    """Tell whether options ask for the model and the size that are trained without any."""
    asked = {name: given.get(name, FIELDS[name].default) for name in ("model", "model_size", "init_model")}
    return all(value == FIELDS[name].default for name, value in asked.items())


def corpus_defaults(corpus: str) -> dict[str, str]:
    """Options that a corpus, or one of several, wants otherwise than others do.

    Raises:
        InputError: there is no such corpus, or two want different values.
    """
    if corpus == MINI:
        return {"local_data_opts": f"--config {CONF}/mini.yaml"}
    if corpus == MINI_X:
        return {
            "local_data_opts": f"--config {CONF}/mini_x.yaml",
            "g2p": MINI_X_G2P,
            "language_recognizer": "true",
            "ar_config": f"{CONF}/train_ar_mini_x.yaml",
            "nar_config": f"{CONF}/train_nar_mini_x.yaml",
            "judge_config": f"{CONF}/judge/train_asr_ctc_mini_x.yaml",
        }
    if corpus == MINI_EMO:
        return {
            "local_data_opts": f"--config {CONF}/mini_emo.yaml",
            "measure_style": "true",
            "emotion_recognizer": "true",
            "ar_config": f"{CONF}/train_ar_mini_emo.yaml",
            "nar_config": f"{CONF}/train_nar_mini_emo.yaml",
        }
    wanted: dict[str, str] = {}
    names = corpus.split()
    for name in names:
        defaults = {} if name in (FOLDER, *EMBEDDED) else _named_defaults(name)
        if len(names) > 1 and "train_set" in defaults:
            raise InputError(
                "--corpus",
                f"{name} has a test set only",
                f'Leave it out; with --local_data_opts "NAME: --test_corpus {name} --test_db DIR" '
                "another tests on it",
            )
        for option, value in defaults.items():
            if wanted.setdefault(option, value) != value:
                raise InputError(
                    "--corpus",
                    f"{name} wants --{option} {value}, and another of '{corpus}' {wanted[option]}",
                    "Train them apart",
                )
    return wanted


def _named_defaults(name: str) -> dict[str, str]:
    from espnet2_valle.corpus.named.registry import recipe_defaults  # the packages of a corpus may be many

    return recipe_defaults(name)


def with_base(settings: Settings) -> Settings:
    """The settings with what the packed model asks for that is fine-tuned, once it is laid out."""
    path = Path(settings.base, BASE_OPTIONS)
    if not settings.options.init_model or not path.is_file():
        return settings
    asked: dict[str, Any] = dict(line.split(" ", 1) for line in read_text(path).splitlines())
    asked["fs"] = int(asked["fs"])
    return Settings(replace(settings.options, **asked))


def variables(words: Sequence[str]) -> str:
    """Assignments of all that valle.sh goes by.

    Raises:
        InputError: an option is wrong, or a file that it names.
    """
    settings = _settings_as_given(words)
    check_settings(settings)
    settings = with_base(settings)
    baselines = {"baselines_trained": trained_baselines(settings.options), **comparison(settings)}
    return as_shell({**settings.variables(), **baselines})


def print_results(settings: Settings) -> None:
    """Print what a run ends with: its scores, and where report and packed model lie.

    Scores of what was decoded before are not printed as those of what is there now.
    """
    scored, decoded = Path(settings.results, ".done_score"), Path(settings.decode, ".done")
    results = Path(settings.results, "RESULTS.md")
    if scored.is_file():
        if decoded.is_file() and decoded.stat().st_mtime > scored.stat().st_mtime:
            log(f"{results} is of an earlier {settings.decode}; stage 8 scores anew")
        else:
            print(f"\n{read_text(results)}")
    if Path(settings.results, "detector", ".done").is_file():
        print(read_text(Path(settings.results, "detector", "DETECTOR.md")))
    for file in (f"{settings.results}/report.html", settings.packed):
        if Path(file).is_file():
            log(os.path.abspath(file))
