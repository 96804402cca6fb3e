"""Notes as sound: a small synthesiser that is always there, fluidsynth where it is installed.

Waveforms are mono, float64 in [-1, 1] at `rate_hz` samples per second. Ogg Vorbis bytes are the
same for the same waveform on one machine, so that saved notebooks do not change when run again.
"""

import importlib
import io
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
import soundfile
from jaxtyping import Float, Int

from pasdedeux.base.checks import choice, refuse
from pasdedeux.music.melody import Melody
from pasdedeux.music.notes import to_pretty_midi

Synthesiser = Literal["auto", "built-in", "fluidsynth"]
RATE_HZ = 22_050
PEAK = 0.9
HARMONICS = 6
ATTACK_SECONDS, RELEASE_SECONDS, DECAY_SECONDS = 0.008, 0.06, 0.9
TAIL_SECONDS = 0.25  # silence after the last note, so that players do not cut its end
VORBIS_BLOCK = 8192  # libsndfile encodes a long sound in one piece on the stack, and may crash
_OGG_POLYNOMIAL = 0x04C11DB7


def has_fluidsynth() -> bool:
    """Return whether both pyfluidsynth and the system's fluidsynth library can be loaded."""
    try:
        importlib.import_module("fluidsynth")
    except (ImportError, OSError):  # OSError: the Python package is there, the library is not
        return False
    return True


def waveform(
    melody: Melody,
    *,
    bpm: float = 120.0,
    rate_hz: int = RATE_HZ,
    synthesiser: Synthesiser = "auto",
) -> Float[np.ndarray, " N"]:
    """Return `melody` as sound at `bpm` quarters a minute, peaks at 0.9, from its first note on.

    A melody without notes is a short silence.
    "auto" takes fluidsynth when it can be loaded, else the built-in tones. Raises `ValueError` for
    a tempo or rate that is not above 0, and when fluidsynth is asked for and missing.
    """
    refuse(not 0 < bpm < math.inf, f"bpm must be above 0, got {bpm}.")
    refuse(rate_hz < 1, f"rate_hz must be above 0, got {rate_hz}.")
    wanted = takes_fluidsynth(synthesiser)
    begin_quarters = melody.onset_quarters[:1].sum()
    tune = replace(melody, onset_quarters=melody.onset_quarters - begin_quarters)
    if wanted and len(tune.pitch):
        sound = np.asarray(to_pretty_midi(tune, bpm).fluidsynth(fs=rate_hz), dtype=float)
    else:
        quarter_seconds = 60.0 / bpm
        lengths = tune.duration_quarters * quarter_seconds
        sound = tones(tune.pitch, tune.onset_quarters * quarter_seconds, lengths, rate_hz=rate_hz)
    return levelled(sound)


def takes_fluidsynth(synthesiser: Synthesiser) -> bool:
    """Return whether `synthesiser` means fluidsynth here; asked for and missing it is refused."""
    choice("synthesiser", synthesiser, ("auto", "built-in", "fluidsynth"))
    if synthesiser == "built-in":
        return False
    there = has_fluidsynth()
    told = "fluidsynth cannot be loaded; install it with pyfluidsynth, or use 'built-in'."
    refuse(synthesiser == "fluidsynth" and not there, told)
    return there


def levelled(sound: Float[np.ndarray, " S"]) -> Float[np.ndarray, " S"]:
    """Return `sound` with its peak at 0.9; silence stays silence."""
    loudest = float(np.abs(sound).max(initial=0.0))
    return sound * (PEAK / loudest) if loudest else sound


def tones(
    pitch: Int[np.ndarray, " N"],
    onset_seconds: Float[np.ndarray, " N"],
    duration_seconds: Float[np.ndarray, " N"],
    *,
    rate_hz: int,
    loudness: Float[np.ndarray, " N"] | None = None,
) -> Float[np.ndarray, " S"]:
    """Return the sum of struck strings of MIDI `pitch`, and a tail of silence.

    `loudness` multiplies each note, 1 unless given.
    """
    notes = zip(pitch, duration_seconds, strict=True)
    sounds = [_tone(int(number), float(seconds), rate_hz) for number, seconds in notes]
    if loudness is not None:
        sounds = [sound * level for sound, level in zip(sounds, loudness, strict=True)]
    return mixed(sounds, onset_seconds, rate_hz=rate_hz)


