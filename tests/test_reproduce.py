"""Studies without the command line: plans, figures over seeds, tables, pictures of them, refusals."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from dalikit.errors import UserError
from dalikit.interfaces import Study, StudyColumn
from dalikit.registry import Registry
from dalikit.studies import draw, launch, montages, render
from dalikit.studies.plan import as_stored, make_plan
from dalikit.studies.records import Record
from dalikit.studies.table import Cell, Entry, Figure, aggregated

REGISTRY = Registry.discover()
STUDIES = [REGISTRY.get("study", name) for name in ("table1", "table2", "figure1", "mixture")]
MODES = StudyColumn("modes", "modes", "modes", digits=1)
ERROR = StudyColumn("MSE", "reconstruction", "mse", digits=3, better="lower")


def record(modes, *, folder="a", samples=2500, validation=(), seconds=60.0, skipped=None) -> Record:
    metrics = {"modes": {"modes": modes, "protocol": {"samples": samples}}}
    scores = tuple({"metric": "modes", "modes": value} for value in validation)
    return Record(Path(folder), 20, seconds, metrics, skipped or {}, {"weights": "averaged"}, scores)


def entry(*records, label="DALI", paper=None, faults=None, dataset="ring8") -> Entry:
    return Entry(label.lower(), label, dataset, records, faults or {}, paper or {})


def colours(picture: Image.Image) -> set:
    return {colour for _, colour in picture.convert("RGB").getcolors(picture.width * picture.height)}


# --- plans -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("budget", ["quick", "paper"])
@pytest.mark.parametrize("study", STUDIES, ids=lambda study: study.name)
def test_every_run_of_the_papers_studies_can_be_planned(study: Study, budget, tmp_path):
    plan = make_plan(study, REGISTRY, tmp_path, budget)
    assert not [run.fault for run in plan.runs if run.fault]
    assert len(plan.runs) == len(study.rows) * len(study.datasets)
    assert len({run.folder for run in plan.runs}) == len(plan.runs)
    steps = {(run.dataset, run.config.trainer["steps"]) for run in plan.runs}
    assert len(steps) == len(study.datasets), "every row gets as many steps"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("study", STUDIES, ids=lambda study: study.name)
def test_the_papers_figures_belong_to_a_column_and_a_data_set(study: Study):
    names = {column.name for column in study.columns}
    for row in study.rows:
        assert row.paper.keys() <= set(study.datasets)
        assert all(figures.keys() <= names for figures in row.paper.values())


def test_table_1s_paper_budget_is_the_papers_own_protocol(tmp_path):
    plan = make_plan(REGISTRY.get("study", "table1"), REGISTRY, tmp_path, "paper")
    by_name = {(run.dataset, run.row.name): run.config for run in plan.runs}
    dali = by_name["mnist", "dali"]
    assert dali.backbone == "infogan"
    assert (dali.method.params["lam"], dali.game.params["r1"]) == (1.0, 0.0)
    assert dali.trainer["batch_size"] == 100
    assert dali.trainer["steps"] == 300 * 55_000 // 100
    assert by_name["cifar10", "gan"].dataset.params["size"] == 64
    assert by_name["cifar10", "dali"].encoder.params["convs"] == 2
    assert by_name["cifar10", "gan"].discriminator == by_name["cifar10", "dali"].discriminator
    assert all(config.game.params["r1"] == 0 for config in by_name.values())


def test_figure_1_is_of_table_1s_runs(tmp_path):
    table, figure = (
        make_plan(REGISTRY.get("study", name), REGISTRY, tmp_path) for name in ("table1", "figure1")
    )
    runs = {run.folder: run.config for run in table.runs}
    assert figure.runs
    assert all(runs[run.folder] == run.config for run in figure.runs)


def test_table_2_has_the_papers_rows_in_its_order():
    rows = REGISTRY.get("study", "table2").rows
    assert [row.label for row in rows][:8] == [
        *("GAN", "ALI", "Unrolled GAN", "VAEGAN", "VEEGAN", "SN-GAN", "DALI", "DALI-f"),
    ]
    assert rows[6].paper["grid25"] == {"modes": 25, "high quality, %": 81.1}


def test_a_planned_configuration_survives_its_file(tmp_path):
    plan = make_plan(REGISTRY.get("study", "table2"), REGISTRY, tmp_path, rows=["ALI"])
    (run,) = plan.runs
    assert as_stored(run.config) == as_stored(as_stored(run.config))
    assert run.config.method.name == "ali"


def test_data_sets_are_chosen_by_name_and_keep_their_order(tmp_path):
    study = REGISTRY.get("study", "table1")
    plan = make_plan(study, REGISTRY, tmp_path, rows=["gan"], datasets=["cifar10", "mnist"])
    assert [run.dataset for run in plan.runs] == ["mnist", "cifar10"]


def test_rows_are_known_by_name_and_label_and_keep_their_order(tmp_path):
    plan = make_plan(REGISTRY.get("study", "table2"), REGISTRY, tmp_path, rows=["DALI-F", "unrolled gan"])
    assert [row.name for row in plan.rows] == ["unrolled", "dali-f"]


# --- figures ---------------------------------------------------------------------------------------------


def test_mean_and_standard_error_by_hand():
    figure = Figure((1.0, 2.0, 4.0))
    assert figure.mean == pytest.approx(7 / 3)
    # squared differences 16/9, 1/9, 25/9; by n - 1 = 2 their mean is 7/3; over √3
    assert figure.standard_error == pytest.approx(math.sqrt(7 / 3) / math.sqrt(3))
    assert Figure((5.0,)).standard_error is None


def test_a_cell_has_the_final_and_the_best_figure_and_the_papers():
    runs = (record(6, validation=(7, 8, 5)), record(8, validation=(8,), folder="b"))
    table = aggregated("t", [entry(*runs, paper={"modes": 8})], (MODES,))
    assert table.lines[0].cells["modes"] == Cell(Figure((6.0, 8.0)), Figure((8.0, 8.0)), 8)
    assert table.lines[0].steps == (20,)
    assert table.lines[0].seconds == Figure((60.0, 60.0))
    headings, rows = render.grid(table, "ring8")
    assert headings == ["system", "modes", "best", "paper", "seeds", "steps", "time"]
    assert rows == [["DALI", "7.0 ± 1.0", "8.0 ± 0.0", "8", "2", "20", "1.0 min"]]


def test_the_best_error_is_the_least():
    scores = tuple({"metric": "reconstruction", "mse": value} for value in (0.3, 0.1, 0.2))
    run = replace(record(1), validation=scores)
    assert run.best(ERROR) == 0.1
    assert run.best(replace(ERROR, better=None)) is None


def test_a_blank_cell_says_why():
    skipped = entry(record(3, skipped={"reconstruction": "no encoder"}), label="GAN")
    failed = entry(label="DALI", faults={"0": "no data", "1": "no data"}, paper={"MSE": (0.026, 0.018)})
    table = aggregated("t", [skipped, failed], (MODES, ERROR))
    assert render.reasons(table) == ["GAN on ring8, MSE: no encoder", "DALI on ring8, modes; MSE: no data"]
    _, rows = render.grid(table, "ring8")
    assert rows[1] == ["DALI", "-", "-", "0.026 ± 0.018", "0", "-", "-"]
    assert "- GAN on ring8, MSE: no encoder\n" in render.markdown(table)


def test_one_column_never_holds_two_protocols():
    with pytest.raises(UserError, match=r"modes of a and of b .*: samples is 2500 there and 100 here"):
        aggregated("t", [entry(record(3), record(4, folder="b", samples=100))], (MODES,))
    apart = [entry(record(3)), entry(record(4, samples=100), dataset="grid25")]
    assert aggregated("t", apart, (MODES,)).datasets == ["ring8", "grid25"]


# --- pictures and times ----------------------------------------------------------------------------------


def test_a_table_is_drawn_whole():
    runs = [entry(record(6), label="DALI"), entry(record(8), label="GAN")]
    small = draw.table_picture(aggregated("t", runs[:1], (MODES,)))
    large = draw.table_picture(aggregated("t", runs, (MODES,)))
    assert large.height == small.height + draw.LINE
    assert len(colours(large)) > 10


def test_a_montage_has_a_place_for_each_picture():
    blue = Image.new("RGB", (64, 64), (0, 0, 255))
    sheet = draw.montage([[("one", blue), ("none", None)], [("two", blue)]], "title")
    assert (0, 0, 255) in colours(sheet)
    half = sheet.crop((sheet.width // 2, 0, sheet.width, sheet.height))
    assert (0, 0, 255) not in colours(half)


def test_a_picture_that_cannot_be_had_says_why(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(montages, "montage", lambda rows, title: seen.extend(rows))
    table = aggregated("t", [entry(record(8, folder=tmp_path / "gone")), entry(label="GAN")], (MODES,))
    montages.study_picture(table, ("samples",), REGISTRY)
    ((first, second),) = seen
    assert first[0].startswith("DALI, ring8: ")
    assert "gone" in first[0]
    assert second == ("GAN, ring8: no finished run", None)


def test_a_process_that_was_killed_is_told_by_its_signal(tmp_path):
    (tmp_path / "a.err").write_text("Warning: 3 of 200 images are left out\n")
    assert launch._reason(tmp_path / "a.err", -9) == "ended by SIGKILL"
    assert launch._reason(tmp_path / "a.err", 1) == "Warning: 3 of 200 images are left out"


def test_the_seconds_of_a_run_are_those_of_all_its_processes(tmp_path):
    assert launch.seconds_of(tmp_path) is None
    (tmp_path / launch.ATTEMPTS).write_text('{"seconds": 2.5, "exit": 143}\n{"seconds": 4, "exit": 0}\n')
    assert launch.seconds_of(tmp_path) == 6.5
