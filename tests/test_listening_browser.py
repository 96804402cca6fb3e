"""The page in a real browser, with no network but the server: all steps by mouse and keyboard.

Needs Playwright, Chromium on PATH, and jsPsych (`pasdedeux listen --setup`); skipped without,
saying which is missing. What is answered here is a program's doing.
"""

import sqlite3
from contextlib import contextmanager, suppress

import browsers
import listeners
import pytest

from pasdedeux.listening import jspsych
from pasdedeux.listening.store import ANSWERS

with suppress(ImportError):  # then all is skipped
    from playwright.sync_api import Error, expect

WAIT_MS = 30_000  # the machine may be busy


def _missing():
    """Return what the test lacks, "" when everything is there."""
    if browsers.missing():
        return browsers.missing()
    try:
        jspsych.script()
    except ValueError as error:
        return str(error)
    return ""


WHY = _missing()
pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(WHY), reason=WHY)]


@pytest.fixture(scope="module")
def chromium():
    with browsers.chromium() as browser:
        yield browser


class Visitor:
    """Somebody at a browser: what they see, and what went wrong."""

    def __init__(self, page, port):
        self.page, self.url = page, f"http://127.0.0.1:{port}/"
        self.elsewhere, self.complaints = [], []
        page.set_default_timeout(WAIT_MS)
        page.route("**/*", self._only_here)
        page.on("console", self._complained)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _only_here(self, route):
        if route.request.url.startswith((self.url, "data:")):
            route.continue_()
        else:
            self.elsewhere.append(route.request.url)
            route.abort()

    def _complained(self, message):
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def heading(self, words):
        expect(self.page.get_by_text(words).first).to_be_visible(timeout=WAIT_MS)

    def begin(self):
        """Agree, and press Start."""
        self.page.goto(self.url)
        self.page.get_by_role("button", name="I agree").click()
        assert self.page.locator("audio, video").count() == 0, "sound before Start"
        self.page.get_by_role("button", name="Start").click()

    def go(self):
        """Leave a page of words."""
        self.page.locator("#go").click()

    def prompt(self):
        """Return what is asked."""
        return self.page.locator("#prompt").inner_text()

    def play(self, *, keys=True):
        """Play the sound until answers are taken."""
        buttons = self.page.locator("button.option")
        expect(buttons.first).to_be_disabled()
        if keys:
            self.page.keyboard.press("Space")
        else:
            self.page.locator("button.play").last.click()
        expect(buttons.first).to_be_enabled(timeout=WAIT_MS)

    def choose(self, option, *, keys=True):
        """Give the `option`-th answer; returns what will be gone."""
        before = self.page.locator("#prompt").element_handle()
        if keys:
            self.page.keyboard.press(str(option))
            self.page.keyboard.press("Enter")
        else:
            self.page.locator("button.option").nth(option - 1).click()
            self.page.locator("#next").click()
        return before

    def answer(self, option, *, keys=True):
        """Play, answer and wait for the next page."""
        self.play(keys=keys)
        self.gone(self.choose(option, keys=keys))

    def gone(self, before):
        """Wait until another page is shown."""
        before.wait_for_element_state("hidden")

    def done(self):
        """Return the share of the progress bar that is filled."""
        wide = [self.page.locator(f"#jspsych-progressbar-{part}").bounding_box()["width"]
                for part in ("inner", "outer")]  # fmt: skip
        return wide[0] / wide[1]


@contextmanager
def _visiting(chromium, port):
    context = chromium.new_context(viewport={"width": 1000, "height": 900})
    try:
        yield Visitor(context.new_page(), port)
    finally:
        context.close()


def _answers(folder, step=""):
    base = sqlite3.connect(folder / ANSWERS)
    try:
        asked = "SELECT question, answer, plays FROM answers WHERE question LIKE ? ORDER BY rowid"
        return base.execute(asked, (f"{step}%",)).fetchall()
    finally:
        base.close()


def _until_the_server_dies(visitor, server):
    """Go through headphones and qualification; the server is killed before the last answer."""
    visitor.begin()
    visitor.heading("Please put on headphones")
    visitor.go()
    for place in range(3):
        visitor.answer(1 + place, keys=place < 2)
    visitor.heading("Step 1 of 3")
    visitor.go()
    assert visitor.prompt() == "Which genre most matches the music?"
    visitor.answer(1)
    visitor.play(keys=False)
    server.kill()
    before = visitor.choose(3, keys=False)
    expect(visitor.page.locator("#status")).to_contain_text("does not answer", timeout=WAIT_MS)
    return before


def _after_a_reload(visitor):
    """Load the page anew and answer steps 2 and 3."""
    visitor.page.reload()
    visitor.heading("5 of 11 answers are kept")
    assert 0.4 < visitor.done() < 0.5
    visitor.go()
    visitor.go()
    for option in (1, 2, 3):
        assert visitor.prompt() == "What most matches the music?"
        visitor.answer(option)
    visitor.heading("Step 3 of 3")
    visitor.go()
    for option in (1, 2, 3):
        assert visitor.prompt() == "Who do you think is its composer?"
        visitor.answer(option, keys=option != 2)
    visitor.heading("Thank you!")
    assert visitor.done() == pytest.approx(1.0, abs=0.02)


