"""Whatever is wrong with what the user gave: one line that names the culprit, an exit code, no harm."""

import os
import shutil

import numpy as np
import pytest
from PIL import Image

BAD = {
    # what is given: what the line says
    "--method dalli": r"Unknown method 'dalli'. Did you mean 'dali'?",
    "--game gann": "Unknown game 'gann'. Did you mean 'gan'?",
    "--posterior full": "Unknown posterior 'full'",
    "--backbone vgg": "Unknown backbone 'vgg'. Known: dcgan, ",
    "--dataset imagenet": "Unknown dataset 'imagenet'",
    "--recipe nothing": "Unknown recipe 'nothing'",
    "--config nowhere.yaml": "nowhere.yaml: No such file",
    "--set method.lamb=3": "method 'dali' has no parameter 'lamb'. Did you mean 'lam'?",
    "--set method.lam=much": "parameter 'lam' = 'much'",
    "--set trainer.batch_size=3.5": "parameter 'batch_size' = 3.5",
    "--set trainer.batch_size=0": "parameter 'batch_size' = 0",
    "--set nonsense": "--set nonsense: write it as section.key=value",
    "--set trainr.lr=1": "Unknown section 'trainr'. Did you mean 'trainer'?",
    "--set surprise=3": "Unknown section 'surprise'. Sections: recipe, method, ",
    "--set lr=3": "Did you mean trainer.lr?",
    "--set surprise.lr=3": "Unknown section 'surprise'. Sections: recipe, method, ",
    "--set trainer.roles.encodr.lr=1": "trainer.roles.encodr: method 'dali' trains discriminator",
    "--set trainer.optimizer.momentun=0.9": "trainer.optimizer: optimizer 'adam' has no parameter 'momentun'",
    "--set trainer.optimizer=sgd --set trainer.optimizer.momentun=0.9": "Did you mean 'momentum'?",
    "--set trainer.optimizer=sgdd": "Unknown optimizer 'sgdd'. Did you mean 'sgd'? Known: adam, ",
    "--set trainer.optimizer.betas=much": "optimizer 'adam': parameter 'betas' = 'much'",
    "--set trainer.optimizer=3": "trainer: parameter 'optimizer' = 3",
    "--set trainer.roles.encoder.optimizer=sgdd": "Unknown optimizer 'sgdd'",
    "--set trainer.roles.encoder.optimizer.eps=-1": "trainer.roles.encoder.optimizer: optimizer 'adam': ",
    "--set trainer.betas=[0.5,0.9]": "trainer has no parameter 'betas'",
    "--set trainer.schedule=lineer": "'schedule.form' = 'lineer'",
    "--set trainer.schedule.warmup=2": "'schedule.warmup' = 2",
    "--method unrolled --set trainer.optimizer=sgd": (
        "method 'unrolled' reads the moments of Adam: the optimizer of 'discriminator' must be adam, not sgd"
    ),
    "--augmentation adda": "Unknown augmentation 'adda'. Did you mean 'ada'?",
    "--augmentation ada --method vae": "Method 'vae' has no augmentation, so augmentation 'ada' means ",
    "--augmentation ada --dataset grid25": "Augmentation 'ada' works on images (C, H, W) with a value range",
    "--augmentation diffaugment --recipe grid25": "not on data (2,)",
    "--set method.conditional=perhaps": "parameter 'conditional' = 'perhaps'",
    "--set seed=2020-13-45": "seed = '2020-13-45': Input should be a valid integer",
    "--set trainer=3": "trainer = 3: Input should be a valid dictionary",
    "--set metrics=3": "metrics = 3: Input should be a valid dictionary",
    "--set trainer.lr=[[1": "--set trainer.lr=[[1: no YAML value that can be read: while parsing",
    "--set generator.width=2147483648": "'width' = 2147483648: Input should be less than or equal to 65536",
    "--set generator.latent_size=2147483648": "latent_size = 2147483648: Input should be less than",
    "--set threads=100000": "threads = 100000: Input should be less than or equal to 1024",
    f"--set seed={'9' * 5000}": "a whole number of more than 64 bits",
    f"--method {'x' * 6800}": "xxx … xxx",
    f"--resume {'x' * 6800}": "is not a run",
    f"--set {'a.' * 500}a=1": "more than 32 levels",
    "--set metrics.modes.count=3": "metric 'modes' counts on a mixture",
    "--device meta": "Device 'meta' cannot be used",
    "--steps 0": "parameter 'steps' = 0",
    "--steps many": "Invalid value for '--steps'",
    "--seed -3": "seed = -3",
    "--device abacus": "Device 'abacus' cannot be used",
    "--method gan --posterior diag": "Method 'gan' has no posterior, so posterior 'diag' means nothing",
    "--dataset grid25 --backbone dcgan": "'dcgan' takes images",
    "--set posterior.log_variance_min=5": "at least 2·knee",
    "--nonsense": "No such option: --nonsense",
    "surplus": "unexpected extra argument",
    "--resume nowhere": "nowhere is not a run",
}


