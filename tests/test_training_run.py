"""The life of a run from Python: the same as by the command line, and no trace of having been stopped."""

import json
import os
import sys
from dataclasses import replace

import fakes
import pytest
import torch
import yaml
from traces import differences, records

import dalikit
from dalikit import training_run
from dalikit.assembly.registry import Registry
from dalikit.assembly.resolve import resolve
from dalikit.errors import NonFiniteLossError, UserError
from dalikit.interfaces import Callback
from dalikit.runs import RunDirectory

SMALL = {
    "backbone": "mlp",
    "generator": {"width": 16, "latent_size": 4},
    "discriminator": {"width": 16},
    "encoder": {"width": 16},
    "callbacks": {"progress": None, "pictures": {"count": 4}, "checkpoint": {"every": 10}},
}
"""What `train_options` say, as settings."""

PLUGIN = """
    import os

    import torch

    from dalikit import Callback, Dataset, DataSpec, Metric, Score, TensorSplit
    from dalikit.evaluation import scoring
    from dalikit.hookspecs import offer

    DALIKIT_API = 2
    ROOTS, EVENTS = [], []

    class Rooted(Dataset):
        "Points, which notes where it is told to look for them, and where the environment says."
        name = "rooted"
        spec = DataSpec((2,))
        backbone = "mlp"
        latent_size = 2
        preparation = "made by the test"

        def __init__(self, root=None, /):
            ROOTS.append((root, os.environ.get("DALIKIT_DATA")))

        def split(self, part):
            return TensorSplit(torch.randn(40, 2, generator=torch.Generator().manual_seed(0)))

    class Reader(Callback):
        "Reads losses at steps of its own, logs them, and counts how often it has."
        name = "reader"

        def __init__(self, *, every: int = 3):
            self.every = every
            self.read = 0

        def step_end(self, fit):
            if fit.step % self.every == 0:
                self.read += 1
                fit.log({"event": "read", "step": fit.step, "read": self.read, **fit.losses(self.name)})

        def state(self):
            return {"read": self.read}

        def load_state(self, state):
            self.read = state["read"]

    class Witness(Callback):
        "Notes what it is told."
        name = "witness"

        def logged(self, fit, record):
            EVENTS.append(record)

        def fit_end(self, fit):
            EVENTS.append("fit_end")

    class Errors(Metric):
        "The error of reconstructions, the more the better."
        name = "errors"
        headline = (("error", "higher"),)

        def __init__(self, dataset, part, /):
            self.dataset, self.part, self.found = dataset, part, []

        def feed(self, method):
            for x, _ in scoring.data(self.dataset, self.part, method):
                yield x, method.generate(method.code(x))

        def update(self, *batch):
            self.found.append((batch[0] - batch[1]).square().flatten(1).mean(1))

        def compute(self):
            return Score(self.name, {"error": float(torch.cat(self.found).mean())}, {"part": self.part})

    dalikit_components = offer(Rooted, Reader, Witness, Errors)
"""


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """The module of an installed distribution with a data set and callbacks that watch."""
    fakes.install(tmp_path / "plugins", monkeypatch, "dalikit-watching", PLUGIN)
    Registry.discover(strict=True)
    return sys.modules["dalikit_watching"]


def check_equal(a, b, but=()):
    """Two runs are the same, bit by bit, but for their folders and times."""
    assert differences(a, b, but) == []


class Killed(BaseException):
    """As if the process ended here."""


class Ending(Callback):
    """Ends a training after `step`: by asking for that, at once, or as if it were killed."""

    name = "ending"

    def __init__(self, step, how="stop"):
        self.step, self.how = step, how

    def step_end(self, fit):
        if fit.step == self.step:
            if self.how == "killed":
                raise Killed
            fit.stop() if self.how == "stop" else fit.interrupt()


# --- from Python -----------------------------------------------------------------------------------------


