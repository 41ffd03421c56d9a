"""Whatever is changed in a run's files is seen, and a whole checkpoint is taken in place of a damaged one."""

import json
import shutil

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import dalikit
from dalikit.errors import RunError, UserError
from dalikit.interfaces import TrainingState
from dalikit.runs import BestFacts, DataFacts, RunDirectory, RunFacts
from dalikit.runs.config import RunConfig, Slot
from dalikit.runs.sealing import is_sealed, is_sealed_text, seal_object, seal_text

CONFIG = RunConfig(generator=Slot(name="mlp", latent_size=3), trainer={"steps": 9})
DATA = DataFacts(x_shape=(1, 8, 8), value_range=(-1.0, 1.0))
FILES = ("averaged.safetensors", "training.safetensors", "state.json", "manifest.json")


def made(path, identity="one", config=CONFIG):
    """A run with checkpoints at 5 and 10, and the best weights at 5."""
    run = RunDirectory(path)
    run.create(config, RunFacts(identity=identity, data=DATA))
    for step in (5, 10):
        run.log({"event": "losses", "step": step, "loss": 1.5})
        run.save_checkpoint(state(step), keep=2)
    return run


def state(step, value=None):
    weights = torch.linspace(0.0, float(step), 40) if value is None else torch.full((40,), value)
    return TrainingState(
        {"average/g.weight": weights, "method/g.weight": weights + 1.0}, {"step": step, "python": [3, None]}
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return made(tmp_path_factory.mktemp("runs") / "run")


@pytest.mark.parametrize("name", FILES)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_flip_of_a_bit_passes_for_what_was_written(run, tmp_path_factory, name, data):
    path = run.path / "checkpoints" / "step-000010" / name
    before = path.read_bytes()
    bit = data.draw(st.integers(0, 8 * len(before) - 1))
    flipped = bytearray(before)
    flipped[bit // 8] ^= 1 << bit % 8
    try:
        path.write_bytes(flipped)
        with pytest.warns(UserWarning, match=r"is damaged: step-000010.*step-000005 is taken in its place"):
            found = run.load_checkpoint()
        assert found.state.scalars["step"] == 5
        assert torch.equal(found.state.tensors["average/g.weight"], state(5).tensors["average/g.weight"])
    finally:
        path.write_bytes(before)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("keep", ["none", "half", "all but one", "more"])
def test_no_file_that_is_cut_or_grown_passes(run, tmp_path, name, keep):
    path = shutil.copytree(run.path, tmp_path / "run") / "checkpoints" / "step-000010" / name
    whole = path.read_bytes()
    cuts = {"none": b"", "half": whole[: len(whole) // 2], "all but one": whole[:-1], "more": whole + b"0"}
    path.write_bytes(cuts[keep])
    with pytest.warns(UserWarning, match="step-000005 is taken in its place"):
        assert RunDirectory(tmp_path / "run").load_checkpoint().manifest.step == 5


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_gone_is_named_and_the_one_before_is_taken(run, tmp_path, name):
    copy = RunDirectory(shutil.copytree(run.path, tmp_path / "run"))
    (copy.path / "checkpoints" / "step-000010" / name).unlink()
    with pytest.warns(UserWarning, match=rf"step-000010/{name}: No such file"):
        assert copy.load_checkpoint().manifest.step == 5
    (copy.path / "checkpoints" / "step-000005" / name).unlink()
    with pytest.raises(UserError, match=rf"is damaged: step-000010/{name}.*step-000005/{name}"):
        copy.load_checkpoint()


def test_a_checkpoint_of_another_run_or_step_is_none_of_this_ones(run, tmp_path):
    other = made(tmp_path / "other", identity="two")
    copy = RunDirectory(shutil.copytree(run.path, tmp_path / "run"))
    last = copy.path / "checkpoints" / "step-000010"
    shutil.rmtree(last)
    shutil.copytree(other.path / "checkpoints" / "step-000010", last)
    with pytest.warns(UserWarning, match="step-000010 is of another run"):
        assert copy.load_averaged()[0] == 5
    shutil.rmtree(last)
    shutil.copytree(copy.path / "checkpoints" / "step-000005", last)
    with pytest.warns(UserWarning, match="step-000010 is of another step"):
        assert copy.load_averaged()[0] == 5


def test_files_of_two_steps_do_not_mix(run, tmp_path):
    copy = RunDirectory(shutil.copytree(run.path, tmp_path / "run"))
    for name in FILES:
        ours = copy.path / "checkpoints" / "step-000010" / name
        before = ours.read_bytes()
        shutil.copy(copy.path / "checkpoints" / "step-000005" / name, ours)
        with pytest.warns(UserWarning, match="step-000005 is taken in its place"):
            copy.load_checkpoint()
        ours.write_bytes(before)
    assert copy.load_checkpoint().manifest.step == 10


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_not_taken(run, tmp_path, value):
    copy = RunDirectory(shutil.copytree(run.path, tmp_path / "run"))
    copy.save_checkpoint(state(12, value), keep=3)
    for load in (copy.load_checkpoint, copy.load_averaged):
        with pytest.warns(UserWarning, match=r"step-000012: \S+ is not finite.*step-000010 is taken"):
            load()


def test_the_same_step_again_loses_nothing_where_it_fails(run, tmp_path, monkeypatch):
    copy = RunDirectory(shutil.copytree(run.path, tmp_path / "run"))

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("dalikit.runs.folders.save_file", full)
        with pytest.raises(RunError, match="No space left"):
            copy.save_checkpoint(state(10), keep=1)
    assert [folder.name for folder in copy.checkpoints()] == ["step-000005", "step-000010"]
    assert copy.load_checkpoint().manifest.step == 10


def test_a_checkpoint_that_is_being_replaced_is_still_there(run, tmp_path):
    """As a process leaves it that is killed between the two renames."""
    copy = RunDirectory(shutil.copytree(run.path, tmp_path / "run"))
    last = copy.path / "checkpoints" / "step-000010"
    last.rename(last.with_name("step-000010.earlier"))
    assert copy.load_checkpoint().manifest.step == 10
    copy.save_checkpoint(state(10, 7.0), keep=1)
    assert [folder.name for folder in copy.checkpoints()] == ["step-000010"]
    assert float(copy.load_averaged()[1]["g.weight"][0]) == 7.0


def test_a_reader_sees_a_whole_checkpoint_while_another_drops_it(run, tmp_path, monkeypatch):
    """The trainer keeps one: what was listed is gone when it is read, and there is a newer one."""
    copy = RunDirectory(shutil.copytree(run.path, tmp_path / "run"))
    from dalikit.runs.manifest import Manifest

    real, saved = Manifest.read, []

    def late(folder):
        if not saved:
            saved.append(copy.save_checkpoint(state(11), keep=1))
        return real(folder)

    monkeypatch.setattr(Manifest, "read", late)
    assert copy.load_averaged()[0] == 11


# --- config.yaml, run.json, scores.json and the log ------------------------------------------------------


@settings(max_examples=200)
@given(st.text(), st.integers(0))
def test_a_text_with_one_changed_character_is_not_sealed(text, place):
    sealed = seal_text(text + "\n")
    assert is_sealed_text(sealed)
    place %= len(sealed)
    for character in ("", "x" if sealed[place] != "x" else "y"):
        assert not is_sealed_text(sealed[:place] + character + sealed[place + 1 :])


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), values), values)
def test_an_object_is_sealed_as_json_has_it(content, other):
    sealed = json.loads(json.dumps(seal_object(content)))
    assert is_sealed(sealed)
    for key in content.keys() - {"sha256"}:
        if json.dumps(content[key], sort_keys=True) != json.dumps(other, sort_keys=True):
            assert not is_sealed({**sealed, key: other})
        assert not is_sealed({k: v for k, v in sealed.items() if k != key})


def test_what_was_edited_is_told(run, tmp_path):
    copy = RunDirectory(shutil.copytree(run.path, tmp_path / "run"))
    assert copy.edited() == []
    for name, old, new in (
        ("config.yaml", "steps: 9", "steps: 8"),
        ("run.json", '"identity": "one"', '"identity": "two"'),
    ):
        path = copy.path / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))
        assert copy.edited() == [name]
        path.write_text(text)


