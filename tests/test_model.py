"""A trained run as an object."""

import copy
import shutil

import numpy as np
import pytest
import torch
from players import dali

import dalikit
from dalikit.errors import UserError
from dalikit.inference import Model


@pytest.fixture(scope="module")
def model(trained):
    return dalikit.load(trained)


def test_samples_repeat_under_a_seed_and_leave_the_callers_state_alone(model):
    torch.manual_seed(1)
    before = torch.get_rng_state()
    a, b, c = model.sample(5, seed=3), model.sample(5, seed=3), model.sample(5, seed=4)
    assert torch.equal(torch.get_rng_state(), before)
    assert a.shape == (5, 1, 8, 8)
    assert torch.equal(a, b)
    assert not torch.equal(a, c)
    assert not torch.equal(model.sample(5), model.sample(5))


def test_many_samples_are_the_few_and_more(model):
    assert model.sample(1203, seed=1).shape[0] == 1203


def test_encode_gives_a_distribution_over_codes(model):
    x = model.data("test", 7)
    posterior = model.encode(x)
    assert posterior.batch_shape == (7,)
    assert posterior.event_shape == (4,)
    assert torch.equal(model.code(x), posterior.mean)
    assert posterior.log_prob(posterior.mean).shape == (7,)


def test_a_reconstruction_is_the_generator_at_the_code(model):
    x = model.data("test", 7)
    torch.testing.assert_close(model.reconstruct(x), model.generate(model.encode(x).mean))
    assert not model.reconstruct(x).requires_grad


def test_variations_are_drawn_from_the_posterior(model):
    x = model.data("test", 3)
    drawn = model.vary(x, 400, seed=0)
    assert drawn.shape == (3, 400, 1, 8, 8)
    posterior = model.encode(x)
    with dalikit.inference.RandomState.seeded(0).swapped_in():
        z = posterior.sample((400,))
    torch.testing.assert_close(drawn[1], model.generate(z[:, 1]))
    assert torch.equal(model.vary(x, 4, seed=2), model.vary(x, 4, seed=2))


def test_interpolation_goes_from_one_reconstruction_to_the_other(model):
    a, b = model.data("test", 4)[:2], model.data("test", 4)[2:]
    walk = model.interpolate(a, b, 5)
    assert walk.shape == (2, 5, 1, 8, 8)
    torch.testing.assert_close(walk[:, 0], model.reconstruct(a))
    torch.testing.assert_close(walk[:, -1], model.reconstruct(b))
    middle = (model.code(a) + model.code(b)) / 2
    torch.testing.assert_close(walk[:, 2], model.generate(middle))


def test_neighbours_are_the_nearest_by_code_of_all_that_are_searched(model):
    x = model.data("test", 5)
    found, distances = model.neighbours(x, 3)
    known = model.data("train")
    apart = (model.code(x)[:, None] - model.code(known)[None]).norm(dim=2)
    nearest = apart.sort(1)
    torch.testing.assert_close(found, known[nearest.indices[:, :3]])
    torch.testing.assert_close(distances, nearest.values[:, :3], atol=1e-4, rtol=1e-4)
    alone, at = model.neighbours(known[:2], 1, among=2)
    torch.testing.assert_close(alone[:, 0], known[:2])
    assert at.max() < 1e-3


def test_neighbours_of_which_there_are_not_enough_are_refused(model):
    with pytest.raises(UserError, match="n is 9, but there are 4 data to be searched"):
        model.neighbours(model.data("test", 1), 9, among=4)


def test_a_row_does_not_depend_on_its_neighbours(model):
    x = model.data("test", 9)
    torch.testing.assert_close(model.reconstruct(x)[4:5], model.reconstruct(x[4:5]))


def test_it_uses_the_averaged_weights_in_eval_mode(model, trained):
    from safetensors.torch import load_file

    averaged = load_file(trained / "checkpoints" / "step-000030" / "averaged.safetensors")
    for name, tensor in model.method.state_dict().items():
        assert torch.equal(tensor, averaged[name])
    assert not any(m.training for m in model.method.modules())
    assert model.step == 30


@pytest.mark.parametrize(
    ("x", "says"),
    [
        (torch.zeros(2, 1, 9, 9), r"Data have shape \(2, 1, 9, 9\), \(B, 1, 8, 8\) is needed"),
        (torch.zeros(1, 8, 8), r"Data have shape"),
        (torch.zeros(2, 1, 8, 8, dtype=torch.int64), "int64; uint8 or floats in"),
        (torch.full((2, 1, 8, 8), 0.5), r"no negative value, .*value_range=\(0, 1\)"),
        (torch.full((2, 1, 8, 8), 3.0), r"reach from 3 to 3, outside \[-1, 1\]"),
        (torch.full((2, 1, 8, 8), float("nan")), "NaN"),
        (np.zeros((2, 1, 9, 9), dtype=np.float32), r"Data have shape \(2, 1, 9, 9\)"),
        (["nonsense", 3], "str, int cannot be read as data: pictures or files"),
    ],
)
@pytest.mark.parametrize("call", ["encode", "reconstruct", "vary"])
def test_data_that_do_not_fit_are_refused(model, x, says, call):
    with pytest.raises(UserError, match=says):
        getattr(model, call)(x, *[2][: call == "vary"])


