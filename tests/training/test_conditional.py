"""Labels: they reach every player that reads data, and generated data bear the batch's."""

import math

import pytest
import torch
from adam import descend, softplus
from iteration import adam, check_one_iteration
from players import CLASSES, LABELLED, Points, Z, small
from torch import Tensor, nn

from dalikit.assembly.parameters import check_parameters
from dalikit.assembly.registry import Registry
from dalikit.components.methods.aae import AAE
from dalikit.components.methods.dali import DALI
from dalikit.components.methods.gan import PlainGAN
from dalikit.components.posteriors.diagonal import Diagonal
from dalikit.errors import UnfitError
from dalikit.interfaces import Batch, Iteration, TensorSplit
from dalikit.players import CodeDiscriminator
from dalikit.training import Trainer

REGISTRY = Registry.discover()
METHODS = [(name, {}) for name in REGISTRY.names("method")]
METHODS += [
    ("alice", {"cycle": "adversarial"}),
    ("dali", {"share_features": False}),
    ("inversion", {"share_features": False, "features": 1.0}),
]
IDS = [" ".join([name, *settings]) for name, settings in METHODS]
every = pytest.mark.parametrize(("name", "settings"), METHODS, ids=IDS)


def build(name, settings, **more):
    torch.manual_seed(1)
    return small(REGISTRY.get("method", name), conditional=True, **settings, **more)


def embeddings(module):
    """The tables of labels in a module, each as its parameter."""
    tables = [m for m in module.modules() if isinstance(m, nn.Embedding)]
    return [parameter for table in tables for parameter in table.parameters()]


@every
def test_every_player_of_data_reads_labels_and_learns_its_embeddings(name, settings):
    method = build(name, settings)
    Trainer(method, Points(labelled=True), steps=1, batch_size=20).fit()
    cls = type(method)
    roles = cls.roles(**check_parameters(cls, name, settings))
    for role, asked in roles.items():
        reading = asked.kind in ("generator", "encoder") or (
            asked.kind == "discriminator" and asked.reads != "z" and not asked.headless
        )
        if asked.kind != "game":
            assert bool(embeddings(method.player(role))) == reading, role
    trained = [table for table in embeddings(method) if table.requires_grad]
    assert trained
    for table in trained:
        assert len(table) == len(CLASSES)
        assert (table.grad.abs().sum(1) > 0).all()  # 20 points in one batch: all labels are there


@every
def test_all_that_reads_labels_reads_the_batchs(name, settings):
    """Generated data bear the labels of the batch: whoever makes or judges them is given those."""
    method, data = build(name, settings), Points(6, labelled=True)
    trainer = Trainer(method, data, steps=1, batch_size=6)  # binds optimizers
    y, given = torch.tensor([2, 0, 1, 1, 0, 2]), {}
    for path, module in method.named_modules():
        if isinstance(module, nn.Embedding):
            given[path] = reads = []
            module.register_forward_pre_hook(lambda _, inputs, reads=reads: reads.append(inputs[0]))
    for phase in trainer.phases:
        phase.due(0)(Iteration(method.generate, Batch(data.data, y), method.prior(6)))
    for path, reads in given.items():
        assert reads, path
        assert all(torch.equal(labels, y) for labels in reads), path


@every
def test_without_labels_it_refuses(name, settings):
    method, data = build(name, settings), Points(6, labelled=True)
    trainer = Trainer(method, data, steps=1, batch_size=6)
    says = f"method '{name}' is conditional: data need their labels"
    for phase in trainer.phases:
        with pytest.raises(UnfitError, match=says):
            phase.due(0)(Iteration(method.generate, Batch(data.data), method.prior(6)))
    with pytest.raises(UnfitError, match=says):
        method.generate(method.prior(6))
    if method.infers:
        for infer in (method.posterior, method.code):
            with pytest.raises(UnfitError, match=says):
                infer(data.data)


@every
def test_another_label_gives_another_datum_and_another_posterior(name, settings):
    method, z, x = build(name, settings).eval(), torch.randn(4, Z), Points(4).data
    labels = [torch.full((4,), i) for i in range(2)]
    a, b = (method.generate(z, y) for y in labels)
    assert not torch.isclose(a, b).any()
    if method.infers:
        a, b = (method.code(x, y) for y in labels)
        n = 2 if name == "infogan" else Z  # what is no code has the prior's mean, 0
        assert not torch.isclose(a[:, :n], b[:, :n]).any()


