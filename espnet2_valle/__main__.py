"""The command `valle`: finds a command by its words, and runs it, which alone loads torch."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path

from espnet2_valle.commands import COMMANDS, GROUPS, Command
from espnet2_valle.common.cli import run_command
from espnet2_valle.common.errors import InputError

BY_WORDS = {command.words: command for command in COMMANDS}
HELP = ("-h", "--help")


def main() -> None:
    """Run what the command line names."""
    words = sys.argv[1:]
    group = words.pop(0) if words and words[0] in GROUPS else ""
    if not words or words[0] in HELP:
        print(group_help(group) if group else overview())
        return
    name, *options = words
    command = BY_WORDS.get(f"{group} {name}".strip())
    if command is None:
        run_command(lambda _: unknown(group, name))
    else:
        run(command, options)


def renamed() -> None:
    """Run the command whose old console script was called, and tell its name."""
    script, words = Path(sys.argv[0]).stem, sys.argv[1:]
    meant = [command for command in COMMANDS if command.old.split()[:1] == [script]]
    chosen = [command for command in meant if set(command.old.split()[1:]) <= set(words)]
    if not chosen:
        group = meant[0].words.split()[0]
        tell(script, f"valle {group}")
        if words and words[0] not in HELP:
            run_command(lambda _: unknown(group, words[0]))
        print(group_help(group))
        return
    command = min(chosen, key=lambda one: [words.index(word) for word in one.old.split()[1:]])
    for word in command.old.split()[1:]:
        words.remove(word)
    tell(script, f"valle {command.words}")
    run(command, words)


def tell(script: str, new: str) -> None:
    """Say on standard error what a script is called now."""
    print(f"{script} is called `{new}` now; the old name goes with the next release", file=sys.stderr)


def run(command: Command, options: Sequence[str]) -> None:
    """Run a command with its options, under the name by which its help knows it."""
    name = f"valle {command.words}".removesuffix(f" {command.argument}")
    sys.argv = [name, *([command.argument] if command.argument else []), *options]
    run_command(import_module(f"espnet2_valle.bin.{command.module}").main)


def unknown(group: str, name: str) -> None:
    """Raise InputError for words that no command has, with the nearest that one has."""
    known = {each.words.removeprefix(f"{group} "): each.words for each in COMMANDS if in_group(each, group)}
    if not group:
        known |= {one: one for one in GROUPS}
    old = {each.old.removeprefix("valle_"): each.words for each in COMMANDS if each.old}
    nearest = old.get(name) or known[get_close_matches(name, known, n=1, cutoff=0)[0]]
    where = f"valle {group}".strip()
    remedy = f"Did you mean `valle {nearest}`? See {where} --help"
    raise InputError(where, f"there is no command '{name}'", remedy)


def in_group(command: Command, group: str) -> bool:
    """Return whether a command is of a group; of none for ""."""
    return command.words.startswith(f"{group} ") if group else " " not in command.words


def overview() -> str:
    """Text that `valle --help` prints."""
    alone = {command.words: command.help for command in COMMANDS if in_group(command, "")}
    return "\n".join(
        [
            "usage: valle COMMAND [OPTION ...]",
            "       valle GROUP COMMAND [OPTION ...]",
            "",
            "VALL-E for ESPnet: zero-shot text-to-speech. With --help each command shows its options.",
            *["", "commands:", *lines(alone)],
            *["", "groups, whose commands `valle GROUP --help` lists:", *lines(GROUPS)],
        ]
    )


def group_help(group: str) -> str:
    """Text that `valle GROUP --help` prints."""
    members = {command.words: command.help for command in COMMANDS if in_group(command, group)}
    short = {words.removeprefix(f"{group} "): line for words, line in members.items()}
    usage = f"usage: valle {group} COMMAND [OPTION ...]"
    return "\n".join([usage, "", f"{GROUPS[group]}.".capitalize(), "", "commands:", *lines(short)])


def lines(texts: Mapping[str, str]) -> Iterable[str]:
    """Names and their help, in two columns."""
    width = max(map(len, texts)) + 2
    return (f"  {name:<{width}}{text}" for name, text in texts.items())


if __name__ == "__main__":
    main()
