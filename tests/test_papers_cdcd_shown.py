"""What the notebook of dance to music shows: which dances, files that can be played, the leak."""

import numpy as np
import pytest
import rivals
import soundfile
import torch

from pasdedeux.diffusion.schedule import Schedule
from pasdedeux.metrics import beats
from pasdedeux.papers import cdcd, cdcd_cost, cdcd_numbers, cdcd_shown
from pasdedeux.papers.cdcd_settings import CdcdSettings
from pasdedeux.report import onsets
from pasdedeux.report.reference import reference
from pasdedeux.report.table import table

TINY = {
    "width": 12, "layers": 1, "heads": 2, "feed_forward": 2, "diffusion_steps": 20,
    "genre_width": 5, "motion_width": 7, "motion_length": 40, "motion_channels": (3, 5, 7, 7, 1),
    "batch": 2, "steps": 2, "warmup": 1, "device": "cpu",
}  # fmt: skip


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    folder = tmp_path_factory.mktemp("project")
    (folder / "pyproject.toml").write_text('[project]\nname = "pasdedeux"\n', encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield rivals.material(folder)


def test_a_clip_of_each_held_out_dance_of_every_genre_is_taken(material):
    clips = material.clips
    rows = cdcd_shown.unseen(clips)
    assert set(clips.places.part[rows]) <= {"test", "valid"}
    dances = clips.places.dance[rows]
    assert len(set(dances.tolist())) == len(rows), "one clip of a dance"
    held = {(clips.genre[row], clips.places.dance[row]) for row in clips.rows("test")}
    assert {(clips.genre[row], clips.places.dance[row]) for row in rows} == held
    assert len(cdcd_shown.unseen(clips, a_genre=1)) == len({genre for genre, _ in held})
    told = cdcd_shown.where(clips, rows)
    assert [line["part"] for line in told] == ["test"] * len(rows)
    assert all(clips.dances[dance].name in line["dance"] for dance, line in
               zip(dances, told, strict=True))  # fmt: skip


def test_names_of_two_clips_of_one_dance_differ(material):
    rows = material.clips.rows("test")
    assert len(set(cdcd_shown.names(material.clips, rows))) == len(rows)


def test_files_can_be_played_and_their_sanity_is_measured(material, tmp_path):
    clips = material.clips
    rows = cdcd_shown.unseen(clips)
    sound, named = clips.sound(rows), cdcd_shown.names(clips, rows)
    sound[0] *= 0.5
    files = cdcd_shown.write(sound, named, tmp_path)
    again, rate = soundfile.read(files[0])
    assert rate == 22_050
    assert len(again) == pytest.approx(44_100, abs=1200)
    assert np.corrcoef(again[:44_000], sound[0, :44_000])[0, 1] > 0.9
    told = cdcd_shown.sane(sound, clips.sound(rows), named, files, seed=0, run="runs/x")
    cells = {(m.row, m.column): m.value for m in told}
    assert cells[named[0], "peak"] == pytest.approx(0.475, abs=1e-3)
    assert cells[named[0], "seconds"] == 2.0
    assert cells[named[0], "finite (%)"] == 100
    level = 20 * np.log10(np.sqrt(np.square(sound[0]).mean()))
    assert cells[named[0], "level (dBFS)"] == pytest.approx(level, abs=1e-3)
    assert cells[named[1], "onsets"] == cells[named[1], "true onsets"]


class Copies(torch.nn.Module):
    """Keeps every code that it sees, and says code 0 elsewhere."""

    def __init__(self, codes):
        super().__init__()
        self.codes = codes

    def read(self, condition):
        return [(condition, condition)]

    def forward(self, noisy, t, read):
        seen = torch.where(noisy < self.codes, noisy, 0)
        return 40.0 * torch.nn.functional.one_hot(seen, self.codes).mT.float()


@pytest.fixture
def composer(material):
    settings = CdcdSettings(**TINY)
    network = cdcd.Network(settings, cdcd.sizes(material))
    network.denoiser = Copies(network.sizes.codes)
    return cdcd.Composer(settings, material, network)


def test_the_leak_is_nearly_the_truth_for_a_network_that_only_copies(composer, material):
    rows = material.clips.rows("test")
    found = cdcd_shown.leak(composer, material, rows, seed=3)
    bar = float(Schedule(7, 20).rates(torch.tensor([2])).alpha_bar)
    assert bar > 0.9
    zero = float((material.tokens[rows] == 0).mean())
    assert found.same == pytest.approx(bar + (1 - bar) * zero, abs=0.07)  # 105 tokens, 3 sd
    told = cdcd_shown.leaks(composer, material, rows, seed=3)
    assert told["leaked: from the true music"]["true tokens (%)"] > 90
    assert told["fair: from all MASK"]["true tokens (%)"] == pytest.approx(100 * zero)
    assert told["the VQ-VAE alone"]["true tokens (%)"] == 100


def test_table_5_is_that_of_the_module():
    printed = reference("cdcd", "5").printed
    found = {}
    for m in cdcd_numbers.table_5():
        found.setdefault(m.row, {})[m.column] = m.value
    assert found == printed


@pytest.fixture
def counted(monkeypatch):
    """What was asked of `cdcd_cost.table_8`, which counts 443.8 M as released and 358.9 M here."""
    called = []

    def stand_in(settings, sizes=cdcd_cost.AIST, *, form="built"):
        called.append((settings, sizes, form))
        weights = {"built": 358_900_000, "released": 443_800_000}[form]
        less, days = (0, 0.8) if sizes == cdcd_cost.AIST else (500_000, 0.3)
        return cdcd_cost.Cost(weights - less, 33_900_000, 0, 10**13, 10**10, days)

    monkeypatch.setattr(cdcd_cost, "table_8", stand_in)
    cdcd_numbers._cost.cache_clear()
    yield called
    cdcd_numbers._cost.cache_clear()


def test_the_paper_size_is_counted_once_for_all_tables(counted):
    told = {m.column: m.value for m in cdcd_numbers.costs({"paper": CdcdSettings.paper()})}
    assert (told["learned (M)"], told["memory (GB)"], told["operations an update (T)"]) == (
        358.9, 10.0, 10.0,
    )  # fmt: skip
    for _ in range(2):
        cdcd_numbers.table_8()
        cdcd_numbers.built_8()
    aist = [(s.visual, form) for s, sizes, form in counted if sizes == cdcd_cost.AIST]
    assert sorted(aist) == [(0, "built"), (2048, "released")]
    assert len(counted) == 4


def test_table_8_compares_the_released_form_and_shows_ours_below_it(counted):
    eight = reference("cdcd", "8")
    told = {"caption": cdcd_numbers.caption_8(), "data_notice": "None.", "profile": "paper"}
    rows = [*cdcd_numbers.table_8(), *cdcd_numbers.built_8()]
    made = table(eight, rows, beside=cdcd_numbers.BUILT_8.values(), **told)
    at = {(cell.row, cell.column): cell for cell in made.cells}
    for (row, beside), less in zip(cdcd_numbers.BUILT_8.items(), (0, 0.5), strict=True):
        found = at[row, "Param. (M)"].mean, at[beside, "Param. (M)"].mean
        assert found == pytest.approx((443.8 - less, 358.9 - less))
        assert at[row, "Param. (M)"].verdict == "mismatch"
        assert at[beside, "Param. (M)"].verdict == "", "ours is compared with nothing"
    assert "match" not in {cell.verdict for cell in made.cells}
    assert "not run" not in {cell.ours() for cell in made.cells}
    assert at["TikTok, Ours CDCD", "V100 days"].mean == 0.3
    alone = table(eight, cdcd_numbers.table_8(), **told)  # as notebooks call it
    assert alone.cells == made.cells[: len(alone.cells)]


def test_the_caption_of_table_8_says_what_its_days_assume(counted):
    caption = cdcd_numbers.caption_8()
    assert "40 % of 15.7 Tflop/s" in caption
    assert "are an estimate" in caption
    assert "82,900 and 4,967 updates (100 epochs)" in caption
    assert caption.endswith(".")


def test_tiktok_is_trained_as_released_for_as_many_epochs():
    aist, tiktok = (cdcd_numbers.paper_settings(sizes) for sizes in cdcd_numbers.ROWS_8.values())
    assert aist == CdcdSettings.paper()
    assert aist.steps * aist.batch == 100 * 6632
    assert 100 * 2384 <= tiktok.steps * tiktok.batch < 100 * 2384 + tiktok.batch
    assert not tiktok.genre
    assert (tiktok.layers, tiktok.diffusion_steps) == (aist.layers, aist.diffusion_steps)


def _beeps(*seconds):
    time = np.arange(44_100) / 22_050
    sound = np.zeros(44_100)
    for begin in seconds:
        since = (time - begin).clip(0)
        sound += np.where(time > begin, np.exp(-8 * since) * np.sin(3000 * since), 0)
    return 0.3 * sound


def test_the_strip_tells_which_flags_agree():
    true, made = _beeps(0.4, 1.3), _beeps(0.5)
    drawn = onsets.spectrograms(
        {"clip": {"recorded": true, "made": made}},
        rate_hz=22_050,
        true_onsets=[beats.onset_seconds(true)],
        reference="recorded",
    )
    above, below = drawn.axes
    fields = [[patch.get_edgecolor() for patch in axes.patches] for axes in (above, below)]
    assert [len(field) for field in fields] == [2, 2]
    filled = [[patch.get_facecolor() for patch in axes.patches] for axes in (above, below)]
    assert filled[0][0] == filled[0][1] == filled[1][0], "green: the flags agree"
    assert filled[1][1] != filled[1][0], "the second beep is missing"
    lines = below.collections[0].get_segments()
    assert len(lines) == len(beats.onset_seconds(made)) == 1


def test_pictures_of_clips_that_do_not_match_are_refused():
    sound = _beeps(0.4)
    with pytest.raises(ValueError, match="needs a clip"):
        onsets.spectrograms({}, rate_hz=22_050, true_onsets=[])
    with pytest.raises(ValueError, match="every clip must have"):
        onsets.spectrograms(
            {"a": {"x": sound}, "b": {"y": sound}}, rate_hz=22_050, true_onsets=[sound, sound]
        )
    with pytest.raises(ValueError, match="got 0 for 1"):
        onsets.spectrograms({"a": {"x": sound}}, rate_hz=22_050, true_onsets=[])
