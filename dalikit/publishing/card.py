"""The model card of a run: what it is, what it scores by which protocol, how to load it, whom to cite."""

import inspect
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from dalikit.errors import UserError
from dalikit.hub import Place
from dalikit.model import RunModel
from dalikit.runs import FinalScores
from dalikit.runs.directory import SCORES
from dalikit.studies.render import tell_protocol

TASK = "unconditional-image-generation"
"""What the Hub calls it."""


def card(model: RunModel, place: Place, files: Mapping[str, Path], license: str | None = None) -> str:
    """The card's text, with its metadata.

    Args:
        model: of the run.
        place: where it will lie.
        files: what will lie beside it, by path.
        license: as the Hub names it.
    """
    from huggingface_hub import ModelCard, ModelCardData

    scores = model.run.scores if SCORES in files else None
    images = model.inputs.pictures is not None
    data = ModelCardData(
        library_name="dalikit",
        license=license,
        pipeline_tag=TASK if images else None,
        tags=["dalikit", str(model.config.method.name), *(["image-generation"] if images else [])],
        model_name=place.repo.partition("/")[2],
        eval_results=_results(model, scores) or None,
    )
    body = "\n".join(_body(model, place, files, scores, license))
    return str(ModelCard(f"---\n{data.to_yaml()}\n---\n\n{body}\n"))


def _results(model: RunModel, scores: FinalScores | None) -> list[Any]:
    from huggingface_hub import EvalResult

    name = str(model.config.dataset.name)
    found = {} if scores is None else scores.metrics
    return [
        EvalResult(
            task_type=TASK if model.inputs.pictures is not None else "other",
            dataset_type=name,
            dataset_name=name,
            dataset_split="test",
            metric_type=f"{metric}.{field}",
            metric_value=value,
        )
        for metric, values in found.items()
        for field, value in values.items()
        if field != "protocol"
    ]


def _body(
    model: RunModel, place: Place, files: Collection[str], scores: FinalScores | None, license: str | None
) -> Iterator[str]:
    config = model.config
    yield from (f"# {config.method.name} on {config.dataset.name}", "")
    yield from (f"{_first_line(model)} Trained by dalikit.", "")
    yield from _shown(files, "samples", "Samples, by the averaged weights.")
    yield from _shown(files, "reconstructions", "Validation data, each followed by its reconstruction.")
    yield from ("## What it is", "", *_facts(model), "")
    if scores is not None:
        yield from ("## Scores", "", *_scores(scores), "")
    yield from ("## How to use it", "", *_usage(model, place), "")
    yield from ("## Citation", "", f"The method: {_source(model)}", "")
    yield from ("## Licence", "", license or "None is stated.")


def _first_line(model: RunModel) -> str:
    return (inspect.getmodule(type(model.method)).__doc__ or "").strip().partition("\n")[0]


def _source(model: RunModel) -> str:
    """The paper, as the method's module names it."""
    text = inspect.getmodule(type(model.method)).__doc__ or ""
    found = re.search(r"Source: (.+?)(?:\n\s*\n|\Z)", text, re.DOTALL)
    return (
        " ".join(found[1].split()) if found else f"`{model.config.method.name}`, whose module names no paper."
    )


def _shown(files: Collection[str], folder: str, caption: str) -> Iterator[str]:
    for name in files:
        if name.startswith(f"{folder}/"):
            yield from (f"![{folder}]({name})", "", caption, "")


def _facts(model: RunModel) -> Iterator[str]:
    config, data = model.config, model.run.facts.data
    yield from ("| what | which |", "|---|---|")
    shape = "×".join(map(str, data.x_shape))
    bounds = "" if data.value_range is None else " in [{:g}, {:g}]".format(*data.value_range)
    yield f"| data | {_cell(data.preparation or config.dataset.name)} |"
    yield f"| one datum | {shape}{bounds} |"
    yield f"| a code | {model.latent_size} numbers |"
    settings = config.model_dump(mode="json", include={"method", *config.players})
    for kind, slot in settings.items():
        own = [f"{name} {value}" for name, value in slot.items() if name not in ("name", "latent_size")]
        yield f"| {kind} | `{slot['name']}`{': ' + _cell(', '.join(own)) if own else ''} |"
    batch = config.trainer.get("batch_size")
    yield f"| training | {model.step:,} steps of {batch}, seed {config.seed} |"
    yield f"| parameters | {sum(p.numel() for p in model.method.parameters()):,} |"


def _cell(text: Any) -> str:
    return " ".join(str(text).split()).replace("|", r"\|")


def _scores(scores: FinalScores) -> Iterator[str]:
    """Figures of the last weights, and of the best ones, and below them what each depends on."""
    best = {} if scores.best is None else scores.best.metrics
    heading = "" if scores.best is None else f" best: step {scores.best.step:,} |"
    yield from (
        f"| metric | value | last: step {scores.step:,} |{heading}",
        "|---|---|---:|" + ("---:|" if heading else ""),
    )
    for metric, values in scores.metrics.items():
        for field, value in values.items():
            if field != "protocol":
                beside = f" {_figure(best.get(metric, {}).get(field))} |" if heading else ""
                yield f"| {metric} | {field} | {_figure(value)} |{beside}"
    yield from ("", f"Of the test part; weights: {scores.weights}.")
    for metric, values in scores.metrics.items():
        yield from ("", f"Protocol of {metric}: {tell_protocol(values.get('protocol', {}))}.")


def _figure(value: Any) -> str:
    return "-" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def _usage(model: RunModel, place: Place) -> Iterator[str]:
    label = f", labels={(model.spec.classes or ('',))[0]!r}" if model.method.conditional else ""
    yield from ("```sh", 'pip install "dalikit[hub]"', "```", "", "```python", "import dalikit", "")
    yield f'model = dalikit.load("{place}")'
    yield f"x = model.sample(16, seed=0{label})  # (16, {', '.join(map(str, model.spec.x_shape))})"
    if model.method.infers:
        yield f"z = model.code(x{label})  # (16, {model.latent_size})"
        yield f"again = model.reconstruct(x{label})"
    yield "```"
    if others := sorted(
        {f"{c.distribution}=={c.version}" for c in model.run.components if c.distribution != "dalikit"}
    ):
        yield from ("", f"It needs {', '.join(f'`{name}`' for name in others)} too.")
    yield from ("", "`config.yaml` trains it anew: `dalikit train --config config.yaml`.")


def check_license(text: str | None) -> None:
    """Raise `UserError` where a licence is no name of one."""
    if text is not None and not re.fullmatch(r"[a-z0-9][a-z0-9.+-]*", text):
        raise UserError(f"--license {text}: the Hub names licences as apache-2.0, mit, cc-by-4.0, other")
