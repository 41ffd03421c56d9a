"""The run directory: what is written, how it is read back, and that nothing is lost or half-written."""

import json
import os
import pickle
import time
from contextlib import nullcontext

import pytest
import torch
from safetensors.torch import load_file

from dalikit.errors import RunError, RunGoneError, UserError
from dalikit.interfaces import DataSpec, TrainingState
from dalikit.runs import BestFacts, DataFacts, RunDirectory, RunFacts, lock
from dalikit.runs.config import RunConfig, Slot

CONFIG = RunConfig(generator=Slot(name="mlp", latent_size=3))
DATA = DataFacts(x_shape=(1, 8, 8), value_range=(-1.0, 1.0), classes=("odd", "even"))
FACTS = RunFacts(data=DATA, dalikit="0.1.0")


@pytest.fixture
def run(tmp_path):
    directory = RunDirectory(tmp_path / "run")
    directory.create(CONFIG, FACTS)
    return directory


def state(step: int) -> TrainingState:
    return TrainingState(
        {"average/g.weight": torch.full((2,), float(step)), "method/g.weight": torch.arange(3)},
        {"step": step, "python": [3, [1, 2], None]},
    )


def test_configuration_and_facts_are_read_back(run):
    again = RunDirectory.open(run.path)
    assert again.config == CONFIG
    assert again.facts == FACTS
    assert again.facts.data.spec == DataSpec((1, 8, 8), (-1.0, 1.0), ("odd", "even"))


def test_what_a_killed_start_leaves_is_no_run_and_keeps_none_from_being_made(run, tmp_path):
    """The configuration is written last: a folder without one is none."""
    begun = tmp_path / "begun"
    begun.mkdir()
    for name in (".lock", "run.json.7.unfinished", "config.yaml.7.unfinished"):
        (begun / name).touch()
    (begun / "run.json").write_text((run.path / "run.json").read_text())
    RunDirectory(begun).create(CONFIG, FACTS)
    assert {path.name for path in begun.iterdir()} == {".lock", "run.json", "config.yaml"}
    for name, text in (("run.json", "{}"), ("run.json", "mine"), ("mine.unfinished", "")):
        other = tmp_path / "other" / name.removesuffix(".unfinished") / str(len(text))
        other.mkdir(parents=True)
        (other / name).write_text(text)
        with pytest.raises(UserError, match="is not an empty folder"):
            RunDirectory(other).create(CONFIG, FACTS)
        assert (other / name).read_text() == text


def test_what_a_killed_process_was_in_the_middle_of_is_removed(run):
    keep(run, 5, 1.0)
    run.save_checkpoint(state(5), keep=2)
    (run.path / "samples").mkdir()
    torn = ("samples/step-000000.png.7.unfinished", "metrics.jsonl.7.unfinished")
    halves = (
        "checkpoints/step-000006.unfinished",
        "checkpoints/step-000003.removed",
        "best/step-000003.removed",
    )
    replaced, only = "checkpoints/step-000005.earlier", "checkpoints/step-000004.earlier"
    mine = ("sample.png.7.unfinished", "samples/mine.png", "notes", "notes.earlier")
    for name in (*torn, *mine):
        (run.path / name).touch()
    for name in (*halves, replaced, only):
        (run.path / name).mkdir()
        (run.path / name / "state.json").touch()
    before = set(run.path.rglob("*"))
    run.tidy()
    gone = before - set(run.path.rglob("*"))
    names = {str(path.relative_to(run.path)) for path in gone}
    assert names == {
        *(*torn, *halves, replaced, only),
        *(f"{name}/state.json" for name in (*halves, replaced, only)),
    }
    assert (run.path / "checkpoints" / "step-000004" / "state.json").exists(), "it is put back"


def test_a_checkpoint_is_read_back_and_old_ones_are_dropped(run):
    for step in (5, 10, 1_000_000):
        run.save_checkpoint(state(step), keep=2)
    assert [p.name for p in run.checkpoints()] == ["step-000010", "step-1000000"]
    found = run.load_checkpoint().state
    assert found.scalars == {"step": 1_000_000, "python": [3, [1, 2], None]}
    assert torch.equal(found.tensors["method/g.weight"], torch.arange(3))
    assert run.load_averaged()[0] == 1_000_000
    assert torch.equal(run.load_averaged()[1]["g.weight"], torch.full((2,), 1e6))


