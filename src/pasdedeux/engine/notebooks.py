"""The one list of notebooks: what each needs, what it leaves behind and about what it costs.

The runner, the Snakemake graph, the command line and the tests read this list; a new notebook is
one more entry here. Numbers 06-09, 13-19, 22-29, 35-39, 42-49 and 51-99 are free.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pasdedeux.base.checks import nearest, refuse
from pasdedeux.base.paths import root
from pasdedeux.base.profiles import PROFILES

NAME = re.compile(r"\d\d_[a-z0-9_]+")


@dataclass(frozen=True)
class Notebook:
    """One entry of the list.

    name: file name under `notebooks/` without its ending, `NN_topic`.
    needs: names of the notebooks that must have run before, at the same profile.
    outputs: files it writes besides the executed notebook, relative to `results/<profile>`.
    corpora: the corpora of `data/sources.toml` that it reads when they are there.
    gpu: whether it asks for an accelerator at the profiles `gpu` and `paper`.
    minutes: measured or estimated wall time at each profile; a cluster allows four times as long.
    """

    name: str
    needs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    corpora: tuple[str, ...] = ()
    gpu: bool = False
    minutes: Mapping[str, float] = field(default_factory=dict)
    cores: int = 2
    memory_megabytes: int = 4000

    def __post_init__(self) -> None:
        """Refuse a name, profile or output path that the graph could not use."""
        refuse(
            not NAME.fullmatch(self.name),
            f"a notebook's name is NN_topic in lower case, got {self.name!r}.",
        )
        for profile in self.minutes:
            refuse(
                profile not in PROFILES,
                f"{self.name}: minutes name the profile {profile!r}.{nearest(profile, PROFILES)}",
            )
        for output in self.outputs:
            refuse(
                Path(output).is_absolute() or ".." in Path(output).parts,
                f"{self.name}: outputs are relative to results/<profile>, got {output!r}.",
            )

    @property
    def path(self) -> Path:
        """The notebook's file."""
        return root() / "notebooks" / f"{self.name}.ipynb"

    def minutes_at(self, profile: str) -> float | None:
        """Return the expected wall time in minutes at `profile`, None where nobody knows it."""
        return self.minutes.get(profile)