def test_other_precisions_and_arrays_are_taken(model):
    x = model.data("test", 3)
    expected = model.reconstruct(x)
    torch.testing.assert_close(model.reconstruct(x.double()), expected)
    torch.testing.assert_close(model.reconstruct(x.numpy()), expected)
    torch.testing.assert_close(model.generate(model.code(x).double()), expected)


def test_bytes_and_unit_floats_give_the_codes_of_what_they_stand_for(model):
    levels = torch.randint(0, 256, (3, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    x = (levels.double() / 127.5 - 1)[:, None]
    expected = model.code(x)
    torch.testing.assert_close(model.code(levels), expected)
    torch.testing.assert_close(model.code(levels[:, None] / 255, value_range=(0, 1)), expected)
    torch.testing.assert_close(model.encode(levels.numpy()).mean, model.encode(x).mean)
    torch.testing.assert_close(model.reconstruct(levels.numpy()[..., None]), model.reconstruct(x))
    torch.testing.assert_close(model.vary(levels, 2, seed=1), model.vary(x, 2, seed=1))
    walks = model.interpolate(levels[:1], levels[1:2], 3), model.interpolate(x[:1], x[1:2], 3)
    torch.testing.assert_close(*walks)
    found = model.neighbours(levels, 2)[0], model.neighbours(x, 2)[0]
    assert torch.equal(*found)


def test_metrics_take_parameters(model):
    scores, _ = model.evaluate({"reconstruction": {}})
    assert [score.metric for score in scores] == ["reconstruction"]
    with pytest.raises(UserError, match="has no parameter 'count'"):
        model.evaluate({"reconstruction": {"count": 3}})


def test_a_folder_that_is_no_checkpoint_is_passed_over(trained, tmp_path):
    run = shutil.copytree(trained, tmp_path / "run")
    (run / "checkpoints" / "step-abc9").mkdir()
    assert dalikit.load(run).step == 30


def test_arguments_that_mean_nothing_are_refused(model):
    x = model.data("test", 2)
    for call in (lambda: model.sample(0), lambda: model.vary(x, -1), lambda: model.interpolate(x, x, 0)):
        with pytest.raises(UserError, match="must be at least 1"):
            call()
    with pytest.raises(UserError, match="as many starts as ends, not 2 and 1"):
        model.interpolate(x, x[:1], 3)
    with pytest.raises(UserError, match=r"Codes have shape \(2, 5\), \(B, 4\) is needed"):
        model.generate(torch.zeros(2, 5))


def test_a_method_without_run_can_be_used_too():
    method = dali()
    copied = copy.deepcopy(method).eval()
    model = Model(method)
    x = torch.randn(3, 2) * 100
    torch.testing.assert_close(model.reconstruct(x), copied.generate(copied.code(x)))


def test_evaluate_gives_the_scores_that_training_ended_with(model, trained):
    import json

    scores, skipped = model.evaluate()
    stored = json.loads((trained / "scores.json").read_text())["metrics"]["reconstruction"]
    assert skipped == {}
    assert scores[0].values["mse_01"] == pytest.approx(stored["mse_01"], rel=1e-5)


DAMAGE = {
    "config.yaml": [
        "generator: null",
        "",
        "- 1",
        "method: {name: dalli}",
        "trainer: [",
        "surprise: 3",
        b"\xff\xfe",
    ],
    "run.json": [
        *("", "[]", "{}", '{"format": 1}', '{"format": 1, "data": {"x_shape": 3}}'),
        '{"format": 1, "data": {"x_shape": [1, 8, 8], "value_range": [1]}}',
        '{"format": 1, "data": {"x_shape": "ab", "value_range": "xy"}}',
    ],
    "checkpoints/step-000030/averaged.safetensors": ["", "nonsense", None],
    "checkpoints/step-000030/training.safetensors": ["", "nonsense", None],
    "checkpoints/step-000030/state.json": [
        *("", "[]", "{}", None),
        '{"step": 30, "images": 3, "python": [1, 2], "stream": {"position": 3}}',
        '{"step": "x", "images": 3, "python": [], "stream": {"position": "x"}}',
    ],
}


@pytest.mark.parametrize(("name", "content"), [(n, c) for n, cs in DAMAGE.items() for c in cs])
def test_a_damaged_run_is_named_with_its_file(trained, tmp_path, name, content, cli):
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    path = run / name
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    for earlier in ("step-000010", "step-000020"):  # which would be taken in its place
        shutil.rmtree(run / "checkpoints" / earlier, ignore_errors=True)
    used = "averaged" in name or name in ("config.yaml", "run.json")
    before = {p: p.read_bytes() for p in run.rglob("*") if p.is_file()}
    words = ("sample", run) if used else ("train", "--resume", run, "--steps", 40)
    done = cli(*words)
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert any(culprit in done.stderr for culprit in (str(run), "Unknown method 'dalli'", "surprise"))
    assert {p: p.read_bytes() for p in run.rglob("*") if p.is_file()} == before


def test_a_run_whose_weights_are_of_another_network(trained, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    text = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(text.replace("width: 16", "width: 17"))
    with pytest.raises(UserError, match="damaged: its weights do not fit"):
        dalikit.load(run)
