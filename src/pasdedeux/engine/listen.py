"""`pasdedeux listen`: prepare a listening test from finished runs, serve it, gather its answers."""

from collections.abc import Callable
from pathlib import Path

from pasdedeux.base import paths
from pasdedeux.base.checks import choice, refuse
from pasdedeux.base.profiles import PROFILES
from pasdedeux.engine import asked, bar, heard, listen_cdcd, listen_sources
from pasdedeux.engine.heard import Group
from pasdedeux.engine.listen_sources import Material
from pasdedeux.listening import jspsych, server
from pasdedeux.listening.design import HEADPHONES, KNOWN, TESTS
from pasdedeux.listening.export import export, rows
from pasdedeux.listening.stimuli import Test, load, prepare
from pasdedeux.listening.store import Store
from pasdedeux.music.audio import RATE_HZ

MATERIAL: dict[str, Callable[..., Material]] = {
    "fusion": listen_sources.fusion,
    "ranking": listen_sources.ranking,
    "mos": listen_cdcd.mos,
}
ITEMS = {"fusion": 3, "ranking": 4, "mos": 3}  # of each system: about ten minutes of a listener


def folder(test: str, profile: str, name: str = "") -> Path:
    """Return where a test lies: `runs/listening/<test>-<profile>`, or under a name of its own."""
    choice("test", test, TESTS)
    choice("profile", profile, PROFILES)
    named = name or f"{test}-{profile}"
    refuse(Path(named).name != named, f"{named!r} is no plain name; leave out folders.")
    return paths.runs() / "listening" / named


def prepared(test: str, profile: str, *, name: str = "", items: int = 0, seed: int = 0) -> Test:
    """Return the test, prepared from the profile's runs unless it is there; files are checked.

    `items` of each system, 0 for the usual number. Raises `ValueError` naming the command that
    makes the runs where there are none.
    """
    place = folder(test, profile, name)
    if place.exists():
        return load(place)
    refuse(items < 0, f"items must be at least 1, got {items}.")
    material = MATERIAL[test](profile, items=items or ITEMS[test], seed=seed)
    with bar.told(f"preparing {place.name}") as told:
        return prepare(
            place, material.design, material.stimuli, seed=seed, rate_hz=RATE_HZ, told=told
        )


def there(test: str, profile: str, *, name: str = "") -> Test:
    """Return a test that was prepared; raises `ValueError` with the command where it was not."""
    place = folder(test, profile, name)
    told = f"there is no test {place.name}; `pasdedeux listen {test} --profile {profile}` makes it."
    refuse(not place.is_dir(), told)
    return load(place)


def played(test: Test, profile: str) -> str:
    """Return in words which rows of the printed table a test plays, and which other systems."""
    table = asked.printed(test.design.test)
    systems = dict.fromkeys(
        known.system for known in sorted(test.key.values()) if known.pool not in (HEADPHONES, KNOWN)
    )
    own = [row for row in table.rows if row in systems]
    others = " / ".join(system for system in systems if system not in own)
    words = f"of {table.title}: {' / '.join(own) or 'nothing'}"
    words += f"; besides: {others}" if others else ""
    if test.design.test == "mos" and not own:
        words += f"; CDCD's own need `pasdedeux run {listen_cdcd.NOTEBOOK} --profile {profile}`"
    return words


def ready(*, serving: bool) -> None:
    """Refuse early, before minutes of preparing, what serving would refuse in the end."""
    if serving:
        jspsych.script()


def serve(
    test: Test, *, host: str = "", port: int = 0, codes: int = 0, say: Callable[[str], object]
) -> None:
    """Serve `test` until interrupted; see `listening.server.serve`."""
    server.serve(test.folder, host=host, port=port, codes=codes, say=say)


def gathered(test: Test) -> tuple[Path, Path]:
    """Write the answers given so far as CSV and JSON into the test's folder; returns both files.

    It may be called while the test is being served.
    """
    store = Store(test.folder, test.version)
    try:
        return export(test, store)
    finally:
        store.close()


def results(test: Test) -> list[Group]:
    """Return the numbers of the answers given so far; raises `ValueError` while there are none."""
    store = Store(test.folder, test.version)
    try:
        found = rows(test, store)
    finally:
        store.close()
    return heard.results(test.design.test, found, test.design.genres)


def forget(test: Test, participant: int) -> int:
    """Delete a participant's answers, as they may ask, and return how many there were."""
    store = Store(test.folder, test.version)
    try:
        return store.forget(participant)
    finally:
        store.close()


def set_up() -> Path:
    """Install jsPsych once; returns its file."""
    return jspsych.install()