NOTEBOOKS: tuple[Notebook, ...] = (
    Notebook("00_start_here", minutes={"quick": 0.2, "laptop": 0.2, "gpu": 0.2, "paper": 0.2}),
    Notebook(
        "01_melody_data",
        outputs=("fusion/genres.png",),
        corpora=("wjazzd",),
        minutes={"quick": 0.5, "laptop": 0.7, "gpu": 0.7, "paper": 1.0},
    ),
    Notebook(
        "02_dance_and_music_data",
        outputs=(
            *(f"dual/table_1.{kind}" for kind in ("csv", "md", "tex")),
            *(f"dual/table_{name}.csv" for name in ("dances", "beats", "copies")),
        ),
        corpora=("tang", "aistpp"),
        minutes={"quick": 0.7, "laptop": 5.0, "gpu": 5.0, "paper": 5.0},
    ),
    Notebook("03_sinkhorn", minutes={"quick": 0.4, "laptop": 0.4, "gpu": 0.4, "paper": 0.4}),
    Notebook(
        "04_gromov_wasserstein", minutes={"quick": 0.6, "laptop": 0.6, "gpu": 0.6, "paper": 0.6}
    ),
    Notebook(
        "05_fitting_bodies",
        outputs=("dual/table_fit.csv", "dual/fit_errors.png"),
        corpora=("tang",),
        minutes={"quick": 0.5, "laptop": 4.0, "gpu": 4.0, "paper": 4.0},
    ),
    Notebook(
        "10_dual_learning",
        outputs=(
            "dual/curves_dual.png",
            "dual/reach.png",
            "dual/unseen_song.npz",
            "dual/music/unseen_dance.mid",
            "dual/music/unseen_dance.ogg",
        ),
        corpora=("tang", "aistpp"),
        gpu=True,
        minutes={"quick": 0.8},
    ),
    Notebook(
        "11_dual_tables",
        needs=("10_dual_learning",),
        outputs=(
            *(f"dual/table_{n}.{kind}" for n in (2, 4) for kind in ("csv", "md", "tex")),
            *(f"dual/table_{name}.csv" for name in ("sizes", "distances", "rhythm", "motion")),
            *(f"dual/table_{name}.csv" for name in ("effects", "composing", "knobs", "ladder")),
            *(f"dual/table_{name}.csv" for name in ("ladder_order", "stages")),
            *(f"dual/table_sane_{name}.csv" for name in ("dance", "song")),
            *(f"dual/figure_{number}.png" for number in (4, 5, 6)),
            *(f"dual/{name}" for name in ("dance.npz", "dance.bvh", "song.mid", "song.ogg")),
            "dual/claims.csv",
        ),
        corpora=("tang", "aistpp"),
        gpu=True,
        minutes={"quick": 1.0, "laptop": 45.0},
    ),
    Notebook(
        "12_mdot_net",
        outputs=(
            *(f"mdot/table_beside.{kind}" for kind in ("csv", "md", "tex")),
            *(f"mdot/{name}" for name in ("claims.csv", "claims.md", "curves_transport.png")),
            *(f"mdot/{name}.csv" for name in ("divergence", "ends")),
        ),
        corpora=("tang", "aistpp"),
        gpu=True,
        minutes={"quick": 1.4},
    ),
    Notebook(
        "20_fusiongan",
        outputs=("fusion/curves_fusion.png", "fusion/curves_validation.png"),
        corpora=("wjazzd",),
        gpu=True,
        # gpu is a guess; paper is `benchmarks/cost.py` on one CPU core, five seeds and ablation
        minutes={"quick": 1.0, "laptop": 30.0, "gpu": 25.0, "paper": 18300.0},
    ),
    Notebook(
        "21_fusiongan_tables",
        needs=("20_fusiongan",),
        outputs=(
            *(f"fusion/table_1.{kind}" for kind in ("csv", "md", "tex")),
            *(f"fusion/table_{name}.csv" for name in ("balance", "sequence", "ablation")),
            *(f"fusion/{name}.png" for name in ("figure_6", "ratios", "piano_rolls")),
            "fusion/claims.csv",
        ),
        corpora=("wjazzd",),
        minutes={"quick": 0.5, "laptop": 1.0, "gpu": 1.0, "paper": 2.0},
    ),
    Notebook(
        "30_music_vqvae",
        outputs=(
            *(f"cdcd/table_codec.{kind}" for kind in ("csv", "md", "tex")),
            "cdcd/curves_codec.png",
        ),
        corpora=("tang", "aistpp"),
        gpu=True,
        minutes={"quick": 0.8, "laptop": 6.0},
    ),
    Notebook(
        "31_discrete_diffusion", minutes={"quick": 0.3, "laptop": 0.3, "gpu": 0.3, "paper": 0.3}
    ),
    Notebook(
        "32_contrastive_diffusion", minutes={"quick": 0.4, "laptop": 0.4, "gpu": 0.4, "paper": 0.4}
    ),
    Notebook(
        "33_cdcd_dance_to_music",
        needs=("30_music_vqvae",),
        outputs=(
            *(f"cdcd/{name}.png" for name in ("curves_step_intra", "spectrograms")),
            "cdcd/table_sane.csv",
        ),
        corpora=("tang", "aistpp"),
        gpu=True,
        minutes={"quick": 0.8},
    ),
    Notebook(
        "34_cdcd_tables",
        needs=("33_cdcd_dance_to_music",),
        outputs=(
            *(
                f"cdcd/table_{n}.{kind}"
                for n in (1, 2, 5, 6, 7, 8, 9, 10)
                for kind in ("csv", "md", "tex")
            ),
            *(f"cdcd/table_{name}.csv" for name in ("rhythm", "genre", "belonging")),
            "cdcd/figure_4_left.png",
            "cdcd/claims.csv",
        ),
        corpora=("tang", "aistpp"),
        gpu=True,
        minutes={"quick": 1.0},
    ),
    Notebook(
        "40_listening_test",
        outputs=("listening/level_plane.png", "listening/widths.png"),
        minutes={"quick": 0.3, "laptop": 0.3, "gpu": 0.3, "paper": 0.3},
    ),
    Notebook(
        "41_listening_tables",
        needs=("11_dual_tables", "21_fusiongan_tables"),
        outputs=(
            *(
                f"listening/{who}_{test}.{kind}"
                for who in ("table", "people")
                for test in ("fusion", "ranking", "mos")
                for kind in ("csv", "md", "tex")
            ),
            *(f"listening/table_{name}.csv" for name in ("judge", "side", "risk", "genre")),
            *(
                f"listening/{paper}/{name}"
                for paper in ("fusion", "dual", "cdcd")
                for name in ("claims.csv", "claims_parts.csv", "claims.md")
            ),
        ),
        corpora=("wjazzd", "tang", "aistpp"),
        minutes={"quick": 0.5, "laptop": 3.0},
    ),
    Notebook(
        "50_all_tables",
        needs=(
            *("02_dance_and_music_data", "11_dual_tables", "12_mdot_net"),
            *("21_fusiongan_tables", "34_cdcd_tables", "41_listening_tables"),
        ),
        outputs=("all_tables.csv", "claims.csv", "claims.md"),
        minutes={"quick": 0.3, "laptop": 0.3, "gpu": 0.3, "paper": 0.3},
    ),
)


def ordered(notebooks: Sequence[Notebook] = NOTEBOOKS) -> tuple[Notebook, ...]:
    """Return `notebooks` with each one after those it needs, else in the order given.

    Raises `ValueError` for a name given twice, a need that is not in the list, or a circle.
    """
    known = {notebook.name: notebook for notebook in notebooks}
    refuse(len(known) < len(notebooks), "two notebooks have the same name; rename one.")
    done: list[Notebook] = []
    waiting = list(notebooks)
    for notebook in notebooks:
        for need in notebook.needs:
            refuse(need not in known, f"{notebook.name} needs {need!r}.{nearest(need, known)}")
    while waiting:
        names = {notebook.name for notebook in done}
        ready = [notebook for notebook in waiting if names.issuperset(notebook.needs)]
        circle = ", ".join(notebook.name for notebook in waiting)
        refuse(not ready, f"these notebooks need each other in a circle: {circle}.")
        done.append(ready[0])
        waiting.remove(ready[0])
    return tuple(done)


def file(asked: str | Path) -> Path:
    """Return the file of the notebook that `asked` means.

    `asked` is a path, a name with or without its ending, or its number: `20`, `20_fusiongan` and
    `notebooks/20_fusiongan.ipynb` are the same. Raises `ValueError` with the nearest name.
    """
    given = Path(asked).expanduser()
    if given.suffix == ".ipynb" and given.is_file():
        return given.resolve()
    folder = root() / "notebooks"
    for candidate in (folder / given.name, folder / f"{given.name}.ipynb"):
        if candidate.suffix == ".ipynb" and candidate.is_file():
            return candidate
    present = sorted(path.stem for path in folder.glob("*.ipynb"))
    numbered = [name for name in present if name.split("_")[0] == given.name]
    if len(numbered) == 1:
        return folder / f"{numbered[0]}.ipynb"
    raise ValueError(
        f"no notebook {str(asked)!r}.{nearest(given.stem, present)} "
        f"Present: {', '.join(present) or 'none'}."
    )