def test_the_three_steps_offline_though_the_server_dies_and_the_page_is_reloaded(
    chromium, tmp_path
):
    folder = tmp_path / "fusion"
    listeners.fusion(folder, items=1)
    server = listeners.Server(folder, script=jspsych.script())
    with _visiting(chromium, server.port) as visitor:
        before = _until_the_server_dies(visitor, server)
        with listeners.served(folder, server.port, script=jspsych.script()):
            visitor.gone(before)  # sent again by itself
            visitor.heading("Step 2 of 3")
            assert len(_answers(folder)) == 5
            _after_a_reload(visitor)
            visitor.go()
            visitor.heading("What is stored")  # the next listener agrees anew
    assert [one[1] for one in _answers(folder, "genre")] == ["jazz", "folk", "mixture"]
    assert [one[1] for one in _answers(folder, "musicality")] == ["expert", "newbie", "robot"]
    assert all(plays == 1 for *_, plays in _answers(folder))
    assert visitor.elsewhere == []
    lost = "net::ERR_CONNECTION_REFUSED"  # the killed server, and nothing else
    assert [told for told in visitor.complaints if lost not in told] == []


def test_a_sound_that_was_lost_with_the_server_is_asked_for_again(chromium, tmp_path):
    folder = tmp_path / "fusion"
    listeners.fusion(folder, items=1)
    server = listeners.Server(folder, script=jspsych.script())
    with _visiting(chromium, server.port) as visitor:
        visitor.begin()
        server.kill()
        visitor.go()
        expect(visitor.page.locator("#status")).to_contain_text("asked for again", timeout=WAIT_MS)
        with listeners.served(folder, server.port, script=jspsych.script()):
            expect(visitor.page.locator("#status")).to_be_empty(timeout=WAIT_MS)
            visitor.answer(1)


def test_a_ranking_by_realism_and_consistency(chromium, tmp_path):
    folder = tmp_path / "ranking"
    listeners.ranking(folder, items=1)
    with (
        listeners.inside(folder, script=jspsych.script()) as server,
        _visiting(chromium, server.port) as visitor,
    ):
        visitor.begin()
        visitor.go()
        for _ in range(3):
            visitor.answer(2)
        visitor.go()
        for words in ("natural and real", "fit the genre: Waltz 0"):
            visitor.heading(words)
            ranks, following = visitor.page.locator("select.rank"), visitor.page.locator("#next")
            expect(ranks.first).to_be_disabled()
            for letter in "ABCD":
                visitor.page.keyboard.press(letter)
                visitor.page.wait_for_timeout(700)
            expect(ranks.first).to_be_enabled(timeout=WAIT_MS)
            for place, rank in enumerate("4331"):
                ranks.nth(place).select_option(rank)
            expect(following).to_be_disabled()  # two have rank 3
            ranks.nth(2).select_option("2")
            before = visitor.page.locator("#prompt").element_handle()
            following.click()
            visitor.gone(before)
        visitor.heading("Thank you!")
        assert visitor.elsewhere == visitor.complaints == []
    realism, consistency = _answers(folder, "realism"), _answers(folder, "consistency")
    assert len(realism) == len(consistency) == 1
    assert realism[0][1] == consistency[0][1]  # the dances stood in the same order


def test_mean_opinion_scores_with_the_recorded_music_beside(chromium, tmp_path):
    folder = tmp_path / "mos"
    listeners.mos(folder, items=1)
    with (
        listeners.inside(folder, script=jspsych.script()) as server,
        _visiting(chromium, server.port) as visitor,
    ):
        visitor.begin()
        visitor.go()
        for _ in range(3):
            visitor.answer(3)
        visitor.heading("Part 1 of 2")
        visitor.go()
        for score in (1, 3, 5):
            visitor.answer(score)
        visitor.heading("Part 2 of 2")
        visitor.go()
        for score in (5, 4, 2):
            visitor.heading("With its own music")
            visitor.answer(score, keys=score != 4)
        visitor.heading("Thank you!")
        assert visitor.elsewhere == visitor.complaints == []
    assert [answer for _, answer, _ in _answers(folder, "quality")] == ["1", "3", "5"]
    assert [answer for _, answer, _ in _answers(folder, "coherence")] == ["5", "4", "2"]


def test_a_browser_that_has_no_code_is_not_let_in(chromium, tmp_path):
    folder = tmp_path / "fusion"
    listeners.fusion(folder, items=1)
    named = {"script": jspsych.script(), "host": "0.0.0.0", "codes": 1}
    with (
        listeners.inside(folder, **named) as server,
        _visiting(chromium, server.port) as visitor,
    ):
        visitor.page.goto(visitor.url)
        visitor.page.locator("#code").fill("AAAAA-AAAAA")
        visitor.page.get_by_role("button", name="I agree").click()
        expect(visitor.page.locator("#status")).to_contain_text("not known", timeout=WAIT_MS)
        visitor.page.locator("#code").fill(server.codes[0])
        visitor.page.keyboard.press("Enter")
        visitor.heading("No sound plays before you ask for it")


def test_the_page_cannot_reach_the_network(chromium, tmp_path):
    """Else the offline tests would prove nothing."""
    folder = tmp_path / "fusion"
    listeners.fusion(folder, items=1)
    with (
        listeners.inside(folder, script=jspsych.script()) as server,
        _visiting(chromium, server.port) as visitor,
    ):
        visitor.page.goto(visitor.url)
        with pytest.raises(Error):
            visitor.page.evaluate("fetch('https://example.org/')")
        assert any("Content Security Policy" in told for told in visitor.complaints)
