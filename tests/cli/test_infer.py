"""The commands that use a trained run."""

import json
import re
import shutil
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from PIL import Image

import dalikit
from dalikit.runs import BestFacts, RunDirectory


@pytest.fixture
def copied(trained, tmp_path):
    return shutil.copytree(trained, tmp_path / "run")


@pytest.fixture
def image(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8)).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "mine.png")
    return tmp_path / "mine.png"


def test_sample_writes_a_picture_beside_the_run_and_never_over_one(cli, copied):
    for name in ("sample.png", "sample-2.png"):
        done = cli("sample", copied)
        assert done.returncode == 0, done.stderr
        assert done.stdout == f"Wrote {copied / name}\n"
        assert Image.open(copied / name).width > 300


def test_sample_writes_arrays_and_folders(cli, trained, tmp_path):
    cli("sample", trained, "--n", 3, "--seed", 5, "--out", tmp_path / "x.npy")
    x = np.load(tmp_path / "x.npy")
    np.testing.assert_allclose(x, dalikit.load(trained).sample(3, seed=5).numpy())
    cli("sample", trained, "--n", 3, "--seed", 5, "--out", tmp_path / "images")
    images = [np.asarray(Image.open(p)) for p in sorted((tmp_path / "images").iterdir())]
    assert len(images) == 3
    np.testing.assert_allclose(np.stack(images), (x[:, 0] + 1) * 127.5, atol=0.5001)


def test_a_folder_of_samples_holds_those_alone(cli, trained, tmp_path):
    for n in (3, 2):
        done = cli("sample", trained, "--n", n, "--out", tmp_path / "images", "--force")
        assert done.returncode == 0, done.stderr
    assert [p.name for p in sorted((tmp_path / "images").iterdir())] == ["00000.png", "00001.png"]


def test_points_are_not_written_as_a_folder_of_images(cli, tmp_path):
    run = tmp_path / "r"
    cli("train", "--recipe", "ring8", "--steps", 2, "--out", run)
    done = cli("sample", run, "--out", tmp_path / "folder")
    assert done.returncode == 2
    assert "points are no images" in done.stderr
    count = cli("evaluate", run, "--json", "--set", "metrics.modes.count=100")
    assert json.loads(count.stdout)["metrics"]["modes"]["protocol"]["samples"] == 100


def test_reconstruct_the_test_part_or_files(cli, trained, image, tmp_path):
    cli("reconstruct", trained, "--n", 6, "--out", tmp_path / "r.npz")
    model, found = dalikit.load(trained), np.load(tmp_path / "r.npz")
    x = model.data("test", 6)
    np.testing.assert_allclose(found["x"], x.numpy())
    np.testing.assert_allclose(found["reconstruction"], model.reconstruct(x).numpy(), atol=1e-5)
    cli("reconstruct", trained, image, image, "--out", tmp_path / "own.npz")
    assert np.load(tmp_path / "own.npz")["x"].shape == (2, 1, 8, 8)
    np.testing.assert_allclose(
        np.load(tmp_path / "own.npz")["x"][0, 0], np.asarray(Image.open(image)) / 127.5 - 1, atol=1e-6
    )
    cli("reconstruct", trained, "--out", tmp_path / "r.png")
    assert Image.open(tmp_path / "r.png").width > 300


def test_encode(cli, trained, image, tmp_path):
    cli("encode", trained, "--out", tmp_path / "z.npz")
    found = np.load(tmp_path / "z.npz")
    assert {name: found[name].shape for name in found} == dict.fromkeys(("code", "mean", "stddev"), (360, 4))
    assert (found["stddev"] > 0).all()
    cli("encode", trained, image, "--out", tmp_path / "z.npy")
    assert np.load(tmp_path / "z.npy").shape == (1, 4)