def test_python_trains_what_the_command_line_trains(cli, train_options, trained, tmp_path):
    model = dalikit.train(out=tmp_path / "run", trainer={"batch_size": 16, "steps": 30}, **SMALL)
    assert (model.step, model.run.path) == (30, tmp_path / "run")
    assert torch.equal(model.sample(3, seed=1), dalikit.load(trained).sample(3, seed=1))
    check_equal(tmp_path / "run", trained, but=("config", "state"))  # for there is no bar of progress
    mine, theirs = (yaml.safe_load((run / "config.yaml").read_text()) for run in (model.run.path, trained))
    assert mine.pop("callbacks") != theirs.pop("callbacks")
    assert mine == theirs


@pytest.mark.parametrize("recipe", ["ring8", "dali-f"])
def test_python_trains_a_recipe_that_it_names(cli, tmp_path, recipe):
    settings = {"trainer": {"steps": 5}, "seed": 3, "method": {"name": "dali", "lam": 0.25}}
    model = dalikit.train(recipe, out=tmp_path / "a", **settings)
    words = ["--recipe", recipe, "--steps", 5, "--seed", 3, "--method", "dali", "--set", "method.lam=0.25"]
    assert cli("train", *words, "--out", tmp_path / "b").returncode == 0
    check_equal(tmp_path / "a", tmp_path / "b", but=("state",))  # for there is no bar of progress
    assert (model.config.recipe, model.config.seed, model.config.method.params["lam"]) == (recipe, 3, 0.25)


def test_python_has_the_same_errors_and_writes_nothing_then(trained, tmp_path):
    wrong = [
        ({"recipe": "ring9"}, "Unknown recipe 'ring9'. Did you mean 'ring8'?"),
        ({"metod": "ali"}, "Unknown section 'metod'. Did you mean 'method'?"),
        ({"trainer": {"stepps": 3}}, "trainer has no parameter 'stepps'. Did you mean 'steps'?"),
    ]
    for settings, says in wrong:
        with pytest.raises(UserError) as error:
            dalikit.train(out=tmp_path / "run", **settings)
        assert says in str(error.value)
        assert not list(tmp_path.iterdir())
    with pytest.raises(UserError, match="holds a run already"):
        dalikit.train(out=trained)


def test_training_leaves_the_callers_random_state_and_threads_alone(tmp_path):
    torch.manual_seed(1)
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    dalikit.train("ring8", out=tmp_path / "run", trainer={"steps": 2}, threads=threads + 1)
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), before)


def test_the_data_root_is_an_argument_all_the_way(cli, plugin, tmp_path, monkeypatch):
    monkeypatch.setenv("DALIKIT_DATA", "elsewhere")
    environment, root, run = dict(os.environ), tmp_path / "root", tmp_path / "run"
    small = {"callbacks": {"progress": None, "pictures": None}, "trainer": {"steps": 2, "batch_size": 4}}
    model = dalikit.train(dataset="rooted", data_root=str(root), out=run, **small)
    assert model.data("test").shape == (40, 2)
    assert dalikit.load(run, data_root=root).data("test").shape == (40, 2)
    options = ["--data-root", root]
    for words in (
        ("train", "--dataset", "rooted", "--steps", 2, "--out", tmp_path / "other"),
        ("train", "--resume", run, "--steps", 3),
        ("reconstruct", run),
        ("evaluate", run),
        ("config", "--dataset", "rooted"),
    ):
        seen = len(plugin.ROOTS)
        done = cli(*words, *options)
        assert done.returncode == 0, done.stderr
        assert len(plugin.ROOTS) > seen, words
    assert set(plugin.ROOTS) == {(root, "elsewhere")}
    assert dict(os.environ) == environment
    dalikit.load(run).data("test")
    assert plugin.ROOTS[-1] == (None, "elsewhere"), "which is then the data set's own to read"


# --- what is logged --------------------------------------------------------------------------------------


