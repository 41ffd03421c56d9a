"""What a page shows, read from its source: each thing held against the run itself."""

import json
import re
import shutil

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pages import HOSTILE, Page, made

import dalikit
from dalikit.assembly.registry import OWN_DISTRIBUTION, Registry
from dalikit.errors import UserError
from dalikit.reporting.sections import SECTIONS
from dalikit.reporting.sections.curves import POINTS, _thinned
from dalikit.reporting.sections.neighbours import _nearest
from dalikit.reporting.sections.read import Read
from dalikit.reporting.sections.sources import source_of
from dalikit.reporting.sections.training import _spread
from dalikit.reporting.use import Use
from dalikit.runs import RunDirectory

INFERENCE = {"reconstructions", "variations", "interpolations", "codes", "read"}
ALL = {section.key for section in SECTIONS}


def log(run, event):
    lines = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
    return [line for line in lines if line["event"] == event]


def test_a_page_of_a_method_that_infers_has_every_section(page):
    assert page.texts.keys() - {""} == ALL


def test_a_page_asks_for_nothing(page):
    assert page.addresses
    assert [each for each in page.addresses if not each.startswith(("data:", "#"))] == []
    assert not re.search(r"url\((?!data:)|@import", page.source.split("<script")[0])
    assert "default-src 'none'" in page.source


def test_a_page_of_a_small_run_is_small(page):
    assert page.path.stat().st_size < 3e6


def test_every_picture_and_chart_says_what_it_shows(page):
    assert all(alt for images in page.images.values() for _, alt in images)
    told = re.findall(r'role="img" aria-label="[^"]{20,}', page.source)
    assert len(told) == sum(map(len, page.charts.values())) > 0


@pytest.fixture(scope="module")
def several(points, gan, tmp_path_factory):
    """The page of two runs, one of them named twice."""
    return made(tmp_path_factory.mktemp("several"), points, gan, points)


def test_curves_are_what_was_logged(several, points, gan):
    for title in ("discriminator/loss", "discriminator/total"):
        values = several.charts["curves"][title]["data"]["values"]
        for run, path in (("r0", points), ("r1", gan)):
            wanted = [(line["step"], pytest.approx(line[title], rel=1e-5)) for line in log(path, "losses")]
            assert [(v["step"], v["value"]) for v in values if v["run"] == run] == wanted
    assert len(log(gan, "losses")) == 4


def test_what_was_measured_once_is_a_number(page, trained):
    (line,) = log(trained, "health")
    assert re.search(rf"diversity 30 {line['diversity']:.4g}", page.texts["curves"])


def test_scores_are_the_final_ones_with_their_protocol(page, trained):
    found = json.loads((trained / "scores.json").read_text())["metrics"]["reconstruction"]
    assert f"{found['mse_01']:.4g}" in page.texts["scores"]
    assert f"data_sha256 {found['protocol']['data_sha256']}" in page.texts["scores"]


def test_the_configuration_says_who_gave_each_setting(page, trained):
    origins = json.loads((trained / "run.json").read_text())["origins"]
    text = " ".join(page.texts["configuration"].split())
    assert len(origins) > 50
    assert f"All {len(origins)} settings" in text
    for path in ("generator.width", "generator.latent_size", "trainer.lr", "callbacks.best.metric"):
        assert re.search(rf"{re.escape(path)} \S+( \S+)? {re.escape(origins[path])}", text), path


def test_the_slider_has_the_pictures_of_training(page, trained):
    shown = [src for src, _ in page.images["training"]]
    files = sorted((trained / "samples").iterdir()) + sorted((trained / "reconstructions").iterdir())
    assert len(shown) == len(files) > 2


def test_the_map_has_each_datum_with_its_label_and_picture(page, trained):
    (chart,) = page.charts["codes"].values()
    values = chart["data"]["values"]
    assert len(values) == 360
    assert {value["label"] for value in values} == set("0123456789")
    assert all(value["image"].startswith("data:image/png;base64,") for value in values)
    assert {each["field"] for each in chart["encoding"]["tooltip"]} == {"datum", "label", "image"}