def test_vary_and_interpolate(cli, trained, image, tmp_path):
    cli("vary", trained, "3", "--n", 5, "--seed", 2, "--out", tmp_path / "v.npy")
    model = dalikit.load(trained)
    x = model.data("test", 4)
    np.testing.assert_allclose(
        np.load(tmp_path / "v.npy"), model.vary(x[3:], 5, seed=2)[0].numpy(), atol=1e-5
    )
    cli("vary", trained, image, "--out", tmp_path / "v.png")
    assert (tmp_path / "v.png").is_file()
    cli("interpolate", trained, "0", "3", "--steps", 4, "--out", tmp_path / "i.npy")
    walk = np.load(tmp_path / "i.npy")
    np.testing.assert_allclose(walk, model.interpolate(x[:1], x[3:], 4)[0].numpy(), atol=1e-5)


@pytest.mark.filterwarnings("default")
def test_a_folder_is_encoded_with_its_files_names(cli, trained, tmp_path):
    rng = np.random.default_rng(0)
    for name in ("b.png", "a.png"):
        Image.fromarray(rng.integers(0, 256, (30, 20, 3)).astype(np.uint8)).save(tmp_path / name)
    (tmp_path / "torn.png").write_text("no image")
    done = cli("encode", trained, tmp_path, "--out", tmp_path / "z.npz")
    assert done.stdout.startswith("2 images, 20×30, centre-cropped and resized to 8×8\nWrote ")
    assert "Warning: 1 of 3 images are left out: " in done.stderr
    assert "torn.png: not an image file" in done.stderr
    found = np.load(tmp_path / "z.npz")
    assert found["names"].tolist() == [str(tmp_path / name) for name in ("a.png", "b.png")]
    alone = cli("encode", trained, tmp_path / "b.png", "--out", tmp_path / "b.npy")
    assert alone.returncode == 0, alone.stderr
    np.testing.assert_allclose(found["code"][1:], np.load(tmp_path / "b.npy"), atol=1e-5)


def test_arrays_are_data_too(cli, trained, tmp_path):
    model, unit = dalikit.load(trained), np.random.default_rng(0).random((3, 8, 8)).astype(np.float32)
    np.save(tmp_path / "x.npy", unit)
    done = cli("encode", trained, tmp_path / "x.npy", "--value-range", 0, 1, "--out", tmp_path / "z.npy")
    assert done.stdout.startswith(f"3 images of {tmp_path / 'x.npy'}, scaled from [0, 1]\n")
    expected = model.code(torch.from_numpy(2 * unit - 1)[:, None])
    np.testing.assert_allclose(np.load(tmp_path / "z.npy"), expected.numpy(), atol=1e-5)


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "mine").mkdir()
    for i in range(30):
        noise = Image.fromarray(rng.integers(0, 256, (6, 6, 3)).astype(np.uint8))
        noise.resize((96, 96 + 8 * (i % 3))).save(tmp_path / "mine" / f"{i:02d}.jpg", quality=90)
    return tmp_path / "mine"


def test_pictures_of_the_folder_that_was_trained_on_have_the_codes_that_training_gives(
    cli, folder, train_options, tmp_path, monkeypatch
):
    run = tmp_path / "run"
    words = ["--dataset", "folder", "--set", f"dataset.path={folder}", "--set", "dataset.size=[10, 14]"]
    done = cli("train", *train_options, *words, "--steps", 2, "--out", run, "--data-root", tmp_path)
    assert done.returncode == 0, done.stderr
    model = dalikit.load(run, data_root=tmp_path)
    assert model.spec.x_shape == (3, 10, 14)
    known = model.data("train")
    monkeypatch.delattr("dalikit.components.datasets.folder.Folder.split")  # from here on without the data
    done = cli("encode", run, folder, "--out", tmp_path / "z.npz")
    assert done.stdout.startswith("30 images, 96–112 px, centre-cropped and resized to 14×10\n"), done.stderr
    found = torch.from_numpy(np.load(tmp_path / "z.npz")["code"])
    x = model.inputs.prepare(folder).whole()
    rows = [int((x == one).flatten(1).all(1).nonzero()) for one in known]
    assert len(set(rows)) == len(known) > 10
    torch.testing.assert_close(found[rows], model.code(known))
    facts = json.loads((run / "run.json").read_text())
    assert facts["data"].pop("fitting") == {
        "height": 10,
        "width": 14,
        "channels": 3,
        "how": "crop",
        "share": 1.0,
    }
    (run / "run.json").write_text(json.dumps(facts))  # as an older dalikit wrote it
    older = dalikit.load(run).inputs.prepare(folder).whole()
    assert torch.equal(older, x)


