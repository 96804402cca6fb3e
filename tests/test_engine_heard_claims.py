"""The claims about people on planted answers: true, the opposite, and nothing to be told."""

import listeners
import numpy as np
import pytest
from planted import CDCD, PEOPLE, exported, line, melodies, qualifying, ranks, scores
from scipy import stats

from pasdedeux.base.seeding import numpy_generator
from pasdedeux.engine import asked, heard_claims
from pasdedeux.engine.notebooks import NOTEBOOKS
from pasdedeux.listening.export import export
from pasdedeux.listening.plan import questions
from pasdedeux.listening.store import Answer, Store
from pasdedeux.report import ledger
from pasdedeux.report.claims import read
from pasdedeux.report.reference import reference, stated_claims

FUSION, DUAL = reference("fusion", 2).rows, reference("dual", 3).rows


TRUE = {
    "RM": (0.25, 0.25, 0.1, 0.4), "MLE": (0.35, 0.0, 0.6, 0.05), "GAN": (0.6, 0.05, 0.05, 0.3),
    "RL": (0.05, 0.5, 0.15, 0.3), "MC": (0.3, 0.0, 0.0, 0.7), "Fusion": (0.5, 0.25, 0.25, 0.0),
}  # fmt: skip
OPPOSITE = {
    "RM": (0.9, 0.0, 0.0, 0.1), "MLE": (0.0, 0.5, 0.0, 0.5), "GAN": (0.3, 0.3, 0.2, 0.2),
    "RL": (0.3, 0.3, 0.2, 0.2), "MC": (0.1, 0.1, 0.8, 0.0), "Fusion": (0.0, 0.1, 0.0, 0.9),
}  # fmt: skip
SAME = dict.fromkeys(FUSION, (0.25, 0.25, 0.25, 0.25))
EXPERTS, ROBOTS = dict.fromkeys(FUSION, (0.7, 0.2, 0.1)), dict.fromkeys(FUSION, (0.1, 0.3, 0.6))
EVEN = dict.fromkeys(FUSION, (1 / 3, 1 / 3, 1 / 3))
FUSION_CLAIMS = [n for n, one in stated_claims("fusion").items() if one.needs == "listeners"]


def of_fusion(path, rows):
    found = heard_claims.claims("fusion", exported(path / "answers.json", "fusion", rows),
                                profile="quick")  # fmt: skip
    return {claim.id: claim for claim in found.claims}


@pytest.fixture(scope="module")
def planted_fusion(tmp_path_factory):
    """The verdicts on the three kinds of planted answers."""
    folder = tmp_path_factory.mktemp("claims")
    return {
        "holds": of_fusion(folder, melodies(TRUE, EXPERTS, of=60)),
        "does not hold": of_fusion(folder, melodies(OPPOSITE, ROBOTS, right=9)),
        "undecided": of_fusion(folder, melodies(SAME, EVEN, of=3)),
    }


@pytest.mark.parametrize("outcome", ["holds", "does not hold", "undecided"])
@pytest.mark.parametrize("name", [n for n in FUSION_CLAIMS if n != "listeners-qualified"])
def test_planted_answers_about_melodies(planted_fusion, name, outcome):
    claim = planted_fusion[outcome][name]
    assert claim.verdict == outcome, claim.evidence
    assert claim.n == PEOPLE
    verdict = {"holds": "reproduced", "does not hold": "not reproduced"}
    if outcome in verdict:
        assert ledger.verdict(claim.parts)[0] == verdict[outcome]


def test_the_other_systems_are_all_compared(planted_fusion):
    count = {name: len(claim.parts) for name, claim in planted_fusion["holds"].items()}
    assert count == {
        "fl-highest": 5, "mle-mixture": 5, "mle-jazz": 1, "rm-balanced": 6, "mc-heard": 5,
        "expert": 6, "listeners-qualified": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("right", "outcome"),
    [
        ([6] * 11, "holds"),
        ([9] * 11, "does not hold"),
        ([1] * 11, "does not hold"),
        ([0, 9, 2, 9, 6, 9, 3, 9], "undecided"),
        ([6], "undecided"),
    ],
)
def test_two_listeners_in_three_counts_everybody(tmp_path, right, outcome):
    rows = [one for person, good in enumerate(right, start=1) for one in qualifying(person, good)]
    found = of_fusion(tmp_path, rows)["listeners-qualified"]
    assert found.verdict == outcome, found.evidence
    assert found.n == len(right)
    assert "66.5" in found.evidence
    assert "±10" in found.evidence


def test_who_has_not_qualified_changes_nothing_but_the_share_that_has(tmp_path):
    rows = melodies(TRUE, EXPERTS)
    stranger = [one for one in melodies(OPPOSITE, ROBOTS) if one["participant"] == 2]
    moved = [{**one, "participant": 99} for one in stranger if one["step"] != "qualification"]
    before = of_fusion(tmp_path, rows)
    after = of_fusion(tmp_path, [*rows, *moved, *qualifying(99, 5)])
    for name in FUSION_CLAIMS:
        same = before[name].parts == after[name].parts
        assert same == (name != "listeners-qualified")
    counted = of_fusion(tmp_path, [*rows, *moved, *qualifying(99, 6)])
    assert counted["fl-highest"].parts != before["fl-highest"].parts


