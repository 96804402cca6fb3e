"""What every reader of a melody corpus returns."""

from dataclasses import dataclass

from pasdedeux.music.melody import Melody


@dataclass(frozen=True)
class Song:
    """A melody with what the split needs: takes and variants of one tune share a `group`."""

    melody: Melody
    group: str  # never straddles train, valid and test
    stratum: str  # each stratum is split in the same shares


@dataclass(frozen=True)
class Corpus:
    """Songs of one corpus, and a message for each thing that was left out or passed over."""

    name: str  # its name in sources.toml
    songs: tuple[Song, ...]
    skipped: tuple[str, ...] = ()  # bad input, left out because the caller asked for that
    remarks: tuple[str, ...] = ()  # what is good to know, for example songs without a tempo
