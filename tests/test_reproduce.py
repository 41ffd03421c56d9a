"""Studies without the command line: plans, figures over seeds, tables, pictures of them, refusals."""

import math
import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dalikit.assembly.registry import Registry
from dalikit.cli import study as cli_study
from dalikit.errors import UserError
from dalikit.functional import lettering
from dalikit.functional.schedules import Schedule
from dalikit.interfaces import Study, StudyColumn
from dalikit.runs import BestFacts, BestScores, DataFacts, RunDirectory, RunFacts
from dalikit.studies import draw, launch, montages, records, render
from dalikit.studies.plan import make_plan
from dalikit.studies.records import Record
from dalikit.studies.table import Cell, Entry, Figure, aggregate

REGISTRY = Registry.discover()
STUDIES = [REGISTRY.get("study", name) for name in ("table1", "table2", "figure1", "mixture")]
FACTS = RunFacts(data=DataFacts(x_shape=(2,), value_range=None))
MODES = StudyColumn("modes", "modes", "modes", digits=1)
ERROR = StudyColumn("MSE", "reconstruction", "mse", digits=3, better="lower")


def record(modes, *, folder="a", samples=2500, best=None, seconds=60.0, skipped=None) -> Record:
    """A run's record; with its `best` weights at step 10, if it kept any."""
    metrics = {"modes": {"modes": modes, "protocol": {"samples": samples, "part": "test", "seed": 0}}}
    by = BestFacts(step=10, metric="modes", values={"modes": 1})
    found = {"metrics": {"modes": {"modes": best}}, "skipped": {}}
    kept = None if best is None else BestScores(step=10, by=by, **found)
    return Record(Path(folder), 20, seconds, metrics, skipped or {}, {"weights": "averaged"}, kept)


def entry(*records, label="DALI", paper=None, faults=None, dataset="ring8") -> Entry:
    return Entry(label.lower(), label, dataset, records, faults or {}, paper or {})


def colours(picture: Image.Image) -> set:
    return {colour for _, colour in picture.convert("RGB").getcolors(picture.width * picture.height)}


# --- plans -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("budget", ["quick", "balanced", "paper"])
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
def test_in_the_balanced_budget_every_reconstruction_pulls_as_hard(study: Study, tmp_path):
    plans = [make_plan(study, REGISTRY, tmp_path, budget) for budget in ("quick", "balanced")]
    ratios = set()
    for quick, run in zip(*(plan.runs for plan in plans), strict=True):
        weight = REGISTRY.get("method", run.config.method.name).balanced
        if weight is None:
            assert run.config == quick.config
            continue
        assert run.config.method.params[weight] == "balanced"
        assert run.config.method.params.get("lam_schedule", Schedule()) == Schedule()
        ratios.add(run.config.method.params["ratio"])
    assert len(ratios) == 1


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
    assert (dali.method.params["lam"], dali.players["game"].params["r1"]) == (1.0, 0.0)
    assert dali.trainer["batch_size"] == 100
    assert dali.trainer["steps"] == 300 * 55_000 // 100
    assert by_name["cifar10", "gan"].dataset.params["size"] == 64
    assert by_name["cifar10", "dali"].players["encoder"].params["convs"] == 2
    assert (
        by_name["cifar10", "gan"].players["discriminator"]
        == by_name["cifar10", "dali"].players["discriminator"]
    )
    assert all(config.players["game"].params["r1"] == 0 for config in by_name.values())


@pytest.mark.parametrize("dataset", ["mnist", "cifar10", "celeba"])
def test_every_row_of_table_1_is_validated_through_training(tmp_path, dataset):
    plan = make_plan(REGISTRY.get("study", "table1"), REGISTRY, tmp_path, datasets=[dataset])
    evaluation = [run.config.callbacks["evaluation"] for run in plan.runs]
    assert {each["every"] for each in evaluation} == {1000 if dataset == "mnist" else 500}
    if dataset == "mnist":
        assert {each["metrics"] for each in evaluation} == {None}
    else:
        own = {"gan": ("reconstruction", "pixel-frechet")}  # by which its best weights are chosen
        for run, each in zip(plan.runs, evaluation, strict=True):
            assert each["metrics"] == own.get(run.row.name, ("reconstruction",)), "Inception takes too long"


