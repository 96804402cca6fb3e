"""Music features brought to one scale, learned from the training songs alone.

MFCC and their deltas are standardised, channel by channel; chroma lies in 0..1 and the beat is 0 or
1, so both stay as they are. `T` frames, `C` channels.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from pasdedeux.base.checks import refuse

STANDARDISED = slice(0, 40)  # of the 53 features: 20 MFCC, 20 deltas; then 12 chroma and the beat
CONSTANT = 1e-6  # of the largest size of a channel: a smaller spread is rounding, not sound


@dataclass(frozen=True, eq=False)
class Scale:
    """x -> (x - mean) / spread in each channel; mean 0 and spread 1 where nothing is to change."""

    mean: Float[np.ndarray, " C"]
    spread: Float[np.ndarray, " C"]

    def __post_init__(self) -> None:
        """Refuse what cannot be applied or inverted."""
        refuse(
            len(self.mean) != len(self.spread),
            f"mean and spread must be equally long, got {len(self.mean)} and {len(self.spread)}.",
        )
        refuse(
            not np.isfinite(self.mean).all() or not np.isfinite(self.spread).all(),
            "mean and spread must be finite; fit the scale on finite features.",
        )
        refuse(not (self.spread > 0).all(), "spread must be above 0 in every channel; use `fit`.")

    @classmethod
    def fit(
        cls, songs: Iterable[Float[np.ndarray, "_ C"]], *, channels: slice = STANDARDISED
    ) -> "Scale":
        """Return the scale that gives `channels` mean 0 and standard deviation 1 over all frames.

        Frames count equally, whichever song they are of. A constant channel only loses its mean.
        Raises `ValueError` when there is no frame, or one is not finite.
        """
        given = [np.asarray(song, float) for song in songs]
        refuse(
            not sum(len(song) for song in given),
            "no frame to fit on; give the features of the training songs.",
        )
        frames = np.concatenate(given)
        refuse(
            not np.isfinite(frames).all(),
            "features to fit on must be finite; compute those of the faulty song anew.",
        )
        mean, spread = np.zeros(frames.shape[1]), np.ones(frames.shape[1])
        chosen = frames[:, channels]
        found = chosen.std(axis=0)
        moving = found > CONSTANT * np.abs(chosen).max(axis=0)
        mean[channels] = chosen.mean(axis=0)
        spread[channels] = np.where(moving, found, 1.0)
        return cls(mean, spread)

    def apply(self, features: Float[np.ndarray, "*any C"]) -> Float[np.ndarray, "*any C"]:
        """Return the features on this scale, in their own dtype."""
        mean, spread = self._like(features)
        return (features - mean) / spread

    def inverse(self, scaled: Float[np.ndarray, "*any C"]) -> Float[np.ndarray, "*any C"]:
        """Return what `apply` was given."""
        mean, spread = self._like(scaled)
        return scaled * spread + mean

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return the two arrays by name, to be kept in an npz or a checkpoint."""
        return {"mean": self.mean, "spread": self.spread}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> "Scale":
        """Return the scale that `to_arrays` told; others among `arrays` are passed over."""
        missing = [name for name in ("mean", "spread") if name not in arrays]
        refuse(missing, f"arrays lack {', '.join(missing)}; give what to_arrays returned.")
        return cls(np.asarray(arrays["mean"], float), np.asarray(arrays["spread"], float))

    def _like(self, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        refuse(
            features.shape[-1] != len(self.mean),
            f"features must have {len(self.mean)} channels, got {features.shape[-1]}.",
        )
        return self.mean.astype(features.dtype), self.spread.astype(features.dtype)