def test_the_read_share_is_one_minus_the_error_over_the_variance(page, trained):
    model = dalikit.load(trained)
    z = torch.randn(4000, 4, generator=torch.Generator().manual_seed(3))
    codes = model.code(model.generate(z))
    wanted = 1 - ((codes - z) ** 2).mean(0) / ((z - z.mean(0)) ** 2).mean(0)
    (chart,) = page.charts["read"].values()
    found = [value["value"] for value in chart["data"]["values"]]
    assert found == pytest.approx(wanted.clamp(min=0).tolist(), abs=0.1)


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.integers(1, 9))
def test_the_nearest_is_at_the_least_distance(seed, asked, known):
    rng = np.random.default_rng(seed)
    a, b = (torch.from_numpy(rng.integers(-3, 4, (n, 1, 2, 2)).astype(np.float32)) for n in (asked, known))
    distances, nearest = _nearest(a, b)
    every = np.array([[np.sqrt(((x - y) ** 2).sum()) for y in b.numpy()] for x in a.numpy()])
    assert distances == pytest.approx(every.min(1), abs=1e-3)
    assert every[np.arange(asked), nearest] == pytest.approx(every.min(1), abs=1e-3)


@settings(max_examples=25)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=2000))
def test_a_long_line_is_thinned_to_means(values):
    found = _thinned(list(enumerate(values)))
    assert 1 <= len(found) <= POINTS
    assert found[-1][0] == len(values) - 1
    assert min(values) - 1 <= min(v for _, v in found)
    assert max(v for _, v in found) <= max(values) + 1
    if len(values) <= POINTS:
        assert [v for _, v in found] == pytest.approx(values, rel=1e-5)


@given(st.integers(0, 300), st.integers(2, 40))
def test_moments_are_spread_from_the_first_to_the_last(count, most):
    found = _spread(range(count), most)
    assert len(found) == min(count, most)
    assert sorted(set(found)) == found
    assert not count or (found[0], found[-1]) == (0, count - 1)


def test_points_are_scattered(points, tmp_path):
    page = made(tmp_path, points)
    assert page.texts.keys() - {""} == ALL
    assert "grey" in page.texts["samples"]
    (chart,) = page.charts["codes"].values()
    told = [value["x1"] for value in chart["data"]["values"]]
    assert all(re.fullmatch(r"-?[\d.e-]+, -?[\d.e-]+", each) for each in told)


def test_a_method_that_does_not_infer_has_no_section_on_inference(gan, tmp_path):
    assert made(tmp_path, gan).texts.keys() - {""} == ALL - INFERENCE


def test_vectors_are_drawn_on_their_principal_axes(cli, tmp_path):
    rng = np.random.default_rng(0)
    np.save(tmp_path / "v.npy", (rng.normal(size=(200, 2)) @ rng.normal(size=(2, 5))).astype(np.float32))
    small = ["--backbone", "mlp", "--set", "generator.width=8", "--set", "discriminator.width=8"]
    out = tmp_path / "run"
    done = cli("train", "--data", tmp_path / "v.npy", *small, "--steps", 4, "--out", out)
    assert done.returncode == 0, done.stderr
    page = made(tmp_path, out)
    assert page.texts.keys() - {""} == ALL - {"training"}
    assert "principal axes" in page.texts["reconstructions"]


def test_several_runs_stand_beside_each_other(several):
    assert "2 runs" in several.texts[""]
    assert len(several.images["samples"]) == 2
    assert len(several.images["reconstructions"]) == 1, "for one of them infers"
    differing = several.texts["configuration"].split("callbacks.best.metric")[0]
    assert "method.name dali gan" in " ".join(differing.split())
    assert "trainer.ema" not in differing


@pytest.fixture
def copy(points, tmp_path):
    """A run whose map of codes is drawn at once, to be changed."""
    return shutil.copytree(points, tmp_path / "copy")