def test_final_scores_are_logged_before_the_end_is_told(plugin, tmp_path):
    callbacks = {**SMALL["callbacks"], "witness": {}}
    settings = {**SMALL, "callbacks": callbacks, "trainer": {"steps": 4}}
    dalikit.train(out=tmp_path / "run", **settings)
    *_, last, end = plugin.EVENTS
    assert end == "fit_end"
    stored = json.loads((tmp_path / "run" / "scores.json").read_text())
    told = ("step", "metrics", "skipped", "best")
    assert last == {"event": "scores", **{name: stored[name] for name in told}}
    assert last["metrics"]["reconstruction"]["mse_01"] > 0
    assert [r["event"] for r in plugin.EVENTS[:-1]].count("scores") == 1
    assert plugin.EVENTS[:-1] == records(tmp_path / "run")
    losses, pictures = ([r for r in plugin.EVENTS[:-1] if r["event"] == e] for e in ("losses", "picture"))
    assert [r["step"] for r in losses] == [4]
    assert all((tmp_path / "run" / r["path"]).is_file() for r in pictures)
    assert {(r["step"], r["path"].split("/")[0]) for r in pictures} == {
        (step, kind) for step in (0, 4) for kind in ("samples", "reconstructions")
    }


def test_a_training_that_is_stopped_logs_no_final_scores(plugin, tmp_path):
    callbacks = {**SMALL["callbacks"], "witness": {}}
    registry = Registry.discover()
    config = resolve([{**SMALL, "callbacks": callbacks, "trainer": {"steps": 9}}], registry)
    with training_run.start(config, registry, tmp_path / "run") as training:
        training.trainer.watchers.add(Ending(5))
        training.fit()
        assert not training.finished
    assert plugin.EVENTS[-1] == "fit_end"
    assert all(r["event"] != "scores" for r in plugin.EVENTS[:-1])
    assert not (tmp_path / "run" / "scores.json").exists()


def test_the_scores_of_the_best_weights_stand_beside_the_last(plugin, tmp_path):
    """By a metric whose best is not at the end: the first weights err most."""
    settings = {**SMALL, "trainer": {"steps": 30}, "metrics": {"errors": {}}}
    often = {"evaluation": {"every": 10}, "best": {"metric": "errors"}}
    run = tmp_path / "run"
    dalikit.train(out=run, **{**settings, "callbacks": {**SMALL["callbacks"], **often}})
    scores = json.loads((run / "scores.json").read_text())
    assert (scores["step"], scores["best"]["step"]) == (30, 10)
    (first,) = [
        r for r in records(run) if (r["event"], r["step"]) == ("score", 10) and r["metric"] == "errors"
    ]
    by = {"step": 10, "metric": "errors", "values": {"error": first["error"]}, "part": "validation"}
    assert scores["best"]["by"] == by
    for which, document in (("last", scores), ("best", scores["best"])):
        model = dalikit.load(run, weights=which)
        assert (model.weights, model.step) == (which, document["step"])
        found, skipped = model.evaluate()
        assert skipped == document["skipped"]
        assert {s.metric: dict(s.values) for s in found} == {
            name: {k: v for k, v in values.items() if k != "protocol"}
            for name, values in document["metrics"].items()
        }
    assert scores["best"]["metrics"]["errors"]["error"] > scores["metrics"]["errors"]["error"]
    stored = RunDirectory(run).scores
    assert (stored.best.step, stored.best.by.values) == (10, {"error": first["error"]})


def test_a_run_without_best_weights_says_so(tmp_path):
    settings = {**SMALL, "trainer": {"steps": 2}, "callbacks": {**SMALL["callbacks"], "evaluation": None}}
    dalikit.train(out=tmp_path / "run", **settings)
    assert "best" not in json.loads((tmp_path / "run" / "scores.json").read_text())
    assert RunDirectory(tmp_path / "run").scores.best is None
    with pytest.raises(UserError, match="kept no best weights"):
        dalikit.load(tmp_path / "run", weights="best")


# --- stopped and gone on with ----------------------------------------------------------------------------

WATCHED = {
    **SMALL,
    "trainer": {"steps": 24, "batch_size": 16},
    "game": {"r1": 0.5, "penalty_every": 4},  # a term that is not there in every step
    "callbacks": {
        "progress": {"every": 2, "seconds": 0.0},
        "log": {"every": 7},
        "evaluation": {"every": 8},
        "pictures": {"every": 9, "count": 4},
        "checkpoint": {"every": 6},
        "reader": {"every": 3},
    },
}
"""Watchers that all read losses, each at steps of its own."""


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    with pytest.MonkeyPatch.context() as patch:
        fakes.install(folder / "plugins", patch, "dalikit-watching", PLUGIN)
        dalikit.train(out=folder / "run", **WATCHED)
    found = records(folder / "run")
    bests = [folder.name for folder in sorted((folder / "run").glob("best/step-*"))]
    assert bests == ["step-000016", "step-000024"], "each of the two checkpoints has a best of its own"
    assert [r["step"] for r in found if r["event"] == "losses"] == [7, 14, 21, 24]
    assert [r["step"] for r in found if r["event"] == "read"] == list(range(3, 25, 3))
    return folder / "run"


