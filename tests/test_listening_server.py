"""The server over HTTP: nothing lost, nothing twice, nothing told, nothing else served."""

import json
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import listeners
import pytest

from pasdedeux.listening.stimuli import load
from pasdedeux.listening.store import ANSWERS, Store

PARTICIPANTS = 30
QUESTIONS = 3 + 4 + 6 + 6  # headphones, qualification, genre, musicality of the tiny test


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    folder = tmp_path_factory.mktemp("served") / "fusion"
    listeners.fusion(folder)
    with listeners.inside(folder) as server:
        yield server, folder


@pytest.fixture
def participant(running):
    one = listeners.Participant(running[0].port)
    assert one.begin() == (200, {"begun": True})
    return one


def _count(folder, where="1"):
    base = sqlite3.connect(folder / ANSWERS)
    try:
        return base.execute(f"SELECT count(*) FROM answers WHERE {where}").fetchone()[0]
    finally:
        base.close()


class _Class:
    """Thirty simulated participants who begin at the same moment and answer everything."""

    def __init__(self, port):
        self.port, self.acknowledged, self.lock = port, [], threading.Lock()
        self.together = threading.Barrier(PARTICIPANTS)

    def take_part(self, number):
        """Answer all questions; return how often a request had to be repeated."""
        one = listeners.Participant(self.port)
        self.together.wait(timeout=60)
        one.begin()
        told = one.left()
        for place, question in enumerate(told["questions"]):
            options = told["steps"][question["step"]]["options"]
            status, _ = one.answer(question, options, number + place)
            assert status == 200
            with self.lock:
                self.acknowledged.append((one.cookie, question["id"]))
        assert one.left()["questions"] == []
        return one.repeats


def test_thirty_at_once_lose_nothing_though_the_server_is_killed_in_the_middle(tmp_path):
    """Every answer that was acknowledged is there once, whoever asked while the server was dead."""
    folder, everything = tmp_path / "fusion", PARTICIPANTS * QUESTIONS
    listeners.fusion(folder)
    server = listeners.Server(folder)
    them = _Class(server.port)
    with ThreadPoolExecutor(PARTICIPANTS) as pool:
        jobs = [pool.submit(them.take_part, number) for number in range(PARTICIPANTS)]
        while len(them.acknowledged) < everything // 3:
            time.sleep(0.01)
            assert not any(job.done() and job.exception() for job in jobs)
        server.kill()
        with them.lock:
            before = len(them.acknowledged)
        assert before <= _count(folder) < everything
        with listeners.served(folder, server.port):
            repeats = sum(job.result(timeout=600) for job in jobs)
    assert repeats > 0, "nobody noticed that the server was dead"
    assert len(set(them.acknowledged)) == len(them.acknowledged) == everything
    assert _count(folder) == everything
    store = Store(folder, load(folder).version)
    full = [n for n in store.participants() if len(store.answered(n)) == QUESTIONS]
    store.close()
    assert len(full) == PARTICIPANTS


def test_a_reload_goes_on_with_the_next_question(participant):
    first = participant.left()
    assert (first["done"], first["total"], len(first["questions"])) == (0, QUESTIONS, QUESTIONS)
    question = first["questions"][0]
    assert participant.answer(question, first["steps"][question["step"]]["options"])[0] == 200
    second = participant.left()
    assert second["done"] == 1
    assert second["questions"] == first["questions"][1:]


def test_a_second_submission_changes_nothing(running, participant):
    question = participant.left()["questions"][0]
    first = listeners.body(question["id"], "second")
    assert participant.told("POST", "/api/answer", first) == (200, {"saved": True, "new": True})
    other = listeners.body(question["id"], "third")
    for again in (first, other):
        assert participant.told("POST", "/api/answer", again) == (
            200,
            {"saved": True, "new": False},
        )
    store = Store(running[1], load(running[1]).version)
    number = participant.left()["participant"]
    given = [one for one in store.answers() if one.participant == number]
    store.close()
    assert [(one.question, one.answer) for one in given] == [(question["id"], "second")]


def test_what_a_participant_gets_names_no_system_and_no_right_answer(participant):
    text = json.dumps(participant.left())
    assert "stimuli" in text
    for word in ("MC", "GAN", "Fusion", "system", "right", "source"):
        assert word not in text


