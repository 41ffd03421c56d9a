"""The options from which a configuration is made, shared by `train` and `config`."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dalikit.cli.completing import of_kind, run_folders
from dalikit.cli.using import named
from dalikit.errors import UserError

if TYPE_CHECKING:
    from dalikit.assembly.registry import Registry

Method = Annotated[
    str | None,
    typer.Option(help="Objective, e.g. dali, gan.", autocompletion=of_kind("method"), show_default="dali"),
]
Game = Annotated[
    str | None,
    typer.Option(
        help="Adversarial game, e.g. gan, fkl, wgan, hinge.",
        autocompletion=of_kind("game"),
        show_default="gan",
    ),
]
Posterior = Annotated[
    str | None,
    typer.Option(
        help="Family of q(z|x), e.g. diag, identity.",
        autocompletion=of_kind("posterior"),
        show_default="diag",
    ),
]
Backbone = Annotated[
    str | None,
    typer.Option(
        help="Family of networks, e.g. dcgan, mlp.",
        autocompletion=of_kind("backbone"),
        show_default="the data set's",
    ),
]
Dataset = Annotated[
    str | None,
    typer.Option(
        help="Data set, e.g. digits, grid25, ring8.", autocompletion=of_kind("dataset"), show_default="digits"
    ),
]
Data = Annotated[
    Path | None, typer.Option(metavar="PATH", help="Your own: a folder, .zip, .parquet, .npy or .npz.")
]
Augmentation = Annotated[
    str | None,
    typer.Option(
        help="What D's sight is augmented by, e.g. ada, diffaugment.",
        autocompletion=of_kind("augmentation"),
        show_default="none",
    ),
]
Recipe = Annotated[
    str | None,
    typer.Option(
        help="Named configuration to start from.",
        autocompletion=of_kind("recipe"),
        show_default="the data set's own",
    ),
]
ConfigFile = Annotated[
    Path | None, typer.Option("--config", help="YAML file of settings, e.g. a run's config.yaml.")
]
Assignments = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="One setting, e.g. method.lam=0.5; may be repeated."),
]
FromRun = Annotated[
    Path | None,
    typer.Option(
        "--from",
        metavar="RUN",
        help="Start all players from a run's, on data of the same shape.",
        callback=named,
        autocompletion=run_folders,
    ),
]
Seed = Annotated[int | None, typer.Option(help="Seed of weights, data order and noise.", show_default="0")]
Steps = Annotated[int | None, typer.Option(help="Iterations in all.", show_default="the recipe's")]
Minutes = Annotated[
    float | None,
    typer.Option(
        help="Minutes until all is done: how many steps that is, is measured.",
        show_default="10, where neither --steps nor a recipe says",
    ),
]
Device = Annotated[
    str | None, typer.Option(help="cpu, cuda, cuda:1, …", show_default="a GPU if there is one")
]


DataRoot = Annotated[
    Path | None,
    typer.Option(metavar="FOLDER", help="Where data sets lie.", show_default="$DALIKIT_DATA or data"),
]


def dataset_of(data: Path | None, dataset: str | None, registry: "Registry") -> str | dict[str, Any] | None:
    """The data set that `--dataset` names, or the one that takes what lies at `--data`, with its path.

    Raises:
        UserError: there is nothing, or no data set takes it.
    """
    if data is None:
        return dataset
    if not os.path.lexists(data):
        raise UserError(f"--data {data}: there is nothing")
    names = [dataset] if dataset else registry.names("dataset")
    known = {name: registry.get("dataset", name).suffixes for name in names}
    suffix = "" if data.is_dir() else data.suffix.lower() or "no ending"
    found = [name for name, suffixes in known.items() if suffix in suffixes]
    if len(found) != 1:
        taken = sorted({suffix or "a folder" for suffixes in known.values() for suffix in suffixes})
        raise UserError(
            f"--data {data}: --dataset says which of {', '.join(found)} it is"
            if found
            else f"--data {data}: what can be read is {', '.join(taken)}"
            if taken
            else f"--data {data}: data set '{dataset}' takes no --data: leave one of the two out"
        )
    return {"name": found[0], "path": str(data)}


def layers(
    method: str | None = None,
    game: str | None = None,
    posterior: str | None = None,
    backbone: str | None = None,
    dataset: str | dict[str, Any] | None = None,
    augmentation: str | None = None,
    recipe: str | None = None,
    config: Path | None = None,
    assignments: list[str] | None = None,
    seed: int | None = None,
    steps: int | None = None,
    minutes: float | None = None,
    device: str | None = None,
    from_run: Path | None = None,
    on_nonfinite: str | None = None,
) -> list[dict[str, Any]]:
    """The layers of settings that the options make, the weakest first."""
    from dalikit.runs.config import join
    from dalikit.runs.configtext import from_assignment, from_file

    named = {"method": method, "game": game, "posterior": posterior, "dataset": dataset}
    named["augmentation"] = augmentation
    options: dict[str, Any] = {
        key: value if isinstance(value, dict) else {"name": value}
        for key, value in named.items()
        if value is not None
    }
    plain = {"backbone": backbone, "recipe": recipe, "seed": seed, "device": device, "minutes": minutes}
    options |= {key: value for key, value in plain.items() if value is not None}
    if from_run is not None:
        options["from_run"] = str(from_run)
    trained = {"steps": steps, "on_nonfinite": on_nonfinite}
    if trained := {name: value for name, value in trained.items() if value is not None}:
        options["trainer"] = trained
    file = [] if config is None else [from_file(config)]
    sets = join(from_assignment(text) for text in assignments or [])
    said = [layer.get("minutes") for layer in (options, sets)]
    trainers = [layer.get("trainer") for layer in (options, sets)]
    counted = [trainer.get("steps") for trainer in trainers if isinstance(trainer, dict)]
    if any(value is not None for value in said) and any(value is not None for value in counted):
        raise UserError("A number of steps and minutes both say how long to train: give one of them")
    return [*file, options, sets]