def keep(run, step: int, value: float) -> None:
    weights = {"g.weight": torch.full((2,), float(step))}
    run.save_best(weights, BestFacts(step=step, metric="fidelity", values={"fid": value}))


def kept(run) -> list[int]:
    return [int(folder.name[5:]) for folder in run.bests()]


def test_the_best_weights_outlive_all_checkpoints(run):
    run.save_checkpoint(state(5), keep=1)
    assert run.best is None
    keep(run, 5, 9.0)
    for step in (10, 15, 1_000_000):
        run.save_checkpoint(state(step), keep=1)
    assert run.best == BestFacts(step=5, metric="fidelity", values={"fid": 9.0}, part="validation")
    assert run.load_averaged("best")[0] == 5
    assert torch.equal(run.load_averaged("best")[1]["g.weight"], torch.full((2,), 5.0))
    assert run.load_averaged()[0] == run.load_averaged("last")[0] == 1_000_000


def test_what_was_best_at_a_checkpoint_stays_as_long_as_that(run):
    """For training may go on from there, and what came later is then dropped."""
    keep(run, 2, 9.0)
    keep(run, 4, 8.0)
    assert kept(run) == [4], "nothing goes on from a step at which 2 was the best"
    run.save_checkpoint(state(5), keep=2)
    keep(run, 7, 7.0)
    keep(run, 1_000_000, 6.0)
    assert kept(run) == [4, 1_000_000], "7 was the best at no checkpoint"
    run.rewind_best(5)
    assert kept(run) == [4]
    keep(run, 7, 7.0)
    run.save_checkpoint(state(8), keep=2)
    run.save_checkpoint(state(9), keep=2)
    assert kept(run) == [7], "the checkpoint at 5 is gone"


def test_best_weights_that_cannot_be_written_leave_the_ones_before(run, monkeypatch):
    keep(run, 5, 9.0)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("dalikit.runs.folders.save_file", full)
    with pytest.raises(RunError, match=r"step-000006.*No space left"):
        keep(run, 6, 8.0)
    assert [path.name for path in (run.path / "best").iterdir()] == ["step-000005"]


def test_there_are_last_and_best_weights_and_no_others(run):
    run.save_checkpoint(state(5), keep=1)
    with pytest.raises(UserError, match="no weights 'worst': it is last or best"):
        run.load_averaged("worst")
    with pytest.raises(UserError, match="kept no best weights"):
        run.load_averaged("best")
    keep(run, 5, 9.0)
    (run.bests()[0] / "best.json").write_text('{"step": 5}')
    with pytest.raises(UserError, match=r"damaged: step-000005/best\.json is not as it was written"):
        run.best  # noqa: B018


def test_weights_are_safetensors_and_nothing_is_pickled(trained):
    for path in trained.rglob("*"):
        if path.suffix == ".safetensors":
            assert load_file(path)
        assert path.is_dir() or path.suffix in {".safetensors", ".json", ".jsonl", ".yaml", ".png"}, path


def test_a_checkpoint_that_cannot_be_written_leaves_the_last_one(run, monkeypatch):
    run.save_checkpoint(state(5), keep=2)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("dalikit.runs.folders.save_file", full)
    with pytest.raises(RunError, match=r"step-000006.*No space left"):
        run.save_checkpoint(state(6), keep=1)
    monkeypatch.undo()
    assert run.load_checkpoint().state.scalars["step"] == 5
    assert [p.name for p in (run.path / "checkpoints").iterdir()] == ["step-000005"]


@pytest.mark.parametrize("content", ["file", "run", "folder"])
def test_what_is_there_is_never_written_over(content, tmp_path):
    path = tmp_path / "out"
    if content == "file":
        path.write_text("mine")
    else:
        path.mkdir()
        (path / ("config.yaml" if content == "run" else "mine.txt")).write_text("mine")
    with pytest.raises(
        UserError, match=r"out (holds a run already|is not an empty folder).*Nothing was changed"
    ):
        RunDirectory(path).create(CONFIG, FACTS)
    kept = [path] if content == "file" else list(path.iterdir())
    assert [p.read_text() for p in kept] == ["mine"]


def test_an_empty_folder_will_do(tmp_path):
    (tmp_path / "out").mkdir()
    RunDirectory(tmp_path / "out").create(CONFIG, FACTS)


