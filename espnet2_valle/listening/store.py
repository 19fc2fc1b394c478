"""Ratings on disk: what was acknowledged is there after any kill or loss of power."""

import hashlib
import json
import secrets
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any

SCHEMA = """
CREATE TABLE IF NOT EXISTS raters (
    id INTEGER PRIMARY KEY, token TEXT UNIQUE NOT NULL, seed INTEGER NOT NULL, block INTEGER NOT NULL,
    about TEXT NOT NULL, address TEXT NOT NULL, created REAL NOT NULL, finished REAL);
CREATE TABLE IF NOT EXISTS ratings (
    rater INTEGER NOT NULL REFERENCES raters(id), trial TEXT NOT NULL, scores TEXT NOT NULL,
    seconds REAL NOT NULL, plays INTEGER NOT NULL, at REAL NOT NULL, PRIMARY KEY (rater, trial));
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
SEED_BITS = 31
DAY = 86400.0


class Store:
    """A SQLite file of raters and ratings, for one process with several threads.

    Tokens and addresses are kept as digests only: the file lets nobody rate in another's name.

    Args:
        path: of the file, made if need be.
    """

    def __init__(self, path: str | Path):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._db = sqlite3.connect(str(path), check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")  # a commit returns when it is on the disk
        self._db.executescript(SCHEMA)
        self._db.execute("INSERT OR IGNORE INTO facts VALUES ('salt', ?)", (secrets.token_hex(),))
        self._salt: str = self._db.execute("SELECT value FROM facts WHERE name = 'salt'").fetchone()[0]

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    def _digest(self, text: str) -> str:
        return hashlib.sha256(f"{self._salt}{text}".encode()).hexdigest()

    def new_rater(self, about: dict[str, Any], address: str, num_blocks: int) -> dict[str, Any]:
        """Take in a rater; the block that fewest have is theirs. Returns token, seed and block."""
        token = secrets.token_urlsafe(32)
        seed = secrets.randbits(SEED_BITS)
        with self._lock:
            counts = dict(self._db.execute("SELECT block, COUNT(*) FROM raters GROUP BY block").fetchall())
            block = min(range(num_blocks), key=lambda number: (counts.get(number, 0), number))
            self._db.execute(
                "INSERT INTO raters (token, seed, block, about, address, created) VALUES (?, ?, ?, ?, ?, ?)",
                (self._digest(token), seed, block, json.dumps(about), self._digest(address), time.time()),
            )
        return {"token": token, "seed": seed, "block": block}

    def raters_of(self, address: str) -> int:
        """Count the raters from an address within a day."""
        query = "SELECT COUNT(*) FROM raters WHERE address = ? AND created > ?"
        with self._lock:
            found = self._db.execute(query, (self._digest(address), time.time() - DAY)).fetchone()
        return int(found[0])

    def rater(self, token: str) -> dict[str, Any] | None:
        """id, seed, block and finished of the rater with this token."""
        query = "SELECT id, seed, block, finished IS NOT NULL FROM raters WHERE token = ?"
        with self._lock:
            found = self._db.execute(query, (self._digest(token),)).fetchone()
        if found is None:
            return None
        return {"id": found[0], "seed": found[1], "block": found[2], "finished": bool(found[3])}

    def rate(
        self, rater: int, trial: str, scores: dict[str, float | None], seconds: float, plays: int
    ) -> None:
        """Store a rating, in place of the rater's own earlier one; it is on the disk on return.

        A score is None where the recording could not be loaded.
        """
        row = (rater, trial, json.dumps(scores), seconds, plays, time.time())
        with self._lock:
            self._db.execute("INSERT OR REPLACE INTO ratings VALUES (?, ?, ?, ?, ?, ?)", row)

    def ratings(self, rater: int) -> dict[str, dict[str, float | None]]:
        """Trial -> scores of one rater."""
        query = "SELECT trial, scores FROM ratings WHERE rater = ?"
        with self._lock:
            return {trial: json.loads(scores) for trial, scores in self._db.execute(query, (rater,))}

    def finish(self, rater: int) -> None:
        """Close a rater's answers."""
        with self._lock:
            self._db.execute("UPDATE raters SET finished = ? WHERE id = ?", (time.time(), rater))

    def everything(self) -> list[dict[str, Any]]:
        """All raters with their ratings, for the analysis: rater, about, finished and answers."""
        with self._lock:
            raters = self._db.execute(
                "SELECT id, about, finished IS NOT NULL FROM raters ORDER BY id"
            ).fetchall()
            rows = self._db.execute("SELECT rater, trial, scores, seconds, plays FROM ratings").fetchall()
        found = {
            number: {"rater": str(number), "about": json.loads(about), "finished": bool(done), "answers": {}}
            for number, about, done in raters
        }
        for number, trial, scores, seconds, plays in rows:
            found[number]["answers"][trial] = {
                "scores": json.loads(scores), "seconds": seconds, "plays": plays,
            }  # fmt: skip
        return list(found.values())
