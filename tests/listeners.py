"""Tiny listening tests, a server of its own for each, and participants made by a program.

Simulated participants exist for tests only: what they answer is drawn or fixed, never an opinion.
"""

import http.client
import json
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from pasdedeux.listening import design
from pasdedeux.listening.server import Background
from pasdedeux.listening.stimuli import Film, Stimulus, prepare

RATE_HZ = 11_025
PATIENCE_SECONDS = 240  # a busy machine needs long to start a server
FAST = {"rate_hz": RATE_HZ, "least_seconds": 0.2}
GIF = bytes.fromhex(
    "47494638396101000100800000ffffff00000021f90400000000002c00000000010001000002024401003b"
)
SERVE = (
    "import sys; from pathlib import Path; from pasdedeux.listening.server import serve; "
    "say = lambda words: print(words, flush=True); "
    "serve(Path(sys.argv[1]), port=int(sys.argv[2]), script=Path(sys.argv[3]), say=say)"
)


def tone(pitch_hz=440.0, seconds=0.5, level=0.5):
    """Return a plain tone."""
    time_seconds = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return level * np.sin(2 * np.pi * pitch_hz * time_seconds)


def melodies(systems=("MC", "GAN", "Fusion"), items=2, genres=("jazz", "folk")):
    """Return tones in place of melodies, for the fusion test."""
    made = [
        Stimulus(design.MADE, system, f"{item}", tone(200 + 50 * n + 7 * item, level=0.1 + 0.1 * n))
        for n, system in enumerate(systems)
        for item in range(items)
    ]
    known = [
        Stimulus(design.KNOWN, genre, f"{item}", tone(600 + 50 * n + 7 * item), right=genre)
        for n, genre in enumerate(genres)
        for item in range(items)
    ]
    return made + known


def dances(systems=("Tang", "Ren", "Huang", "Ours"), items=3):
    """Return pictures with tones in place of dances."""
    return [
        Stimulus(
            design.DANCES, system, f"{item}", tone(300 + 20 * item),
            film=lambda sound: Film(".gif", GIF), hint=f"Waltz {item}",
        )
        for system in systems
        for item in range(items)
    ]  # fmt: skip


def musics(systems=("GT", "Ours", "Vanilla"), items=2):
    """Return tones in place of music, alone and with a picture."""
    return [
        Stimulus(
            pool, system, f"{item}", tone(300 + 20 * item + n),
            film=(lambda sound: Film(".gif", GIF)) if pool == design.FILMS else None,
        )
        for pool in (design.SOUNDS, design.FILMS)
        for n, system in enumerate(systems)
        for item in range(items)
    ]  # fmt: skip


def fusion(folder: Path, *, items=2, seed=0):
    """Return a tiny fusion test in `folder`."""
    return prepare(folder, design.fusion(), melodies(items=items), seed=seed, **FAST)


def ranking(folder: Path, *, items=3, seed=0):
    """Return a tiny ranking in `folder`."""
    return prepare(folder, design.ranking(), dances(items=items), seed=seed, **FAST)


def mos(folder: Path, *, items=2, seed=0):
    """Return a tiny test of mean opinion scores in `folder`."""
    return prepare(folder, design.mos("GT"), musics(items=items), seed=seed, **FAST)


def _stand_in(folder):
    """Return a file in place of jsPsych: over HTTP nobody runs it."""
    script = Path(folder).parent / "jspsych-stand-in.js"
    script.write_text('"a stand-in";\n', encoding="utf-8")
    return script


class Server:
    """A server in a process of its own; `kill` gives it no time to tidy up."""

    def __init__(self, folder, port=0, *, script=None):
        words = [str(folder), str(port), str(script or _stand_in(folder))]
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVE, *words], stdout=subprocess.PIPE, text=True
        )
        line = self.process.stdout.readline()
        assert "http://" in line, f"the server did not start: {line!r}"
        self.port = int(line.split("http://")[1].split("/")[0].rsplit(":", 1)[1])

    def kill(self):
        self.process.kill()
        self._ended()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self._ended()
        return self.process.returncode

    def _ended(self):
        self.process.wait(timeout=20)
        self.process.stdout.close()


@contextmanager
def inside(folder, *, script=None, **named):
    """Yield a server in a thread of this process, with `port` and `codes`."""
    server = Background(folder, script=script or _stand_in(folder), **named)
    server.port = int(server.url.rstrip("/").rsplit(":", 1)[1])
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def served(folder, port=0, **named):
    """Yield a server that is stopped at the end, whatever happened."""
    server = Server(folder, port, **named)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.stop()


class Participant:
    """A browser without a screen: it keeps its cookie and repeats what was not answered."""

    def __init__(self, port):
        self.port, self.cookie, self.repeats = port, None, 0

    def ask(self, method, path, body=None, *, headers=None, raw=None):
        """Return status, headers and content of one request."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        sent = {"Cookie": self.cookie} if self.cookie else {}
        data = raw
        if body is not None:
            data = json.dumps(body).encode()
        if data is not None:
            sent["Content-Type"] = "application/json"
        try:
            connection.request(method, path, body=data, headers={**sent, **(headers or {})})
            reply = connection.getresponse()
            content = reply.read()
        finally:
            connection.close()
        return reply.status, dict(reply.getheaders()), content

    def told(self, method, path, body=None, **named):
        """Return status and JSON, asked until the server answers."""
        patience = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < patience:
            try:
                status, headers, content = self.ask(method, path, body, **named)
            except (OSError, http.client.HTTPException):
                self.repeats += 1
                time.sleep(0.05)
                continue
            if "Set-Cookie" in headers:
                self.cookie = headers["Set-Cookie"].split(";")[0]
            return status, json.loads(content)
        raise AssertionError("the server has not come back")

    def begin(self, code=""):
        """Agree and become a participant."""
        _, welcome = self.told("GET", "/api/welcome")
        return self.told("POST", "/api/begin", {"consent": welcome["consent_digest"], "code": code})

    def left(self):
        """Return what the server says is left."""
        status, told = self.told("GET", "/api/next")
        assert status == 200, told
        return told

    def answer(self, question, options, choose=0):
        """Answer one question, the `choose`-th option or order; returns status and reply."""
        names = [one["name"] for one in question["stimuli"]]
        given = options[choose % len(options)][0] if options else np.roll(names, choose).tolist()
        return self.told("POST", "/api/answer", body(question["id"], given))


def body(question, answer, **changed):
    """Return the body of an honest answer, with some of it `changed`."""
    told = {"response_ms": 1234, "plays": 1, "client_time": 1.8e9}
    return {"question": question, "answer": answer, **told, **changed}