def test_a_system_that_nobody_heard_is_not_run(tmp_path):
    rows = [one for one in melodies(TRUE, EXPERTS) if one["system"] != "RL"]
    found = of_fusion(tmp_path, rows)
    parts = {part.evidence: part.verdict for part in found["fl-highest"].parts}
    assert [word for word in parts if parts[word] == "not run"] == [
        "FL: Fusion - RL: nobody has answered"
    ]
    assert found["fl-highest"].verdict == "not run"
    assert found["mle-jazz"].verdict == "holds"
    assert ledger.verdict(found["mle-jazz"].parts)[0] == "reproduced"
    told = ledger.verdict(found["fl-highest"].parts, "listeners")
    assert told == ("not testable here", ledger.NEEDS["listeners"])


# ------------------------------------------------------------------------------ ranks, scores


@pytest.mark.parametrize(
    ("test", "rows", "outcomes"),
    [
        ("ranking", ranks(("Ours", *[x for x in DUAL if x != "Ours"]), noise=0.3), ("holds",) * 2),
        ("ranking", ranks((*[x for x in DUAL if x != "Ours"], "Ours")), ("does not hold",) * 2),
        ("ranking", ranks(DUAL, noise=1e6), ("undecided",) * 2),
        ("mos", scores((2, 4, 4), (3, 3, 3), spread=0.1), ("holds",) * 2),
        ("mos", scores((4, 2, 3), (2, 4, 3)), ("does not hold",) * 2),
        ("mos", scores((3, 3, 3), (3, 3, 3), items=2, spread=1.5), ("undecided",) * 2),
    ],
)
def test_planted_ranks_and_scores(tmp_path, test, rows, outcomes):
    path = exported(tmp_path / "answers.json", test, rows)
    found = heard_claims.claims(test, path, profile="quick").claims
    assert tuple(claim.verdict for claim in found) == outcomes, [one.evidence for one in found]
    assert {len(claim.parts) for claim in found} <= {2, 3}


def test_a_small_difference_in_quality_is_the_same_and_its_margin_is_told(tmp_path):
    assert min(
        reference("cdcd", 1).printed[row]["Coherence MOS"]
        - reference("cdcd", 1).printed["Ours Vanilla"]["Coherence MOS"]
        for row in CDCD[1:]
    ) == pytest.approx(heard_claims.QUALITY_MARGIN)
    # each listener gives one of ten pieces a point more: 0.1 +- nothing
    rows = [
        line(person, "quality", system, item, "4" if system == CDCD[1] and not item else "3")
        for person in range(1, 7) for system in CDCD for item in range(10)
    ]  # fmt: skip
    path = exported(tmp_path / "answers.json", "mos", rows)
    coherence, quality = heard_claims.claims("mos", path, profile="quick").claims
    assert quality.verdict == "holds"
    assert "Ours Step-Intra - Ours Vanilla = +0.1 [+0.1, +0.1] of ±0.3" in quality.evidence
    assert coherence.verdict == "not run"


def test_systems_of_another_paper_decide_nothing(tmp_path):
    rows = [line(p, "quality", s, 0, "3") for p in range(1, 9) for s in ("Ours", "Ground Truth")]
    path = exported(tmp_path / "answers.json", "mos", rows)
    found = heard_claims.claims("mos", path, profile="quick").claims
    assert {claim.verdict for claim in found} == {"not run"}


@pytest.mark.parametrize("test", ["fusion", "ranking", "mos"])
def test_it_does_not_matter_who_is_participant_1(tmp_path, test):
    rows = {
        "fusion": melodies(TRUE, EVEN, of=7),
        "ranking": ranks(DUAL, noise=1.0),
        "mos": scores((3, 3.4, 3.6), (3, 3, 3.2)),
    }[test]
    path = exported(tmp_path / "answers.json", test, rows)
    found = heard_claims.claims(test, path, profile="quick")
    order = numpy_generator(3, "order").permutation(PEOPLE).tolist()
    moved = [{**row, "participant": order[row["participant"] - 1] + 1} for row in rows]
    assert moved != rows
    again = heard_claims.claims(test, exported(tmp_path / "b.json", test, moved), profile="quick")
    assert [one.parts for one in again.claims] == [one.parts for one in found.claims]


@pytest.mark.parametrize(
    ("people", "expected"),
    [(1, "inconclusive"), (3, "inconclusive"), (5, "trend only"), (6, "reproduced")],
)
def test_few_listeners_decide_nothing(tmp_path, people, expected):
    rows = ranks(("Ours", *[x for x in DUAL if x != "Ours"]), people=people)
    path = exported(tmp_path / "answers.json", "ranking", rows)
    for claim in heard_claims.claims("ranking", path, profile="quick").claims:
        assert ledger.verdict(claim.parts)[0] == expected
        assert claim.n == people
        assert ("too few" in claim.evidence) == (expected != "reproduced")
    found = of_fusion(tmp_path, melodies(TRUE, EXPERTS, people=people, of=60))
    assert ledger.verdict(found["fl-highest"].parts)[0] == expected


