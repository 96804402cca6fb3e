"""The README's commands exist, and its test command is the one that continuous integration runs."""

import re
import shlex
from pathlib import Path

import pytest

from pasdedeux import cli
from pasdedeux.base.profiles import PROFILES

ROOT = Path(__file__).resolve().parents[1]
WORTH_SAYING = ("make reproduce", "make test", "make reproduce PROFILE=laptop", "make lab")


def _commands():
    """Return the commands of `make` and `pasdedeux` in the README's code, blocks and inline."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    lines = [line.split(" #")[0].strip() for block in blocks for line in block.splitlines()]
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    lines += re.findall(r"`([^`\n]+)`", prose)
    stripped = [re.sub(r"^(?:\$ |\w+=\S+ )+", "", line) for line in lines]
    return [line for line in stripped if line.split(" ")[0] in ("make", "pasdedeux")]


def _targets():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))


def test_the_two_commands_are_in_the_readme():
    commands = _commands()
    for command in WORTH_SAYING:
        assert command in commands


def test_every_make_command_is_a_target():
    for command in _commands():
        if command.startswith("make "):
            words = [word for word in shlex.split(command)[1:] if "=" not in word]
            assert set(words) <= _targets(), command
            for profile in re.findall(r"PROFILE=(\w+)", command):
                assert profile in PROFILES, command


def test_every_pasdedeux_command_is_understood():
    for command in _commands():
        words = shlex.split(command)
        if words[0] == "pasdedeux" and words[1:] and "..." not in command:
            try:
                cli._parser().parse_args(words[1:])
            except SystemExit as end:
                if end.code:
                    pytest.fail(f"README says {command!r}, which the command line refuses")


def test_continuous_integration_runs_the_readmes_test_command():
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "set -euo pipefail" in script
    assert script.splitlines()[-1] == "make test"
    assert "make test" in _commands()
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111, "it must be executable"