@pytest.mark.parametrize(
    ("ends", "how"),
    [
        ([1], "stop"),
        ([5], "stop"),
        ([6], "stop"),  # where a checkpoint is due, and a reading
        ([7], "stop"),  # where losses are logged
        ([9, 10, 18], "stop"),
        ([23], "stop"),
        ([8, 9], "at once"),  # before a score and a picture that are due
        ([18, 24], "at once"),  # beside a checkpoint, and at the end
        ([2, 4], "killed"),  # before there is a checkpoint
        ([17], "killed"),  # after a score that was the best, and before its checkpoint
        ([8], "killed"),  # back to the checkpoint at 6
        ([12, 22], "killed"),
    ],
)
@pytest.mark.parametrize("place", ["first", "last"])
def test_a_stopped_run_leaves_no_trace_of_it(plugin, undisturbed, tmp_path, ends, how, place):
    """Whether whoever ends it is told of a step before the other watchers, or after them."""
    run, registry = tmp_path / "run", Registry.discover()
    for number, step in enumerate(ends):
        starting = training_run.start(resolve([WATCHED], registry), registry, run)
        with training_run.resume(run, registry) if number else starting as training:
            training.trainer.watchers.add(Ending(step, how))
            if place == "first":
                training.trainer.watchers.callbacks.insert(1, training.trainer.watchers.callbacks.pop())
            if how == "killed":
                with pytest.raises(Killed):
                    training.fit()
            else:
                training.fit()
                assert (training.trainer.step, training.finished) == (step, False)
    with training_run.resume(run, registry) as training:
        training.fit()
        assert training.finished
    # Whoever ended it at its last step is among those that the last checkpoint would tell of that.
    check_equal(run, undisturbed, but=("state",) if ends[-1] == 24 else ())
    assert records(run)[-1]["event"] == "scores"


def test_a_checkpoint_is_written_before_whatever_is_due_with_it(plugin, tmp_path):
    """Of the step at which it is killed, by the first of those that watch beside it."""
    run, registry = tmp_path / "run", Registry.discover()
    with training_run.start(resolve([WATCHED], registry), registry, run) as training:
        watchers = training.trainer.watchers
        watchers.add(Ending(12, "killed"))
        others = [callback.name for callback in watchers.callbacks if not callback.saves]
        with pytest.raises(Killed):
            training.fit()
    assert [folder.name for folder in RunDirectory(run).checkpoints()] == ["step-000006", "step-000012"]
    assert sorted(RunDirectory(run).load_checkpoint().state.scalars["untold"]) == sorted(others)


def test_a_run_that_was_killed_by_the_command_line_leaves_no_trace_of_it(plugin, cli, undisturbed, tmp_path):
    """Resumed by the command line too, which knows nothing of how it ended."""
    run, registry = tmp_path / "run", Registry.discover()
    with training_run.start(resolve([WATCHED], registry), registry, run) as training:
        training.trainer.watchers.add(Ending(16, "killed"))
        with pytest.raises(Killed):
            training.fit()
    with (run / "metrics.jsonl").open("a") as log:
        log.write('{"event": "losses", "st')
    done = cli("train", "--resume", run)
    assert done.returncode == 0, done.stderr
    check_equal(run, undisturbed)


def test_a_run_is_finished_only_when_its_log_is(tmp_path, monkeypatch):
    """What is killed between the two is gone on with, and ends with both."""
    real, run = RunDirectory.save_scores, tmp_path / "run"

    def killed(*_):
        raise Killed

    monkeypatch.setattr(RunDirectory, "save_scores", killed)
    with pytest.raises(Killed):
        dalikit.train(out=run, **{**SMALL, "trainer": {"steps": 2}})
    assert records(run)[-1]["event"] == "scores"
    monkeypatch.setattr(RunDirectory, "save_scores", real)
    with training_run.resume(run, Registry.discover()) as training:
        training.fit()
        assert training.finished
    assert [record["event"] for record in records(run)].count("scores") == 1
    assert (run / "scores.json").is_file()