def one_line(done, code=2):
    assert done.returncode == code, done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    assert len(done.stderr) <= 1001
    return done.stderr


@pytest.mark.parametrize("words", BAD)
def test_train_says_what_is_wrong_and_leaves_nothing_behind(cli, words, tmp_path):
    given = words.split() if words.startswith("--resume") else [*words.split(), "--out", tmp_path / "run"]
    assert BAD[words] in one_line(cli("train", *given))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("option", ["--config", "--data", "--from", "--resume"])
def test_what_never_ends_is_not_waited_for(command, option, tmp_path):
    path = tmp_path / {"--config": "c.yaml", "--data": "x.npy"}.get(option, "run")
    os.mkfifo(path)
    shown = command("train", option, path, cwd=tmp_path)
    assert str(path) in one_line(shown)


def test_what_a_terminal_would_obey_is_told_escaped(cli):
    assert r"Unknown game '\x1b[2J'" in one_line(cli("train", "--game", "\x1b[2J"))


def test_a_conditional_method_on_data_without_labels(cli, tmp_path):
    path, run = tmp_path / "x.npy", tmp_path / "run"
    np.save(path, np.random.default_rng(0).integers(0, 256, (40, 8, 8)).astype(np.uint8))
    words = ["--dataset", "arrays", "--set", f"dataset.path={path}", "--backbone", "mlp", "--out", run]
    said = one_line(cli("train", *words, "--set", "method.conditional=true"))
    assert "method 'dali': conditional=true needs labels, and data set 'arrays' has none" in said
    assert not run.exists()


def test_an_output_that_holds_a_run_already(cli, trained):
    before = {p: p.read_bytes() for p in trained.rglob("*") if p.is_file()}
    said = one_line(cli("train", "--steps", 2, "--out", trained))
    assert f"{trained} holds a run already" in said
    assert f"dalikit train --resume {trained}" in said
    assert {p: p.read_bytes() for p in trained.rglob("*") if p.is_file()} == before


def test_resume_with_other_settings(cli, trained):
    assert "only --steps may be given" in one_line(cli("train", "--resume", trained, "--game", "fkl"))


def test_a_loss_that_is_not_finite_ends_the_run_with_code_1(cli, train_options, tmp_path):
    run = tmp_path / "run"
    rising = ["--set", "trainer.lr=1e30", "--game", "fkl", "--steps", 200]
    said = one_line(cli("train", *train_options, *rising, "--out", run), code=1)
    assert "Phase '" in said
    assert "became" in said
    assert "A lower trainer.lr" in said
    assert not list(run.glob("checkpoints/*"))  # worthless weights are not kept as if they were good
    assert (run / "config.yaml").is_file()


def test_good_checkpoints_survive_a_failure(cli, train_options, tmp_path):
    run = tmp_path / "run"
    cli("train", *train_options, "--steps", 10, "--out", run)
    config = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(config.replace("lr: 0.002", "lr: 1.0e+30"))
    assert "1.0e+30" in (run / "config.yaml").read_text()
    assert "config.yaml changed" in one_line(cli("train", "--resume", run, "--steps", 300), code=2)
    one_line(cli("train", "--resume", run, "--steps", 300, "--accept-changes"), code=1)
    assert [p.name for p in run.glob("checkpoints/*")] == ["step-000010"]


def test_the_traceback_is_shown_with_debug_alone(command):
    plain = command("train", "--game", "gann")
    shown = command("train", "--game", "gann", "--debug")
    assert plain.returncode == 2
    assert "Traceback" not in plain.stderr
    assert "Traceback" in shown.stderr
    assert "UserError" in shown.stderr


