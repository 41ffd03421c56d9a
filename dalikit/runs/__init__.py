"""The run directory on disk: what is written where, and how it is read back.

    config.yaml               the resolved configuration
    run.json                  the data's shape, versions of dalikit and of every plugin, environment
    metrics.jsonl             losses and scores, one JSON object a line
    samples/step-000500.png   samples, through training
    reconstructions/…         originals and reconstructions in turn
    checkpoints/step-000500/  averaged.safetensors, training.safetensors, state.json
    best/step-000500/         averaged.safetensors, and best.json: by which score
    scores.json               the final scores
    .lock                     while a process trains in it: that process's number

Nothing here is ever loaded by running code: weights are safetensors, the rest is JSON and YAML.
"""

from dalikit.runs.directory import Context, RunDirectory
from dalikit.runs.facts import FORMAT, BestFacts, BestScores, DataFacts, FinalScores, RunFacts
from dalikit.runs.folder import OWN
from dalikit.runs.lock import LOCK

__all__ = [
    "FORMAT",
    "LOCK",
    "OWN",
    "BestFacts",
    "BestScores",
    "Context",
    "DataFacts",
    "FinalScores",
    "RunDirectory",
    "RunFacts",
]
