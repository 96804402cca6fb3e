"""What the three tests ask people: steps, questions and the answers they may give.

FusionGAN section IV-B, Table 3 of the dual-learning paper, the MOS test in the appendix of CDCD. A
step asks the same of every stimulus of its pool. Where a paper prints no words, they are ours.
"""

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from pasdedeux.base.checks import choice, refuse

Kind = Literal["choice", "ranking"]
TestName = Literal["fusion", "ranking", "mos"]
TESTS: tuple[str, ...] = get_args(TestName)
HEADPHONES, KNOWN, MADE, DANCES, SOUNDS, FILMS = (
    "headphones", "known", "made", "dances", "sounds", "films",
)  # fmt: skip
MUSICALITY = ("expert", "newbie", "robot")
SCORES = ("1", "2", "3", "4", "5")


@dataclass(frozen=True)
class Step:
    """One question asked of every stimulus of a pool.

    name: a plain word, part of the questions' names. kind: "choice" of one of `options`, or
    "ranking" of the systems of one item. options: what is stored, and what the button says.
    reference: the system whose stimulus of the same item is shown beside, if any.
    """

    name: str
    kind: Kind
    pool: str
    intro: str
    prompt: str
    options: tuple[tuple[str, str], ...] = ()
    reference: str = ""

    def __post_init__(self) -> None:
        """Refuse a step that nobody could answer."""
        choice("kind", self.kind, get_args(Kind))
        refuse(not self.name.isalpha(), f"a step's name is one plain word, got {self.name!r}.")
        few = self.kind == "choice" and len(self.options) < 2
        refuse(few, f"step {self.name} is a choice and needs at least two options.")

    @property
    def values(self) -> tuple[str, ...]:
        """What can be stored as an answer to a choice."""
        return tuple(value for value, _ in self.options)


@dataclass(frozen=True)
class Design:
    """A whole test: its name, the title people see, the genres it is about, and its steps."""

    test: str
    title: str
    steps: tuple[Step, ...]
    genres: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        choice("test", self.test, TESTS)
        names = [step.name for step in self.steps]
        refuse(
            len(set(names)) != len(names) or not names, f"steps need names of their own: {names}"
        )

    def step(self, name: str) -> Step:
        """Return the step called `name`; raises `ValueError` if there is none."""
        known = {step.name: step for step in self.steps}
        return known[choice("step", name, known)]

    def plain(self) -> dict[str, Any]:
        """Return the design as plain values, for the manifest."""
        return asdict(self)


def from_plain(told: dict[str, Any]) -> Design:
    """Return the design that `Design.plain` told."""
    steps = [
        Step(**{**step, "options": tuple((value, label) for value, label in step["options"])})
        for step in told["steps"]
    ]
    return Design(told["test"], told["title"], tuple(steps), tuple(told["genres"]))


def headphones() -> Step:
    """Return the check of Woods et al. (2017): which of three tones is the softest?

    One is softer by 6 dB; another is in opposite phase left and right, which loudspeakers make soft
    and headphones do not.
    """
    options = (("first", "the first"), ("second", "the second"), ("third", "the third"))
    return Step(
        name="headphones",
        kind="choice",
        pool=HEADPHONES,
        intro="Please put on headphones. You will hear three tones, one after the other. Set the "
        "volume so that they are clear and comfortable, and do not change it later.",
        prompt="Which of the three tones is the softest?",
        options=options,
    )


def fusion(genres: tuple[str, str] = ("jazz", "folk")) -> Design:
    """Return the three steps of FusionGAN's test, about the two genres that were fused."""
    a, b = genres
    return Design(
        "fusion",
        f"Melodies between {a} and {b}",
        (
            headphones(),
            Step(
                name="qualification",
                kind="choice",
                pool=KNOWN,
                intro="Step 1 of 3. You will hear short melodies. Choose the genre that most "
                "matches each of them.",
                prompt="Which genre most matches the music?",
                options=((a, a), (b, b), ("neither", "neither")),
            ),
            Step(
                name="genre",
                kind="choice",
                pool=MADE,
                intro="Step 2 of 3. More melodies. Choose what most matches each of them.",
                prompt="What most matches the music?",
                options=(
                    (a, f"pure {a}"),
                    (b, f"pure {b}"),
                    ("mixture", f"mixture of {a} and {b}"),
                    ("neither", "neither"),
                ),
            ),
            Step(
                name="musicality",
                kind="choice",
                pool=MADE,
                intro="Step 3 of 3. You will hear the melodies of step 2 again.",
                prompt="Who do you think is its composer?",
                options=tuple((who, who) for who in MUSICALITY),
            ),
        ),
        genres,
    )


def ranking() -> Design:
    """Return the ranking of dances by realism and by consistency with the genre."""
    intro = (
        "You will see several dances to the same music. Watch all of them, then give each a rank: "
        "1 is the best. No two may have the same rank."
    )
    return Design(
        "ranking",
        "Dances to the same music",
        (
            headphones(),
            Step(
                name="realism",
                kind="ranking",
                pool=DANCES,
                intro=intro,
                prompt="Rank the dances by how natural and real their poses and movements are.",
            ),
            Step(
                name="consistency",
                kind="ranking",
                pool=DANCES,
                intro=intro,
                prompt="Rank the dances by how well they fit the genre: {hint}.",
            ),
        ),
    )


def mos(reference: str = "") -> Design:
    """Return the two mean opinion scores of CDCD: quality by ear, coherence with the dance.

    Quality comes first, so that nobody has seen the dance when judging the sound alone. `reference`
    names the system of the recorded music, shown beside each film as in the paper.
    """
    words = ("bad", "poor", "fair", "good", "excellent")
    fits = ("least coherent", "little", "fair", "well", "most coherent")
    return Design(
        "mos",
        "Music made for a dance",
        (
            headphones(),
            Step(
                name="quality",
                kind="choice",
                pool=SOUNDS,
                intro="Part 1 of 2. You will hear short pieces of music. Score the quality of "
                "each.",
                prompt="How good is the music?",
                options=tuple((n, f"{n} {word}") for n, word in zip(SCORES, words, strict=True)),
            ),
            Step(
                name="coherence",
                kind="choice",
                pool=FILMS,
                intro="Part 2 of 2. You will see dances with music. Score how well the music fits "
                "the dance in genre and rhythm, whatever its quality. The first film shows the "
                "same dance with its own music.",
                prompt="How well do music and dance fit together?",
                options=tuple((n, f"{n} {word}") for n, word in zip(SCORES, fits, strict=True)),
                reference=reference,
            ),
        ),
    )


def of(test: str, *, genres: tuple[str, str] = ("jazz", "folk"), reference: str = "") -> Design:
    """Return the design called `test`: fusion, ranking or mos."""
    choice("test", test, TESTS)
    if test == "fusion":
        return fusion(genres)
    return ranking() if test == "ranking" else mos(reference)
