"""A small TikTok in the published format, made here."""

import numpy as np
import soundfile

RATE = 22_050
TRAIN = [f"00000{song}_{song}_{video}_seg{seg}" for song in (1, 2, 3, 4, 5, 6)
         for video in (song * 10, song * 10 + 1) for seg in (1, 2)]  # fmt: skip
TEST = ["000007_12_193_seg1", "000007_12_193_seg2"]


def segment(folder, name, number, *, seconds=2.0, video=True):
    draw = np.random.default_rng(number)
    time = np.arange(round(seconds * RATE)) / RATE
    path = folder / "audio_s2" / f"{name}.wav"
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, 0.5 * np.sin(2 * np.pi * (100 + 10 * number) * time), RATE)
    (folder / "motion_s2").mkdir(exist_ok=True)
    pose = draw.normal(size=(60, 25, 3))
    np.save(folder / "motion_s2" / f"{name}.npy", pose)
    if video:
        (folder / "video_s2").mkdir(exist_ok=True)
        np.save(folder / "video_s2" / f"{name}.npy", draw.normal(size=(1, 2048)))
    return pose


def lists(folder, part, names, whats=("audio", "motion", "video")):
    places = {"audio": ("/data/somebody/tiktok/audio_s2", "wav")}
    for what in whats:
        where, ending = places.get(what, (f"./tiktok/{what}_s2", "npy"))
        lines = "".join(f"{where}/{name}.{ending}\n" for name in names)
        (folder / f"tiktok_{what}_{part}_segment.txt").write_text(lines, encoding="utf-8")


def corpus(folder):
    """Write the corpus into `folder` and return its poses by name."""
    poses = {name: segment(folder, name, number) for number, name in enumerate(TRAIN + TEST)}
    lists(folder, "train", TRAIN)
    lists(folder, "test", TEST)
    return poses