def test_the_log_is_appended_to_and_rewound(run):
    for step in (1, 2, 3):
        run.log({"event": "losses", "step": step})
    run.rewind(None, 2)
    lines = [json.loads(line) for line in (run.path / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2]
    assert all(line["time"].startswith("20") for line in lines)


def test_a_last_line_that_was_cut_off_is_dropped(run):
    (run.path / "metrics.jsonl").write_text('{"step": 1}\n{"ste')
    run.rewind(None, 1)
    assert (run.path / "metrics.jsonl").read_text() == '{"step": 1}\n'


def test_a_value_that_is_not_finite_is_not_logged(run):
    with pytest.raises(RunError, match="not finite"):
        run.log({"event": "score", "step": 1, "mse": float("nan")})
    assert not (run.path / "metrics.jsonl").exists()


def test_other_damage_to_the_log_is_named(run):
    (run.path / "metrics.jsonl").write_text('{"ste\n{"step": 1}\n')
    with pytest.raises(UserError, match=r"damaged: metrics\.jsonl"):
        run.log_lines()
    run.rewind(None, 1)  # which drops what nobody can read
    assert run.log_lines() == [{"step": 1}]


@pytest.mark.parametrize("kind", ["a link", "a link to nothing", "a FIFO"])
def test_nothing_is_logged_into_what_is_no_plain_file(run, tmp_path, kind):
    log, outside = run.path / "metrics.jsonl", tmp_path / "outside.txt"
    if kind == "a FIFO":
        os.mkfifo(log)
    else:
        log.symlink_to(outside)
        if kind == "a link":
            outside.write_text("mine")
    with pytest.raises(RunError, match=r"Cannot write .*metrics\.jsonl"):
        run.log({"event": "losses", "step": 1})
    assert not outside.exists() or outside.read_text() == "mine"


def test_what_lies_behind_a_link_is_not_tidied(run, tmp_path):
    (tmp_path / "mine" / "step-000001.removed").mkdir(parents=True)
    (run.path / "samples").symlink_to(tmp_path / "mine")
    (run.path / "checkpoints").mkdir(exist_ok=True)
    (run.path / "checkpoints" / "notes.unfinished").touch()
    run.tidy()
    assert (tmp_path / "mine" / "step-000001.removed").is_dir()
    assert (run.path / "checkpoints" / "notes.unfinished").exists()


def test_a_line_without_a_step_is_damage(run):
    (run.path / "metrics.jsonl").write_text("[1]\n")
    with pytest.raises(UserError, match=r"damaged: metrics\.jsonl"):
        run.log_lines()


SCORES = {
    "step": 30,
    "weights": "averaged",
    "data": {"x_shape": [2], "value_range": None},
    "metrics": {"modes": {"modes": 8, "protocol": {"samples": 100}}},
    "skipped": {},
}


def test_scores_count_at_the_last_step_alone(run):
    assert not run.scored
    run.save_scores(SCORES)
    assert not run.scored, "the run has no number of steps"
    run.replace_config(CONFIG.model_copy(update={"trainer": {"steps": 30}}))
    assert run.scored
    assert run.scores.metrics["modes"]["protocol"] == {"samples": 100}
    run.replace_config(CONFIG.model_copy(update={"trainer": {"steps": 40}}))
    assert not run.scored, "they are of a training that was gone on with"
    run.forget_scores()
    run.forget_scores()
    assert not (run.path / "scores.json").exists()


def test_new_scores_take_the_place_of_those_that_were_set_aside(run):
    run.save_scores(SCORES)
    run.set_scores_aside()
    assert not (run.path / "scores.json").exists()
    run.put_scores_back()
    assert run.scores.metrics == SCORES["metrics"]
    run.set_scores_aside()
    run.save_scores({**SCORES, "metrics": {}})
    run.put_scores_back()
    assert run.scores.metrics == {}
    assert {path.name for path in run.path.iterdir()} == {"config.yaml", "run.json", "scores.json"}


@pytest.mark.parametrize("text", ["{", "[]", "{}", json.dumps({**SCORES, "metrics": {"modes": 8}})])
def test_damaged_scores_are_named(run, text):
    (run.path / "scores.json").write_text(text)
    with pytest.raises(UserError, match=r"is damaged: scores\.json"):
        run.scores  # noqa: B018
    with pytest.raises(UserError, match=r"is damaged: scores\.json"):
        run.scored  # noqa: B018


def test_one_process_at_a_time_trains_in_a_run(run):
    other = RunDirectory(run.path)
    with run.locked():
        with (
            pytest.raises(UserError, match=f"run is being trained by process {os.getpid()}$"),
            other.locked(),
        ):
            pass
        assert (run.path / ".lock").read_text() == f"{os.getpid()}\n", "the refused one leaves it alone"
    assert not (run.path / ".lock").exists()
    (run.path / ".lock").write_text("1\n")  # of a process that was killed: the kernel has freed it
    with other.locked():
        assert (run.path / ".lock").read_text() == f"{os.getpid()}\n"


def test_a_lock_outlives_no_removal(run):
    """Neither of two processes is left with the lock of a file that is gone, or takes the other's away."""
    with run.locked():
        (run.path / ".lock").rename(run.path / "moved")
        with run.locked():
            pass
        (run.path / ".lock").write_text("another's")
    assert (run.path / ".lock").read_text() == "another's"


def test_a_lock_is_taken_again_when_its_holder_removed_it(run, monkeypatch):
    """Between opening the file and locking it, the one who held it may have ended."""
    opened = []

    def flock(file, how, real=lock.fcntl.flock):
        if not opened:
            (run.path / ".lock").unlink()
        opened.append(file)
        real(file, how)

    monkeypatch.setattr(lock.fcntl, "flock", flock)
    with run.locked():
        assert len(opened) == 2
        assert os.path.samestat(os.fstat(opened[1].fileno()), (run.path / ".lock").stat())


@pytest.mark.parametrize("kind", ["no module", "no support"])
def test_without_locks_nothing_is_kept_out(run, monkeypatch, kind):
    def unsupported(*_):
        raise OSError(95, "Operation not supported")

    if kind == "no module":
        monkeypatch.setattr(lock, "fcntl", None)
    else:
        monkeypatch.setattr(lock.fcntl, "flock", unsupported)
    says = pytest.warns(UserWarning, match="without locks: nothing keeps a second training out")
    with says if kind == "no support" else nullcontext(), run.locked(), RunDirectory(run.path).locked():
        pass


def test_a_folder_with_a_lock_alone_is_free(tmp_path):
    run = RunDirectory(tmp_path / "out")
    with run.locked():
        run.create(CONFIG, FACTS)
    assert RunDirectory.open(run.path).config == CONFIG


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(UserError, match="cannot be written"),
        RunDirectory(tmp_path / "file" / "run").locked(),
    ):
        pass