def test_table_2s_paper_budget_is_veegans_protocol(tmp_path):
    plan = make_plan(REGISTRY.get("study", "table2"), REGISTRY, tmp_path, "paper")
    by_name = {run.row.name: run.config for run in plan.runs}
    assert len(by_name) == 10
    for name, config in by_name.items():
        trainer = config.trainer
        assert (trainer["steps"], trainer["batch_size"], trainer["ema"]) == (100_000, 500, 0.0)
        assert (trainer["lr"], list(trainer["optimizer"]["betas"])) == (1e-3, [0.5, 0.999])
        assert trainer["schedule"] == Schedule(form="constant")
        assert {options["lr"] for options in trainer["roles"].values()} == {1e-3}, name
        assert config.latent_size == 254
        for network in (config.players["generator"], config.players["discriminator"]):
            assert (network.params["x_scale"], network.params["width"]) == (1.0, 128)
        if name != "dali-f":
            assert (config.players["game"].params["r1"], config.players["game"].params["penalty_every"]) == (
                0.0,
                1,
            ), name
        if name.startswith("dali"):
            assert config.method.params["lam"] == 1.0
            assert config.method.params["lam_schedule"] == Schedule(form="constant")
    assert by_name["veegan"].players["game"].params["generator_loss"] == "kl"
    assert by_name["dali-f"].players["game"].name == "fkl"
    assert any("two hidden layers where VEEGAN's has one" in note for note in plan.study.notes)


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
        *("GAN", "ALI", "Unrolled GAN", "VAEGAN", "VEEGAN", "SN-GAN", "DALI", "DALI-f")
    ]
    assert rows[6].paper["grid25"] == {"modes": 25, "high quality, %": 81.1}


def test_a_planned_configuration_survives_its_file(tmp_path):
    plan = make_plan(REGISTRY.get("study", "table2"), REGISTRY, tmp_path, rows=["ALI"])
    (run,) = plan.runs
    assert run.config.method.name == "ali"
    RunDirectory(run.folder).create(run.config, FACTS)
    stored = RunDirectory(run.folder).config
    assert stored.model_dump(mode="json") == run.config.model_dump(mode="json")
    again = make_plan(REGISTRY.get("study", "table2"), REGISTRY, tmp_path, rows=["ALI"])
    assert again.runs == plan.runs, "it is not taken for a run of other settings"


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
    runs = (record(6, best=9), record(8, best=7, folder="b"))
    table = aggregate("t", [entry(*runs, paper={"modes": 8})], (MODES,))
    assert table.lines[0].cells["modes"] == Cell(Figure((6.0, 8.0)), Figure((9.0, 7.0)), 8)
    assert (table.lines[0].steps, table.lines[0].best_steps) == ((20,), (10, 10))
    assert table.lines[0].seconds == Figure((60.0, 60.0))
    headings, rows = render.grid(table, "ring8")
    assert headings == ["system", "modes", "best", "paper", "seeds", "steps", "best at", "time"]
    assert rows == [["DALI", "7.0 ± 1.0", "8.0 ± 1.0", "8", "2", "20", "10 10", "1.0 min"]]


def test_a_run_that_kept_no_best_weights_has_no_best_figures():
    """An older one, say; where none has any there are no such columns."""
    table = aggregate("t", [entry(record(6)), entry(record(5, best=7), label="GAN")], (MODES,))
    headings, rows = render.grid(table, "ring8")
    assert headings == ["system", "modes", "best", "seeds", "steps", "best at", "time"]
    assert rows == [
        ["DALI", "6.0", "-", "1", "20", "-", "1.0 min"],
        ["GAN", "5.0", "7.0", "1", "20", "10", "1.0 min"],
    ]
    headings, _ = render.grid(aggregate("t", [entry(record(6))], (MODES,)), "ring8")
    assert headings == ["system", "modes", "seeds", "steps", "time"]


def test_a_blank_cell_says_why():
    skipped = entry(record(3, skipped={"reconstruction": "no encoder"}), label="GAN")
    failed = entry(label="DALI", faults={"0": "no data", "1": "no data"}, paper={"MSE": (0.026, 0.018)})
    table = aggregate("t", [skipped, failed], (MODES, ERROR))
    assert render.reasons(table) == ["GAN on ring8, MSE: no encoder", "DALI on ring8, modes; MSE: no data"]
    _, rows = render.grid(table, "ring8")
    assert rows[1] == ["DALI", "-", "-", "0.026 ± 0.018", "0", "-", "-"]
    assert "- GAN on ring8, MSE: no encoder\n" in render.markdown(table)