def test_what_is_another_runs_or_of_before_is_told_where_a_run_is_used(trained, tmp_path):
    """Each file is sound by itself."""
    other = dalikit.train("ring8", out=tmp_path / "other", trainer={"steps": 2}).run.path
    for name, says in (
        ("config.yaml", r"config\.yaml \(it is another run's\) changed"),
        ("scores.json", r"scores\.json is another run's"),
        ("metrics.jsonl", r"metrics\.jsonl changed since it was written"),
    ):
        copy = RunDirectory(shutil.copytree(trained, tmp_path / name))
        shutil.copy(other / name, copy.path / name)
        told = (copy.foretold, "last") if name == "scores.json" else (copy.warn_of_edits,)
        with pytest.warns(UserWarning, match=says):
            told[0](*told[1:])


def test_weights_that_were_scored_and_are_gone_are_missed(trained, tmp_path):
    run = shutil.copytree(trained, tmp_path / "run")
    shutil.rmtree(run / "checkpoints" / "step-000030")
    with pytest.warns(UserWarning, match="scored at step 30, and its last weights are of step 20: those of"):
        assert dalikit.load(run).step == 20


@pytest.mark.parametrize("change", ["another type", "another name", "another shape"])
def test_weights_that_a_manifest_vouches_for_and_that_do_not_fit_are_refused(trained, tmp_path, change):
    run = RunDirectory(shutil.copytree(trained, tmp_path / "run"))
    found = run.load_checkpoint().state
    name = next(name for name in found.tensors if name.startswith("average/generator") and "weight" in name)
    tensor = found.tensors.pop(name)
    changed = {"another type": tensor.half(), "another name": tensor, "another shape": tensor.flatten()}[
        change
    ]
    found.tensors[name + ("" if change != "another name" else "s")] = changed
    run.save_checkpoint(found, keep=2)
    with pytest.raises(UserError, match="its weights do not fit: generator"):
        dalikit.load(run.path)


