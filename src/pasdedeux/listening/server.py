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
from pathlib import Path

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application

from pasdedeux.base.checks import refuse
from pasdedeux.listening import jspsych, replies
from pasdedeux.listening.plan import questions
from pasdedeux.listening.stimuli import Test, load
from pasdedeux.listening.store import Store

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
    script = jspsych.script() if script is None else script
    test = load(folder)
    test.consent()
    store = Store(test.folder, test.version)
    try:
        asyncio.run(_serving(test, store, host, port, codes, script, say))
    finally:
        store.close()


async def _serving(
    test: Test,
    store: Store,
    host: str,
    port: int,
    codes: int,
    script: Path,
    say: Callable[[str], object],
) -> None:
    local = not host or host in replies.LOOPBACK
    refuse(not local and codes < 1, f"--host {host} needs access codes; give --codes, at least 1.")
    sockets = _bound(host or "127.0.0.1", port)
    web = application(test, store, script=script, local=local)
    server = HTTPServer(web, max_body_size=HARD_MOST_BYTES, max_buffer_size=2 * HARD_MOST_BYTES)
    server.add_sockets(sockets)
    name = host if host and host not in ("0.0.0.0", "::") else _name(host)
    shown = f"[{name}]" if ":" in name else name
    say(f"listening test at http://{shown}:{sockets[0].getsockname()[1]}/ (Ctrl-C ends it)")
    if not local:
        say("access codes, one for each participant:")
        for code in store.free_codes(codes):
            say(f"  {code[:5]}-{code[5:]}")
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for sign in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(sign, stop.set)
    await stop.wait()
    server.stop()
    await server.close_all_connections()


def _bound(host: str, port: int) -> list[socket.socket]:
    try:
        return bind_sockets(port, address=host)
    except (OSError, UnicodeError) as error:
        raise ValueError(
            f"cannot listen on {host}, port {port} ({error}); give another --host or --port."
        ) from error


def _name(host: str) -> str:
    """Return what participants may type: this computer's name where all addresses are served."""
    return socket.gethostname() if host else "127.0.0.1"