# ------------------------------------------------------------------------------ the intervals


def test_the_t_interval_is_that_of_the_paired_t_test():
    draw = numpy_generator(0, "t")
    a, b = draw.normal(size=(2, 13))
    found = heard_claims.paired((a - b).tolist())
    for level, ends in ((0.95, found.sure), (0.8, found.near)):
        told = stats.ttest_rel(a, b).confidence_interval(level)
        assert ends == pytest.approx((told.low, told.high))
    assert found.value == pytest.approx(float((a - b).mean()))


def test_the_bootstrap_of_a_mean_is_as_wide_as_its_t_interval():
    counts = numpy_generator(0, "shares").binomial(40, 0.5, size=13)
    both = np.stack([counts, 40 - counts], axis=1)
    found = heard_claims.redrawn(both, heard_claims.listening.shares(0), "a share")
    t = heard_claims.paired((100 * counts / 40).tolist())
    assert found.value == pytest.approx(t.value)
    for ends, others in ((found.sure, t.sure), (found.near, t.near)):
        assert ends[1] - ends[0] == pytest.approx(others[1] - others[0], rel=0.08)
    assert heard_claims.paired([]) is None
    assert heard_claims.redrawn(both[:0], heard_claims.listening.shares(0), "a share") is None


def test_pure_noise_is_clear_no_more_often_than_the_level_allows():
    draw, level = numpy_generator(0, "noise"), heard_claims.listening.fusion_levels
    verdicts = []
    for trial in range(200):
        both = draw.multinomial(10, (0.4, 0.2, 0.2, 0.2), size=(7, 2)).reshape(7, 8)
        found = heard_claims.redrawn(
            both, lambda c: level(c[:, :4]) - level(c[:, 4:]), f"trial {trial}"
        )
        verdicts.append(heard_claims.above(found, "FL").verdict)
    assert verdicts.count("holds") <= 12, "two and a half in a hundred on this side"
    assert verdicts.count("does not hold") <= 12
    assert "holds" in verdicts or "does not hold" in verdicts


# ------------------------------------------------------------------------------ files


@pytest.mark.parametrize("test", ["fusion", "ranking", "mos"])
def test_nobody_asked_decides_nothing_and_says_so(tmp_path, test):
    found = heard_claims.claims(test, profile="quick")
    paper = asked.PLACES[test][0]
    needing = [n for n, one in stated_claims(paper).items() if one.needs == "listeners"]
    assert [claim.id for claim in found.claims] == needing
    assert {claim.verdict for claim in found.claims} == {"not run"}
    assert all(asked.NOBODY in claim.evidence for claim in found.claims)
    found.write(tmp_path)
    assert read(tmp_path / "claims.csv") == found
    assert found.rule.startswith(heard_claims.RULE)
    assert ("±" in found.rule) == (test != "ranking"), "margins are told"


def test_what_notebook_41_writes_is_in_the_list():
    entry = next(one for one in NOTEBOOKS if one.name.startswith("41_"))
    for paper, _ in asked.PLACES.values():
        for name in ("claims.csv", "claims_parts.csv", "claims.md"):
            assert f"{ledger.HEARD}/{paper}/{name}" in entry.outputs


def test_from_a_test_that_simulated_listeners_took_to_the_ledger(tmp_path):
    test = listeners.prepare(
        tmp_path / "ranking", listeners.design.ranking(), listeners.dances(DUAL, items=2), seed=0,
        **listeners.FAST,
    )  # fmt: skip
    store = Store(test.folder, test.version)
    for number in range(1, 7):
        store.enrol("words")
        for question in questions(test, number - 1):
            given = "first"
            if question.step != "headphones":
                first = sorted(question.stimuli, key=lambda name: test.key[name].system != "Ours")
                given = tuple(first)
            store.answer(Answer(number, question.id, given, 900, 1, 1.5e9, 0.0))
    answers = export(test, store)[1]
    store.close()
    found = heard_claims.claims("ranking", str(answers), profile="quick")
    assert {claim.verdict for claim in found.claims} == {"holds"}, found.claims
    assert "6 participants to the ranking test" in found.data_notice
    found.write(tmp_path / ledger.HEARD / "dual")
    entries = {entry.claim.id: entry for entry in ledger.ledger(tmp_path, ["dual"])}
    heard = {name for name, entry in entries.items() if entry.verdict == "reproduced"}
    assert {"users-realism", "users-genre"} <= heard
    assert all(entries[name].claim.test for name in heard - {"users-realism", "users-genre"})
    assert entries["users-realism"].data == found.data_notice
    assert entries["users-realism"].n == 6
