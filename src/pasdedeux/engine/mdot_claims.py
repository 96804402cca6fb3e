"""The sentences of the MDOT README, decided by short runs and by samples of known laws; curves.

How each is tested was fixed before the results were looked at; the names of the parts say it.
Divergence is decided on the definition of `engine.stability`. It counts "farther", a distance that
MDOT-Net descends and a WGAN never sees, so the evidence also tells the runs with another cause.
"""

from collections.abc import Iterable, Mapping, Sequence

from pasdedeux.engine.stability import Ending
from pasdedeux.papers.mdot_samples import ESTIMATES, Error, rates_of
from pasdedeux.report.claims import Claims, Part, compare, decide, observe
from pasdedeux.report.reference import stated_claims

OURS, BARE = "MDOT-Net", "MDOT-Net without GW"
WGANS = ("WGAN, clipped", "WGAN, penalty")
Curve = tuple[list[int], list[float]]
MATCH_RATE = 1e-3  # the rate of the tables; GW is judged there
DIFFERENT = 0.1  # in powers of the number of samples: less between two rates is no difference


def mdot_claims(
    endings: Iterable[Ending],
    errors: Mapping[int, Sequence[Error]],
    *,
    data_notice: str,
    profile: str,
) -> Claims:
    """Return all claims of the README with their verdicts.

    `endings` are the short runs, `errors` the sample errors of each seed.
    """
    every = list(endings)
    parts = {
        "non-divergent": _steady(every),
        "gan-unstable": _unstable(every),
        "steadier": _steadier(every),
        "dimension": dimension_parts(errors),
        "matching": _matching(every),
    }
    stated = stated_claims("mdot").values()
    claims = tuple(decide(one, parts.get(one.id, [])) for one in stated)
    return Claims(claims, data_notice, profile)


def transport_curves(endings: Iterable[Ending]) -> dict[str, dict[str, Curve]]:
    """Return for each learning rate, by system, updates done and transport: a mean over seeds.

    A row counts where every seed has it: a run that stopped early ends the line of its system.
    """
    rows: dict[str, dict[str, dict[int, list[float]]]] = {}
    seeds: dict[tuple[str, str], int] = {}
    for ending in sorted(endings, key=lambda e: e.rate):
        title = f"learning rate {ending.rate:g}"
        mine = rows.setdefault(title, {}).setdefault(ending.system, {})
        seeds[title, ending.system] = seeds.get((title, ending.system), 0) + 1
        for row in ending.log():
            mine.setdefault(int(row["step"]), []).append(float(row["transport"]))
    found: dict[str, dict[str, Curve]] = {}
    for title, systems in rows.items():
        for system, mine in systems.items():
            full = [step for step in sorted(mine) if len(mine[step]) == seeds[title, system]]
            means = [sum(mine[step]) / len(mine[step]) for step in full]
            found.setdefault(title, {})[system] = (full, means)
    return found


def error_curves(errors: Mapping[int, Sequence[Error]]) -> dict[str, dict[str, Curve]]:
    """Return for each estimate, by dimension, numbers of samples and error: a mean over seeds."""
    held: dict[str, dict[str, dict[int, list[float]]]] = {}
    for rows in errors.values():
        for e in rows:
            mine = held.setdefault(e.estimate, {}).setdefault(f"D = {e.dimension}", {})
            mine.setdefault(e.count, []).append(e.error)
    return {
        name: {
            label: (list(mine), [sum(v) / len(v) for v in mine.values()])
            for label, mine in panels.items()
        }
        for name, panels in held.items()
    }


def _shares(endings: list[Ending], system: str) -> dict[int, float]:
    """Return for each seed which share of a system's runs diverged."""
    found: dict[int, list[bool]] = {}
    for ending in endings:
        if ending.system == system:
            found.setdefault(ending.seed, []).append(ending.diverged)
    return {seed: sum(held) / len(held) for seed, held in found.items()}


def _counted(endings: list[Ending], system: str) -> str:
    """Return in words how many runs of a system diverged, and how many not only "farther"."""
    mine = [e for e in endings if e.system == system]
    diverged, more = sum(e.diverged for e in mine), sum(e.not_only_farther for e in mine)
    return f"{diverged} of {len(mine)} runs, {more} not only farther"


def _steady(endings: list[Ending]) -> list[Part]:
    seen = {seed: not share for seed, share in _shares(endings, OURS).items()}
    return [observe(seen, what=f"{OURS} diverges at no rate ({_counted(endings, OURS)})")]


def _unstable(endings: list[Ending]) -> list[Part]:
    return [
        observe(
            {seed: share > 0 for seed, share in _shares(endings, system).items()},
            what=f"{system} diverges at some rate ({_counted(endings, system)})",
        )
        for system in WGANS
    ]


def _steadier(endings: list[Ending]) -> list[Part]:
    ours, told = _shares(endings, OURS), f"share diverged, {OURS} ({_counted(endings, OURS)})"
    return [
        compare(
            ours, _shares(endings, system), what=f"{told} - {system} ({_counted(endings, system)})"
        )
        for system in WGANS
    ]


def dimension_parts(errors: Mapping[int, Sequence[Error]]) -> list[Part]:
    """Return whether each six-term estimate has no slower rate in the most dimensions than in the
    fewest, and exact transport has.

    A rate is the r of error ~ N^r. It is slower where it is more than `DIFFERENT` nearer to 0.
    """
    exact, *entropic = ESTIMATES
    loss = {
        name: {seed: _slowed(list(rows), name) for seed, rows in errors.items()}
        for name in ESTIMATES
    }
    limit = {seed: DIFFERENT for seed in errors}
    rows = [
        compare(loss[name], limit, what=f"r lost in many dimensions, {name}, - {DIFFERENT:g}")
        for name in entropic
    ]
    told = f"r lost in many dimensions, {exact}, - {DIFFERENT:g}"
    return [*rows, compare(loss[exact], limit, lower=False, what=told)]


def _slowed(errors: list[Error], name: str) -> float:
    rates, every = rates_of(errors), [e.dimension for e in errors]
    return rates[name, max(every)] - rates[name, min(every)]


def _matching(endings: list[Ending]) -> list[Part]:
    parts = []
    for key in ("geometry", "own song (%)"):
        ours, bare = (
            {
                e.seed: e.numbers[key]
                for e in endings
                if e.system == system and e.rate == MATCH_RATE and key in e.numbers
            }
            for system in (OURS, BARE)
        )
        parts.append(compare(ours, bare, lower=False, what=f"{key}, with GW - without"))
    return parts
