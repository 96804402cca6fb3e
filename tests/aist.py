"""A small AIST++ in the exact format of the published one, for the tests that read it."""

import pickle

import numpy as np
import soundfile

SONG_SECONDS = 3
NAMES = (
    "gBR_sBM_cAll_d04_mBR0_ch01",
    "gBR_sFM_cAll_d05_mBR2_ch13",
    "gWA_sBM_cAll_d25_mWA0_ch02",
    "gPO_sBM_cAll_d10_mPO3_ch07",
    "gKR_sBM_cAll_d28_mKR1_ch05",
)


def motion(frames=97, seed=0, scaling=93.7):
    """Return one file's content: a body that sways upright and walks, as the fit stored it."""
    random = np.random.default_rng(seed)
    phase = np.arange(frames)[:, None] / 60 * 2 * np.pi
    poses = 0.3 * np.sin(phase + random.uniform(0, 6, 72)) * random.uniform(0, 1, 72)
    walk = np.concatenate([0.2 * phase, 1.15 + 0.03 * np.sin(3 * phase), -0.1 * phase], axis=1)
    return {
        "smpl_poses": poses.astype(np.float32),
        "smpl_scaling": np.array([scaling], np.float32),
        "smpl_trans": (walk * scaling).astype(np.float32),
        "smpl_loss": 4.25,
    }


def write(path, content, protocol=4):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(content, protocol=protocol))
    return path


def folder(place):
    """Write five sequences, one of them ignored, three songs, and the lists; return `place`."""
    for seed, name in enumerate(NAMES):
        write(place / "motions" / f"{name}.pkl", motion(97 + 10 * seed, seed, 90.0 + seed))
    lists = {
        "train": [NAMES[1], "gHO_sBM_cAll_d20_mHO1_ch08"],
        "val": [NAMES[0]],
        "test": [NAMES[2]],
    }
    for part, names in lists.items():
        path = place / "splits" / f"crossmodal_{part}.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n".join(names), encoding="utf-8")
    (place / "ignore_list.txt").write_text(f"{NAMES[4]}\n", encoding="utf-8")
    (place / "wav").mkdir()
    tone = 0.1 * np.sin(np.arange(SONG_SECONDS * 8000) / 5)
    for song in ("mBR0", "mBR2", "mPO3"):
        soundfile.write(place / "wav" / f"{song}.wav", tone, 8000)
    return place


PARTS = {  # two songs a part at most; what is in no list shares its song with both sides
    "gBR_sBM_cAll_d04_mBR0_ch01": "train",
    "gBR_sBM_cAll_d05_mBR1_ch02": "train",
    "gWA_sBM_cAll_d25_mBR0_ch03": "train",
    "gBR_sBM_cAll_d04_mBR2_ch04": "val",
    "gWA_sBM_cAll_d25_mBR2_ch05": "test",
    "gBR_sBM_cAll_d06_mBR2_ch06": "test",
    "gBR_sBM_cAll_d06_mBR0_ch06": None,
}


def split_folder(place, parts=PARTS, frames=409):
    """Write sequences of seven seconds with their songs, each in the list of its part.

    The last one of part "test" dances the same as the first of "train" for its first half.
    """
    for seed, name in enumerate(parts):
        made = motion(frames, seed)
        if name == "gBR_sBM_cAll_d06_mBR2_ch06":
            copied = motion(frames)
            for key in ("smpl_poses", "smpl_trans"):
                made[key][: frames // 2] = copied[key][: frames // 2]
        write(place / "motions" / f"{name}.pkl", made)
    for part in ("train", "val", "test"):
        path = place / "splits" / f"crossmodal_{part}.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_text("".join(f"{name}\n" for name in parts if parts[name] == part))
    (place / "ignore_list.txt").write_text("")
    (place / "wav").mkdir()
    for number, song in enumerate(sorted({name.split("_")[4] for name in parts})):
        tone = 0.1 * np.sin(np.arange(8 * 8000) / (5 + number))
        soundfile.write(place / "wav" / f"{song}.wav", tone, 8000)
    return place
