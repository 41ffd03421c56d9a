"""Configurations and command lines: settings, YAML files, options and paths that nobody means."""

import random
from pathlib import Path

from tests.reliability.fuzzing import values
from tests.reliability.fuzzing.case import Case, Place
from tests.reliability.fuzzing.mutate import odd_path, worse

SECTIONS = (
    *("recipe", "method", "backbone", "dataset", "from_run", "rules", "minutes", "trainer", "callbacks"),
    *("metrics", "seed", "device", "threads", "game", "posterior", "augmentation", "generator"),
    *("discriminator", "encoder"),
)
KEYS = (
    *("name", "lam", "conditional", "lr", "steps", "batch_size", "optimizer", "roles", "schedule", "ema"),
    *("clip", "width", "depth", "latent_size", "from_run", "path", "size", "how", "flip", "count", "every"),
    *("keep", "weights", "discriminator", "encoder", "betas", "form", "warmup", "r1", "checkpoint"),
    *("evaluation", "pictures", "best", "modes", "reconstruction", "progress", "log", "health"),
    *("extractor", "metric", "patience", "low", "high", ""),
)
NAMES = {
    "--method": ("dali", "gan", "ali", "vae", "unrolled", "age", "ian", "mdgan", "infogan", "avb", "aae"),
    "--game": ("gan", "fkl", "wgan", "hinge"),
    "--posterior": ("diag", "identity"),
    "--backbone": ("mlp", "dcgan", "infogan", "sn-resnet", "maxout-mlp"),
    "--dataset": ("digits", "grid25", "ring8", "mnist", "celeba", "folder", "arrays", "stacked-mnist"),
    "--augmentation": ("ada", "none", "diffaugment"),
    "--recipe": ("ring8", "grid25", "digits", "mnist", "cifar10"),
}
TINY = (
    *("--backbone", "mlp", "--steps", "1", "--set", "generator.width=8", "--set", "generator.latent_size=3"),
    *("--set", "discriminator.width=8", "--set", "encoder.width=8", "--set", "trainer.batch_size=8"),
    *("--set", "callbacks.pictures=null", "--set", "callbacks.evaluation=null"),
    *("--set", "metrics.reconstruction=null", "--no-report"),
)
PATHS = {"--config": "c.yaml", "--data": "d.npz", "--from": "run", "--data-root": "root", "--resume": "run"}


def make(rng: random.Random, place: Place) -> Case:
    """A case of any of the families below."""
    families = (assigned, assigned, written, written, chosen, placed, used, used, mutated, trained)
    return rng.choice(families)(rng, place)


def assigned(rng: random.Random, place: Place) -> Case:
    """Some `--set`."""
    words = ["config", "--steps", "2"]
    for _ in range(rng.choice((1, 1, 2, 3))):
        words += ["--set", assignment(rng, place)]
    return Case(words)


def assignment(rng: random.Random, place: Place) -> str:
    """One setting of any section, known or not."""
    if rng.random() < 0.05:
        return values.text(rng)
    keys = [rng.choice(SECTIONS) if rng.random() < 0.9 else values.text(rng)]
    keys += [
        rng.choice(KEYS) if rng.random() < 0.95 else values.text(rng)
        for _ in range(rng.choice((0, 1, 1, 1, 2, 3)))
    ]
    if rng.random() < 0.01:
        keys *= 2000
    return f"{'.'.join(keys)}={values.yaml(rng, place)}"


def written(rng: random.Random, place: Place) -> Case:
    """A file of some sections."""
    lines = []
    for _ in range(rng.choice((1, 2, 4))):
        section, key = rng.choice(SECTIONS), rng.choice(KEYS)
        value = values.yaml(rng, place)
        lines.append(
            rng.choice(
                (f"{section}: {value}", f"{section}: {{{key}: {value}}}", f"{section}:\n  {key}: {value}")
            )
        )
    content = "\n".join(lines) if rng.random() < 0.9 else values.yaml(rng, place)
    return Case(["config", "--steps", "2", "--config", _file(place, content)])


