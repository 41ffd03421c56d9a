"""The contract of rules, as a check."""

import json
from functools import partial

from dalikit.interfaces import Backbone, Derived, Method, Pace, Role, Rules, Situation
from dalikit.testing.assertions import SPECS


def check_rules(rules: Rules) -> None:
    """Settings are `Derived`, by dotted path, as JSON has them; they fit into the time where there is one."""
    for spec in SPECS:
        for seconds in (None, 60.0):
            known = Situation(
                spec=spec,
                count=lambda: 1000,
                method=Method,
                roles={"discriminator": Role("discriminator", reads="x")},
                backbone=Backbone("tried", "", "tried", "tried", "tried", convolutional=True),
                device="cpu",
                seconds=None if seconds is None else partial(float, seconds),
                takes=lambda path, value: True,
                default=lambda path: 64,
                given=lambda path: None,
                measure=lambda settings: Pace(step=0.1, pause=0.1, end=1.0),
            )
            found = rules.derive(known)
            for path, derived in found.items():
                kind = type(derived).__name__
                assert isinstance(derived, Derived), f"{path} is a {kind}; it should be a Derived"
                assert derived.reason, f"{path} has no reason; it should have one in a few words"
                assert all(path.split(".")), f"a setting is called '{path}'; it should be a dotted path"
                json.dumps(derived.value)
            steps = found["trainer.steps"].value if "trainer.steps" in found else 0
            assert 0.1 * steps <= (seconds or 0), (
                f"{steps} steps of 0.1 s take {0.1 * steps:.0f} s; they should fit into {seconds or 0:.0f} s"
            )
