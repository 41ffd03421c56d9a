"""Which weights are kept as the best, by which metric, and what happens to those that are passed."""

import json

import pytest
import torch
from players import Points, dali
from safetensors.torch import load_file

from dalikit.assembly.registry import Registry
from dalikit.assembly.resolve import resolve_layers
from dalikit.components.callbacks import Best, Evaluation, Log
from dalikit.errors import RunError, UserError
from dalikit.interfaces import Callback, Metric, Score
from dalikit.runs import Context, RunDirectory
from dalikit.training import Trainer

REGISTRY = Registry.discover()


class Told(Metric):
    """Gives no score by itself: tests log what they want."""

    name = "told"
    headline = (("modes", "higher"), ("error", "lower"))

    def feed(self, method):
        return iter(())

    def update(self, *batch): ...

    def compute(self):
        return Score(self.name, {"modes": 0, "error": 0.0}, {"count": 0})


class Bare(Told):
    """Says nothing of what is better."""

    name = "bare"
    headline = ()


METRICS = {"told": lambda part: Told(), "bare": lambda part: Bare()}


class Teller(Callback):
    """Logs scores of its own, by step."""

    name = "teller"

    def __init__(self, scores, metric="told"):
        self.scores, self.metric, self.weights = scores, metric, {}

    def step_end(self, fit):
        if fit.step in self.scores:
            modes, error = self.scores[fit.step]
            self.weights[fit.step] = {n: t.clone() for n, t in fit.inference.state_dict().items()}
            fit.log(
                {"event": "score", "step": fit.step, "metric": self.metric, "modes": modes, "error": error}
            )


def context(path):
    return Context(RunDirectory(path), Points(), METRICS)


def trained(path, scores, metric="told"):
    """The callback that logged `scores`, after a training that kept the best weights by them."""
    teller = Teller(scores, metric)
    Trainer(dali(), Points(), [Best(context(path), metric="told"), teller], steps=6, batch_size=5).fit()
    return teller


@pytest.mark.parametrize(
    ("scores", "best"),
    [
        ({1: (3, 0.5), 2: (4, 0.5), 3: (2, 0.5)}, 2),
        ({1: (3, 0.5), 2: (3, 0.4), 3: (3, 0.6), 4: (2, 0.0)}, 2),  # the second value decides between equals
        ({1: (3, 0.5), 5: (3, 0.5)}, 1),  # the same again is not better
        ({1: (0, -1.0), 2: (0, -2.0), 6: (0, -3.0)}, 6),
    ],
)
def test_the_weights_of_the_best_score_are_kept(tmp_path, scores, best):
    teller, run = trained(tmp_path, scores), RunDirectory(tmp_path)
    assert [folder.name for folder in run.bests()] == [f"step-{best:06d}"]
    step, weights = run.load_averaged("best")
    assert step == best
    assert weights.keys() == teller.weights[best].keys()
    assert all(torch.equal(weights[name], teller.weights[best][name]) for name in weights)
    assert json.loads((run.bests()[0] / "best.json").read_text()) == {
        "step": best,
        "metric": "told",
        "values": dict(zip(("modes", "error"), scores[best], strict=True)),
        "part": "validation",
    }


def test_scores_of_other_metrics_are_nothing_to_it(tmp_path):
    trained(tmp_path, {1: (3, 0.5)}, metric="other")
    assert not (tmp_path / "best").exists()
    with pytest.raises(UserError, match=r"kept no best weights.*there are the last$"):
        RunDirectory(tmp_path).load_averaged("best")


def test_it_goes_on_from_its_state_and_drops_what_came_later(tmp_path):
    """From a checkpoint at step 3, after it had seen a better score at 5."""
    trained(tmp_path, {2: (3, 0.5), 5: (9, 0.5)})
    early = RunDirectory(tmp_path / "early")
    callbacks = [Best(Context(early, Points(), METRICS), metric="told"), Teller({2: (3, 0.5)})]
    first = Trainer(dali(), Points(), callbacks, steps=6, batch_size=5)
    first.watchers.add(Stop(3))
    first.fit()
    (early.path / "best" / "step-000002").rename(tmp_path / "best" / "step-000002")
    again = Best(context(tmp_path), metric="told")
    trainer = Trainer(dali(), Points(), [again, Teller({4: (3, 0.6)})], steps=6, batch_size=5)
    trainer.load_state(first.state())
    assert again.state() == {
        "step": 2, "metric": "told", "values": {"modes": 3, "error": 0.5}, "part": "validation"
    }  # fmt: skip
    trainer.fit()
    assert [folder.name for folder in RunDirectory(tmp_path).bests()] == ["step-000002"]
    assert load_file(tmp_path / "best" / "step-000002" / "averaged.safetensors")


def test_weights_that_could_not_be_kept_are_not_taken_for_the_best(tmp_path, monkeypatch):
    """Else better ones than those that are there would pass for worse."""
    times, real = [], RunDirectory.save_best

    def full(*arguments):
        times.append(1)
        if len(times) == 2:
            raise RunError("No space left on device")
        return real(*arguments)

    monkeypatch.setattr(RunDirectory, "save_best", full)
    with pytest.warns(UserWarning, match="callback 'best' failed, and training goes on: No space left"):
        trained(tmp_path, {1: (3, 5.0), 2: (3, 1.0), 3: (3, 3.0)})
    assert [folder.name for folder in RunDirectory(tmp_path).bests()] == ["step-000003"]


