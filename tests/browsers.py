"""A real browser for the tests of pages: Debian's Chromium, driven by Playwright."""

import shutil
from contextlib import contextmanager

try:
    from playwright.sync_api import sync_playwright
except ImportError:
    sync_playwright = None

_CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
_QUIET = ("--no-sandbox", "--mute-audio", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.*")


def missing() -> str:
    """Return what a browser lacks here, "" where there is one."""
    if sync_playwright is None:
        return "the Python package playwright is not installed (it is in requirements.lock)"
    if _CHROMIUM is None:
        return "no chromium on PATH; install it with the system's packages"
    return ""


@contextmanager
def chromium():
    """Start Chromium without sound and without any network but this machine."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_CHROMIUM, args=_QUIET)
        yield browser
        browser.close()
