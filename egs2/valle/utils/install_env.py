#!/usr/bin/env python3
"""Make .venv with the running Python and install into it, once: install_env.py ROOT EXTRA,EXTRA..."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

# From 26.3 on pip refuses ci_sdr, which espnet needs, for a dependency by URL of an extra that nobody asks
# for.
PIP = "pip>=24,<26.3"
CONSTRAINTS = Path(__file__).with_name("constraints.txt")
TAIL = 15  # lines of the log that are shown when pip fails


class Environment:
    """A checkout's own environment.

    Args:
        root: of the checkout.
        extras: of the package, as the user wants them.
    """

    def __init__(self, root: Path, extras: list[str]):
        self.root = root
        self.extras = extras
        self.folder = root / ".venv"
        self.python = self.folder / "bin" / "python3"
        self.stamp = self.folder / ".installed"  # digest of what is asked for, and the extras that are there
        self.log = root / "egs2" / "valle" / ".setup.log"
        asked = (root / "setup.py").read_bytes() + CONSTRAINTS.read_bytes()
        self.key = hashlib.sha256(asked).hexdigest()

    def is_installed(self) -> bool:
        """Tell whether the stamp is of this setup.py, of these constraints, and names all the extras."""
        lines = self.stamp.read_text(encoding="utf-8").splitlines() if self.stamp.is_file() else []
        return len(lines) == 2 and lines[0] == self.key and set(self.extras) <= set(lines[1].split(","))

    def install(self) -> None:
        """Make the environment, or mend or extend it; exit with a message if that fails."""
        started = time.monotonic()
        new = not self.stamp.is_file()
        if new:
            shutil.rmtree(self.folder, ignore_errors=True)
            check = Path(__file__).with_name("check_machine.py")
            if subprocess.run([sys.executable, check, self.root], check=False).returncode:
                sys.exit(1)
        print(
            f"installing into {self.folder} with [{','.join(self.extras)}], once; this takes some minutes. "
            f"Log: {self.log}",
            flush=True,
        )
        self.log.write_bytes(b"")
        if new:
            if subprocess.run([sys.executable, "-m", "venv", self.folder], check=False).returncode:
                self._fail("python's venv module does not work")
        else:  # what was whole once is mended after a kill, not made anew: others may be running in it
            self.stamp.write_text("unfinished\n", encoding="utf-8")
        if not self._pip():
            self._fail("pip could not install everything")
        self.stamp.write_text(f"{self.key}\n{','.join(self.extras)}\n", encoding="utf-8")
        seconds = int(time.monotonic() - started)
        (self.folder / ".setup_seconds").write_text(f"{seconds}\n", encoding="utf-8")
        print(f"installed in {seconds} s", flush=True)

    def _pip(self) -> bool:
        """Install; pip unpacks 3 GB, for which a small /tmp, perhaps in memory, has no room."""
        unpacked = self.folder / "tmp"
        environment = {**os.environ, "TMPDIR": str(unpacked)}
        if not self._pip_has_cache():
            environment["PIP_NO_CACHE_DIR"] = "1"
        shutil.rmtree(unpacked, ignore_errors=True)
        unpacked.mkdir()
        project = ["-c", CONSTRAINTS, "-e", f"{self.root}[{','.join(self.extras)}]"]
        with self.log.open("ab") as log:
            for words in (["--upgrade", PIP], project):
                command = [self.python, "-m", "pip", "install", *words]
                if subprocess.run(command, stdout=log, stderr=log, env=environment, check=False).returncode:
                    return False
        shutil.rmtree(unpacked, ignore_errors=True)
        return True

    def _pip_has_cache(self) -> bool:
        """Tell whether pip has one: in a home that takes no files it may fail to build a package."""
        command = [self.python, "-m", "pip", "cache", "dir"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        try:
            Path(done.stdout.strip()).mkdir(parents=True, exist_ok=True)
        except OSError:
            return False
        return done.returncode == 0 and os.access(done.stdout.strip(), os.W_OK)

    def _fail(self, problem: str) -> NoReturn:
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-TAIL:]
        sys.exit("\n".join([*lines, f"error: the installation failed: {problem}. Whole log: {self.log}"]))


@contextmanager
def locked(path: Path, message: str) -> Iterator[None]:
    """Keep others out who ask for the same file; print the message before waiting for one.

    Where nothing can be written there is nobody to wait for, and the check of the machine says so.
    """
    try:
        stream = path.open("ab")
    except OSError:
        yield
        return
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(message, flush=True)
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def main() -> None:
    """Install unless it is done."""
    environment = Environment(Path(sys.argv[1]), sys.argv[2].split(","))
    if not environment.is_installed():
        message = f"another call is installing into {environment.folder}; waiting for it"
        with locked(environment.log, message):
            if not environment.is_installed():  # which may have been what was wanted here too
                environment.install()
    print(f"environment: {environment.folder}", flush=True)


if __name__ == "__main__":
    main()