def test_vectors_come_and_go_in_their_own_units(cli, train_options, tmp_path):
    rows = np.random.default_rng(0).normal([100.0, -3.0, 7.0], [50.0, 0.01, 0.0], (60, 3))
    np.save(tmp_path / "rows.npy", rows)
    run, words = tmp_path / "run", ["--dataset", "arrays", "--set", f"dataset.path={tmp_path / 'rows.npy'}"]
    done = cli("train", *train_options, *words, "--steps", 2, "--out", run)
    assert done.returncode == 0, done.stderr
    done = cli("reconstruct", run, tmp_path / "rows.npy", "--out", tmp_path / "r.npz")
    assert "60 vectors of" in done.stdout, done.stderr
    found, model = np.load(tmp_path / "r.npz"), dalikit.load(run)
    np.testing.assert_allclose(found["x"], rows, rtol=1e-4)
    known, x = model.data("train"), model.inputs.prepare(rows).whole()
    assert all((x == one).all(1).any() for one in known)
    again = model.reconstruct(rows).numpy()
    deviation, mean = np.array(model.dataset.standardization[1]), np.array(model.dataset.standardization[0])
    np.testing.assert_allclose(found["reconstruction"], again * deviation + mean, rtol=1e-4)


@pytest.fixture(scope="module")
def on_arrays(cli, tmp_path_factory):
    """A run on 40 images in a file, and what made them."""
    folder = tmp_path_factory.mktemp("arrays")
    images = np.random.default_rng(0).integers(0, 256, (40, 8, 8)).astype(np.uint8)
    np.save(folder / "x.npy", images)
    words = ["--dataset", "arrays", "--set", f"dataset.path={folder / 'x.npy'}", "--backbone", "mlp"]
    words += ["--steps", 2, "--set", "trainer.batch_size=8", "--out", folder / "run"]
    assert cli("train", *words).returncode == 0
    return folder, images


@contextmanager
def in_the_place_of(images, others, folder):
    """Other data in the file of `on_arrays`, inside the block."""
    np.save(folder / "x.npy", others)
    try:
        yield
    finally:
        np.save(folder / "x.npy", images)


MORE = np.random.default_rng(1).integers(0, 256, (60, 8, 8)).astype(np.uint8)


def test_scores_say_of_which_data_they_are_where_these_have_changed(cli, command, on_arrays, tmp_path):
    folder, images = on_arrays
    run = shutil.copytree(folder / "run", tmp_path / "run")
    before = cli("evaluate", run, "--json")
    with in_the_place_of(images, MORE, folder):
        after = command("evaluate", run, "--json")
        resumed = cli("train", "--resume", run, "--steps", 4)
    assert before.stderr == ""
    for done in (after, resumed):
        assert done.returncode == 0, done.stderr
        (line,) = [line for line in done.stderr.splitlines() if "other data" in line]
        assert re.search(rf"{run} was trained on other data: the train part had \d+ data, now \d+", line)
    first, second = (json.loads(done.stdout) for done in (before, after))
    assert first["data"]["preparation"] != second["data"]["preparation"]
    counts = [[one["count"] for one in found["data"]["stamp"].values()] for found in (first, second)]
    assert [sum(found) for found in counts] == [40, 60]
    protocols = [found["metrics"]["reconstruction"]["protocol"] for found in (first, second)]
    assert protocols[0]["data_sha256"] != protocols[1]["data_sha256"]


def test_a_single_pixel_is_noticed_in_python_too(on_arrays):
    """Whether it leaves its image in its part, or moves it, as a content does that decides the part."""
    folder, images = on_arrays
    said = re.compile("had [0-9]+ data, now [0-9]+|[0-9]+ data as before, but others")
    for row in range(3):
        other = images.copy()
        other[row, 4, 4] ^= 1
        model = dalikit.load(folder / "run")
        with in_the_place_of(images, other, folder), pytest.warns(UserWarning, match="on other data") as told:
            model.data()
        assert len(told) == 1
        assert said.search(str(told[0].message))


