"""Recordings read from files: mono sound at the rate one asks for, and damaged files refused.

What libsndfile reads is read: wav, flac, ogg and mp3. A cut file often decodes without complaint
and is merely shorter, so what was decoded is compared with what the file says about itself.
"""

import os
from pathlib import Path

import numpy as np
import soundfile
from jaxtyping import Float

from pasdedeux.base import quiet
from pasdedeux.base.checks import refuse

SILENCE = 1e-4  # a peak of -80 dB of full scale: less is the noise of a converter, not music
MISSING_SECONDS = 0.05  # an mp3 may lose a frame (0.026 s) at its ends without being cut
REMEDY = "get the file anew or convert it to wav"


def read(
    path: str | os.PathLike, rate_hz: int, *, least_seconds: float = 0.0, silent: bool = False
) -> Float[np.ndarray, " S"]:
    """Return the recording in `path` as mono float32 in about [-1, 1] at `rate_hz`.

    Channels are averaged; another rate is resampled (soxr, high quality). Raises `ValueError`
    naming the file when it is missing, not audio, cut or damaged, not finite, silent (peak below
    1e-4) unless it may be `silent`, or shorter than `least_seconds`. An mp3 without a header that
    tells its length (Xing, Info) cannot be told from a cut one; name `least_seconds` then.
    """
    file = Path(path)
    refuse(rate_hz < 1, f"rate_hz must be above 0, got {rate_hz}.")
    refuse(not file.is_file(), f"{file}: no such file; check the path.")
    sound, found_hz = _decoded(file)
    refuse(
        not len(sound) or not np.isfinite(sound).all(),
        f"{file}: holds no sound or values that are not finite; {REMEDY}.",
    )
    peak = float(np.abs(sound).max())
    refuse(
        peak < SILENCE and not silent,
        f"{file}: silent, its peak is {peak:.1e} of full scale; is this the right file?",
    )
    seconds = len(sound) / found_hz
    refuse(
        seconds < least_seconds,
        f"{file}: {seconds:.2f} s long, {least_seconds:.2f} s are needed; {REMEDY}.",
    )
    if found_hz == rate_hz:
        return sound
    librosa = quiet.librosa()

    count = -(-len(sound) * rate_hz // found_hz)  # librosa rounds a quotient, one too many at times
    return librosa.resample(sound, orig_sr=found_hz, target_sr=rate_hz, res_type="soxr_hq")[:count]


def _decoded(file: Path) -> tuple[Float[np.ndarray, " S"], int]:
    """Return the mono sound of `file` at its own rate, and that rate."""
    try:
        with soundfile.SoundFile(file) as opened:
            told, rate_hz = opened.frames, opened.samplerate
            sound = opened.read(dtype="float32", always_2d=True).mean(axis=1)
    except soundfile.SoundFileError as error:
        raise ValueError(f"{file}: not audio, or damaged ({error}); {REMEDY}.") from error
    lost_seconds = (told - len(sound)) / rate_hz
    refuse(
        lost_seconds > MISSING_SECONDS,
        f"{file}: cut or damaged, {lost_seconds:.2f} of {told / rate_hz:.2f} s are missing; "
        f"{REMEDY}.",
    )
    refuse(_ends_early(file), f"{file}: cut, it ends before its end is marked; {REMEDY}.")
    return sound, rate_hz


def _ends_early(file: Path) -> bool:
    """Return whether a wav or ogg file ends before it says it does; other kinds are not judged.

    A wav file begins with its length (RIFF). The last page of an ogg file carries the mark that the
    stream ends (RFC 3533).
    """
    data = file.read_bytes()
    if data.startswith(b"RIFF"):
        told = int.from_bytes(data[4:8], "little")
        return told != 0xFFFFFFFF and told + 8 > len(data)  # all ones: written to a pipe
    if data.startswith(b"OggS"):
        last = data[data.rfind(b"OggS") :]
        return len(last) < 27 or not last[5] & 4 or len(last) < _page_bytes(last)
    return False


def _page_bytes(page: bytes) -> int:
    """Return the length of an ogg page: a header of 27 bytes, segment lengths, segments."""
    segments = page[26]
    return 27 + segments + sum(page[27 : 27 + segments])
