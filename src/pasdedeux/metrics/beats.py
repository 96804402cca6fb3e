"""Whether generated music has its beats where the true music has: coverage, hit and onset F1.

Task. Music is generated for a dance and compared with the music that was danced to. Dance2Music-GAN
(Zhu et al., ECCV 2022) and its discrete-diffusion successor reduce both to flags, one a second:
does an onset fall into this second? With g the flags of the reference and s those of the estimate,

    coverage = sum s / sum g        hit = sum g s / sum g

for each clip, then the mean over clips, times 100. As in the authors' public script, coverage is
not capped and may exceed 100. Beside these: coverage capped at 100 for each clip; the F1 of the
flags, 2 sum g s / (sum g + sum s); and the F-measure of the onsets themselves, matched one to one
within 70 ms, as mir_eval computes it.

Conventions. Onsets are in seconds from the first sample, ascending; the reference comes first. A
clip whose reference has no onset divides by zero in the script; here it is left out and counted,
the same clips for every method.

What they are blind to. Two flags of a 2 s clip say little: over 1,202 real ones of Tang et al., who
have an onset in 84 of 100 seconds, a generator with an onset in every second (`always`) scores
coverage 131.6 and hit 100, and a clip of another song 109.7 and 84.0; the onset F1 of the two is
13.9 and 20.7. `trivial` gives these rows, which stand beside every method. Counting too many
beats is rewarded by coverage, punished only by the two F1. The authors denoise what is generated,
not the reference, before onsets are looked for. Here neither is, and no setting does it: the two
would be heard unlike, and noise reduction can move onsets.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from pasdedeux.base import quiet
from pasdedeux.base.checks import refuse

RATE_HZ = 22_050
ONSET_WINDOW_SECONDS = 0.07
# what the authors' script asks of librosa; the rest are its defaults
PICKED = {"wait": 1, "delta": 0.2, "pre_avg": 1, "post_avg": 1, "post_max": 1}
Onsets = Sequence[Float[np.ndarray, " _"]]


class Scores(NamedTuple):
    """The measures of each clip that has onsets to be found, as shares; `rows` tells which."""

    rows: Int[np.ndarray, " N"]
    coverage: Float[np.ndarray, " N"]
    hit: Float[np.ndarray, " N"]
    capped: Float[np.ndarray, " N"]
    flags_f1: Float[np.ndarray, " N"]
    onset_f1: Float[np.ndarray, " N"]
    skipped: int  # clips whose reference has no onset


class Row(NamedTuple):
    """One row of a table: means over clips, times 100."""

    coverage: float
    hit: float
    capped: float
    flags_f1: float
    onset_f1: float
    clips: int
    skipped: int


def onset_seconds(
    sound: Float[np.ndarray, " S"], rate_hz: int = RATE_HZ
) -> Float[np.ndarray, " N"]:
    """Return when something begins in `sound`, as the authors' script detects it.

    Silence has no onset. Raises `ValueError` for a sound that is empty or not finite.
    """
    refuse(
        not len(sound) or not np.isfinite(sound).all(),
        "sound must hold finite samples; listen to what was generated.",
    )
    refuse(rate_hz < 1, f"rate_hz must be above 0, got {rate_hz}.")
    return quiet.librosa().onset.onset_detect(y=sound, sr=rate_hz, units="time", **PICKED)


def flags(onsets: Float[np.ndarray, " N"], duration_seconds: float) -> Bool[np.ndarray, " T"]:
    """Return for each begun second of the clip whether an onset falls into it."""
    refuse(not duration_seconds > 0, f"duration_seconds must be above 0, got {duration_seconds}.")
    _validate(onsets, duration_seconds)
    marked = np.zeros(int(np.ceil(duration_seconds)), bool)
    marked[np.minimum(onsets.astype(int), len(marked) - 1)] = True
    return marked


def coverage(reference: Bool[np.ndarray, " T"], estimate: Bool[np.ndarray, " _"]) -> float:
    """Return sum s / sum g, not capped."""
    _comparable(reference, estimate)
    return float(estimate.sum() / reference.sum())


def hit(reference: Bool[np.ndarray, " T"], estimate: Bool[np.ndarray, " _"]) -> float:
    """Return sum g s / sum g."""
    _comparable(reference, estimate)
    return float((reference & estimate).sum() / reference.sum())


def flags_f1(reference: Bool[np.ndarray, " T"], estimate: Bool[np.ndarray, " _"]) -> float:
    """Return 2 sum g s / (sum g + sum s)."""
    _comparable(reference, estimate)
    return float(2 * (reference & estimate).sum() / (reference.sum() + estimate.sum()))


def onset_f1(
    reference: Float[np.ndarray, " N"],
    estimate: Float[np.ndarray, " M"],
    *,
    window_seconds: float = ONSET_WINDOW_SECONDS,
) -> float:
    """Return the F-measure of onsets matched one to one, at most `window_seconds` apart.

    As many pairs as can be: on a line, pairing the earliest two that are near enough never costs a
    pair. Equal to `mir_eval.onset.f_measure`, also in being 0 where either has no onset.
    """
    refuse(not window_seconds > 0, f"window_seconds must be above 0, got {window_seconds}.")
    _validate(reference, np.inf)
    _validate(estimate, np.inf)
    if not len(reference) or not len(estimate):
        return 0.0
    matched, a, b = 0, 0, 0
    while a < len(reference) and b < len(estimate):
        late = estimate[b] - reference[a]
        near = abs(late) <= window_seconds
        matched += near
        a += near or late > 0
        b += near or late < 0
    return 2 * matched / (len(reference) + len(estimate))


def scores(reference: Onsets, estimate: Onsets, duration_seconds: float) -> Scores:
    """Return all measures of clips of `duration_seconds`, given by their onsets."""
    refuse(
        len(reference) != len(estimate),
        f"reference and estimate must be equally many clips, got {len(reference)} and "
        f"{len(estimate)}.",
    )
    rows = [row for row, onsets in enumerate(reference) if len(onsets)]
    pairs = [
        (flags(reference[row], duration_seconds), flags(estimate[row], duration_seconds))
        for row in rows
    ]

    def each(measure: Callable[..., float], given: Sequence) -> Float[np.ndarray, " N"]:
        return np.array([measure(*pair) for pair in given], float)

    covered = each(coverage, pairs)
    return Scores(
        np.array(rows, int),
        covered,
        each(hit, pairs),
        np.minimum(covered, 1.0),
        each(flags_f1, pairs),
        each(onset_f1, [(reference[row], estimate[row]) for row in rows]),
        len(reference) - len(rows),
    )


def evaluate(reference: Onsets, estimate: Onsets, duration_seconds: float) -> Row:
    """Return the row of a method: the mean over clips of every measure, times 100.

    Raises `ValueError` when no reference has an onset.
    """
    found = scores(reference, estimate, duration_seconds)
    refuse(not len(found.rows), "no reference has an onset; are these the true clips?")
    means = [100 * float(getattr(found, name).mean()) for name in Row._fields[:5]]
    return Row(*means, len(found.rows), found.skipped)


def always(duration_seconds: float) -> Float[np.ndarray, " N"]:
    """Return the onsets of a generator that beats in every second, at its middle."""
    refuse(not duration_seconds > 0, f"duration_seconds must be above 0, got {duration_seconds}.")
    begun = np.arange(np.ceil(duration_seconds))
    return (begun + np.minimum(begun + 1, duration_seconds)) / 2


def trivial(
    reference: Onsets, *, others: Onsets, other: Int[np.ndarray, "N K"], duration_seconds: float
) -> dict[str, Row]:
    """Return the rows that stand beside every method.

    "ground truth"; "always beat"; and "random other clip", real music of another dance: `other`
    names for each clip K rows of `others`, and the row is the mean over all K passes.
    """
    refuse(
        other.shape[0] != len(reference) or other.shape[1] < 1,
        f"other must name rows of others for each of {len(reference)} clips, got {other.shape}.",
    )
    beat = [always(duration_seconds)] * len(reference)
    passes = [
        evaluate(reference, [others[row] for row in drawn], duration_seconds) for drawn in other.T
    ]
    means = np.array(passes, float)[:, :5].mean(axis=0)
    return {
        "ground truth": evaluate(reference, reference, duration_seconds),
        "always beat": evaluate(reference, beat, duration_seconds),
        "random other clip": Row(*map(float, means), *passes[0][5:]),
    }


def _validate(onsets: np.ndarray, duration_seconds: float) -> None:
    wrong = not np.isfinite(onsets).all() or (np.diff(onsets) < 0).any()
    refuse(wrong, "onsets must be finite and ascend; are they in seconds?")
    outside = len(onsets) and (onsets[0] < 0 or onsets[-1] > duration_seconds + 0.05)
    refuse(
        outside, f"onsets must lie in 0..{duration_seconds} s, got {onsets[:1]} to {onsets[-1:]}."
    )


def _comparable(reference: np.ndarray, estimate: np.ndarray) -> None:
    refuse(
        len(reference) != len(estimate),
        f"reference and estimate must be equally many seconds, got {len(reference)} and "
        f"{len(estimate)}.",
    )
    refuse(not reference.any(), "the reference has no onset; leave the clip out and count it.")
