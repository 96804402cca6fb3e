"""Answers in SQLite: one transaction each, so that a crash loses nothing that was answered.

The database is in WAL mode with full synchronisation: when `answer` returns, the answer is on the
disk. A participant is known by a random token, of which only the digest is kept. The first answer
to a question counts; sending it again changes nothing.
"""

import json
import secrets
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from pasdedeux.base.checks import refuse
from pasdedeux.base.files import digest

ANSWERS = "answers.sqlite"
CODE_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"  # none that look alike
CODE_LENGTH = 10
BUSY_SECONDS = 30.0  # a second process, for example an export, is waited for
SCHEMA = """
CREATE TABLE IF NOT EXISTS about (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS participants (
    number INTEGER PRIMARY KEY, token TEXT NOT NULL UNIQUE, consent TEXT NOT NULL,
    began REAL NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS codes (
    code TEXT PRIMARY KEY, participant INTEGER REFERENCES participants(number)
) STRICT;
CREATE TABLE IF NOT EXISTS answers (
    participant INTEGER NOT NULL REFERENCES participants(number), question TEXT NOT NULL,
    answer TEXT NOT NULL, response_ms INTEGER NOT NULL, plays INTEGER NOT NULL,
    client_time REAL NOT NULL, server_time REAL NOT NULL, PRIMARY KEY (participant, question)
) STRICT;
"""


class Answer(NamedTuple):
    """What was answered to one question: one of the options, or stimuli from best to worst."""

    participant: int
    question: str
    answer: str | tuple[str, ...]
    response_ms: int
    plays: int
    client_time: float  # seconds since 1970
    server_time: float


class Store:
    """The answers to one version of a test. Not for several threads at once."""

    def __init__(self, folder: Path, version: str) -> None:
        """Open the answers in `folder`, made when missing.

        Raises `ValueError` when those there belong to another version, or are no such database.
        """
        self.file = Path(folder) / ANSWERS
        try:
            self._base = sqlite3.connect(self.file, timeout=BUSY_SECONDS, isolation_level=None)
            self._base.execute("PRAGMA journal_mode=WAL")
            self._base.execute("PRAGMA synchronous=FULL")
            self._base.execute("PRAGMA foreign_keys=ON")
            self._base.executescript(SCHEMA)
            self._base.execute("INSERT OR IGNORE INTO about VALUES ('version', ?)", (version,))
            row = self._base.execute("SELECT value FROM about WHERE name = 'version'").fetchone()
        except sqlite3.DatabaseError as error:
            raise ValueError(f"{self.file} cannot be opened ({error}); move it away.") from error
        other = f"{self.file} holds answers to another version of this test; use another name."
        refuse(row[0] != version, other)

    def close(self) -> None:
        """Close the database; what was answered is on the disk already."""
        self._base.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Cursor]:
        """Yield a cursor; what it does is kept whole, or not at all."""
        with closing(self._base.cursor()) as cursor:
            cursor.execute("BEGIN IMMEDIATE")
            try:
                yield cursor
            except BaseException:
                cursor.execute("ROLLBACK")
                raise
            cursor.execute("COMMIT")

    # ------------------------------------------------------------------ participants

    def enrol(self, consent: str, *, code: str | None = None) -> str | None:
        """Return the token of a new participant who agreed to the words `consent`; they are kept.

        A `code` must be one of `free_codes`, else None is returned; it is used up by this.
        """
        token = secrets.token_urlsafe(32)
        with self._transaction() as cursor:
            if code is not None:
                free = "SELECT 1 FROM codes WHERE code = ? AND participant IS NULL"
                if cursor.execute(free, (_plain(code),)).fetchone() is None:
                    return None
            agreed = digest(consent)
            words = "INSERT OR IGNORE INTO about VALUES (?, ?)"
            cursor.execute(words, (f"consent {agreed}", consent))
            cursor.execute(
                "INSERT INTO participants (token, consent, began) VALUES (?, ?, ?)",
                (digest(token), agreed, time.time()),
            )
            number = cursor.lastrowid
            if code is not None:
                cursor.execute(
                    "UPDATE codes SET participant = ? WHERE code = ?", (number, _plain(code))
                )
        return token

    def participant(self, token: str) -> int | None:
        """Return the number, from 1, of the participant with `token`, None if there is none."""
        row = self._base.execute(
            "SELECT number FROM participants WHERE token = ?", (digest(token),)
        ).fetchone()
        return None if row is None else int(row[0])

    def participants(self) -> list[int]:
        """Return the numbers of all who began."""
        rows = self._base.execute("SELECT number FROM participants ORDER BY number")
        return [int(number) for (number,) in rows]

    def forget(self, participant: int) -> int:
        """Delete what a participant answered and return how many answers; they may not go on."""
        with self._transaction() as cursor:
            cursor.execute("DELETE FROM answers WHERE participant = ?", (participant,))
            gone = cursor.rowcount
            cursor.execute(  # the number stays taken: orders of others must not change
                "UPDATE participants SET token = ? WHERE number = ?",
                (f"forgotten {participant}", participant),
            )
            refuse(cursor.rowcount == 0, f"there is no participant {participant}.")
        return gone

    def free_codes(self, least: int) -> list[str]:
        """Return access codes not used yet, new ones drawn so that there are `least`."""
        with self._transaction() as cursor:
            rows = cursor.execute("SELECT code FROM codes WHERE participant IS NULL ORDER BY rowid")
            found = [code for (code,) in rows]
            while len(found) < least:
                found.append("".join(secrets.choice(CODE_LETTERS) for _ in range(CODE_LENGTH)))
                cursor.execute("INSERT INTO codes (code) VALUES (?)", (found[-1],))
        return found

    # ------------------------------------------------------------------ answers

    def answer(self, given: Answer) -> bool:
        """Keep an answer; returns False where the question was answered before and nothing changed.

        `server_time` is set here.
        """
        text = given.answer if isinstance(given.answer, str) else json.dumps(given.answer)
        with self._transaction() as cursor:
            cursor.execute(
                "INSERT OR IGNORE INTO answers VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    given.participant, given.question, text, given.response_ms, given.plays,
                    given.client_time, time.time(),
                ),
            )  # fmt: skip
            return cursor.rowcount == 1

    def answered(self, participant: int) -> frozenset[str]:
        """Return the questions that a participant has answered."""
        rows = self._base.execute(
            "SELECT question FROM answers WHERE participant = ?", (participant,)
        )
        return frozenset(question for (question,) in rows)

    def answers(self) -> list[Answer]:
        """Return all answers, by participant, in the order in which they came."""
        rows: Sequence[tuple[Any, ...]] = self._base.execute(
            "SELECT * FROM answers ORDER BY participant, server_time, rowid"
        ).fetchall()
        return [Answer(row[0], row[1], _read(row[2]), *row[3:]) for row in rows]


def _plain(code: str) -> str:
    """Return a code as it is stored, whatever spaces, dashes and small letters were typed."""
    return "".join(letter for letter in code.upper() if letter in CODE_LETTERS)


def _read(text: str) -> str | tuple[str, ...]:
    return tuple(json.loads(text)) if text.startswith("[") else text
