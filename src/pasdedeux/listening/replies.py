"""What each request of a listening test is answered (`server` has the list of addresses).

What a participant gets names no system, no right answer, and nothing of another participant. A body
is checked before anything is done with it; an error is one JSON object with a plain sentence.
"""

import asyncio
import json
from pathlib import Path
from typing import Any, NamedTuple

from tornado.web import HTTPError, RequestHandler, StaticFileHandler

from pasdedeux.base.files import digest
from pasdedeux.listening.plan import Question, questions
from pasdedeux.listening.stimuli import Test
from pasdedeux.listening.store import Answer, Store

LOOPBACK = ("127.0.0.1", "localhost", "::1")
MOST_BYTES = 16 * 1024  # of a body; the largest honest one is below 1 kB
COOKIE_DAYS = 14
WRONG_CODE_SECONDS = 1.0
LONGEST_MS, MOST_PLAYS = 24 * 3600 * 1000, 10_000
LATEST_TIME = 4e9  # seconds since 1970
TYPES = {".ogg": "audio/ogg", ".wav": "audio/wav", ".mp4": "video/mp4", ".gif": "image/gif"}
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; media-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Server": "pasdedeux",
}


class Room(NamedTuple):
    """What all requests share."""

    test: Test
    store: Store
    cookie: str
    asked: frozenset[str]  # every question's name
    local: bool  # listens on this computer alone
    pages: dict[str, tuple[str, str]]  # content and type


class Base(RequestHandler):
    """What every reply has in common: headers, and errors told in one JSON object."""

    room: Room

    def initialize(self, room: Room) -> None:
        """Take what all requests share."""
        self.room = room

    def set_default_headers(self) -> None:
        """Let the page load nothing but what comes from here."""
        for name, value in HEADERS.items():
            self.set_header(name, value)

    def prepare(self) -> None:
        """Refuse requests in another site's name, and bodies that cannot be an answer."""
        host = self.request.host_name
        if self.room.local and host not in (*LOOPBACK, "[::1]"):
            raise HTTPError(403, "this test is for this computer alone")
        if self.request.method != "POST":
            return
        origin = self.request.headers.get("Origin")
        if origin is not None and origin.partition("://")[2] != self.request.host:
            raise HTTPError(403, "the request comes from another site")
        if len(self.request.body) > MOST_BYTES:
            raise HTTPError(413, f"at most {MOST_BYTES} bytes are taken")
        kind = self.request.headers.get("Content-Type", "").partition(";")[0].strip()
        if kind != "application/json":
            raise HTTPError(415, "the body must be application/json")

    def log_exception(self, *error: Any) -> None:
        """Tell of faults of the server alone; what was refused has been told to who asked."""
        if not isinstance(error[1], HTTPError):
            super().log_exception(*error)

    def write_error(self, status_code: int, **told: Any) -> None:
        """Say what was wrong, never how the server is made."""
        error = told.get("exc_info", (None, None, None))[1]
        message = error.log_message if isinstance(error, HTTPError) else None
        self.finish({"error": message or self._reason})

    def body(self, **kinds: type | tuple[type, ...]) -> dict[str, Any]:
        """Return the body's values after checking that it has these names and types and no more."""
        try:
            told = json.loads(self.request.body)
        except (ValueError, RecursionError) as error:
            raise HTTPError(400, "the body is not JSON") from error
        if not isinstance(told, dict) or set(told) != set(kinds):
            raise HTTPError(400, f"the body must be an object of {', '.join(kinds) or 'nothing'}")
        for name, kind in kinds.items():
            if not isinstance(told[name], kind) or isinstance(told[name], bool):
                raise HTTPError(400, f"{name} has the wrong type")
        return told

    def participant(self) -> int | None:
        """Return whose token the cookie holds, None for nobody's."""
        token = self.get_cookie(self.room.cookie)
        return None if token is None else self.room.store.participant(token)

    def known(self) -> int:
        """Return the participant; 403 for anybody else."""
        number = self.participant()
        if number is None:
            raise HTTPError(403, "no participant; begin on the first page")
        return number


class Missing(Base):
    """Whatever is not there."""

    def prepare(self) -> None:
        """Say so."""
        raise HTTPError(404, "there is no such page")


class Page(Base):
    """The page's own files, held in memory: no name of a request becomes a path."""

    def get(self, name: str) -> None:
        """Return one of them."""
        content, kind = self.room.pages[name]
        self.set_header("Content-Type", f"{kind}; charset=utf-8")
        self.finish(content)


class Welcome(Base):
    """What one sees before beginning."""

    def get(self) -> None:
        """Return title and consent."""
        words = self.room.test.consent()
        self.finish(
            {
                "title": self.room.test.design.title,
                "consent": words,
                "consent_digest": digest(words),
                "code_needed": not self.room.local,
                "begun": self.participant() is not None,
            }
        )