def test_a_run_without_scores_is_said_to_be_unfinished(copy, tmp_path):
    (copy / "scores.json").unlink()
    page = made(tmp_path, copy)
    assert "not finished: it stopped at step 8 of 8" in page.texts["overview"]
    assert "has no final scores" in page.texts["scores"]
    assert page.images["samples"]


def test_a_run_that_trains_is_said_to_be_in_training(copy, tmp_path):
    (copy / "scores.json").unlink()
    with RunDirectory(copy).locked():
        page = made(tmp_path, copy)
    assert "still in training, at step 8 of 8" in page.texts["overview"]


def test_a_run_without_a_checkpoint_is_shown_as_far_as_it_goes(copy, tmp_path):
    shutil.rmtree(copy / "checkpoints")
    page = made(tmp_path, copy)
    assert "Nothing is drawn by this run's weights: Run" in page.texts["overview"]
    assert page.texts.keys() - {""} == ALL - INFERENCE - {"samples", "neighbours"}


def test_a_run_whose_data_are_gone_is_shown_without_them(trained, tmp_path, monkeypatch):
    def gone(self):
        raise UserError("the data are gone")

    monkeypatch.setattr(Use, "dataset", property(gone))
    page = made(tmp_path, trained)
    assert page.images["samples"], "which need none"
    assert "This cannot be shown: the data are gone" in page.texts["reconstructions"]


def test_a_section_that_fails_leaves_the_others(copy, tmp_path, monkeypatch):
    def broken(*_):
        return 1 / 0

    monkeypatch.setattr(Read, "inferred", broken)
    with pytest.warns(UserWarning, match="section 'What is read of codes' failed: ZeroDivisionError"):
        page = made(tmp_path, copy)
    assert "This cannot be shown: ZeroDivisionError: division by zero" in page.texts["read"]
    assert page.images["reconstructions"]


def test_damage_is_told_of(copy, tmp_path):
    (copy / "metrics.jsonl").write_text("no json\n")
    (copy / "scores.json").write_text((copy / "scores.json").read_text().replace("8", "9", 1))
    with pytest.warns(UserWarning, match="scores.json"):
        text = made(tmp_path, copy).texts["overview"]
    assert "metrics.jsonl has a line that is not a record" in text
    assert "scores.json is not as it was written" in text


def test_pictures_that_are_none_are_passed_over(copy, tmp_path):
    last = sorted((copy / "samples").iterdir())[-1]
    last.write_bytes(b"<svg onload=alert(1)>")
    page = made(tmp_path, copy)
    assert all("Step 8" not in alt for _, alt in page.images["training"])
    assert page.images["training"]


def test_hostile_text_is_text(page, hostile):
    assert HOSTILE in hostile.texts["configuration"], "as it is read, unescaped"
    assert HOSTILE in hostile.texts["scores"]
    assert HOSTILE in hostile.charts["curves"]
    assert "<img src=x" not in hostile.source
    assert hostile.tags["script"] - page.tags["script"] <= 1, "one more chart at most"
    assert hostile.tags.get("b", 0) == page.tags.get("b", 0)


def test_a_study_is_shown_with_its_table(cli, points, tmp_path):
    done = cli("compare", points, "--out", tmp_path / "study")
    assert done.returncode == 0, done.stderr
    page = made(tmp_path, tmp_path / "study")
    (row,) = json.loads((tmp_path / "study" / "compare.json").read_text())["rows"]
    for cell in row["cells"].values():
        assert f"{cell['final']['mean']:.4g}" in page.texts["study"]
    assert page.images["samples"]


@pytest.mark.parametrize("name", [row.name for row in Registry.discover().rows if row.kind == "method"])
def test_every_method_names_what_is_to_be_cited(name):
    row = Registry.discover().row("method", name)
    if row.distribution != OWN_DISTRIBUTION:
        pytest.skip("a plugin's method")
    assert re.search(r'"[A-Z][^"]{15,}"|\d{4}', source_of(row.component)), source_of(row.component)


def test_a_page_is_read_back_as_it_is(page):
    assert Page(page.path).texts == page.texts
