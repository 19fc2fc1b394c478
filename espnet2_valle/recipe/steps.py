"""Steps of the recipe: commands that run once, and again when their words or files have changed."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from espnet2_valle.common.errors import InputError
from espnet2_valle.common.lock import LOCK, held_locks, only_one
from espnet2_valle.common.resume import digest, is_done, mark_done
from espnet2_valle.recipe.begun import SETTINGS, changed, goes_on, settings_of, tell

STARTED = ".started"  # in a training directory: fingerprint of what it was begun with
# Options that change no result, each with one value.
FREE = ("--nj", "--cluster", "--ngpu", "--num_nodes", "--device", "--batch_size", "--max_unknown")
Runner = Callable[[Sequence[str]], None]


def log(message: str) -> None:
    """Print a line with the time of day."""
    print(f"{datetime.now():%H:%M:%S} {message}", flush=True)


def fingerprint(files: Sequence[str], command: Sequence[str]) -> str:
    """SHA-256 of the files, of the command without what changes no result, and of the configs that it names.

    Files and configs count by their bytes, one after the other; each other word is a line. Markers of
    finished runs hold this digest, so it stays as it is.

    Raises:
        InputError: one of the files is not there.
    """
    return digest(_counted(files, command), separator="", digits=64)


def _counted(files: Sequence[str], command: Sequence[str]) -> Iterator[bytes]:
    for file in files:
        if not Path(file).is_file():
            raise InputError(file, "no such file", "Run the stage that writes it")
        yield Path(file).read_bytes()
    words = iter(_as_first_spelt(command))
    for word in words:
        if word in FREE:
            next(words, None)
        elif word.endswith(".yaml") and Path(word).is_file():
            yield from _contents(Path(word))
        else:
            yield os.fsencode(word) + b"\n"


def _contents(config: Path) -> Iterator[bytes]:
    """Bytes of a config, and of those that it is laid over."""
    content = config.read_bytes()
    yield content
    if b"base:" in content:
        from espnet2_valle.common.conf import with_bases  # which reads YAML: most steps can do without

        yield from (file.read_bytes() for file in with_bases(config)[1:])


def _as_first_spelt(command: Sequence[str]) -> Sequence[str]:
    """The command as markers of finished runs know it: each corpus had a script of its own."""
    if command[:2] == ["local/data.sh", "--corpus"]:
        return [f"local/{command[2]}.sh", *command[3:]]
    return command


@contextmanager
def interrupts_left_to_command() -> Iterator[None]:
    """Take no notice of Ctrl-C, which the running command gets too and may want to end well upon."""
    former = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, former)


def run(command: Sequence[str]) -> None:
    """Run a command with this process' streams; end with its exit status if it fails."""
    process = subprocess.Popen(command, pass_fds=held_locks())
    with interrupts_left_to_command():
        status = process.wait()
    if status:
        sys.exit(status if status > 0 else 128 - status)


