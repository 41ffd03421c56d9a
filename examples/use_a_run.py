"""Use a trained run from Python: sample, infer, reconstruct, vary, interpolate.

dalikit train --out runs/mine
python examples/use_a_run.py runs/mine
"""

import sys

import dalikit
from dalikit import pictures

if len(sys.argv) != 2:
    sys.exit("usage: python examples/use_a_run.py RUN")

model = dalikit.load(sys.argv[1])
x = model.data("test", 8)  # (8, 1, 8, 8) in [-1, 1]

posterior = model.encode(x)  # a torch Distribution over codes
print("codes:", tuple(posterior.mean.shape), "mean width:", f"{posterior.stddev.mean():.3f}")
print("log q(z|x) at the mean:", f"{posterior.log_prob(posterior.mean).mean():.1f}")

again = model.reconstruct(x)
print("test MSE on [0, 1]:", f"{((again - x) / 2).square().mean():.4f}")

walk = model.interpolate(x[:1], x[1:2], 8)[0]  # (8, 1, 8, 8)
pictures.save(pictures.grid(walk, model.spec.value_range, columns=8), model.run.path / "walk.png")

around = model.vary(x[:1], 15, seed=0)[0]
pictures.save(pictures.grid(around, model.spec.value_range), model.run.path / "around.png")

samples = model.sample(1000, seed=0)
print("samples:", tuple(samples.shape), f"from {samples.min():.2f} to {samples.max():.2f}")
print("wrote walk.png and around.png into", model.run.path)
