"""The sound of a note: voices made of partials, and drums made of noise and falling tones.

A pitched note reads one period of its voice from a table, so that a band of hundreds of notes takes
a fraction of a second. Every table holds only partials below the Nyquist frequency. Waveforms are
float32 at `rate_hz`, around 1 at their loudest. `S` samples.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float
from scipy.signal import lfilter

from pasdedeux.base.checks import choice, refuse

PERIOD = 4096  # samples of a table; the nearest one is read, noise about 70 dB below the tone
HIGHEST_SHARE = 0.45  # of the rate: no partial above it
RELEASE_SECONDS = 0.06


@dataclass(frozen=True)
class Voice:
    """How a pitched instrument sounds; partial k has the strength k ** -`slope`.

    even: strength of the even partials (0 for a hollow sound). edge: how much stronger the upper
    partials are at the attack, gone after `decay` / 3. attack, decay: seconds. sustain: the level
    that the note decays to. detune: cents between two copies; 0 for one. vibrato: its depth in
    cents, at 5.5 Hz.
    """

    partials: int = 12
    slope: float = 1.2
    even: float = 1.0
    edge: float = 0.5
    attack: float = 0.008
    decay: float = 0.5
    sustain: float = 0.0
    detune: float = 0.0
    vibrato: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what makes no sound."""
        refuse(self.partials < 1, f"partials must be at least 1, got {self.partials}.")
        low = min(self.attack, self.decay)
        refuse(low <= 0, f"attack and decay must be above 0 seconds, got {low}.")


VOICES = {
    "piano": Voice(12, 1.5, decay=0.9, attack=0.004, detune=2.0),
    "epiano": Voice(6, 2.0, 0.5, 0.8, decay=1.1, attack=0.005, vibrato=4.0),
    "guitar": Voice(14, 1.1, decay=0.45, attack=0.003, edge=0.9),
    "clav": Voice(20, 0.8, 0.6, 1.0, decay=0.18, attack=0.002),
    "organ": Voice(8, 0.9, 0.9, 0.0, sustain=1.0, attack=0.012, detune=5.0, vibrato=6.0),
    "strings": Voice(16, 1.2, edge=0.0, sustain=0.9, attack=0.09, detune=9.0, vibrato=8.0),
    "violin": Voice(18, 1.0, edge=0.2, sustain=0.9, attack=0.05, vibrato=22.0),
    "bandoneon": Voice(20, 0.7, 0.8, 0.0, sustain=0.85, attack=0.03, detune=11.0),
    "brass": Voice(16, 0.8, edge=0.8, sustain=0.6, attack=0.025, decay=0.3),
    "flute": Voice(5, 2.2, 0.7, 0.1, sustain=0.85, attack=0.05, vibrato=14.0),
    "marimba": Voice(4, 2.2, 0.1, 0.6, decay=0.22, attack=0.002),
    "square": Voice(24, 1.0, 0.0, 0.3, sustain=0.5, attack=0.004, decay=0.25, detune=6.0),
    "saw": Voice(30, 1.0, edge=0.6, sustain=0.6, attack=0.006, decay=0.3, detune=14.0),
    "upright": Voice(6, 1.5, edge=0.8, decay=0.5, attack=0.008),
    "finger": Voice(9, 1.2, edge=0.7, decay=0.6, attack=0.005, sustain=0.2),
    "slap": Voice(18, 1.0, edge=0.9, decay=0.22, attack=0.004, sustain=0.15),
    "synth_bass": Voice(14, 1.1, 0.7, 0.6, decay=0.3, attack=0.008, sustain=0.45, detune=8.0),
    "sub": Voice(3, 2.0, 0.4, 0.3, decay=0.9, attack=0.006),
}


def note(
    voice: str, pitch: int, seconds: float, rate_hz: int, *, release: float = RELEASE_SECONDS
) -> Float[np.ndarray, " S"]:
    """Return MIDI `pitch` on `voice`, held for `seconds` and then released."""
    kind = VOICES[choice("voice", voice, VOICES)]
    hertz = 440.0 * 2.0 ** ((pitch - 69) / 12)
    time = np.arange(max(1, round((seconds + release) * rate_hz))) / rate_hz
    bend = kind.vibrato / 1200 * np.log(2) / (2 * np.pi * 5.5)  # seconds of a shift in phase
    time_bent = time - bend * np.cos(2 * np.pi * 5.5 * time) if kind.vibrato else time
    dark, bright = _tables(kind, hertz, rate_hz)
    sharp = np.exp(time * (-3.0 / kind.decay))
    sound = np.zeros(len(time), np.float32)
    for cents in (-kind.detune / 2, kind.detune / 2) if kind.detune else (0.0,):
        period = hertz * 2.0 ** (cents / 1200) * PERIOD
        place = (time_bent * period).astype(np.int64) & (PERIOD - 1)
        sound += dark[place] + kind.edge * bright[place] * sharp
    sound *= _envelope(kind, time, seconds, release) / (2.0 if kind.detune else 1.0)
    return sound.astype(np.float32)


def _envelope(kind: Voice, time: np.ndarray, seconds: float, release: float) -> np.ndarray:
    rise = np.minimum(time / kind.attack, 1.0)
    body = kind.sustain + (1 - kind.sustain) * np.exp(-time / kind.decay)
    fall = np.clip((seconds + release - time) / release, 0.0, 1.0)
    return rise * body * fall * fall * (3 - 2 * fall)


def _tables(kind: Voice, hertz: float, rate_hz: int) -> tuple[np.ndarray, np.ndarray]:
    highest = int(HIGHEST_SHARE * rate_hz / hertz)
    return _table(min(kind.partials, max(1, highest)), kind.slope, kind.even)


