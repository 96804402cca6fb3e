"""How many notes of a composed piece are right: Notes Accuracy, and the F1 of the notes.

Task. A piece composed for a dance is compared with the piece the dance was danced to. The
dual-learning paper (section 4.4) transposes "both compared music pieces to either the C major or A
minor scale" before it computes "the average notes accuracy", and defines neither. Here: each piece
is turned by the key that its own mean chroma names (`music.key`), and the accuracy is the share of
the segments between two beats of the reference in whose mean chroma the same pitch class is the
strongest. Beside it comes the F1 of the notes: those of the 12 classes, 3 at most, whose mean
chroma in a segment is above 0.5.

Conventions. A chroma is (T, 12) from C, at least 0, its frames `rate_hz` a second; beats are in
seconds, ascending; the reference comes first. What lies before the first beat and after the last is
left out. Of equally strong classes the lowest counts. A segment where the reference is silent has
no strongest class and is left out of the accuracy; a silent estimate misses.

What it is blind to. Key and mode: a piece in a foreign key scores as if it were in the right one,
and a piece whose key is mistaken loses nearly everything. Octaves, timbre, loudness and whatever
happens within a beat. Music stays on few classes: over 37 dance songs C-E-G held for ever scores
0.22, and the best held note of each song 0.37, in excerpts of 9 s even 0.46. So `majority`, what
the best held note reaches, comes with every score. The same song 3 s late scores 0.22, another song
0.14. Accuracy over all 12 yes-or-no decisions is not offered: silence scores 0.81 in it.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import numpy as np
from jaxtyping import Bool, Float, Int

from pasdedeux.base.checks import choice, refuse
from pasdedeux.music import key

Keys = Literal["own", "none"]
PITCH_CLASSES = 12
C_MAJOR_CHORD = (0, 4, 7)


@dataclass(frozen=True)
class NotesSettings:
    """What a score depends on; `identity` says it in words."""

    rate_hz: float = 25.0  # frames of the chroma a second
    keys: Keys = "own"  # each piece turned to C by its own key, as the paper writes; or not at all
    threshold: float = 0.5  # mean chroma above which a class is a note of its segment
    most_notes: int = 3  # of a segment, the strongest
    silence: float = 1e-3  # a segment whose strongest mean chroma is below holds no note

    def __post_init__(self) -> None:
        """Refuse settings under which nothing can be counted."""
        refuse(not self.rate_hz > 0, f"rate_hz must be above 0, got {self.rate_hz}.")
        choice("keys", self.keys, get_args(Keys))
        refuse(not self.threshold > 0, f"threshold must be above 0, got {self.threshold}.")
        refuse(self.most_notes < 1, f"most_notes must be at least 1, got {self.most_notes}.")
        refuse(not self.silence > 0, f"silence must be above 0, got {self.silence}.")

    @property
    def identity(self) -> str:
        """Return the name of the measure: scores under different names must not be compared."""
        keys = "keys own" if self.keys == "own" else "not transposed"
        notes = f"at most {self.most_notes} above {self.threshold:g}"
        return f"per beat, {keys}, {notes}, silence {self.silence:g}, {self.rate_hz:g} Hz"


class Notes(NamedTuple):
    """What `evaluate` finds; `accuracy` and `majority` are NaN when the reference only rests."""

    accuracy: float  # share of segments with the right strongest class
    f1: float  # of the notes of all segments together
    majority: float  # accuracy of the best single note held for ever
    segments: int
    identity: str


def evaluate(
    reference: Float[np.ndarray, "T 12"],
    estimate: Float[np.ndarray, "_ 12"],
    beat_seconds: Float[np.ndarray, " N"],
    settings: NotesSettings = NotesSettings(),  # noqa: B008
) -> Notes:
    """Return Notes Accuracy and the rest for one piece; `beat_seconds` are the reference's.

    A piece that names no key (silence, or twelve equal classes) is not turned. Raises `ValueError`
    for what `validate` refuses.
    """
    validate(reference, estimate, beat_seconds)
    turned = [
        in_c(chroma) if settings.keys == "own" else chroma for chroma in (reference, estimate)
    ]
    truth, guess = (segment_means(chroma, beat_seconds, settings) for chroma in turned)
    return Notes(
        top_class_accuracy(truth, guess, silence=settings.silence),
        note_f1(truth, guess, settings),
        majority_accuracy(truth, silence=settings.silence),
        len(truth),
        settings.identity,
    )


def validate(
    reference: Float[np.ndarray, "T 12"],
    estimate: Float[np.ndarray, "_ 12"],
    beat_seconds: Float[np.ndarray, " N"],
) -> None:
    """Raise `ValueError` for what cannot be compared, with a guess at the mistake."""
    refuse(
        len(reference) != len(estimate),
        f"reference has {len(reference)} frames, estimate {len(estimate)}; cut the longer one.",
    )
    for name, chroma in (("reference", reference), ("estimate", estimate)):
        fine = bool((np.isfinite(chroma) & (chroma >= 0)).all())
        refuse(not fine, f"{name} must be finite and at least 0; is it a chroma, not normalised?")
    refuse(not reference.any(), "reference is silent; leave the piece out and count it.")
    ascend = bool(np.isfinite(beat_seconds).all()) and bool((np.diff(beat_seconds) > 0).all())
    refuse(not ascend, "beat_seconds must be finite and increase; are they in seconds?")


def in_c(chroma: Float[np.ndarray, "T 12"]) -> Float[np.ndarray, "T 12"]:
    """Return `chroma` turned to C major or A minor by the key of its mean, as it is without one."""
    try:
        return key.chroma_in_c(chroma).chroma
    except ValueError:  # silence, or twelve equal classes: no key is better than another
        return chroma


def segment_means(
    chroma: Float[np.ndarray, "T 12"],
    beat_seconds: Float[np.ndarray, " N"],
    settings: NotesSettings = NotesSettings(),  # noqa: B008
) -> Float[np.ndarray, "K 12"]:
    """Return the mean chroma between each beat and the next, beats taken to the nearest frame.

    Raises `ValueError` when no two beats lie within the chroma.
    """
    frames = np.floor(beat_seconds * settings.rate_hz + 0.5).astype(int)
    edges = np.unique(frames[(frames >= 0) & (frames <= len(chroma))])
    seconds = len(chroma) / settings.rate_hz
    told = f"{len(edges)} beats lie within the {seconds:g} s of the chroma, two are needed"
    refuse(len(edges) < 2, f"{told}; leave the piece out and count it.")
    total = np.concatenate([np.zeros((1, PITCH_CLASSES)), np.cumsum(chroma, axis=0, dtype=float)])
    return np.maximum(total[edges[1:]] - total[edges[:-1]], 0.0) / np.diff(edges)[:, None]


def top_class_accuracy(
    reference: Float[np.ndarray, "K 12"], estimate: Float[np.ndarray, "K 12"], *, silence: float
) -> float:
    """Return the share of the sounding segments whose strongest class is the reference's."""
    truth, guess = top_class(reference, silence=silence), top_class(estimate, silence=silence)
    sounding = truth >= 0
    return float((truth == guess)[sounding].mean()) if sounding.any() else float("nan")


