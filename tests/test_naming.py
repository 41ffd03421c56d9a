"""Runs told apart: by what somebody gave, if that is enough, and never two by one name."""

from hypothesis import given
from hypothesis import strategies as st

from dalikit.studies.naming import LENGTH, Settings, tell_apart

PATHS = [
    "method.lam",
    "trainer.lr",
    LENGTH,
    "generator.width",
    "discriminator.width",
    "callbacks.log.every",
    "seed",
]
RUNS = st.lists(
    st.builds(
        Settings,
        st.dictionaries(st.sampled_from(PATHS), st.none() | st.integers(0, 2) | st.sampled_from(["a", "b"])),
        st.sets(st.sampled_from(PATHS)),
    ),
    min_size=2,
    max_size=5,
)


@given(RUNS)
def test_no_two_names_are_alike(runs):
    names = tell_apart(runs, [f"place {i}" for i in range(len(runs))])
    assert len(set(names)) == len(names) == len(runs)
    assert all(names)


@given(RUNS)
def test_a_name_says_nothing_but_what_the_run_has_and_others_have_not(runs):
    for run, name in zip(runs, tell_apart(runs, [f"place {i}" for i in range(len(runs))]), strict=True):
        if name.startswith("place "):
            continue
        for word in name.split(", "):
            key = word.rpartition(" ")[0]
            paths = [path for path in run.values if path == key or path.endswith(f".{key}")]
            assert any(other.values.get(path) != run.values[path] for other in runs for path in paths)


def named(*runs, given=()):
    return tell_apart([Settings(values, given) for values in runs], [str(i) for i in range(len(runs))])


def test_what_was_given_comes_before_what_followed_from_it():
    runs = [{"method.lam": lam, "trainer.ema": lam / 10, LENGTH: lam} for lam in (1, 2)]
    assert named(*runs, given=["method.lam", LENGTH]) == ["lam 1", "lam 2"]
    assert named(*runs, given=[LENGTH]) == ["steps 1", "steps 2"]
    assert named(*runs) == ["lam 1, ema 0.1, steps 1", "lam 2, ema 0.2, steps 2"]


def test_components_are_named_and_keys_that_are_alike_are_told_in_full():
    assert named({"game.name": "gan"}, {"game.name": "wgan", "game.r1": 1}) == ["game gan", "game wgan, r1 1"]
    widths = [{"generator.width": a, "encoder.width": b} for a, b in ((1, 1), (1, 2), (2, 1))]
    assert named(*widths)[1] == "generator.width 1, encoder.width 2"


def test_many_differences_are_told_by_as_few_as_do():
    runs = [{f"trainer.s{i}": i * n for i in range(1, 9)} | {"trainer.both": 0} for n in (1, 2, 3)]
    assert named(*runs) == ["s1 1", "s1 2", "s1 3"]


def test_what_nobody_can_tell_apart_has_its_place():
    assert named({"seed": 1}, {"seed": 2}) == ["0", "1"]
    assert named({}, {}, {}) == ["0", "1", "2"]