def test_a_longer_training_does_not_know_what_was_scored_at_the_earlier_end(tmp_path):
    """Where it would not be scored: its best is that of a training that was as long from the beginning."""
    from dalikit.components.callbacks import Checkpoint

    run, options = RunDirectory(tmp_path), {"batch_size": 5}

    def callbacks(scores):
        return [
            Best(context(tmp_path), metric="told"),
            Teller(scores),
            Checkpoint(context(tmp_path), every=3),
        ]

    Trainer(dali(), Points(), callbacks({2: (3, 0.5), 5: (9, 0.1)}), steps=5, **options).fit()
    assert [folder.name for folder in run.bests()] == ["step-000002", "step-000005"]
    longer = Trainer(dali(), Points(), callbacks({2: (3, 0.5), 6: (3, 0.6)}), steps=7, **options)
    longer.load_state(run.load_checkpoint().state)
    longer.fit()
    assert run.best.step == 2


class Stop(Callback):
    """Ends training after a step."""

    name = "stop"

    def __init__(self, step):
        self.step = step

    def step_end(self, fit):
        if fit.step == self.step:
            fit.stop()


def test_without_a_metric_it_takes_the_runs_own(tmp_path):
    """A trainer built by hand has no resolved configuration."""
    from dalikit.components.metrics.reconstruction import Reconstruction

    makers = {"reconstruction": lambda part: Reconstruction(Points(), part)}
    whole = Context(RunDirectory(tmp_path), Points(), makers)
    callbacks = [Log(whole), Evaluation(whole, every=2), Best(whole)]
    Trainer(dali(), Points(), callbacks, steps=4, batch_size=5).fit()
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    scores = {line["step"]: line["mse"] for line in lines if line["event"] == "score"}
    kept = RunDirectory(tmp_path).best
    assert kept.values == {"mse": min(scores.values())}
    assert scores[kept.step] == kept.values["mse"]


@pytest.mark.parametrize(
    ("metric", "says"), [("modes", "no metric 'modes'; it has told, bare"), ("bare", "no headline")]
)
def test_a_metric_that_cannot_decide(tmp_path, metric, says):
    with pytest.raises(UserError, match=says):
        Best(context(tmp_path), metric=metric)


# --- which metric ----------------------------------------------------------------------------------------

GAN, RESTRICTED = {"method": "gan"}, {"evaluation": {"metrics": ["reconstruction"]}}
DIGIT_SCORER = {"metrics": {"fidelity": {"extractor": "digits"}}}


@pytest.mark.parametrize(
    ("layer", "metric"),
    [
        ({}, "reconstruction"),
        ({"dataset": "grid25"}, "modes"),
        ({"dataset": "grid25", "recipe": "grid25", "metrics": {"reconstruction": {}}}, "reconstruction"),
        (GAN, "pixel-frechet"),
        ({**GAN, "dataset": "grid25"}, "modes"),
        ({**GAN, "dataset": "mnist", **DIGIT_SCORER}, "fidelity"),
        ({**GAN, "dataset": "mnist", **DIGIT_SCORER, "callbacks": RESTRICTED}, "pixel-frechet"),
        ({"callbacks": {"best": {"metric": "codes"}}}, "codes"),
        ({"callbacks": {"best": {"metric": "codes"}, **RESTRICTED}}, "codes"),
        ({"callbacks": {"evaluation": {"metrics": []}}}, "pixel-frechet"),
        ({"metrics": {"reconstruction": None}}, "pixel-frechet"),
    ],
)
def test_the_metric_follows_from_the_run_which_scores_it(layer, metric):
    config = resolve_layers([layer], REGISTRY)
    assert config.callbacks["best"] == {"metric": metric}
    assert config.metrics[metric] is not None
    evaluated = config.callbacks["evaluation"]["metrics"]
    assert evaluated is None or metric in evaluated
    again = resolve_layers([config.model_dump()], REGISTRY)
    assert again == config, "what is settled stays"


@pytest.mark.parametrize(
    "layer",
    [
        {"callbacks": {"evaluation": None}},
        {"callbacks": {"best": None}},
        {**GAN, "metrics": {"pixel-frechet": None}},
    ],
)
def test_without_anything_to_go_by_it_is_off(layer):
    config = resolve_layers([layer], REGISTRY)
    assert config.callbacks["best"] is None
    assert config.metrics == resolve_layers([{**layer, "callbacks": {"best": None}}], REGISTRY).metrics


@pytest.mark.parametrize(
    ("layer", "says"),
    [
        ({"callbacks": {"evaluation": None}}, "is codes, but callbacks.evaluation is off"),
        ({"metrics": {"codes": None}}, "is codes, but metrics.codes is off"),
        ({"callbacks": {"best": {"metric": "mode"}}}, "Unknown metric 'mode'. Did you mean 'modes'?"),
        ({**GAN, "callbacks": {"best": {"metric": "reconstruction"}}}, "method 'gan' has no reconstruction"),
    ],
)
def test_what_contradicts_itself_is_refused(layer, says):
    with pytest.raises(UserError) as error:
        resolve_layers([{"callbacks": {"best": {"metric": "codes"}}}, layer], REGISTRY)
    assert says in str(error.value)