def majority_accuracy(reference: Float[np.ndarray, "K 12"], *, silence: float) -> float:
    """Return the largest share of the sounding segments that have one and the same top class."""
    truth = top_class(reference, silence=silence)
    sounding = truth[truth >= 0]
    counts = np.bincount(sounding, minlength=PITCH_CLASSES)
    return float(counts.max() / len(sounding)) if len(sounding) else float("nan")


def note_f1(
    reference: Float[np.ndarray, "K 12"],
    estimate: Float[np.ndarray, "K 12"],
    settings: NotesSettings = NotesSettings(),  # noqa: B008
) -> float:
    """Return 2 hits / (notes of the reference + notes of the estimate), all segments together.

    1 when neither has a note.
    """
    truth, guess = (notes(means, settings) for means in (reference, estimate))
    count = int(truth.sum() + guess.sum())
    return 2 * int((truth & guess).sum()) / count if count else 1.0


def top_class(means: Float[np.ndarray, "K 12"], *, silence: float) -> Int[np.ndarray, " K"]:
    """Return the strongest pitch class of each segment, -1 where it is silent."""
    return np.where(means.max(axis=1) >= silence, means.argmax(axis=1), -1)


def notes(means: Float[np.ndarray, "K 12"], settings: NotesSettings) -> Bool[np.ndarray, "K 12"]:
    """Return which classes are notes of each segment."""
    place = np.argsort(np.argsort(-means, axis=1, kind="stable"), axis=1)
    heard = means.max(axis=1, keepdims=True) >= settings.silence
    return (means > settings.threshold) & (place < settings.most_notes) & heard


def held_chord(
    frames: int, pitch_classes: tuple[int, ...] = C_MAJOR_CHORD
) -> Float[np.ndarray, "T 12"]:
    """Return the chroma of one chord held for ever, the row that a composer must beat."""
    refuse(frames < 1, f"frames must be at least 1, got {frames}.")
    return np.tile(np.isin(np.arange(PITCH_CLASSES), pitch_classes).astype(float), (frames, 1))
