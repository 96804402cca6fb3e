"""The server of a listening test: Tornado, 127.0.0.1 unless a host is named, offline.

    GET  /                      the page; /page.js, /page.css and /jspsych.js beside it
    GET  /api/welcome           title, consent, whether a code is needed, whether one has begun
    POST /api/begin             {"consent": digest, "code": text} -> a cookie with a random token
    GET  /api/next              what is left for this participant, in their order
    POST /api/answer            one answer, on the disk when the reply comes
    POST /api/leave             forget the cookie: the next listener at this computer may begin
    GET  /stimuli/<file>        only files that the manifest names, only for participants

What a participant gets names no system, and nothing of another participant. Beyond this computer
the connection is not encrypted: use a network you trust.
"""

import asyncio
import signal
import socket
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from threading import Thread
from typing import NamedTuple

from tornado.httpserver import HTTPServer
from tornado.web import Application

from pasdedeux.base.checks import refuse
from pasdedeux.listening import jspsych, replies
from pasdedeux.listening.plan import questions
from pasdedeux.listening.stimuli import Test, load
from pasdedeux.listening.store import Store

EVERYWHERE = ("0.0.0.0", "::")
BACKLOG = 128  # a whole class that opens the page at the same moment
HARD_MOST_BYTES = 1024 * 1024  # Tornado reads no more and closes the connection
PAGES = {"": ("index.html", "text/html"), "page.js": ("page.js", "text/javascript"),
         "page.css": ("page.css", "text/css")}  # fmt: skip


def application(test: Test, store: Store, *, script: Path, local: bool = True) -> Application:
    """Return the web application of a test; `script` is jsPsych's file.

    With `local` only requests to this computer's own names are answered and nobody needs a code,
    else every participant needs an unused one of `Store.free_codes`.
    """
    pages = {path: (jspsych.page(name), kind) for path, (name, kind) in PAGES.items()}
    pages["jspsych.js"] = (Path(script).read_text(encoding="utf-8"), "text/javascript")
    room = replies.Room(
        test,
        store,
        f"listener-{test.design.test}-{test.version[:12]}",
        frozenset(question.id for question in questions(test, 0)),
        local,
        pages,
    )
    named = {"room": room}
    handlers = [
        (r"/(|page\.js|page\.css|jspsych\.js)", replies.Page, named),
        (r"/api/welcome", replies.Welcome, named),
        (r"/api/begin", replies.Begin, named),
        (r"/api/next", replies.Next, named),
        (r"/api/answer", replies.Answering, named),
        (r"/api/leave", replies.Leave, named),
        (
            r"/stimuli/([0-9]+\.[a-z0-9]+)",
            replies.Stimuli,
            {"room": room, "path": str(test.served)},
        ),
    ]
    return Application(
        handlers,
        default_handler_class=replies.Missing,
        default_handler_args=named,
        log_function=lambda handler: None,  # who asked for what, and when, is not kept
    )


class Opened(NamedTuple):
    """A server that listens: its address, and the access codes that are free."""

    server: HTTPServer
    url: str
    codes: list[str]


def _open(
    test: Test, store: Store, *, host: str, port: int, codes: int, script: Path | None
) -> Opened:
    """Listen; requests are answered as soon as the loop of this thread runs."""
    local = not host or host in replies.LOOPBACK
    refuse(not local and codes < 1, f"--host {host} needs access codes; give --codes, at least 1.")
    script = jspsych.script() if script is None else script
    sockets = _bound(host or "127.0.0.1", port)
    web = application(test, store, script=script, local=local)
    server = HTTPServer(web, max_body_size=HARD_MOST_BYTES, max_buffer_size=2 * HARD_MOST_BYTES)
    server.add_sockets(sockets)
    # where all addresses are served, this computer's name is what others may type
    name = socket.gethostname() if host in EVERYWHERE else host or "127.0.0.1"
    shown = f"[{name}]" if ":" in name else name
    url = f"http://{shown}:{sockets[0].getsockname()[1]}/"
    return Opened(server, url, [] if local else store.free_codes(codes))


async def _until(opened: Opened, stop: asyncio.Event) -> None:
    await stop.wait()
    opened.server.stop()
    await opened.server.close_all_connections()


def serve(
    folder: Path,
    *,
    host: str = "",
    port: int = 0,
    codes: int = 0,
    script: Path | None = None,
    say: Callable[[str], object] = print,
) -> None:
    """Serve the test in `folder` until interrupted (Ctrl-C, or the signal TERM).

    `host` names an address of this computer to be reached from others, where each participant needs
    one of `codes` access codes; without it only this computer is served. `port` 0 takes a free one.
    `script` is jsPsych's file where it is not the installed one. `say` is told the address and the
    codes. Raises `ValueError` for files that are not as they were prepared, an address that cannot
    be used, and where jsPsych is not installed.
    """
    test = load(folder)
    test.consent()
    store = Store(test.folder, test.version)

    async def serving() -> None:
        opened = _open(test, store, host=host, port=port, codes=codes, script=script)
        say(f"listening test at {opened.url} (Ctrl-C ends it)")
        if opened.codes:
            say("access codes, one for each participant:")
        for code in opened.codes:
            say(f"  {code[:5]}-{code[5:]}")
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        for sign in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(sign, stop.set)
        await _until(opened, stop)

    try:
        asyncio.run(serving())
    finally:
        store.close()


class Background:
    """The same server in a thread, for a notebook: `url` and `codes`, until `stop()`."""

    def __init__(
        self, folder: Path, *, host: str = "", codes: int = 0, script: Path | None = None
    ) -> None:
        """Begin to serve the test in `folder`; raises `ValueError` as `serve` does."""
        test = load(folder)
        test.consent()
        told: Future[Opened] = Future()

        async def serving() -> None:
            store = Store(test.folder, test.version)  # a database belongs to one thread
            try:
                self._stop, self._loop = asyncio.Event(), asyncio.get_running_loop()
                opened = _open(test, store, host=host, port=0, codes=codes, script=script)
                told.set_result(opened)
                await _until(opened, self._stop)
            except ValueError as error:
                told.set_exception(error)
            finally:
                store.close()

        self._thread = Thread(target=lambda: asyncio.run(serving()), daemon=True)
        self._thread.start()
        opened = told.result()
        self.url, self.codes = opened.url, opened.codes

    def stop(self) -> None:
        """End it; answers are on the disk already."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()


def _bound(host: str, port: int) -> list[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except (OSError, UnicodeError) as error:
        raise ValueError(
            f"cannot listen on {host}, port {port} ({error}); give another --host or --port."
        ) from error
    listening.setblocking(False)
    return [listening]