class Begin(Base):
    """A new participant."""

    async def post(self) -> None:
        """Enrol who agreed to the words that stand in the file now; who is known stays so."""
        told = self.body(consent=str, code=str)
        words = self.room.test.consent()
        if told["consent"] != digest(words):
            raise HTTPError(409, "the consent text has changed; load the page anew")
        if self.participant() is not None:
            self.finish({"begun": True})
            return
        code = None if self.room.local else told["code"]
        token = self.room.store.enrol(words, code=code)
        if token is None:
            await asyncio.sleep(WRONG_CODE_SECONDS)  # guessing takes for ever
            raise HTTPError(403, "this code is not known or has been used; ask for another")
        self.set_cookie(
            self.room.cookie, token, expires_days=COOKIE_DAYS, httponly=True, samesite="Strict"
        )
        self.finish({"begun": True})


class Next(Base):
    """What is left."""

    def get(self) -> None:
        """Return the steps and the questions without an answer, in this participant's order."""
        number = self.known()
        test, done = self.room.test, self.room.store.answered(number)
        order = questions(test, number - 1)
        steps = {
            step.name: {"kind": step.kind, "intro": step.intro, "options": step.options}
            for step in test.design.steps
        }
        left = [_shown(test, question) for question in order if question.id not in done]
        self.finish(
            {
                "participant": number,
                "title": test.design.title,
                "least_seconds": test.least_seconds,
                "total": len(order),
                "done": len(order) - len(left),
                "steps": steps,
                "questions": left,
            }
        )


def _shown(test: Test, question: Question) -> dict[str, Any]:
    """Return what a participant may know of a question: no system, no right answer."""
    hint = test.key[question.stimuli[0]].hint
    prompt = test.design.step(question.step).prompt.replace("{hint}", hint)
    beside = question.reference
    return {
        "id": question.id,
        "step": question.step,
        "prompt": prompt,
        "stimuli": [{"name": name, "files": test.files[name]} for name in question.stimuli],
        "reference": {"name": beside, "files": test.files[beside]} if beside else None,
    }


class Answering(Base):
    """One answer."""

    def post(self) -> None:
        """Keep it; sent again, the first one stays."""
        number = self.known()
        told = self.body(
            question=str, answer=(str, list), response_ms=int, plays=int, client_time=(int, float)
        )
        if told["question"] not in self.room.asked:
            raise HTTPError(404, "there is no such question")
        ranges = (("response_ms", LONGEST_MS), ("plays", MOST_PLAYS), ("client_time", LATEST_TIME))
        for name, most in ranges:
            if not 0 <= told[name] <= most:
                raise HTTPError(400, f"{name} must lie in 0..{most:g}")
        given = self._checked(number, told["question"], told["answer"])
        counts = told["response_ms"], told["plays"], float(told["client_time"])
        new = self.room.store.answer(Answer(number, told["question"], given, *counts, 0.0))
        self.finish({"saved": True, "new": new})

    def _checked(self, number: int, name: str, answer: str | list) -> str | tuple[str, ...]:
        """Return the answer after checking that the question permits it."""
        order = questions(self.room.test, number - 1)
        question = next(one for one in order if one.id == name)
        step = self.room.test.design.step(question.step)
        if step.kind == "choice":
            if answer not in step.values:
                raise HTTPError(400, f"answer must be one of {', '.join(step.values)}")
            return str(answer)
        fine = isinstance(answer, list) and all(isinstance(one, str) for one in answer)
        if not fine or sorted(answer) != sorted(question.stimuli):
            raise HTTPError(400, "answer must hold each stimulus of the question once, best first")
        return tuple(answer)


class Leave(Base):
    """The next listener."""

    def post(self) -> None:
        """Take the cookie back."""
        self.body()
        self.clear_cookie(self.room.cookie)
        self.finish({"begun": False})


class Stimuli(StaticFileHandler, Base):
    """Files that the manifest names, for participants; parts of files for players that skip."""

    def initialize(self, room: Room, path: str) -> None:
        """Take what all requests share and where the files are."""
        self.room = room
        StaticFileHandler.initialize(self, path)

    def prepare(self) -> None:
        """Refuse other names before any path is made of them."""
        Base.prepare(self)
        self.known()
        if self.path_args[0] not in self.room.test.names:
            raise HTTPError(404, "there is no such stimulus")

    def get_content_type(self) -> str:
        """Return the type by the ending, whatever this machine believes of it."""
        return TYPES.get(Path(self.absolute_path or "").suffix, "application/octet-stream")

    def set_extra_headers(self, path: str) -> None:
        """Let the browser keep the file while the test lasts."""
        self.set_header("Cache-Control", "private, max-age=3600")
