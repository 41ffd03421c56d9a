"""`dalikit doctor`: what this machine has, and what of it is broken."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import typer

from dalikit.cli import settings
from dalikit.cli.components import Json
from dalikit.cli.sizes import told_size

if TYPE_CHECKING:
    from rich.text import Text

    from dalikit.inspection import Diagnosis
    from dalikit.inspection.machine import Folder
    from dalikit.inspection.plugins import Plugin

SHOWN = 20
"""Prepared files that are listed."""

STATES = {"present": "green", "missing": "yellow", "damaged": "bold red"}


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(doctor)


def doctor(json_: Json = False, data_root: settings.DataRoot = None) -> int:
    """Show versions, devices, plugins, data, weights. Exit code 0: all is sound; 1: something is broken."""
    from rich.console import Console
    from rich.text import Text

    from dalikit import inspection

    found = inspection.diagnose(data_root)
    if json_:
        print(json.dumps(found.document(), indent=2))
        return 1 if found.faults else 0
    console = Console(highlight=False, soft_wrap=True)  # so that paths can be copied
    for title, lines in _sections(found).items():
        console.print(Text(title, "bold"))
        for line in lines:
            console.print(Text("  ") + line)
    for line in _verdict(found):
        console.print(line)
    return 1 if found.faults else 0


def _sections(found: "Diagnosis") -> "dict[str, list[Text]]":
    """What there is, by title, a line each."""
    return {
        "Environment": list(_environment(found)),
        "Devices": list(_devices(found)),
        "Threads": list(_threads(found)),
        "Folders": [_folder(each) for each in found.folders],
        "Plugins": [line for plugin in found.plugins for line in _plugin(plugin)],
        "Prepared data": list(_prepared(found)),
        "Weights": list(_weights(found)),
    }


def _environment(found: "Diagnosis") -> "Iterator[Text]":
    from rich.text import Text

    first = ("dalikit", "python", "torch", "torchvision")
    yield Text(", ".join(f"{name} {found.versions[name]}" for name in first))
    others = {n: v for n, v in found.versions.items() if n not in (*first, "platform")}
    yield Text(", ".join(f"{name} {version or 'not installed'}" for name, version in others.items()))
    yield Text(str(found.versions["platform"]))


def _devices(found: "Diagnosis") -> "Iterator[Text]":
    from rich.text import Text

    for each in found.devices:
        memory = "" if each.memory is None else f", {told_size(each.memory)}"
        wrong = (f" cannot be used: {each.wrong}", "bold red") if each.wrong else ""
        yield Text.assemble(f"{each.device} {each.name}{memory}", wrong)


def _threads(found: "Diagnosis") -> "Iterator[Text]":
    from rich.text import Text

    own = found.threads
    said = own["OMP_NUM_THREADS"]
    why = "" if said is None else f", as OMP_NUM_THREADS={said} says"
    yield Text(f"{own['torch']} of torch{why}; {own['usable']} of {own['cpus']} CPUs may be used")


def _folder(folder: "Folder") -> "Text":
    from rich.text import Text

    there = "" if folder.there else " (not there yet)"
    if folder.wrong:
        state = (f"nothing can be written there: {folder.wrong}", "bold red")
    elif not folder.locks:
        state = (
            "writable, but without file locks: nothing keeps two processes from training one run",
            "yellow",
        )
    else:
        state = ("writable, with file locks", "green")
    free = "" if folder.free is None else f", {told_size(folder.free)} free"
    return Text.assemble(f"{folder.what} '{folder.path}'{there}: ", state, free)


def _plugin(plugin: "Plugin") -> "Iterator[Text]":
    from rich.text import Text

    slow = ", slow" if plugin.slow else ""
    took = (f"imported in {plugin.seconds:.1f} s{slow}", "yellow" if slow else "")
    offered = f"{len(plugin.components)} components" if len(plugin.components) != 1 else "1 component"
    yield Text.assemble(f"{plugin.distribution} {plugin.version} ({plugin.plugin}): {offered}, ", took)
    if plugin.components and plugin.distribution != "dalikit":  # whose are many, and listed by `plugins`
        yield Text(f"  {', '.join(plugin.components)}")
    for fault in plugin.faults:
        yield Text.assemble("  ", ("broken", "bold red"), f": {fault}")


def _prepared(found: "Diagnosis") -> "Iterator[Text]":
    from pathlib import Path

    from rich.text import Text

    for each in found.prepared[:SHOWN]:
        arrays = ", ".join(f"{n} {'×'.join(map(str, shape))}" for n, shape in each.arrays.items())
        wrong = (
            (f" damaged: {each.wrong}", "bold red") if each.wrong else f" {told_size(each.size)}: {arrays}"
        )
        yield Text.assemble(Path(each.path).name, wrong)
    if len(found.prepared) > SHOWN:
        yield Text(f"and {len(found.prepared) - SHOWN} more")
    if not found.prepared:
        yield Text("nothing yet: data sets are prepared when they are first used")


def _weights(found: "Diagnosis") -> "Iterator[Text]":
    from rich.text import Text

    for each in found.weights:
        yield Text.assemble(f"{each.what}: ", (each.state, STATES[each.state]), f" at {each.path}")
        yield Text(f"  {each.detail}")


def _verdict(found: "Diagnosis") -> "list[Text]":
    from rich.text import Text

    if not found.faults:
        return [Text.assemble(("Nothing is broken", "bold green"), ".")]
    count = len(found.faults)
    what = "One thing is broken" if count == 1 else f"{count} things are broken"
    return [Text.assemble((what, "bold red"), ":"), *(Text(f"  {fault}") for fault in found.faults)]