def mixed(
    sounds: Sequence[Float[np.ndarray, " _"]],
    onset_seconds: Float[np.ndarray, " N"],
    *,
    rate_hz: int,
) -> Float[np.ndarray, " S"]:
    """Return the sum of `sounds`, each from its onset on, and a tail of silence."""
    onsets = np.round(onset_seconds * rate_hz).astype(int)
    ends = [onset + len(sound) for onset, sound in zip(onsets, sounds, strict=True)]
    total = np.zeros(max(ends, default=0) + math.ceil(TAIL_SECONDS * rate_hz))
    for onset, end, sound in zip(onsets, ends, sounds, strict=True):
        total[onset:end] += sound
    return total


def _tone(pitch: int, seconds: float, rate_hz: int) -> Float[np.ndarray, " N"]:
    """Return a struck string of MIDI `pitch`, held `seconds` and then released.

    It begins and ends at 0 with smooth flanks, so no click is heard. Higher harmonics are weaker
    and die sooner; those above half the rate are left out.
    """
    frequency_hz = 440.0 * 2.0 ** ((pitch - 69) / 12)
    time = np.arange(math.ceil((seconds + RELEASE_SECONDS) * rate_hz) + 1) / rate_hz
    tone = np.zeros_like(time)
    for harmonic in range(1, HARMONICS + 1):
        if harmonic * frequency_hz < rate_hz / 2:
            swing = np.sin(2 * np.pi * harmonic * frequency_hz * time)
            tone += swing * np.exp(-time * harmonic / DECAY_SECONDS) / harmonic**1.5
    rise = np.clip(time / ATTACK_SECONDS, 0, 1)
    fall = np.clip((time[-1] - time) / RELEASE_SECONDS, 0, 1)
    return tone * (0.5 - 0.5 * np.cos(np.pi * rise)) * (0.5 - 0.5 * np.cos(np.pi * fall))


def ogg(sound: Float[np.ndarray, " N"], rate_hz: int = RATE_HZ) -> bytes:
    """Return `sound` as Ogg Vorbis, about 4 kB a second; a sound without samples is refused."""
    refuse(not len(sound), "a sound needs at least one sample, got none.")
    out = io.BytesIO()
    settings = {"samplerate": rate_hz, "channels": 1, "format": "OGG", "subtype": "VORBIS"}
    with soundfile.SoundFile(out, "w", compression_level=0.6, **settings) as file:
        for start in range(0, len(sound), VORBIS_BLOCK):
            file.write(sound[start : start + VORBIS_BLOCK])
    return _with_serial(out.getvalue(), 1)


def _with_serial(data: bytes, serial: int) -> bytes:
    """Return the Ogg stream `data` with its random serial number replaced on every page.

    A page is a header of 27 bytes, a table of segment lengths and the segments (RFC 3533); its
    checksum covers all of it with the checksum's own bytes at 0.
    """
    pages, start = [], 0
    while start < len(data):
        segments = data[start + 26]
        length = 27 + segments + sum(data[start + 27 : start + 27 + segments])
        page = bytearray(data[start : start + length])
        page[14:18] = serial.to_bytes(4, "little")
        page[22:26] = bytes(4)
        page[22:26] = _ogg_checksum(page).to_bytes(4, "little")
        pages.append(bytes(page))
        start += length
    return b"".join(pages)


def _ogg_checksum(page: bytes | bytearray) -> int:
    total = 0
    for byte in page:
        total = ((total << 8) & 0xFFFFFFFF) ^ _CHECKSUMS[(total >> 24) ^ byte]
    return total


def _checksum_of(byte: int) -> int:
    total = byte << 24
    for _ in range(8):
        total = (total << 1) ^ (_OGG_POLYNOMIAL if total & 0x80000000 else 0)
    return total & 0xFFFFFFFF


_CHECKSUMS = tuple(_checksum_of(byte) for byte in range(256))
