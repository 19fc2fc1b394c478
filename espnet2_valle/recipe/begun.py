"""Settings that a training was begun with, one by one, and what a change of each means for it."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from espnet2_valle.common.resume import digest

SETTINGS = ".settings.json"  # in a training directory, beside its fingerprint
# Settings of ESPnet's trainer by which a training goes on, or tells of itself: what is learnt stays of use.
GOES_ON = frozenset(
    ("max_epoch", "patience", "num_workers", "log_interval", "keep_nbest_models", "nbest_averaging_interval")
    + ("use_matplotlib", "use_tensorboard", "use_wandb", "wandb_project", "wandb_name", "log_level")
    + ("best_model_criterion", "early_stopping_criterion", "val_scheduler_criterion", "num_att_plot")
    + ("nj", "cluster", "ngpu", "num_nodes", "device", "expected", "resume", "train_minutes")
)
# Settings that say what the model is; all others say how it learns.
OF_THE_MODEL = (
    "valle",
    "valle_conf",
    "ns2",
    "ns2_conf",
    "model_conf",
    "codec_config",
    "token_list",
    "token_type",
    "adapter",
    "init_param",
)
# Of a data directory, whose marker has a time in it: what a training learns from, and how much sound that is.
SAMPLES = "utt2num_samples"
TABLES = ("text", "utt2spk", SAMPLES)
MARKER, FILE, DATA = ".done", "file ", "data "  # the last two: names of settings that are contents
Settings = Mapping[str, str]


def settings_of(files: Sequence[str], command: Sequence[str]) -> dict[str, str]:
    """Settings of a training, by name.

    Args:
        files: that it reads; each counts by its content.
        command: its words. Keys of its `--config` count one by one, and options go before them.
    """
    options = dict(_options(command))
    config = options.pop("config", "")
    found = {f"{FILE}{path}": digest([Path(path).read_bytes()]) for path in files if path != config}
    folders = {path: Path(path).parent for path in files if Path(path).name == MARKER}
    found |= {f"{DATA}{path}": _tables(each) for path, each in folders.items() if (each / SAMPLES).is_file()}
    if config and Path(config).is_file():
        from espnet2_valle.common.conf import read_config  # which needs YAML

        found |= dict(_flat(read_config(config)))
    return found | options


def _tables(folder: Path) -> str:
    """Digest of the tables of a data directory, read line by line."""
    return digest(_lines(folder / name for name in TABLES), separator="")


def _lines(files: Iterable[Path]) -> Iterator[bytes]:
    for file in files:
        yield file.name.encode()
        if file.is_file():
            with file.open("rb") as stream:
                yield from stream


def _options(command: Sequence[str]) -> list[tuple[str, str]]:
    """Options and their values, and other words behind the program; files of YAML by their contents."""
    found = []
    words = list(command[1:])
    while words:
        word = words.pop(0)
        if not word.startswith("--"):
            is_config = word.endswith(".yaml") and Path(word).is_file()
            found.append(
                (f"file {word}", digest([Path(word).read_bytes()])) if is_config else (word, "given")
            )
            continue
        name, sign, value = word[2:].partition("=")
        if not sign:
            value = words.pop(0) if words and not words[0].startswith("--") else ""
        if name != "config" and value.endswith(".yaml") and Path(value).is_file():
            value = digest([Path(value).read_bytes()])
        if name.endswith("_conf") and "=" in value:  # --optim_conf lr=0.1, beside others
            key, _, value = value.partition("=")
            name = f"{name}.{key}"
        found.append((name, _plain(value)))
    return found


def _plain(value: str) -> str:
    """A number as YAML has it: 1e-3 and 0.001 are one."""
    try:
        return json.dumps(float(value))
    except ValueError:
        return value


def _flat(value: Any, name: str = "") -> list[tuple[str, str]]:
    """Keys of a config at any depth."""
    if isinstance(value, Mapping):
        return [pair for key, one in value.items() for pair in _flat(one, f"{name}.{key}".lstrip("."))]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return [(name, value if isinstance(value, str) else json.dumps(value))]
    return [(name, json.dumps(float(value)))]


def changed(before: Settings, now: Settings) -> dict[str, tuple[str, str]]:
    """Settings that differ, as they were and as they are; "unset" where one is not given.

    The marker of a data directory that was made anew with the same tables does not count.
    """
    names = [name for name in sorted({*before, *now}) if not name.startswith(DATA)]
    names = [name for name in names if not _made_anew(name, before, now)]
    pairs = {name: (before.get(name, "unset"), now.get(name, "unset")) for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _made_anew(name: str, before: Settings, now: Settings) -> bool:
    tables = f"{DATA}{name.removeprefix(FILE)}"
    return tables in before and before[tables] == now.get(tables)


def goes_on(name: str) -> bool:
    """Tell whether a training goes on where this setting is another."""
    return name.split(".")[0] in GOES_ON


def tell(changes: Mapping[str, tuple[str, str]]) -> str:
    """Changes of settings, one behind the other, and what each means."""
    return "; ".join(f"{name}: {_what(name, *pair)}" for name, pair in changes.items())


def _what(name: str, before: str, now: str) -> str:
    if name.startswith(FILE):
        return "another content: it trains anew"
    if goes_on(name):
        meaning = "it would go on"
    elif name.split(".")[0] in OF_THE_MODEL:
        meaning = "another model, which trains anew"
    else:
        meaning = "it learns otherwise, so trains anew"
    return f"{before} -> {now} ({meaning})" if len(before + now) < 60 else f"differs ({meaning})"