def test_systems_that_lack_the_same_for_one_reason_share_a_sentence():
    lacking = [entry(record(3, skipped={"reconstruction": "no encoder"}), label=n) for n in ("GAN", "SN-GAN")]
    table = aggregate("t", [*lacking, entry(label="DALI", faults={"0": "no data"})], (MODES, ERROR))
    assert render.reasons(table) == [
        "GAN, SN-GAN on ring8, MSE: no encoder",
        "DALI on ring8, modes; MSE: no data",
    ]


def test_one_column_never_holds_two_protocols():
    with pytest.raises(UserError, match=r"modes of a and of b .*: samples is 2500 there and 100 here"):
        aggregate("t", [entry(record(3), record(4, folder="b", samples=100))], (MODES,))
    apart = [entry(record(3)), entry(record(4, samples=100), dataset="grid25")]
    assert aggregate("t", apart, (MODES,)).datasets == ["ring8", "grid25"]


def stamped(modes, folder, data):
    """A record whose score says which data there were; or, as those of before stamps, does not."""
    found = record(modes, folder=folder)
    if data is not None:
        found.metrics["modes"]["protocol"]["data_sha256"] = data
    return found


def test_one_column_never_holds_scores_on_two_data():
    for order in (("x", "y"), (None, "x", "y"), ("x", None, "y"), ("x", "y", None)):
        runs = [stamped(3, f"{place}", data) for place, data in enumerate(order)]
        with pytest.raises(UserError, match='data_sha256 is "x" there and "y" here'):
            aggregate("t", [entry(*runs)], (MODES,))


@pytest.mark.parametrize(
    ("data", "told"), [(("x", "x"), "x"), (("x", None), None), ((None, "x"), None), ((None, None), None)]
)
def test_a_table_says_which_data_there_were_where_all_its_scores_do(data, told):
    runs = [stamped(3, f"{place}", one) for place, one in enumerate(data)]
    table = aggregate("t", [entry(*runs)], (MODES,))
    assert table.protocols["ring8"]["modes"].get("data_sha256") == told
    assert table.protocols["ring8"]["modes"]["samples"] == 2500


# --- pictures and times ----------------------------------------------------------------------------------


def test_a_table_is_drawn_whole():
    runs = [entry(record(6), label="DALI"), entry(record(8), label="GAN")]
    small = draw.table_picture(aggregate("t", runs[:1], (MODES,)))
    large = draw.table_picture(aggregate("t", runs, (MODES,)))
    assert large.height == small.height + draw.LINE
    assert len(colours(large)) > 10


def test_what_the_font_lacks_is_drawn_in_letters_that_it_has():
    drawn = [lettering.block([line], 20, 200) for line in ("64×64", "64x64", "64\ufffe64")]
    assert drawn[0].tobytes() == drawn[1].tobytes()
    assert drawn[0].tobytes() != drawn[2].tobytes()


