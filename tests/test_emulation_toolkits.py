# SPDX-License-Identifier: Apache-2.0
"""To other people's attack packages an emulated network is a module like any other."""

import numpy as np
import pytest
import torch
from torch import nn

from axhil.study.subject import load_subject
from axhil.zoo.data import embedded_split

EPS = 0.2


@pytest.fixture(scope="module")
def case():
    """LeNet-5 from DRUM(3), six images, and how many of them it gets right."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    network = load_subject("lenet5").prepared.emulate("drum(3)")
    x, y = embedded_split("evaluation").select(6).batch()

    def right(images):
        images = torch.as_tensor(images).detach()
        assert images.dtype == torch.float32
        assert float((images - x[: len(images)]).abs().max()) <= EPS + 1e-6
        return int((network(images).argmax(1) == y[: len(images)]).sum())

    assert right(x) == 6
    yield network, x, y, right
    torch.set_num_threads(threads)


def test_device_mode_dtypes_and_batches_are_those_of_any_module(case):
    network, x, y, _ = case
    assert next(network.parameters()).device == x.device
    assert not network.training
    assert not any(one.requires_grad for one in network.parameters())
    logits = network(x)
    assert logits.dtype == torch.float32
    for image, row in zip(x, logits, strict=True):
        assert torch.equal(network(image[None])[0], row)
    leaf = x[:1].clone().requires_grad_()
    nn.functional.cross_entropy(network(leaf), y[:1]).backward()
    assert leaf.grad is not None
    assert leaf.grad.any()
    # Evaluation mode is the only one: training mode computes the same.
    assert torch.equal(network.train()(x), logits)
    network.eval()


def test_foolbox_attacks_it(case):
    foolbox = pytest.importorskip("foolbox")
    network, x, y, right = case
    model = foolbox.PyTorchModel(network, bounds=(0, 1))
    _, x_adv, success = foolbox.attacks.LinfPGD(steps=20)(model, x, y, epsilons=EPS)
    assert right(x_adv.clamp(0, 1)) == 6 - int(success.sum()) < 6


def test_pyautoattack_attacks_it(case):
    pyautoattack = pytest.importorskip("pyautoattack")
    network, x, y, right = case
    attack = pyautoattack.AutoAttack(network, norm="Linf", eps=EPS, seed=0)
    attack.apgd.n_iter = attack.square.n_queries = 20
    attack.fab.n_iter = 3
    for name in ("apgd-ce", "fab-t", "square"):
        attack.attacks_to_run = [name]
        x_adv, _ = attack.run_standard_evaluation(x, y, batch_size=6)
        assert right(x_adv) < 6 or name != "apgd-ce"  # the others get few steps


def test_art_attacks_it(case):
    evasion = pytest.importorskip("art.attacks.evasion")
    from art.estimators.classification import PyTorchClassifier

    network, x, y, right = case
    classifier = PyTorchClassifier(
        network,
        loss=nn.CrossEntropyLoss(),
        input_shape=(1, 28, 28),
        nb_classes=10,
        clip_values=(0, 1),
        device_type="cpu",
    )
    for batch in (6, 1):
        attack = evasion.ProjectedGradientDescent(
            classifier, eps=EPS, eps_step=EPS / 5, max_iter=20, batch_size=batch, verbose=False
        )
        assert right(attack.generate(x.numpy(), y.numpy()).astype(np.float32)) < 6


def test_torchattacks_attacks_it(case):
    torchattacks = pytest.importorskip("torchattacks")
    network, x, y, right = case
    attack = torchattacks.APGD(network, eps=EPS, steps=20)
    assert attack.device == x.device
    assert right(attack(x, y)) < 6
