"""A study whose runs take a second each, as a plugin offers one."""

SOURCE = """
from dataclasses import replace

from dalikit.hookspecs import hookimpl
from dalikit.interfaces import Study, StudyColumn, StudyRow

DALIKIT_API = 1

SMALL = {"generator": {"width": 8}, "discriminator": {"width": 8}}
CALLBACKS = {"evaluation": {"every": 10}, "pictures": None, "log": {"every": 10}}

def budget(steps):
    return {"ring8": {**SMALL, "callbacks": CALLBACKS, "trainer": {"steps": steps, "batch_size": 8}}}

TINY = Study(
    "tiny",
    "two systems on the ring",
    "nothing",
    datasets=("ring8",),
    rows=(
        StudyRow("dali", "DALI", "dali", paper={"ring8": {"modes": 8, "high quality, %": (50.5, 1.5)}}),
        StudyRow("gan", "GAN", "gan"),
        StudyRow("failing", "Failing", "gan", {"device": "abacus"}),
        StudyRow("senseless", "Senseless", "gan", {"posterior": {"name": "diag"}}),
    ),
    columns=(
        StudyColumn("modes", "modes", "modes", digits=1),
        StudyColumn("high quality, %", "modes", "high_quality", scale=100, digits=1),
        StudyColumn("FID", "nothing", "fid", better="lower"),
    ),
    budgets={"quick": budget(20), "paper": budget(4000)},
    notes=("A note.",),
)

@hookimpl
def dalikit_components():
    return [TINY, replace(TINY, name="tiny-pictures", pictures=("samples", "reconstructions"))]
"""