@pytest.mark.parametrize("room", [30, 60, 80, 200])
def test_no_figure_is_cut_off_and_no_line_is_wider_than_the_terminal(room, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", str(room))
    columns = tuple(replace(MODES, name=f"of modes {i}") for i in range(6))
    found = [entry(record(3 + 10 * i, seconds=90.0), label="DALI " * i + "!") for i in range(1, 4)]
    cli_study._print(aggregate("t", found, columns), None, False)
    said, _, below = capsys.readouterr().out.partition("Protocol of modes on ring8: ")
    assert max(map(len, said.splitlines())) <= room
    assert below == "weights averaged, samples 2500, part test, seed 0\n", (
        "in a line where nobody reads along"
    )
    for figure in ("13.0", "23.0", "33.0"):
        assert said.count(figure) == 6
    assert said.count("1.5 min") == 3
    assert [said.count(f"of modes {i}") for i in range(6)] == [1] * 6
    assert (said.count("system") == 1) == (room == 200)


def test_a_table_that_is_printed_quietly_is_the_table_alone(capsys):
    table = aggregate("t", [entry(record(8))], (MODES,))
    cli_study._print(table, None, False)
    loud = capsys.readouterr().out
    cli_study._print(table, Path("x"), False, quiet=True)
    assert loud.startswith(quiet := capsys.readouterr().out)
    assert "8.0" in quiet
    assert loud.removeprefix(quiet).startswith("Protocol of modes on ring8: ")


def test_the_best_and_the_papers_figure_stand_beside_their_own(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "40")
    columns = tuple(replace(MODES, name=f"of modes {i}") for i in range(5))
    cli_study._print(aggregate("t", [entry(record(8, best=7))], columns), None, False)
    said = capsys.readouterr().out.splitlines()
    headings = [line.split("of modes") for line in said if line.startswith(" system") and "of modes" in line]
    assert len(headings) > 1
    assert all("best" in after for line in headings for after in line[1:])


def test_a_montage_has_a_place_for_each_picture():
    blue = Image.new("RGB", (64, 64), (0, 0, 255))
    sheet = draw.montage([[("one", blue), ("none", None)], [("two", blue)]], "title")
    assert (0, 0, 255) in colours(sheet)
    half = sheet.crop((sheet.width // 2, 0, sheet.width, sheet.height))
    assert (0, 0, 255) not in colours(half)


def test_a_picture_that_cannot_be_had_says_why(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(montages, "montage", lambda rows, title: seen.extend(rows))
    table = aggregate("t", [entry(record(8, folder=tmp_path / "gone")), entry(label="GAN")], (MODES,))
    montages.study_picture(table, ("samples",), REGISTRY)
    ((first, second),) = seen
    assert first[0].startswith("DALI, ring8: ")
    assert "gone" in first[0]
    assert second == ("GAN, ring8: no finished run", None)


@pytest.mark.parametrize(
    ("said", "code", "reason"),
    [
        ("Error: no data\nWarning: 3 of 200 images are left out\n", 2, "no data"),
        ("Error: the first\nError: the last\n", 1, "the last"),
        ("Error: no data\n", 143, "no data"),
        ("Warning: 3 of 200 images are left out\n", -9, "ended by SIGKILL"),
        ("Warning: 3 of 200 images are left out\n", 143, "stopped by SIGTERM"),
        ("", 130, "stopped by SIGINT"),
        ("Warning: 3 of 200 images are left out\n", 1, "exit code 1"),
        ("terminate called\nwhat(): bad\n\n", 1, "what(): bad"),
    ],
)
def test_why_a_process_failed(tmp_path, said, code, reason):
    (tmp_path / "a.err").write_text(said)
    assert launch._reason(tmp_path / "a.err", code) == reason


@pytest.mark.parametrize("left", ["nothing", "run.json", "a run", "a checkpoint", "a note"])
def test_a_run_goes_on_from_wherever_it_was_left(tmp_path, left):
    (run,) = make_plan(REGISTRY.get("study", "table2"), REGISTRY, tmp_path, rows=["gan"]).runs
    directory = RunDirectory(run.folder)
    if left != "nothing":
        directory.create(run.config, FACTS)
    if left == "a checkpoint":
        (run.folder / "checkpoints" / "step-000005").mkdir(parents=True)
    if left in {"run.json", "a note"}:  # killed between the two files; and a folder that is somebody's
        (run.folder / "config.yaml").unlink()
    if left == "a note":
        (run.folder / "note.txt").write_text("mine")
    words = launch._words(run, tmp_path)
    if left in {"a run", "a checkpoint"}:
        assert words == ["train", "--resume", str(run.folder), "--no-report"]
        return
    config = str(tmp_path / f"{run.name}.yaml")
    assert words == ["train", "--config", config, "--out", str(run.folder), "--no-report"]
    if left == "a note":
        assert (run.folder / "note.txt").read_text() == "mine"
    else:
        directory.check_free()


@pytest.mark.parametrize("checkpoint", [True, False])
def test_a_run_that_a_process_trains_is_left_to_it(tmp_path, checkpoint):
    (run,) = make_plan(REGISTRY.get("study", "table2"), REGISTRY, tmp_path, rows=["gan"]).runs
    RunDirectory(run.folder).create(run.config, FACTS)
    if checkpoint:
        (run.folder / "checkpoints" / "step-000005").mkdir(parents=True)
    said = []
    with RunDirectory(run.folder).locked():
        faults = launch.carry_out([run], tmp_path / "logs", 1, said.append)
        assert (run.folder / "config.yaml").exists()
    assert faults == {run.name: f"Run {run.folder} is being trained by process {os.getpid()}"}
    assert said == [f"{run.name} failed: {faults[run.name]}"]


def test_a_run_that_another_process_has_finished_meanwhile_is_not_started(tmp_path):
    (run,) = make_plan(REGISTRY.get("study", "table2"), REGISTRY, tmp_path, rows=["gan"]).runs
    directory = RunDirectory(run.folder)
    directory.create(run.config, FACTS)
    (run.folder / "checkpoints" / "step-000005").mkdir(parents=True)
    steps, data = run.config.trainer["steps"], FACTS.data.model_dump(mode="json")
    directory.save_scores({"step": steps, "weights": "raw", "data": data, "metrics": {}, "skipped": {}})
    said, active, faults = [], [], {}
    launch._start(run, active, tmp_path, faults, said.append, alone=True)
    assert (active, faults) == ([], {})
    assert said == [f"{run.name} was finished by another process"]


def test_scores_that_are_set_aside_come_back_if_no_new_ones_do(tmp_path):
    plan = make_plan(REGISTRY.get("study", "table2"), REGISTRY, tmp_path, rows=["gan", "dali"])
    data = FACTS.data.model_dump(mode="json")
    for run in plan.runs:
        scores = {"step": run.config.trainer["steps"], "weights": "raw", "data": data, "metrics": {}}
        directory = RunDirectory(run.folder)
        directory.create(run.config, FACTS)
        directory.save_scores({**scores, "skipped": {"fidelity": "no weights"}})
    first, second = (RunDirectory(run.folder) for run in plan.runs)
    (first.path / "checkpoints" / "step-000005").mkdir(parents=True)
    launch.set_scores_aside(plan.runs)
    assert not first.scored
    assert second.scored, "without a checkpoint it would be trained again"
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / f"{plan.runs[0].name}.err").write_text("Error: the disk is full\n")
    ended = subprocess.Popen([sys.executable, "-c", "raise SystemExit(1)"])
    ended.wait()
    faults = {}
    launch._settle(launch.Job(plan.runs[0], ended, 0.0), tmp_path / "logs", faults, print, stopped=False)
    assert list(faults.values()) == ["the disk is full"]
    assert first.scored


def test_the_seconds_of_a_run_are_those_of_all_its_processes(tmp_path):
    assert records.seconds_of(tmp_path) is None
    (tmp_path / records.ATTEMPTS).write_text('{"seconds": 2.5, "exit": 143}\n{"seconds": 4, "exit": 0}\n')
    assert records.seconds_of(tmp_path) == 6.5


NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def noon(seconds: float) -> str:
    return (NOON + timedelta(seconds=seconds)).isoformat(timespec="milliseconds")


@given(
    st.lists(
        st.tuples(st.integers(1, 1000), st.lists(st.integers(0, 50), max_size=4)), min_size=1, max_size=5
    )
)
def test_the_time_of_a_run_is_what_it_worked_and_no_pause(tmp_path_factory, sessions):
    """By its log: sessions that begin after a pause each, with steps that are some seconds apart."""
    run, now, worked = RunDirectory(tmp_path_factory.mktemp("run")), 0.0, 0.0
    starts, lines = [], []
    for pause, steps in sessions:
        now += pause
        starts.append(noon(now))
        for seconds in steps:
            now, worked = now + seconds, worked + seconds
            lines.append({"step": len(lines), "time": noon(now)})
    data = DataFacts(x_shape=(2,), value_range=None)
    run.replace_facts(RunFacts(identity="x", data=data, started=starts[0], resumed=starts[1:]))
    assert records._measure_log(run, lines) == (pytest.approx(worked) if lines else None)


def test_the_time_of_a_run_of_before_resumptions_were_noted(tmp_path):
    run, data = RunDirectory(tmp_path), DataFacts(x_shape=(2,), value_range=None)
    run.replace_facts(RunFacts(identity="x", data=data, started=noon(0)))
    assert records._measure_log(run, [{"step": 1, "time": noon(7)}, {"step": 2, "time": noon(9)}]) == 9
    assert records._measure_log(run, []) is None
    assert records._measure_log(run, [{"step": 1}]) is None
