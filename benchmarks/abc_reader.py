"""How much faster the library reads ABC than music21, on the same songs, with the same notes.

Both read the same songs in turn, song by song, so that a change in the machine's load meets both.
music21 gets the version line it needs to keep accidentals ("%abc-2.1"), and ties are joined, which
the library's reader does while reading. Importing is not counted.

    python benchmarks/abc_reader.py [--songs 400] [--rounds 3] [--seed 0]
"""

import argparse
import random
import re
import statistics
import time
import warnings
from collections.abc import Callable

from pasdedeux.data import essen
from pasdedeux.music import abc

Notes = list[tuple[int, float, float]]


def ours(text: str) -> Notes:
    """Return (pitch, onset, duration) in quarters as the library reads them."""
    melody = abc.parse(text, "song.abc", strays="remark").tunes[0].melody
    columns = (melody.pitch, melody.onset_quarters, melody.duration_quarters)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def theirs(text: str) -> Notes:
    """Return the same as music21 reads it."""
    from music21 import converter

    score = converter.parseData(f"%abc-2.1\n{text}", format="abc").stripTies()
    notes = score.flatten().notes
    return [(note.pitch.midi, float(note.offset), float(note.quarterLength)) for note in notes]


def songs(count: int, seed: int) -> list[str]:
    """Return the ABC text of `count` songs of the collection, drawn with `seed`."""
    texts = [
        f"X:{text}"
        for file in essen.files()
        for text in re.split(r"(?m)^X:", file.read_text(encoding="utf-8"))[1:]
    ]
    return random.Random(seed).sample(texts, min(count, len(texts)))


def timed(read: Callable[[str], Notes], text: str) -> tuple[Notes, float]:
    """Return what `read` gives for `text` and how many seconds it took."""
    begin = time.perf_counter()
    found = read(text)
    return found, time.perf_counter() - begin


def main() -> None:
    """Measure, compare the notes and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--songs", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    warnings.simplefilter("ignore")  # music21 warns about fields it does not know
    texts = songs(asked.songs, asked.seed)
    for read in (ours, theirs):
        read(texts[0])  # imports and first-call costs
    ratios, totals, same = [], [0.0, 0.0], 0
    for turn in range(asked.rounds):
        seconds = [0.0, 0.0]
        for i, text in enumerate(texts):
            order = ((0, ours), (1, theirs))[:: -1 if (i + turn) % 2 else 1]
            found = {}
            for which, read in order:
                found[which], took = timed(read, text)
                seconds[which] += took
            same += found[0] == found[1]
        ratios.append(seconds[1] / seconds[0])
        totals = [total + took for total, took in zip(totals, seconds, strict=True)]
        print(
            f"round {turn + 1}: ours {seconds[0]:.2f} s, music21 {seconds[1]:.2f} s, "
            f"ratio {ratios[-1]:.0f}"
        )
    read_songs = len(texts) * asked.rounds
    each = [1000 * total / read_songs for total in totals]
    print(f"{len(texts)} songs, {asked.rounds} rounds, interleaved")
    print(f"a song: ours {each[0]:.3f} ms, music21 {each[1]:.2f} ms")
    print(
        f"equal notes: {same} of {read_songs} readings (tests/test_music_abc.py explains the rest)"
    )
    print(f"ratio: {statistics.median(ratios):.0f} times faster (median of rounds)")


if __name__ == "__main__":
    main()