def test_a_discriminator_of_codes_reads_none():
    method, data = build("aae", {}), Points(6, labelled=True)
    assert isinstance(method, AAE)
    assert isinstance(method.discriminator, CodeDiscriminator)
    assert not embeddings(method.discriminator)
    given = []
    method.discriminator.register_forward_pre_hook(lambda _, inputs: given.append(inputs))
    Trainer(method, data, steps=1, batch_size=6).fit()
    assert len(given) == 3  # of the prior's codes and of inferred ones, then for E
    assert all(len(inputs) == 1 for inputs in given)


def test_labels_are_drawn_as_frequently_as_the_training_part_has_them():
    method, data = small(PlainGAN, conditional=True), Points(20, labelled=True)
    data.labels = torch.tensor([0] * 15 + [2] * 5)
    trainer = Trainer(method, data, steps=1, batch_size=20)
    trainer.fit()
    torch.manual_seed(0)
    drawn = trainer.inference.draw_labels(4000).bincount(minlength=3) / 4000
    torch.testing.assert_close(drawn, torch.tensor([0.75, 0.0, 0.25]), rtol=0, atol=0.03)
    assert drawn[1] == 0
    assert "method/class_shares" in trainer.state().tensors


@pytest.mark.parametrize("labels", [[0] * 9 + [1] * 10 + [2], [0] * 10 + [1] * 10])
def test_a_label_of_one_datum_or_of_the_other_parts_alone_cannot_be_learned(labels):
    method, data = small(PlainGAN, conditional=True), Points(20, labelled=True)
    elsewhere = torch.tensor([0, 1, 2] * 6 + [0, 1])

    def split(part):
        return TensorSplit(data.data, torch.tensor(labels) if part == "train" else elsewhere)

    data.split = split
    with pytest.raises(
        UnfitError, match=r"dataset 'points' has fewer than 2 data to learn class 'blue' from$"
    ):
        Trainer(method, data, steps=1, batch_size=20)
    elsewhere.clamp_(max=1)
    if 2 not in labels:
        Trainer(method, data, steps=1, batch_size=20)  # a name that no datum bears is no matter


def test_what_reads_no_labels_draws_none_and_ignores_those_there_are():
    plain, data = small(PlainGAN, spec=LABELLED), Points(6, labelled=True)
    other = small(PlainGAN)
    other.load_state_dict(plain.state_dict())
    for method, source in ((plain, data), (other, Points(6))):
        Trainer(method, source, steps=2, batch_size=6).fit()
    assert plain.draw_labels(3) is None
    assert all(torch.equal(a, b) for a, b in zip(plain.parameters(), other.parameters(), strict=True))


class Projected:
    """The projection's table, spectrally normed as Miyato and others 2018, algorithm 1, have it.

    A step of power iteration comes before each reading: v is the right singular vector, u the left one.
    """

    def __init__(self, embedding: nn.Embedding) -> None:
        parametrized = embedding.parametrizations.weight
        self.weight = parametrized.original
        self.u, self.v = parametrized[0]._u.clone(), parametrized[0]._v.clone()

    def __call__(self, y: Tensor, h: Tensor) -> Tensor:
        w = self.weight.detach()
        self.u = w @ self.v / (w @ self.v).norm()
        self.v = w.T @ self.u / (w.T @ self.u).norm()
        table = self.weight / (self.u @ self.weight @ self.v)
        return (table[y] * h).sum(1)


def test_one_iteration_of_conditional_dali() -> None:
    """G reads (z, e(y)), E (h, e'(y)), and D adds ⟨e''(y), h⟩ to its logit."""

    def restate(mine: DALI, x: Tensor, z: Tensor, y: Tensor) -> None:
        g, d, e = mine.generator, mine.discriminator, mine.encoder
        d_adam, g_adam, e_adam = adam(d), adam(g), adam(e)
        project = Projected(d.head.projection.embedding)

        def logits(h: Tensor) -> Tensor:
            return d.head.head(h) + project(y, h)

        fake = g.generator(torch.cat([z, g.embedding.weight[y]], 1))
        d_loss = softplus(-logits(d.trunk(x))) + softplus(logits(d.trunk(fake.detach())))
        descend(d_loss.mean(), d_adam)
        h = d.trunk(fake)
        mean, log_variance = e.encoder(torch.cat([h, e.embedding.weight[y]], 1))
        nll = 0.5 * ((z - mean) ** 2 / log_variance.exp() + log_variance + math.log(2 * math.pi)).sum(1)
        descend((softplus(-logits(h)) + 0.7 / Z * nll).mean(), g_adam, e_adam)

    check_one_iteration(restate, DALI, conditional=True, lam=0.7)


def test_a_posteriors_family_reads_no_labels() -> None:
    assert isinstance(build("dali", {}).family, Diagonal)