def test_how_long_it_trains_is_no_part_of_what_a_run_is(run, tmp_path):
    copy = RunDirectory(shutil.copytree(run.path, tmp_path / "run"))
    digest = copy.settings_digest
    copy.replace_config(CONFIG.model_copy(update={"trainer": {"steps": 99}}))
    assert (copy.settings_digest, copy.edited()) == (digest, [])
    copy.replace_config(CONFIG.model_copy(update={"seed": 5}))
    assert copy.settings_digest != digest


def test_the_log_is_held_against_what_it_was(run, tmp_path):
    copy = RunDirectory(shutil.copytree(run.path, tmp_path / "run"))
    facts, path = copy.load_checkpoint().manifest.log, copy.path / "metrics.jsonl"
    text = path.read_text()
    copy.log({"event": "losses", "step": 11, "loss": 2.5})
    assert copy.log_holds(facts)
    copy.rewind(facts, 10)
    assert path.read_text() == text
    for damaged in (text[:-1], "", text.replace("1.5", "1.6")):
        path.write_text(damaged)
        assert not copy.log_holds(facts)
    path.unlink()
    assert not copy.log_holds(facts)


def test_what_is_infinite_by_design_is_kept_and_what_is_not_is_refused(run, tmp_path):
    """A mask of -inf in a backbone is no sign of a training that went wrong."""
    copy = RunDirectory(shutil.copytree(run.path, tmp_path / "run"))
    weights = {"g.weight": torch.ones(2), "g.mask": torch.tensor([0.0, -float("inf")])}
    tensors = {f"{part}/{name}": tensor for part in ("average", "method") for name, tensor in weights.items()}
    masked = TrainingState(tensors, {"step": 12, "python": [3, None], "infinite": ["g.mask"]})
    assert masked.nonfinite is None
    copy.save_checkpoint(masked, keep=3)
    assert copy.load_checkpoint().manifest.step == 12
    assert torch.equal(copy.load_averaged()[1]["g.mask"], weights["g.mask"])
    facts = BestFacts(step=12, metric="fidelity", values={"fid": 1.0})
    copy.save_best(weights, facts, ["g.mask"])
    assert copy.load_averaged("best")[0] == 12
    copy.save_best(weights, facts)
    with pytest.raises(UserError, match=r"g\.mask is not finite"):
        copy.load_averaged("best")


def test_a_step_that_begins_with_anothers_number_is_another(run, tmp_path):
    copy = RunDirectory(shutil.copytree(run.path, tmp_path / "run"))
    copy.save_checkpoint(state(100_000), keep=3)
    folder = copy.path / "checkpoints" / "step-100000"
    folder.rename(folder.with_name("step-1000000"))
    with pytest.warns(UserWarning, match="step-1000000 is of another step"):
        assert copy.load_averaged()[0] == 10
