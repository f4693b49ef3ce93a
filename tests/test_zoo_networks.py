# SPDX-License-Identifier: Apache-2.0
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from axhil.emulation import EmulationError
from axhil.zoo import network
from axhil.zoo.networks import lenet5
from axhil.zoo.weights import load_state, own_state, read_state, sha256_of, weights_path


@pytest.mark.parametrize(
    ("name", "parameters", "shape"),
    [
        ("lenet5", 44_426, (1, 28, 28)),
        ("resnet50", 23_520_842, (3, 32, 32)),
        ("vgg19", 38_958_922, (3, 32, 32)),
    ],
)
def test_a_network_has_the_published_number_of_parameters(name, parameters, shape):
    model = network(name).build().eval()
    assert sum(p.numel() for p in model.parameters()) == parameters
    with torch.no_grad():
        assert model(torch.rand(2, *shape)).shape == (2, 10)


def test_state_dicts_carry_the_networks_own_keys():
    keys = own_state(network("resnet50").build()).keys()
    assert {"conv1.weight", "layer1.0.bn1.running_mean", "fc.bias"} <= keys


def test_the_shipped_weights_are_those_of_the_record():
    import json

    path = weights_path("lenet5")
    record = json.loads(path.with_suffix(".json").read_text())
    state = read_state(path)
    assert sha256_of(state) == record["weights_sha256"]
    assert record["train_images"] == 55_000
    assert record["test_accuracy"] >= 0.989
    assert path.stat().st_size < 1_000_000


def test_torch_checkpoints_load_with_their_wrappings(tmp_path):
    model = lenet5()
    wrapped = {"state_dict": {f"module.{k}": v for k, v in model.state_dict().items()}, "epoch": 3}
    torch.save(wrapped, tmp_path / "w.pt")
    other = lenet5()
    load_state(other, read_state(tmp_path / "w.pt"), source="w.pt")
    assert sha256_of(other.state_dict()) == sha256_of(model.state_dict())


def corrupted(change):
    state = dict(lenet5().state_dict())
    change(state)
    return state


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda s: s.pop("fc2.bias"), r"x lacks fc2\.bias \(1 of 10 tensors missing\)"),
        (lambda s: s.update(extra=torch.zeros(1)), "x has a tensor extra"),
        (
            lambda s: s.update({"conv1.weight": torch.zeros(6, 3, 5, 5)}),
            r"x: conv1\.weight has shape \(6, 3, 5, 5\), the network needs \(6, 1, 5, 5\)",
        ),
    ],
    ids=["missing", "unexpected", "shape"],
)
def test_weights_that_do_not_fit_are_named(change, sentence):
    with pytest.raises(EmulationError, match=sentence):
        load_state(lenet5(), corrupted(change), source="x")


def test_files_that_are_no_weights_are_refused(tmp_path):
    good = tmp_path / "good.safetensors"
    save_file(lenet5().state_dict(), good)
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(good.read_bytes()[:1000])
    text = tmp_path / "text.pt"
    text.write_text("not a checkpoint")
    number = tmp_path / "number.pt"
    torch.save(3, number)
    for path, sentence in [
        (tmp_path / "absent.safetensors", "no weights at"),
        (cut, "cannot read the weights in"),
        (text, "cannot read the weights in"),
        (number, "holds no state dict"),
    ]:
        with pytest.raises(EmulationError, match=sentence):
            read_state(path)


def test_missing_weights_say_where_to_get_them(monkeypatch):
    monkeypatch.delenv("AXHIL_WEIGHTS", raising=False)
    with pytest.raises(EmulationError, match="axhil train resnet50"):
        weights_path("resnet50")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("alexnet", "unknown network 'alexnet': expected lenet5, resnet50, vgg19"),
        ("torchvision:nothing", "torchvision has no classifier 'nothing'"),
        ("python:nowhere:f", "python:nowhere:f cannot be loaded"),
    ],
)
def test_an_unknown_network_gets_a_sentence(name, sentence):
    with pytest.raises(EmulationError, match=sentence):
        network(name)


def test_torchvision_and_python_networks_are_found(tmp_path, monkeypatch):
    (tmp_path / "mine_axhil.py").write_text(
        "from torch import nn\ndef net():\n    return nn.Sequential(nn.Conv2d(1, 2, 3))\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert len(list(network("python:mine_axhil:net").build().parameters())) == 2
    small = network("torchvision:squeezenet1_1").build().eval()
    with torch.no_grad():
        assert small(torch.rand(1, 3, 64, 64)).shape == (1, 1000)


@pytest.mark.skipif(
    not (
        os.environ.get("AXHIL_WEIGHTS")
        and Path(os.environ["AXHIL_WEIGHTS"], "resnet50_cifar10.safetensors").is_file()
    ),
    reason="needs the trained networks in AXHIL_WEIGHTS",
)
@pytest.mark.parametrize("name", ["resnet50", "vgg19"])
def test_the_trained_networks_load(name):
    model = network(name).build()
    state = read_state(weights_path(name))
    load_state(model, state, source=name)
    loaded = own_state(model)
    assert all(
        torch.equal(loaded[key], value.float())
        for key, value in state.items()
        if value.is_floating_point()
    )
