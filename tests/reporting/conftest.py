"""Runs that reports are made of, tiny ones, and their pages; read them, never write into them."""

import json
import shutil
from pathlib import Path

import pytest
from pages import HOSTILE, Page, made

from dalikit.runs.sealing import seal_object

POINTS = ["--set", "generator.width=8", "--set", "discriminator.width=8", "--set", "encoder.width=8"]


@pytest.fixture(scope="session")
def page(trained, tmp_path_factory) -> Page:
    """Of DALI on digits."""
    return made(tmp_path_factory.mktemp("page"), trained)


@pytest.fixture(scope="session")
def points(cli, tmp_path_factory) -> Path:
    """A run of DALI on a ring of points."""
    run = tmp_path_factory.mktemp("points") / "run"
    words = ["train", "--dataset", "ring8", *POINTS, "--steps", 8, "--set", "trainer.batch_size=16"]
    done = cli(*words, "--set", "callbacks.pictures.every=4", "--out", run)
    assert done.returncode == 0, done.stderr
    return run


@pytest.fixture(scope="session")
def gan(cli, train_options, tmp_path_factory) -> Path:
    """A run that does not infer, with a line of losses for each of its steps."""
    run = tmp_path_factory.mktemp("gan") / "run"
    at = train_options.index("encoder.width=16")
    options = train_options[: at - 1] + train_options[at + 1 :]
    done = cli(
        "train", "--method", "gan", *options, "--steps", 4, "--set", "callbacks.log.every=1", "--out", run
    )
    assert done.returncode == 0, done.stderr
    return run


@pytest.fixture(scope="session")
def hostile(trained, tmp_path_factory) -> Page:
    """Of a run by somebody who means harm: wherever text is taken from it, it is `HOSTILE`."""
    folder = tmp_path_factory.mktemp("hostile")
    run = shutil.copytree(trained, folder / "run")
    facts = json.loads((run / "run.json").read_text())
    facts["origins"] = dict.fromkeys(facts["origins"], HOSTILE)
    facts["command"], facts["started"], facts["dalikit"] = [HOSTILE], HOSTILE, HOSTILE
    facts["data"] |= {"classes": [f"{i} {HOSTILE}" for i in range(10)], "preparation": HOSTILE}
    facts["environment"] = {HOSTILE: HOSTILE}
    facts["plugins"] = [{"distribution": HOSTILE, "version": HOSTILE}]
    (run / "run.json").write_text(json.dumps(seal_object(facts)))
    with (run / "metrics.jsonl").open("a") as log:
        for step in (28, 29):
            log.write(json.dumps({"event": HOSTILE, "step": step, HOSTILE: step / 7}) + "\n")
    scores = json.loads((run / "scores.json").read_text())
    scores["metrics"][HOSTILE] = {HOSTILE: 1.5, "protocol": {HOSTILE: HOSTILE}}
    scores["skipped"] = {HOSTILE: HOSTILE}
    (run / "scores.json").write_text(json.dumps(seal_object(scores)))
    with pytest.warns(UserWarning, match="trained on other data"):
        return made(folder, run)
