"""What is scored through training, when, and what happens to a training whose metric fails."""

import json

import pytest
import torch
from players import Points, dali

from dalikit.components.callbacks import Evaluation, Log, Pictures
from dalikit.components.metrics.reconstruction import Reconstruction
from dalikit.errors import UserError
from dalikit.interfaces import Callback, Metric, Score
from dalikit.runs import Context, RunDirectory
from dalikit.training import Trainer


class Fails(Metric):
    """Finds out too late that it cannot be had."""

    name = "fails"

    def feed(self, method):
        yield (torch.zeros(1),)

    def update(self, *batch):
        raise UserError("the weights are another network's")

    def compute(self) -> Score:
        raise AssertionError("there is nothing to compute")


METRICS = {"reconstruction": lambda part: Reconstruction(Points(), part), "fails": lambda part: Fails()}


def logged(path, steps=6, stop=None, **settings) -> list[dict]:
    """The lines of the log but those of losses."""
    context = Context(RunDirectory(path), Points(), METRICS)
    callbacks = [Evaluation(context, every=4, **settings), Log(context)]
    trainer = Trainer(dali(), Points(), callbacks, steps=steps, batch_size=5)
    if stop is not None:
        trainer.watchers.add(stop(trainer))
    trainer.fit()
    log = path / "metrics.jsonl"
    lines = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    return [line for line in lines if line["event"] != "losses"]


def test_scores_come_when_due_and_at_the_end_with_their_protocol(tmp_path):
    lines = logged(tmp_path, metrics=("reconstruction",))
    assert [(line["event"], line["step"], line["metric"]) for line in lines] == [
        ("score", 4, "reconstruction"),
        ("score", 6, "reconstruction"),
    ]
    assert lines[0]["mse"] > 0
    assert (lines[0]["protocol"]["part"], lines[0]["protocol"]["count"]) == ("validation", 20)


def test_a_metric_that_fails_is_said_and_ends_nothing(tmp_path):
    lines = logged(tmp_path)
    assert [line["event"] for line in lines] == ["score", "left out"] * 2
    assert lines[1]["reason"] == "the weights are another network's"


def test_every_callback_is_told_of_scores_losses_and_pictures(tmp_path):
    class Told(Callback):
        def __init__(self, name: str) -> None:
            self.name = name
            self.records = []

        def logged(self, fit, record):
            self.records.append(dict(record))

    context, first, last = Context(RunDirectory(tmp_path), Points(), METRICS), Told("first"), Told("last")
    watching = [
        Evaluation(context, metrics=("reconstruction",)),
        Pictures(context, every=2),
        Log(context, every=2),
    ]
    Trainer(dali(), Points(), [first, *watching, last], steps=3, batch_size=5).fit()
    written = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert all(record.pop("time") for record in written)
    assert first.records == last.records == written
    found = [(record["event"], record["step"]) for record in written]
    drawn = [("picture", step) for step in (0, 2, 3) for _ in ("samples", "reconstructions")]
    assert sorted(found) == sorted([*drawn, ("losses", 2), ("losses", 3), ("score", 3)])
    paths = [record["path"] for record in written if record["event"] == "picture"]
    assert all((tmp_path / path).is_file() for path in paths)
    assert len(set(paths)) == 6


def test_a_training_that_is_stopped_is_not_scored_there(tmp_path):
    class Stop(Callback):
        name = "stop"

        def __init__(self, trainer: Trainer) -> None:
            self.trainer = trainer

        def step_end(self, fit):
            if fit.step == 3:
                self.trainer.stop()

    assert logged(tmp_path, stop=Stop) == []


def test_a_metric_that_the_run_does_not_have(tmp_path):
    with pytest.raises(UserError, match="no metric 'modes'; it has reconstruction, fails"):
        Evaluation(Context(RunDirectory(tmp_path), Points(), METRICS), metrics=("modes",))