def test_a_run_of_another_format_is_refused(run):
    path = run.path / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 7}))
    with pytest.raises(UserError, match="of format 7, this dalikit reads 3"):
        RunDirectory.open(run.path)


def test_no_run_and_no_checkpoint(run, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"empty is not a run: it has no config\.yaml"):
        RunDirectory.open(tmp_path / "empty")
    with pytest.raises(UserError, match=f"is not a run, but runs lie in it: {run.path}. Name one"):
        RunDirectory.open(tmp_path)
    with pytest.raises(UserError, match="has no checkpoint: it ended before it wrote one"):
        run.load_checkpoint()
    with run.locked(), pytest.raises(UserError, match="still in training, and has no checkpoint yet"):
        run.load_checkpoint()


def test_the_last_step_of_a_log_is_that_of_its_last_whole_line(run):
    assert run.last_step() == -1
    for step in (3, 7):
        run.log({"event": "losses", "step": step, "long": "x" * 200_000})
    log = run.path / "metrics.jsonl"
    assert run.last_step() == 7
    log.write_bytes(log.read_bytes() + b'{"event": "losses", "step": 9')  # a process is killed as it writes
    assert run.last_step() == 7
    log.write_bytes(log.read_bytes() + b"\n")
    with pytest.raises(UserError, match=r"metrics\.jsonl has a line that is not a record"):
        run.last_step()


def test_code_in_the_place_of_weights_is_not_run(run):
    class Bomb:
        def __reduce__(self):
            return (exec, ("raise SystemExit('code ran')",))

    folder = run.save_checkpoint(state(5), keep=1)
    (folder / "averaged.safetensors").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(UserError, match=r"damaged: step-000005/averaged\.safetensors"):
        run.load_averaged()