def test_a_run_says_what_its_data_were(command, on_arrays, tmp_path):
    folder, _ = on_arrays
    stamp = json.loads((folder / "run" / "run.json").read_text())["data"]["stamp"]
    scores = json.loads((folder / "run" / "scores.json").read_text())
    assert scores["data"]["stamp"] == stamp
    model = dalikit.load(folder / "run")
    assert {part: one["count"] for part, one in stamp.items()} == {p: len(model.data(p)) for p in stamp}
    protocol = scores["metrics"]["reconstruction"]["protocol"]
    logged = [json.loads(line) for line in (folder / "run" / "metrics.jsonl").read_text().splitlines()]
    on_the_way = [one["protocol"]["data_sha256"] for one in logged if one["event"] == "score"]
    assert {*on_the_way} == {protocol["data_sha256"]}


def test_a_run_of_before_stamps_is_compared_by_what_was_said(on_arrays, tmp_path):
    folder, images = on_arrays
    run = shutil.copytree(folder / "run", tmp_path / "run")
    facts = json.loads((run / "run.json").read_text())
    del facts["data"]["stamp"]
    (run / "run.json").write_text(json.dumps(facts))
    assert len(dalikit.load(run).data()) > 0
    said = (
        "is of before stamps, and may have been trained on other data: they were told of as 'arrays of x.npy"
    )
    with in_the_place_of(images, MORE, folder), pytest.warns(UserWarning, match=said):
        dalikit.load(run).data()