@lru_cache(maxsize=512)
def _table(partials: int, slope: float, even: float) -> tuple[np.ndarray, np.ndarray]:
    """Return one period of all partials, and one of those that make the attack bright."""
    order = np.arange(1, partials + 1)
    strength = order**-slope * np.where(order % 2 == 0, even, 1.0)
    phase = 2 * np.pi * order * order * 0.37  # spread, so that the peaks of partials do not meet
    angle = 2 * np.pi * np.arange(PERIOD) / PERIOD
    waves = np.sin(np.outer(order, angle) + (phase - phase[0])[:, None])
    dark = strength @ waves / np.sqrt((strength**2).sum())
    upper = strength * order * (order > 2)
    bright = upper @ waves / np.sqrt(max(1e-9, (upper**2).sum()))
    found = dark.astype(np.float32), bright.astype(np.float32)
    for table in found:
        table.setflags(write=False)
    return found


def drum(name: str, rate_hz: int, noise: np.random.Generator) -> Float[np.ndarray, " S"]:
    """Return one stroke of the drum `name`; its noise comes from `noise`."""
    make = DRUMS[choice("drum", name, DRUMS)]
    return make(_Stroke(rate_hz, noise)).astype(np.float32)


@dataclass(frozen=True, eq=False)
class _Stroke:
    rate_hz: int
    noise: np.random.Generator

    def time(self, seconds: float) -> np.ndarray:
        return np.arange(round(seconds * self.rate_hz)) / self.rate_hz

    def tone(self, high: int, low: int, fall: float, decay: float) -> np.ndarray:
        """Return a sine that falls from `high` to `low` hertz within about `fall` seconds."""
        time = self.time(5 * decay)
        cycles = low * time + (high - low) * fall * (1 - np.exp(-time / fall))
        return np.sin(2 * np.pi * cycles) * np.exp(-time / decay) * self._ends(time)

    def hiss(self, low: int, high: int, decay: float, attack: float = 0.001) -> np.ndarray:
        """Return noise between `low` and `high` hertz that dies away."""
        time = self.time(5 * decay)
        white = self.noise.standard_normal(len(time))
        band = _one_pole(white, high, self.rate_hz) - _one_pole(white, low, self.rate_hz)
        shape = np.minimum(time / attack, 1) * np.exp(-time / decay) * self._ends(time)
        return band * shape / max(1e-9, np.abs(band).max())

    @staticmethod
    def _ends(time: np.ndarray) -> np.ndarray:
        return np.minimum(1.0, 10 * (1 - time / time[-1]))


def _one_pole(sound: np.ndarray, hertz: int, rate_hz: int) -> np.ndarray:
    keep = np.exp(-2 * np.pi * min(hertz, 0.49 * rate_hz) / rate_hz)
    return lfilter([1 - keep], [1, -keep], sound)


def _sum(*parts: np.ndarray) -> np.ndarray:
    total = np.zeros(max(map(len, parts)))
    for part in parts:
        total[: len(part)] += part
    return total


def _clap(s: _Stroke) -> np.ndarray:
    bursts = [np.pad(s.hiss(900, 5000, 0.008), (round(d * s.rate_hz), 0)) for d in (0, 0.011, 0.02)]
    return _sum(*bursts, np.pad(s.hiss(900, 5000, 0.06), (round(0.028 * s.rate_hz), 0)))


DRUMS: dict[str, Callable[[_Stroke], np.ndarray]] = {
    "kick": lambda s: _sum(s.tone(150, 50, 0.03, 0.11), 0.5 * s.hiss(400, 9000, 0.012)),
    "boom": lambda s: _sum(s.tone(120, 43, 0.05, 0.25), 0.45 * s.hiss(400, 8000, 0.012)),
    "snare": lambda s: _sum(0.5 * s.tone(240, 185, 0.02, 0.05), 0.9 * s.hiss(900, 8000, 0.07)),
    "clap": _clap,
    "rim": lambda s: _sum(s.tone(1700, 1650, 0.01, 0.012), 0.4 * s.hiss(1500, 6000, 0.006)),
    "hat": lambda s: s.hiss(6000, 12000, 0.022),
    "open_hat": lambda s: s.hiss(5500, 12000, 0.11),
    "ride": lambda s: _sum(0.7 * s.hiss(4500, 11000, 0.14), 0.25 * s.tone(5200, 5150, 0.1, 0.1)),
    "brush": lambda s: s.hiss(1500, 7000, 0.06, attack=0.02),
    "shaker": lambda s: s.hiss(5000, 10000, 0.03, attack=0.012),
    "guiro": lambda s: s.hiss(2500, 6500, 0.05, attack=0.03),
    "clave": lambda s: s.tone(2450, 2400, 0.01, 0.022),
    "cowbell": lambda s: _sum(0.6 * s.tone(800, 798, 0.1, 0.06), 0.5 * s.tone(540, 538, 0.1, 0.06)),
    "conga_low": lambda s: s.tone(215, 175, 0.03, 0.1),
    "conga_high": lambda s: s.tone(330, 285, 0.02, 0.06),
    "slap_hand": lambda s: _sum(0.6 * s.tone(420, 380, 0.01, 0.02), 0.7 * s.hiss(1200, 5000, 0.02)),
    "stomp": lambda s: _sum(s.tone(95, 60, 0.03, 0.09), 0.4 * s.hiss(120, 1500, 0.03)),
    "tambourine": lambda s: s.hiss(6500, 11500, 0.07, attack=0.004),
}
