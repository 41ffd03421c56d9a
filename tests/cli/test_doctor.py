"""`dalikit doctor`: what there is and what is broken, for people and for programs, by its exit code too."""

import json
import os

import fakes
import numpy as np
import pytest
import torch

import dalikit
from dalikit.inspection import machine
from dalikit.runs import lock


@pytest.fixture
def doctor(cli, tmp_path, monkeypatch):
    """The document, the exit code and the text, for a data root and a cache of weights of the test's own."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "hub"))

    def run(root=tmp_path / "data", code=0):
        told = cli("doctor", "--data-root", root, "--json")
        assert (told.returncode, told.stderr) == (code, ""), told.stdout + told.stderr
        text = cli("doctor", "--data-root", root)
        assert (text.returncode, text.stderr) == (code, "")
        document = json.loads(told.stdout)
        assert document["sound"] == (code == 0)
        for fault in document["faults"]:
            assert f"  {fault}\n" in text.stdout
        assert ("Nothing is broken." in text.stdout) == (code == 0)
        return document, text.stdout

    return run


def test_a_sound_machine_is_told_of(doctor):
    found, text = doctor()
    assert found["versions"]["torch"] == torch.__version__
    assert found["versions"]["dalikit"] == dalikit.__version__
    assert found["versions"]["torchvision"]
    assert found["devices"][0]["device"] == "cpu"
    assert len(found["devices"]) == 1 + torch.cuda.device_count() + torch.backends.mps.is_available()
    assert found["threads"]["torch"] == torch.get_num_threads()
    assert found["threads"]["cpus"] == os.cpu_count()
    assert [weights["state"] for weights in found["weights"]] == ["missing", "missing"]
    assert "dalikit scorer train mnist" in text
    assert f"torch {torch.__version__}" in text


def test_nothing_is_left_behind(doctor, tmp_path):
    root = tmp_path / "data"
    doctor(root)
    assert not root.exists()
    root.mkdir()
    doctor(root)
    assert list(root.iterdir()) == []


def test_plugins_are_told_of_with_what_they_offer_and_their_seconds(doctor, tmp_path, monkeypatch):
    source = "import time; time.sleep(0.2)\n" + fakes.GAME.format(name="toy")
    fakes.install(tmp_path / "site", monkeypatch, "dalikit-toys", source, "1.5", point="toys")
    found, text = doctor()
    toys = next(each for each in found["plugins"] if each["distribution"] == "dalikit-toys")
    assert (toys["plugin"], toys["version"], toys["components"]) == ("toys", "1.5", ["game toy"])
    assert (toys["faults"], toys["slow"]) == ([], False)
    assert "dalikit-toys 1.5 (toys): 1 component, imported in 0." in text
    own = next(each for each in found["plugins"] if each["distribution"] == "dalikit")
    assert {"game gan", "method dali"} <= set(own["components"])


def test_a_slow_plugin_is_no_fault(doctor, tmp_path, monkeypatch):
    monkeypatch.setattr("dalikit.inspection.plugins.SLOW", -1.0)
    fakes.install(tmp_path / "site", monkeypatch, "dalikit-toys", fakes.GAME.format(name="toy"))
    found, text = doctor()
    assert {each["distribution"] for each in found["plugins"] if each["slow"]} >= {"dalikit-toys"}
    assert "s, slow" in text


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("raise OSError('no such GPU')", "plugin 'plugin' of dalikit-toys 1.0: OSError: no such GPU"),
        ("x = 1", "plugin 'plugin' of dalikit-toys 1.0: it does not say DALIKIT_API"),
        (
            fakes.GAME.format(name="hinge"),
            "plugin 'plugin' of dalikit-toys 1.0: game 'hinge': the name 'hinge' is a built-in's",
        ),
    ],
)
def test_a_broken_plugin_is_a_fault(doctor, tmp_path, monkeypatch, source, says):
    fakes.install(tmp_path / "site", monkeypatch, "dalikit-toys", source)
    found, text = doctor(code=1)
    (fault,) = found["faults"]
    assert fault.startswith(says)
    assert "One thing is broken" in text


def test_two_plugins_that_clash_are_both_broken(doctor, tmp_path, monkeypatch):
    for name in ("one", "two"):
        fakes.install(tmp_path / "site", monkeypatch, f"dalikit-{name}", fakes.GAME.format(name="toy"))
    found, text = doctor(code=1)
    assert len(found["faults"]) == 2
    assert "2 things are broken" in text


@pytest.mark.parametrize("where", ["file", "below a file"])
def test_a_data_root_that_cannot_be_written_is_a_fault(doctor, tmp_path, where):
    (tmp_path / "file").write_text("")
    root = tmp_path / "file" if where == "file" else tmp_path / "file" / "data"
    (fault,) = doctor(root, code=1)[0]["faults"]
    assert fault == f"data root {root}: nothing can be written there: Not a directory"


def test_a_folder_on_a_read_only_disk_is_told_of(monkeypatch, tmp_path):
    def refused(*_, **__):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("tempfile.NamedTemporaryFile", refused)
    assert machine.folder("data root", tmp_path).wrong == "Read-only file system"


def test_whether_files_can_be_locked_is_tried(tmp_path, monkeypatch, doctor):
    path = tmp_path / "file"
    path.write_text("")
    assert lock.lockable(path)
    monkeypatch.setattr(lock.fcntl, "flock", lambda *_: None)  # as a file system that only says that it locks
    assert not lock.lockable(path)

    def refused(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(lock.fcntl, "flock", refused)
    assert not lock.lockable(path)
    found, text = doctor()
    assert not any(folder["locks"] for folder in found["folders"])
    assert "without file locks: nothing keeps two processes from training one run" in text
    monkeypatch.setattr(lock, "fcntl", None)
    assert not lock.lockable(path)


def test_prepared_data_are_listed_and_damaged_ones_are_a_fault(doctor, tmp_path):
    root = tmp_path / "data"
    root.mkdir()
    np.savez(
        root / "mnist.npz", train_images=np.zeros((20, 8, 8), np.uint8), train_labels=np.zeros(20, np.uint8)
    )
    (root / "notes.txt").write_text("no data")
    os.mkfifo(root / "pipe.npz")
    found, text = doctor()
    (mnist,) = found["prepared"]
    assert mnist["arrays"] == {"train_images": [20, 8, 8], "train_labels": [20]}
    assert "train_images 20×8×8, train_labels 20" in text
    (root / "cifar10.npz").write_bytes(b"no zip")
    (fault,) = doctor(code=1)[0]["faults"]
    assert str(root / "cifar10.npz") in fault


def test_weights_are_present_or_damaged(doctor, tmp_path, monkeypatch):
    import hashlib

    content = b"weights"
    start = hashlib.sha256(content).hexdigest()[:8]
    folder = tmp_path / "hub" / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    monkeypatch.setattr(
        "torch_fidelity.feature_extractor_inceptionv3.URL_INCEPTION_V3", f"https://nowhere/pt-{start}.pth"
    )
    path = folder / f"pt-{start}.pth"
    path.write_bytes(content)
    found, _ = doctor()
    assert [weights["state"] for weights in found["weights"]] == ["present", "missing"]
    assert found["weights"][0]["path"] == str(path)
    path.write_bytes(content[:-1])
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "scorer-mnist.safetensors").write_bytes(b"none")
    found, text = doctor(code=1)
    assert [weights["state"] for weights in found["weights"]] == ["damaged", "damaged"]
    assert len(found["faults"]) == 2
    assert "and not the one in its name" in text