def test_stimuli_come_whole_and_in_parts_and_only_to_participants(running, participant):
    question = participant.left()["questions"][0]
    name = question["stimuli"][0]["files"][0]
    status, headers, content = participant.ask("GET", f"/stimuli/{name}")
    assert (status, headers["Content-Type"]) == (200, "audio/wav")
    assert content == (running[1] / "served" / name).read_bytes()
    part = participant.ask("GET", f"/stimuli/{name}", headers={"Range": "bytes=4-11"})
    assert (part[0], part[2]) == (206, content[4:12])
    stranger = listeners.Participant(running[0].port)
    assert stranger.ask("GET", f"/stimuli/{name}")[0] == 403


@pytest.mark.parametrize(
    "path",
    [
        "/stimuli/../key.json", "/stimuli/..%2fkey.json", "/stimuli/%2e%2e/key.json",
        "/stimuli/....//key.json", "/stimuli//etc/passwd", "/stimuli/..\\key.json", "/key.json",
        "/stimuli/key.json", "/stimuli/", "/stimuli/999.ogg", "/answers.sqlite", "/manifest.json",
        "/../manifest.json", "/static/page.js", "/page.js/../package.json", "/stimuli/001.ogg%00",
        "/consent.txt", "/answers.csv", "/api/export", "/index.html",
    ],
)  # fmt: skip
def test_no_other_file_can_be_reached(participant, path):
    status, _, content = participant.ask("GET", path)
    assert status in (400, 404)
    assert b"system" not in content
    assert b"root:" not in content


@pytest.mark.parametrize("token", ["", "1", "x" * 43, "a;b", "é", "' OR 1=1 --"])
def test_a_forged_participant_is_refused(running, participant, token):
    name = participant.cookie.split("=")[0]
    forged = listeners.Participant(running[0].port)
    forged.cookie = f"{name}={token}"
    count = _count(running[1])
    assert forged.told("GET", "/api/next")[0] == 403
    told = listeners.body("genre-000", "jazz")
    assert forged.told("POST", "/api/answer", told)[0] == 403
    assert _count(running[1]) == count


def test_tokens_cannot_be_guessed_and_are_not_in_the_database(running, participant):
    other = listeners.Participant(running[0].port)
    other.begin()
    mine, theirs = (one.cookie.split("=", 1)[1] for one in (participant, other))
    assert mine != theirs
    assert len(mine) >= 43  # 256 bits
    files = [file for file in running[1].iterdir() if file.name.startswith(ANSWERS)]
    assert files
    assert all(mine.encode() not in file.read_bytes() for file in files)


GOOD = listeners.body("genre-000", "jazz")


@pytest.mark.parametrize(
    ("raw", "status", "message"),
    [
        (b"", 400, "not JSON"),
        (b"{", 400, "not JSON"),
        (b"\xff\xfe\x00", 400, "not JSON"),
        (b"[" * 8000, 400, "not JSON"),
        (b"[]", 400, "must be an object of"),
        (b"{}", 400, "must be an object of"),
        (json.dumps({**GOOD, "participant": 1}).encode(), 400, "must be an object of"),
        (json.dumps({**GOOD, "plays": True}).encode(), 400, "plays has the wrong type"),
        (json.dumps({**GOOD, "plays": "1"}).encode(), 400, "plays has the wrong type"),
        (json.dumps({**GOOD, "question": 7}).encode(), 400, "question has the wrong type"),
        (json.dumps({**GOOD, "answer": None}).encode(), 400, "answer has the wrong type"),
        (json.dumps({**GOOD, "question": "genre-999"}).encode(), 404, "no such question"),
        (json.dumps({**GOOD, "question": "\ud800"}).encode(), 404, "no such question"),
        (b"x" * 20_000, 413, "at most 16384 bytes"),
    ],
)
def test_malformed_and_oversized_bodies_are_refused(running, participant, raw, status, message):
    count = _count(running[1])
    found, told = participant.told("POST", "/api/answer", raw=raw)
    assert found == status
    assert message in told["error"]
    assert _count(running[1]) == count


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"response_ms": -1}, "response_ms must lie in 0.."),
        ({"response_ms": 10**9}, "response_ms must lie in 0.."),
        ({"plays": -1}, "plays must lie in 0.."),
        ({"client_time": float("nan")}, "client_time must lie in 0.."),
        ({"answer": "robot"}, "answer must be one of first, second, third"),
        ({"answer": ["001"]}, "answer must be one of"),
    ],
)
def test_answers_out_of_range_are_refused(participant, changed, message):
    question = participant.left()["questions"][0]["id"]
    told = participant.told("POST", "/api/answer", listeners.body(question, "first") | changed)
    assert told[0] == 400
    assert message in told[1]["error"]