def test_a_run_that_ends_before_its_first_step_begins_anew_and_logs_nothing_twice(tmp_path):
    registry, run = Registry.discover(), tmp_path / "run"
    config = resolve([{**SMALL, "trainer": {"steps": 2}}], registry)
    with training_run.start(config, registry, run) as training:
        training.trainer.interrupt()
        training.fit()
    assert not RunDirectory(run).checkpoints()
    with training_run.resume(run, registry) as training:
        training.fit()
    drawn = [record["path"] for record in records(run) if record["event"] == "picture"]
    assert len(drawn) == len(set(drawn)) == 4


def test_best_weights_that_are_damaged_cost_no_scores_of_the_last(tmp_path, monkeypatch):
    def damaged(_):
        raise UserError("Run is damaged")

    monkeypatch.setattr(RunDirectory, "load_best", damaged)
    with pytest.warns(UserWarning, match="The best weights are not scored: Run is damaged"):
        dalikit.train(out=tmp_path / "run", **{**SMALL, "trainer": {"steps": 2}})
    scores = json.loads((tmp_path / "run" / "scores.json").read_text())
    assert "reconstruction" in scores["metrics"]
    assert "best" not in scores


# --- what is not finite ----------------------------------------------------------------------------------


def failing(trainer, at, until):
    """Make the loss of the last phase NaN in iteration `at` as long as there were fewer rollbacks."""
    *others, last = trainer.phases

    def loss(iteration):
        found = last.loss(iteration)
        wrong = trainer.step + 1 == at and trainer.rollbacks < until
        return replace(found, total=found.total * (float("nan") if wrong else 1.0))

    trainer.phases = (*others, replace(last, loss=loss))


@pytest.mark.parametrize("at", [3, 15])
def test_a_training_is_tried_again_at_half_the_rates(plugin, tmp_path, at):
    """From the checkpoint at 12, or from the beginning where there is none yet; all of it is in the log."""
    settings = {**WATCHED, "trainer": {**WATCHED["trainer"], "on_nonfinite": "rollback"}}
    run, registry = tmp_path / "run", Registry.discover()
    with training_run.start(resolve([settings], registry), registry, run) as training:
        failing(training.trainer, at, until=2)
        with pytest.warns(UserWarning, match=rf"nan in step {at}.*back to step {at // 6 * 6}, at 0\.\d+ of"):
            training.fit()
        assert training.finished
        assert training.trainer.rollbacks == 2
        rate = training.trainer.optimizers["generator"].torch.param_groups[0]["lr"]
        settings_of = training.trainer.settings.of("generator")
        epoch = training.trainer.stream.epoch
        assert float(rate) == pytest.approx(settings_of.rate(23, 24, epoch) / 4)
    back = [r for r in records(run) if r["event"] == "rollback"]
    assert [(r["step"], r["failed"], r["rates"]) for r in back] == [
        (at // 6 * 6, at, 0.5),
        (at // 6 * 6, at, 0.25),
    ]
    assert all(f"its total became nan in step {at}" in record["reason"] for record in back)
    with training_run.resume(run, registry, steps=25) as training:
        assert training.trainer.rollbacks == 2, "which a resume keeps to"


def test_a_training_is_not_tried_again_for_ever(plugin, tmp_path):
    settings = {**WATCHED, "trainer": {**WATCHED["trainer"], "on_nonfinite": "rollback"}}
    run, registry = tmp_path / "run", Registry.discover()
    with training_run.start(resolve([settings], registry), registry, run) as training:
        failing(training.trainer, 8, until=100)
        with (
            pytest.warns(UserWarning, match="back to step 6"),
            pytest.raises(NonFiniteLossError, match="nan in step 8"),
        ):
            training.fit()
        assert training.trainer.rollbacks == 5
    assert [folder.name for folder in RunDirectory(run).checkpoints()] == ["step-000006"]