USES = {
    "sample nowhere": "nowhere is not a run",
    "sample RUN --n 0": "Invalid value for '--n'",
    "sample RUN --out a.jpg": "--out a.jpg: what can be written here is .png, .npy, .npz, a folder",
    "reconstruct RUN nowhere.png": "nowhere.png: No such file",
    "reconstruct RUN DIR/text.png": "text.png: not an image file, or damaged",
    "reconstruct RUN DIR/empty": "No picture can be read: there is none in DIR/empty",
    "encode RUN DIR/broken": "No picture can be read: DIR/broken/text.png: not an image file, or damaged",
    "encode RUN DIR/ones.npy": "--value-range 0 1, says what they lie between",
    "encode RUN DIR/ones.npy --value-range -2 0": "Data reach from 1 to 1, outside [-2, 0]",
    "encode RUN DIR/ones.npy --value-range 1 1": "value_range is (1.0, 1.0); two numbers, the lesser first",
    "encode RUN DIR/there.png --value-range 0 1": "value_range is for floats: pictures and uint8 reach",
    "encode RUN --value-range 0 1": "--value-range is for floats of a file",
    "interpolate RUN 0 1 --value-range 0 1": "--value-range is for floats of a file",
    "encode RUN DIR/ones.npy DIR/ones.npy": "ones.npy holds arrays: hand it in alone",
    "encode RUN DIR/points.npy": "Data have shape (3, 2), (B, 1, 8, 8) is needed",
    "encode RUN nowhere.npy": "nowhere.npy: no such file",
    "encode RUN --out z.txt": "what can be written here is .npy, .npz",
    f"vary RUN {'9' * 5000}": "The test part has 360 data: there is no index 999",
    "sample RUN --n 2147483648": "Input should be less than or equal to 1000000",
    "evaluate RUN --set metrics=3": "a run's metrics alone can be set, as metrics.NAME.PARAMETER",
    "vary RUN 99999": "The test part has 360 data: there is no index 99999",
    "vary RUN DIR/text.png": "text.png: not an image file",
    "vary RUN DIR/ones.npy --value-range 0 1": "ones.npy holds 2 data: one is needed here",
    "interpolate RUN --steps 1": "Invalid value for '--steps'",
    "neighbours RUN --n 99999": "n is 99999, but there are 1293 data to be searched",
    "evaluate RUN --metric fid": "Unknown metric 'fid'",
    "evaluate RUN --metric modes": "metric 'modes' counts on a mixture",
    "evaluate RUN --part all": "--part all: it is train, validation or test",
    "sample RUN --device abacus": "Device 'abacus' cannot be used",
    "sample RUN --out DIR/there.png": "there.png is there already: choose another, or give --force",
    "sample RUN --out DIR": "is there already",
    "sample RUN --seed -5": "Invalid value for '--seed'",
    "sample RUN --out DIR/plain": "is a file, not a folder",
    "evaluate RUN --set trainer.lr=3": "a run's metrics alone can be set",
    "evaluate RUN --set metrics.reconstruction.n=3": "metric 'reconstruction' has no parameter 'n'",
    "frobnicate": "No such command 'frobnicate'",
}


@pytest.mark.parametrize("words", USES)
def test_using_a_run_says_what_is_wrong(cli, words, trained, tmp_path):
    (tmp_path / "text.png").write_text("no image")
    for folder in ("empty", "broken"):
        (tmp_path / folder).mkdir()
    (tmp_path / "broken" / "text.png").write_text("no image")
    np.save(tmp_path / "ones.npy", np.ones((2, 8, 8), np.float32))
    np.save(tmp_path / "points.npy", np.zeros((3, 2)))
    (tmp_path / "there.png").write_text("mine")
    (tmp_path / "plain").write_text("mine")
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    given = [w.replace("RUN", str(trained)).replace("DIR", str(tmp_path)) for w in words.split()]
    said = USES[words].replace("RUN", str(trained)).replace("DIR", str(tmp_path))
    assert said in one_line(cli(*given))
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before


def test_a_method_without_encoder_cannot_infer(cli, tmp_path):
    run = tmp_path / "run"
    cli("train", "--recipe", "ring8", "--method", "gan", "--steps", 2, "--out", run)
    for words in (
        ["reconstruct", run],
        ["encode", run],
        ["vary", run],
        ["interpolate", run],
        ["neighbours", run],
    ):
        assert "Method 'gan' has no encoder" in one_line(cli(*words))
    assert "has no encoder" in one_line(cli("evaluate", run, "--metric", "reconstruction"))
    Image.new("L", (8, 8)).save(tmp_path / "a.png")
    assert "they are no images" in one_line(cli("reconstruct", run, tmp_path / "a.png"))


def test_force_writes_over(cli, trained, tmp_path):
    path = tmp_path / "x.npy"
    path.write_text("old")
    assert cli("sample", trained, "--n", 2, "--out", path, "--force").returncode == 0
    assert np.load(path).shape == (2, 1, 8, 8)


def test_a_full_disk_is_a_failure_of_the_run(cli, trained):
    assert "Cannot write" in one_line(cli("sample", trained, "--out", "/proc/nowhere/x.npy"), code=1)


def test_a_missing_plugin_is_named(cli, train_options, tmp_path):
    run = tmp_path / "run"
    cli("train", *train_options, "--game", "relativistic", "--steps", 2, "--out", run)
    shutil.copytree(run, tmp_path / "other")
    text = (tmp_path / "other" / "config.yaml").read_text()
    (tmp_path / "other" / "config.yaml").write_text(text.replace("relativistic", "uninstalled"))
    assert "Unknown game 'uninstalled'" in one_line(cli("sample", tmp_path / "other"))