def test_a_flood_is_cut_off(running, participant):
    """More than a mebibyte is not even read: the server closes the connection."""
    try:
        status = participant.ask("POST", "/api/answer", raw=b"x" * (2 << 20))[0]
    except OSError:
        status = None
    assert status in (400, None)
    assert participant.left()["total"] == QUESTIONS


def test_other_types_origins_hosts_and_methods_are_refused(participant):
    good = json.dumps(GOOD).encode()
    plain = {"Content-Type": "text/plain"}
    assert participant.told("POST", "/api/answer", raw=good, headers=plain)[0] == 415
    there = {"Origin": "http://elsewhere.example"}
    assert participant.told("POST", "/api/answer", raw=good, headers=there)[0] == 403
    assert participant.told("GET", "/api/next", headers={"Host": "elsewhere.example"})[0] == 403
    assert participant.told("DELETE", "/api/answer")[0] == 405
    assert participant.told("GET", "/api/answer")[0] == 405


def test_every_reply_forbids_what_comes_from_elsewhere(participant):
    for path, status in (("/", 200), ("/api/next", 200), ("/nowhere", 404), ("/page.js", 200)):
        found, headers, _ = participant.ask("GET", path)
        assert found == status
        policy = headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'")
        assert "unsafe" not in policy
        assert "http" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "Tornado" not in headers["Server"]


def test_the_cookie_is_kept_from_scripts_and_other_sites(running):
    one = listeners.Participant(running[0].port)
    _, welcome = one.told("GET", "/api/welcome")
    told = {"consent": welcome["consent_digest"], "code": ""}
    _, headers, _ = one.ask("POST", "/api/begin", told)
    assert "HttpOnly" in headers["Set-Cookie"]
    assert "SameSite=Strict" in headers["Set-Cookie"]


def test_who_agrees_agrees_to_the_words_that_stand_there_now(tmp_path):
    folder = tmp_path / "fusion"
    listeners.fusion(folder)
    with listeners.inside(folder) as server:
        one = listeners.Participant(server.port)
        _, welcome = one.told("GET", "/api/welcome")
        (folder / "consent.txt").write_text("Our own words.\n", encoding="utf-8")
        told = {"consent": welcome["consent_digest"], "code": ""}
        assert one.told("POST", "/api/begin", told)[0] == 409
        assert one.told("GET", "/api/welcome")[1]["consent"] == "Our own words."
        assert one.begin()[0] == 200
        assert one.told("POST", "/api/leave", {}) == (200, {"begun": False})
        assert one.told("GET", "/api/welcome")[1]["begun"] is False


def test_a_named_host_needs_a_code_for_each_participant(tmp_path):
    folder = tmp_path / "fusion"
    listeners.fusion(folder)
    with listeners.inside(folder, host="0.0.0.0", codes=2) as server:
        assert len(set(server.codes)) == 2
        one, two, three = (listeners.Participant(server.port) for _ in range(3))
        assert one.begin(server.codes[0].lower()) == (200, {"begun": True})
        for wrong in (server.codes[0], "", "AAAAA-AAAAA"):  # used, none, guessed
            assert two.begin(wrong)[0] == 403
        assert two.begin(server.codes[1])[0] == 200
        assert one.left()["participant"] != two.left()["participant"]
        assert three.told("GET", "/api/next")[0] == 403


def test_a_ranking_is_taken_whole_or_not_at_all(tmp_path):
    folder = tmp_path / "ranking"
    listeners.ranking(folder)
    with listeners.inside(folder) as server:
        one = listeners.Participant(server.port)
        one.begin()
        told = one.left()
        question = next(q for q in told["questions"] if q["step"] == "realism")
        names = [stimulus["name"] for stimulus in question["stimuli"]]
        for wrong in (names[:-1], [*names[:-1], names[0]], [*names, names[0]], "A", [1, 2, 3, 4]):
            sent = listeners.body(question["id"], wrong)
            assert one.told("POST", "/api/answer", sent)[0] == 400
        sent = listeners.body(question["id"], names[::-1])
        assert one.told("POST", "/api/answer", sent) == (200, {"saved": True, "new": True})
