"""The command line: `pasdedeux run | data | report | table | dance | compose | ...`; see --help.

Each command imports what it needs when it is called, so that `--help` answers at once.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from functools import partial

from pasdedeux.base.profiles import PROFILES

USAGE_ERROR = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out one command and return its exit code; wrong input is told in one line, code 2."""
    asked = _parser().parse_args(arguments)
    # nbformat brings jsonschema, which builds a grammar of internet addresses with this module, in
    # 1.7 s at each start, for a check that no notebook asks for; without the module it does not
    sys.modules.setdefault("rfc3987_syntax", None)
    try:
        return asked.command(asked)
    except ValueError as error:
        print(f"pasdedeux {asked.name}: {error}", file=sys.stderr)
        return USAGE_ERROR
    except BrokenPipeError:  # the reader, for example `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="pasdedeux", description="Run and read the notebooks.")
    commands = parser.add_subparsers(dest="name", required=True)

    run = commands.add_parser("run", help="execute one notebook and record how it went")
    run.add_argument("notebook", help="its number, name or file: 20, 20_fusiongan, ...")
    run.add_argument("-p", action="append", default=[], metavar="NAME=VALUE", dest="pairs")
    run.add_argument("--timeout", type=float, metavar="SECONDS", help="longest time for one cell")
    run.add_argument("--plain", action="store_true", help="lines in place of a progress bar")
    run.set_defaults(command=_run)

    accept = commands.add_parser("accept", help="store the outputs that the tests compare")
    accept.add_argument("notebook", help="its number, name or file; it must have run at quick")
    accept.set_defaults(command=_accept)

    _add_data(commands.add_parser("data", help="what data was found, its licence and citation"))

    report = commands.add_parser("report", help="gather tables, figures and notebooks in one page")
    report.set_defaults(command=_report)
    publish = commands.add_parser("publish", help="take excerpts of corpora out of the notebooks")
    publish.set_defaults(command=_publish)
    table = commands.add_parser("table", help="where the tables of a profile lie, or one of them")
    table.add_argument("table", nargs="?", help="for example fusion/table_1")
    table.set_defaults(command=_table)
    for command in (run, report, publish, table):
        command.add_argument("--profile", choices=PROFILES, default="quick")

    _add_dance(commands.add_parser("dance", help="let a trained dual model dance to a song"))
    _add_compose(commands.add_parser("compose", help="let a trained dual model compose a piece"))

    _add_listen(commands.add_parser("listen", help="a listening test, prepared and served"))

    cost = commands.add_parser("cost", help="how long each profile takes")
    cost.set_defaults(command=_cost)
    doctor = commands.add_parser("doctor", help="the environment, to be pasted into a bug report")
    doctor.set_defaults(command=_doctor)
    return parser


def _add_dance(dance: argparse.ArgumentParser) -> None:
    dance.description = "Let a trained dual model dance to a song."
    dance.add_argument("song", help="an audio file: mp3, wav, flac or ogg, of any length")
    dance.add_argument("-o", "--out", required=True, metavar="FILE", help=".npz, .bvh, .gif, .mp4")
    dance.add_argument("--bpm", type=float, help="the song's tempo, where it is known")
    dance.set_defaults(command=_dance)
    _add_play(dance)


def _add_compose(compose: argparse.ArgumentParser) -> None:
    compose.description = "Let a trained dual model compose music for a dance."
    compose.add_argument("dance", help="an SMPL npz, as `pasdedeux dance` writes it")
    compose.add_argument("-o", "--out", required=True, metavar="FILE", help=".mid, .wav or .ogg")
    compose.set_defaults(command=_compose)
    _add_play(compose)


def _add_listen(listen: argparse.ArgumentParser) -> None:
    listen.description = "Prepare a listening test from finished runs and serve it."
    listen.set_defaults(command=_listen)
    listen.add_argument("test", nargs="?", choices=("fusion", "ranking", "mos"))
    listen.add_argument("--profile", choices=PROFILES, default="quick", help="whose runs")
    listen.add_argument("--as", default="", dest="called", help="its folder in runs/listening")
    listen.add_argument("--items", type=int, default=0, help="pieces of each system")
    listen.add_argument("--seed", type=int, default=0, help="of the orders and the blinding")
    listen.add_argument("--host", default="", help="serve other computers too, at this address")
    listen.add_argument("--port", type=int, default=0, help="a free one if not given")
    listen.add_argument("--codes", type=int, default=30, help="access codes, with --host")
    action = listen.add_mutually_exclusive_group()
    action.add_argument("--setup", action="store_true", help="install jsPsych with npm, once")
    action.add_argument("--prepare", action="store_true", help="prepare and do not serve")
    action.add_argument("--export", action="store_true", help="write the answers, tell the results")
    action.add_argument("--forget", type=int, metavar="N", help="delete participant N's answers")


def _add_play(command: argparse.ArgumentParser) -> None:
    command.add_argument("--run", default="", help="a folder of runs/dual; the last one if not")
    command.add_argument("--seed", type=int, default=0, help="of first pose or chord, and noise")
    command.add_argument("--force", action="store_true", help="write over a file that is there")