def test_a_checkpoint_that_cannot_be_written_at_first_is_tried_again(run, monkeypatch):
    from players import Points, dali

    from dalikit.components.callbacks import checkpoint
    from dalikit.components.callbacks.checkpoint import Checkpoint
    from dalikit.runs import Context
    from dalikit.training import Trainer

    waited, times = [], [2]
    monkeypatch.setattr(checkpoint, "_wait", lambda fit, seconds: waited.append(seconds))

    def written(*arguments, real=RunDirectory.save_checkpoint):
        if times[0]:
            times[0] -= 1
            raise RunError("Cannot write checkpoint: No space left on device")
        return real(*arguments)

    monkeypatch.setattr(RunDirectory, "save_checkpoint", written)
    trainer = Trainer(dali(), Points(), [Checkpoint(Context(run, Points(), {}))], steps=2, batch_size=5)
    with pytest.warns(UserWarning, match="No space left on device; trying again in 2 s"):
        trainer.fit()
    assert waited == [2, 10]
    assert run.load_checkpoint().manifest.step == 2
    times[0] = 9
    again = Trainer(dali(), Points(), [Checkpoint(Context(run, Points(), {}))], steps=4, batch_size=5)
    with pytest.warns(UserWarning, match="in 30 s"), pytest.raises(RunError, match="No space left"):
        again.fit()
    assert waited == [2, 10, 2, 10, 30]
    assert run.load_checkpoint().manifest.step == 2


def test_nobody_waits_for_a_disk_where_training_is_to_end_at_once():
    from dalikit.components.callbacks import checkpoint

    class Ending:
        interrupted = True

    begun = time.monotonic()
    checkpoint._wait(Ending(), 30)
    assert time.monotonic() - begun < 5


def test_a_run_that_was_moved_gets_no_checkpoint_where_it_was(run, tmp_path):
    run.save_checkpoint(state(5), keep=2)
    run.path.rename(tmp_path / "moved")
    with pytest.raises(RunError, match="is not there any more: it was moved or removed"):
        run.save_checkpoint(state(6), keep=2)
    with pytest.raises(RunGoneError):
        run.check_there()
    assert not run.path.exists()
    assert RunDirectory(tmp_path / "moved").load_checkpoint().manifest.step == 5


def test_what_is_edited_while_it_trains_ends_no_training(run):
    (run.path / "config.yaml").write_text("a: [")
    run.save_checkpoint(state(5), keep=2)
    assert run.load_checkpoint().manifest.settings


def test_no_reader_meets_half_a_checkpoint(run, monkeypatch):
    """Whatever is taken away is out of sight before anything in it is."""
    from dalikit import files

    seen, real = [], files.shutil.rmtree

    def removing(path, *arguments, **settings):
        seen.append(path.name)
        return real(path, *arguments, **settings)

    monkeypatch.setattr(files.shutil, "rmtree", removing)
    for step in (5, 10, 10, 15):
        run.save_checkpoint(state(step), keep=1)
        keep(run, step, 1.0 / step)
    assert {name for name in seen if "unfinished" not in name}
    assert all(name.endswith((".unfinished", ".removed")) for name in seen), seen
    assert [path.name for path in (run.path / "checkpoints").iterdir()] == ["step-000015"]


def test_a_full_disk_leaves_no_half_line_in_the_log(run, monkeypatch):
    """For the next line would stand on it, and the log be no log any more."""
    from io import FileIO

    from dalikit.runs import log

    run.log({"event": "losses", "step": 1})
    whole = (run.path / "metrics.jsonl").read_bytes()

    class Full(FileIO):
        """Takes nine bytes more."""

        def write(self, content):
            return super().write(bytes(content)[:9])

    with monkeypatch.context() as patch:
        patch.setattr(log, "append_plain", lambda path: Full(path, "a"))
        with pytest.raises(RunError, match=r"metrics\.jsonl: No space left"):
            run.log({"event": "losses", "step": 2})
    assert (run.path / "metrics.jsonl").read_bytes() == whole
    run.log({"event": "losses", "step": 3})
    assert [line["step"] for line in run.log_lines()] == [1, 3]


def test_a_run_that_begins_anew_does_not_read_what_stood_in_its_log(run):
    (run.path / "metrics.jsonl").write_text("no record\n")
    run.rewind(None, -1)
    assert (run.path / "metrics.jsonl").read_text() == ""