@dataclass(frozen=True)
class Step:
    """A command that is run unless it made its output before with the same words and files.

    Attributes:
        marker: file that is written when the command has ended well: fingerprint and time. A later step that
            has it among its files is done again after this one was.
        output: file or folder that the command makes.
        files: what it reads, as far as it counts.
        command: its words.
        runner: how the command is run.
        runner_words: name and first words of the runner, which count too.
        keep_for: training directories; once one is begun, the output that it learnt from is kept, whatever
            becomes of the files.
    """

    marker: str
    output: str
    files: Sequence[str]
    command: Sequence[str]
    runner: Runner = run
    runner_words: Sequence[str] = ()
    keep_for: Sequence[str] = ()

    def perform(self) -> None:
        """Run the command and write the marker, unless that was done before.

        Raises:
            InputError: a file is missing, or the output after the command has ended well; another process
                makes the same output; or other words would make another one than a training has learnt from.
        """
        marker = Path(self.marker)
        with only_one(marker.parent, f"{marker.name}{LOCK}"):
            self._perform()

    def _perform(self) -> None:
        key = fingerprint(self.files, [*self.runner_words, *self.command])
        if Path(self.output).exists() and _words(self.marker)[:1] == [key]:
            log(f"done before: {self.output}")
            return
        words = fingerprint([], self.command)
        if self._is_kept(words):
            return
        Path(self.marker).unlink(missing_ok=True)
        self.runner(self.command)
        if not Path(self.output).exists():
            raise InputError(
                self.output,
                f"not written, though the command ended well: {' '.join(self.command)}",
                "See what it printed",
            )
        state = f"{key} {datetime.now():%Y-%m-%dT%H:%M:%S}"
        mark_done(self.marker, f"{state} {words}\n" if self.keep_for else f"{state}\n")

    def _is_kept(self, words: str) -> bool:
        """Tell whether a training has learnt from the output, which then stays as it is.

        Args:
            words: fingerprint of the command; markers of earlier versions do not tell that of theirs.

        Raises:
            InputError: the output was made with other words.
        """
        trained = [folder for folder in self.keep_for if Path(folder, STARTED).is_file()]
        before = _words(self.marker)[2:3]
        if not trained or not before or not Path(self.output).exists():
            return False
        if before != [words]:
            raise InputError(
                os.path.dirname(self.output),
                f"would be made anew with other settings, and {' and '.join(trained)} learnt from it",
                "Choose another --tag, or remove those folders to train anew",
            )
        log(f"kept, since {' and '.join(trained)} learnt from it: {self.output}")
        return True


def start_training(folder: str, files: Sequence[str], command: Sequence[str]) -> str:
    """Write down what a training is begun with; return the file that tells it.

    Args:
        folder: training directory.
        files: what it reads.
        command: its words. It goes on from its last epoch, also with settings that only say how far.

    Raises:
        InputError: the folder holds a training with other settings, or a file is missing.
    """
    key = fingerprint(files, command)
    started, noted = Path(folder, STARTED), Path(folder, SETTINGS)
    settings = settings_of(files, command)
    if started.is_file() and started.read_text(encoding="utf-8").rstrip("\n") != key:
        before = json.loads(noted.read_text(encoding="utf-8")) if noted.is_file() else None
        changes = changed(before, settings) if before is not None else {}
        if before is None or not all(map(goes_on, changes)):
            raise InputError(
                folder,
                "holds a training with another config, codec or data",
                "Choose another --tag, or remove the folder to train anew"
                + (f". What differs: {tell(changes)}" if changes else ""),
            )
        log(f"{folder}: goes on with other settings: {tell(changes)}")
    if not is_done(noted, settings):
        mark_done(noted, settings)
    if not is_done(started, f"{key}\n"):
        mark_done(started, f"{key}\n")
    return os.path.join(folder, STARTED)


def list_files(path: str) -> bytes:
    """Content of a file; or lines of a folder's files with size and time, which tell that one changed."""
    if os.path.isfile(path):
        return Path(path).read_bytes()
    lines = []
    above = {path: {os.path.realpath(path)}}  # of each folder, to know links that lead back
    for folder, folders, files in os.walk(path, followlinks=True):
        real = {name: os.path.realpath(os.path.join(folder, name)) for name in sorted(folders)}
        folders[:] = [name for name in real if real[name] not in above[folder]]
        above |= {os.path.join(folder, name): above[folder] | {real[name]} for name in folders}
        for file in (os.path.join(folder, name) for name in sorted(files)):
            if os.path.exists(file):
                about = os.stat(file)
                lines.append(os.fsencode(f"{file} {about.st_size} {about.st_mtime_ns}\n"))
    return b"".join(lines)


def _words(marker: str) -> list[str]:
    """Fingerprint, time and, of what is kept for trainings, fingerprint of the command; or nothing."""
    path = Path(marker)
    return path.read_text(encoding="utf-8").split() if path.is_file() else []