def _add_data(data: argparse.ArgumentParser) -> None:
    data.description = "Tell which corpora were found, with licence and citation."
    data.set_defaults(command=_data)
    actions = data.add_subparsers(dest="action")
    status = actions.add_parser(
        "status", help="each corpus in short: where, how much, terms, and what to do for the rest"
    )
    status.set_defaults(command=_status)
    get = actions.add_parser("get", aliases=["fetch"], help="download a corpus once, checked")
    get.add_argument("corpus", help="for example wjazzd or tang")
    get.set_defaults(command=_get)


def _run(asked: argparse.Namespace) -> int:
    from pasdedeux.engine import notebooks, parameters, runner

    known = parameters.declared(notebooks.file(asked.notebook))
    outcome = runner.run(
        asked.notebook,
        asked.profile,
        parameters.from_text(asked.pairs, known),
        cell_timeout_seconds=asked.timeout,
        plain=asked.plain,
    )
    stream = sys.stdout if outcome.status == "ok" else sys.stderr
    print(f"{outcome.message}\n{_shown(outcome.notebook)}", file=stream)
    return outcome.exit_code


def _accept(asked: argparse.Namespace) -> int:
    from pasdedeux.engine.accept import accept

    print(f"outputs of {accept(asked.notebook)} cells are now the expected ones; look at the diff")
    return 0


def _data(_asked: argparse.Namespace) -> int:
    from pasdedeux.data import sources

    print(sources.overview())
    return 0


def _status(_asked: argparse.Namespace) -> int:
    from pasdedeux.data.status import status

    print(status())
    return 0


def _get(asked: argparse.Namespace) -> int:
    from pasdedeux.data import sources

    if sources.source(asked.corpus).fetched:  # silence for minutes would look like a fault
        print(f"getting {asked.corpus}: {sources.source(asked.corpus).size}", flush=True)
    print(f"{asked.corpus} lies in {_shown(sources.fetch(asked.corpus))}")
    return 0


def _report(asked: argparse.Namespace) -> int:
    from pasdedeux.report import pages

    print(f"report: {_shown(pages.build(asked.profile))}")
    return 0


def _publish(asked: argparse.Namespace) -> int:
    from pasdedeux.engine.publish import publish

    changed = publish(asked.profile)
    print(f"{len(changed)} notebooks had excerpts; they are left out now")
    return _report(asked)


def _table(asked: argparse.Namespace) -> int:
    from pasdedeux.base.checks import choice
    from pasdedeux.base.paths import results

    folder = results(asked.profile)
    found = {f"{path.parent.name}/{path.stem}": path for path in sorted(folder.glob("*/table*.md"))}
    if asked.table is not None:
        print(found[choice("table", asked.table, found)].read_text(encoding="utf-8"), end="")
        return 0
    for name, path in found.items():
        print(f"table {name}: {_shown(path)} (and .csv, .tex)")
    if not found:
        print(f"no tables at profile {asked.profile} yet; `make reproduce PROFILE={asked.profile}`")
    return 0


def _dance(asked: argparse.Namespace) -> int:
    from pasdedeux.engine import use

    named = {"run": asked.run, "seed": asked.seed, "force": asked.force}
    print(f"wrote {_shown(use.dance(asked.song, asked.out, bpm=asked.bpm, **named))}")
    return 0


def _compose(asked: argparse.Namespace) -> int:
    from pasdedeux.engine import use

    named = {"run": asked.run, "seed": asked.seed, "force": asked.force}
    print(f"wrote {_shown(use.compose(asked.dance, asked.out, **named))}")
    return 0


def _listen(asked: argparse.Namespace) -> int:
    from pasdedeux.engine import heard, listen

    if asked.setup:
        print(f"jsPsych: {_shown(listen.set_up())}")
        return 0
    if asked.test is None:
        raise ValueError("name the test: fusion, ranking or mos; or --setup.")
    named = {"name": asked.called}
    if asked.export:
        test = listen.there(asked.test, asked.profile, **named)
        print(f"answers: {' and '.join(map(_shown, listen.gathered(test)))}")
        print(heard.told(listen.results(test)))
        return 0
    if asked.forget is not None:
        test = listen.there(asked.test, asked.profile, **named)
        print(f"{listen.forget(test, asked.forget)} answers deleted; export anew")
        return 0
    listen.ready(serving=not asked.prepare)
    named |= {"items": asked.items, "seed": asked.seed}
    test = listen.prepared(asked.test, asked.profile, **named)
    print(
        f"test: {_shown(test.folder)}; what people agree to: {_shown(test.folder / 'consent.txt')}"
    )
    print(f"plays {listen.played(test, asked.profile)}")
    if not asked.prepare:
        say = partial(print, flush=True)
        listen.serve(test, host=asked.host, port=asked.port, codes=asked.codes, say=say)
    return 0


def _cost(_asked: argparse.Namespace) -> int:
    from pasdedeux.engine.cost import summary

    for profile in PROFILES:
        print(summary(profile))
    return 0


def _doctor(_asked: argparse.Namespace) -> int:
    from pasdedeux.engine.doctor import report

    print(report())
    return 0


def _shown(path: object) -> str:
    """Return `path` from the working directory where that is shorter."""
    near = os.path.relpath(path)
    return min(near, str(path), key=len)


if __name__ == "__main__":
    sys.exit(main())