def test_neighbours_of_the_test_part_or_of_files(cli, trained, image, tmp_path):
    cli("neighbours", trained, image, "--n", 2, "--among", 50, "--out", tmp_path / "n.npz")
    found, model = np.load(tmp_path / "n.npz"), dalikit.load(trained)
    assert found["neighbours"].shape == (1, 2, 1, 8, 8)
    known = model.data("train", 50).numpy()
    assert all((known == image).all((1, 2, 3)).any() for image in found["neighbours"][0])
    assert (np.diff(found["distances"]) >= 0).all()
    done = cli("neighbours", trained, "--out", tmp_path / "n.png")
    assert done.returncode == 0, done.stderr
    picture = np.asarray(Image.open(tmp_path / "n.png"))  # 8 rows of a digit and its 9 neighbours
    grid = picture[int((picture[:, 0] == 96).all(1).argmax()) :]  # below the title
    assert grid.shape[1] / grid.shape[0] == pytest.approx(10 / 8, rel=0.02)
    framed = (grid == (255, 140, 0)).all(2)
    assert framed[:, : grid.shape[1] // 10].any(1).sum() > grid.shape[0] // 2, (
        "each digit that is asked about"
    )
    assert not framed[:, grid.shape[1] // 10 + 2 :].any(), "and no neighbour"


def test_the_ends_of_a_walk_are_shown_and_framed_in_the_picture_alone(cli, trained, tmp_path):
    for name in ("w.png", "w.npy"):
        assert cli("interpolate", trained, 3, 5, "--steps", 4, "--out", tmp_path / name).returncode == 0
    assert np.load(tmp_path / "w.npy").shape == (4, 1, 8, 8)
    picture = np.asarray(Image.open(tmp_path / "w.png"))
    (starts,) = np.nonzero(np.diff((picture == (255, 140, 0)).all(2).any(0).astype(int)) == 1)
    cell = (picture.shape[1] - 1) / 6
    assert [int(start / cell) for start in starts if start] == [0, 5]


def test_evaluate_as_json_is_one_document_with_protocols(cli, trained):
    done = cli("evaluate", trained, "--json")
    document = json.loads(done.stdout)
    found = document["metrics"]["reconstruction"]
    assert found["mse_pm1"] == pytest.approx(4 * found["mse_01"])
    assert found["protocol"]["count"] == 360
    assert found["protocol"]["resolution"] == [1, 8, 8]
    assert document["weights"] == "averaged, decay 0.999"
    assert document["metrics"]["reconstruction"]["protocol"]["seed"] == 0
    assert "20 % test" in document["data"]["preparation"]
    assert document["versions"]["dalikit"] == dalikit.__version__
    validation = json.loads(cli("evaluate", trained, "--json", "--part", "validation").stdout)
    assert validation["metrics"]["reconstruction"]["protocol"]["count"] == 144


@pytest.fixture(scope="module")
def passed(cli, trained, tmp_path_factory):
    """A copy of the trained run whose best weights are others than the last: those of step 10."""
    run = shutil.copytree(trained, tmp_path_factory.mktemp("passed") / "run")
    shutil.rmtree(run / "best")
    facts = BestFacts(step=10, metric="reconstruction", values={"mse_01": 0.01})
    model = dalikit.load(run)
    weights = {name: 1.5 * tensor for name, tensor in model.method.state_dict().items()}
    RunDirectory(run).save_best(weights, facts)
    RunDirectory(run).forget_scores()  # of the best ones that it had
    return run


@pytest.mark.parametrize(
    ("command", "words", "name"),
    [
        ("sample", ["--n", 3], "x"),
        ("reconstruct", ["--n", 3], "reconstruction"),
        ("encode", [], "code"),
        ("vary", ["0", "--n", 3], "x"),
        ("interpolate", ["0", "1", "--steps", 3], "x"),
        ("neighbours", ["--n", 2, "--among", 50], "distances"),
    ],
)
def test_every_command_takes_the_best_weights(cli, passed, tmp_path, command, words, name):
    for which in ("last", "best"):
        options = [] if which == "last" else ["--weights", "best"]
        done = cli(command, passed, *words, *options, "--out", tmp_path / f"{which}.npz")
        assert done.returncode == 0, done.stderr
    again = cli(command, passed, *words, "--weights", "last", "--out", tmp_path / "again.npz")
    assert again.returncode == 0, again.stderr
    last, best, again = (np.load(tmp_path / f"{file}.npz")[name] for file in ("last", "best", "again"))
    assert (last == again).all()
    assert not np.allclose(last, best)


def test_evaluate_says_which_weights_it_scored(cli, passed):
    documents = [
        json.loads(cli("evaluate", passed, "--json", *words).stdout) for words in ([], ["--weights", "best"])
    ]
    assert [d["step"] for d in documents] == [30, 10]
    assert [d["weights"] for d in documents] == ["averaged, decay 0.999", "averaged, decay 0.999, best"]
    errors = [d["metrics"]["reconstruction"]["mse_01"] for d in documents]
    assert errors[0] != errors[1]


def test_weights_that_are_not_there_are_one_line(cli, trained, tmp_path):
    run = shutil.copytree(trained, tmp_path / "run")
    shutil.rmtree(run / "best")
    for words, says in ((["best"], "has kept no best weights"), (["first"], "no weights 'first'")):
        done = cli("sample", run, "--weights", *words)
        assert done.returncode == 2
        assert says in done.stderr
        assert done.stderr.count("\n") == 1
    assert not (run / "sample.png").exists()


def test_evaluate_for_people(cli, trained):
    done = cli("evaluate", trained)
    assert "mse_01" in done.stdout
    assert "part test, count 360, resolution 1×8×8" in " ".join(done.stdout.split())


def test_mode_fields(cli, tmp_path):
    run = tmp_path / "r"
    cli("train", "--recipe", "ring8", "--steps", 2, "--out", run)
    found = json.loads(cli("evaluate", run, "--json").stdout)["metrics"]["modes"]
    assert isinstance(found["modes"], int)
    assert 0 <= found["high_quality"] <= 1
    assert found["protocol"]["samples"] == 2500


@pytest.mark.parametrize("command", ["plugins", "recipes"])
def test_lists_as_json(cli, command):
    rows = json.loads(cli(command, "--json").stdout)
    names = {row["name"] for row in rows}
    assert names >= ({"dali", "relativistic"} if command == "plugins" else {"digits", "grid25", "ring8"})


@pytest.mark.parametrize("command", ["plugins", "recipes"])
def test_lists_for_people(cli, command):
    shown = cli(command).stdout
    assert "grid25" in shown
    assert not shown.startswith(("{", "["))
