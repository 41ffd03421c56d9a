"""A study whose runs take seconds, as a plugin offers one; and what stands for their processes."""

import multiprocessing
import os
import sys

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["pytest", "dalikit.cli.main", "dalikit.model", "sklearn.datasets"])


class Process:
    """Stands for `subprocess.Popen` of `python -m dalikit WORDS`: most of a short run is importing torch.

    It is forked from a process that has done that and no more, and is a process of its own like any other.
    """

    def __init__(self, words, stdout, stderr, env):
        assert words[:3] == [sys.executable, "-m", "dalikit"]
        self.process = FORKS.Process(target=_run, args=(words[3:], stdout.name, stderr.name))
        self.process.start()

    @property
    def returncode(self):
        return self.process.exitcode

    def poll(self):
        return self.process.exitcode

    def wait(self):
        self.process.join()

    def terminate(self):
        self.process.terminate()


def _run(words, out, err):
    from dalikit.cli.main import main

    for number, path in ((1, out), (2, err)):
        os.dup2(os.open(path, os.O_WRONLY), number)
    main(words)


SOURCE = """
from dataclasses import replace

from dalikit import Study, StudyColumn, StudyRow
from dalikit.hookspecs import offer

DALIKIT_API = 2

SMALL = {"backbone": "mlp", "generator": {"width": 8}, "discriminator": {"width": 8}}
EVERY = {"evaluation": 10, "log": 10, "checkpoint": 100}
CALLBACKS = {"pictures": None, **{name: {"every": steps} for name, steps in EVERY.items()}}

def budget(steps):
    trainer = {"steps": steps, "batch_size": 8, "schedule": "constant"}
    return {"digits": {**SMALL, "callbacks": CALLBACKS, "trainer": trainer}}

# Long enough to be interrupted.
LONG = budget(800)
LONG["digits"]["callbacks"] = {**CALLBACKS, "evaluation": {"every": 200}}

TINY = Study(
    "tiny",
    "two systems on digits",
    "nothing",
    datasets=("digits",),
    rows=(
        StudyRow("dali", "DALI", "dali", paper={"digits": {"MSE": 0.01, "MSE, %": (1.5, 0.5)}}),
        StudyRow("ali", "ALI", "ali"),
        StudyRow("failing", "Failing", "ali", {"device": "abacus"}),
        StudyRow("senseless", "Senseless", "gan", {"posterior": {"name": "diag"}}),
    ),
    columns=(
        StudyColumn("MSE", "reconstruction", "mse_01", digits=4, better="lower"),
        StudyColumn("MSE, %", "reconstruction", "mse_01", scale=100, digits=2, better="lower"),
        StudyColumn("FID", "nothing", "fid", better="lower"),
    ),
    budgets={"quick": budget(20), "paper": LONG},
    notes=("A note.",),
)

WITH_PICTURES = replace(TINY, name="tiny-pictures", pictures=("samples", "reconstructions"))
dalikit_components = offer(TINY, WITH_PICTURES)
"""