def mutated(rng: random.Random, place: Place) -> Case:
    """A run's configuration made worse."""
    content = (rng.choice(list(place.runs.values())) / "config.yaml").read_bytes()
    worsened = worse(rng, content) if rng.random() < 0.3 else reworded(rng, place, content.decode())
    return Case(["config", "--config", _file(place, worsened)])


def reworded(rng: random.Random, place: Place, text: str) -> str:
    """The text with one to four of its lines gone, twice, elsewhere, of another value, level or letter."""
    lines = text.splitlines()
    for _ in range(rng.choice((1, 1, 2, 4))):
        at = rng.randrange(len(lines))
        line, letter = lines[at], rng.randrange(len(lines[at]) + 1)
        lines[at : at + 1] = rng.choice(
            (
                [line.partition(": ")[0] + ": " + values.yaml(rng, place)],
                [line[:letter] + rng.choice("{}[]:,-&*!|>'#%@ 0e.~") + line[letter + rng.randrange(2) :]],
                [" " * rng.randrange(4) + line],
                [line, line],
                [line, lines[rng.randrange(len(lines))]],
                [""],
            )
        )
    return "\n".join(lines)


def chosen(rng: random.Random, place: Place) -> Case:
    """Components that do not fit together, and options of any value."""
    words = ["config", "--steps", "2"]
    for option in rng.sample(sorted(NAMES), rng.randrange(1, 5)):
        words += [option, rng.choice(NAMES[option]) if rng.random() < 0.8 else values.text(rng)]
    for option in rng.sample(
        ("--seed", "--minutes", "--device", "--steps", "--" + values.text(rng)), rng.randrange(3)
    ):
        words += [option, values.number(rng) if rng.random() < 0.7 else values.text(rng)]
    if rng.random() < 0.1:
        words.append(values.text(rng))
    return Case([*words, "--data-root", str(place.out)])


def placed(rng: random.Random, place: Place) -> Case:
    """Paths to what is no file, no folder, no run, or not there."""
    option = rng.choice(list(PATHS))
    command = "train" if option == "--resume" else "config"
    words = [command, option, odd_path(rng, place.folder, PATHS[option])]
    if command == "config":
        words += ["--steps", "2"]
    return Case(words + (["--dataset", "mnist"] if option == "--data-root" else []))


def used(rng: random.Random, place: Place) -> Case:
    """A trained run used with odd options, or something odd for a run."""
    run = str(rng.choice(list(place.runs.values())))
    if rng.random() < 0.1:
        run = odd_path(rng, place.folder, "run")
    command = rng.choice(("sample", "reconstruct", "encode", "vary", "interpolate", "neighbours", "evaluate"))
    options = {
        "sample": ("--n", "--label"),
        "reconstruct": ("--n", "--label"),
        "encode": ("--label",),
        "vary": ("--n", "--label"),
        "interpolate": ("--steps", "--label"),
        "neighbours": ("--n", "--among"),
        "evaluate": ("--metric", "--part", "--set"),
    }[command]
    words = [command, run]
    if command in ("vary", "interpolate") and rng.random() < 0.5:
        words.append(values.number(rng) if rng.random() < 0.7 else odd_path(rng, place.folder, "a.png"))
    for option in rng.sample((*options, "--seed", "--weights", "--device"), rng.randrange(1, 4)):
        if option == "--set":
            words += [option, f"metrics.{assignment(rng, place)}"]
        else:
            words += [option, values.number(rng) if rng.random() < 0.6 else values.text(rng)]
    if command != "evaluate":
        words += ["--out", str(place.out / rng.choice(("a.png", "a.npy", "a.npz", "folder")))]
    return Case(words)


def trained(rng: random.Random, place: Place) -> Case:
    """A training of one step with a setting that may mean anything."""
    words = ["train", *TINY]
    for _ in range(rng.choice((0, 1, 2))):
        words += ["--set", assignment(rng, place)]
    out = str(place.out / "run") if rng.random() < 0.8 else odd_path(rng, place.out, "run")
    if not out.startswith(
        str(place.out)
    ):  # whatever the path, nothing but the case's own folder is written in
        out = str(place.out / "run")
    return Case([*words, "--out", out])


def _file(place: Place, content: str | bytes) -> str:
    path: Path = place.folder / "c.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))
    return str(path)
