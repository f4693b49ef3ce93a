# SPDX-License-Identifier: Apache-2.0
import json
import os
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from axhil.emulation import EmulationError
from axhil.zoo import network, pretrained
from axhil.zoo.data import load
from axhil.zoo.networks import lenet5
from axhil.zoo.train import accuracy
from axhil.zoo.weights import load_state, own_state, read_state, sha256_of, weights_path


@pytest.mark.parametrize(
    ("name", "parameters", "shape"),
    [
        ("lenet5", 44_426, (1, 28, 28)),
        ("resnet20", 269_722, (3, 32, 32)),
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


@pytest.mark.parametrize(
    ("name", "images", "least"), [("lenet5", 55_000, 0.989), ("resnet20", 50_000, 0.87)]
)
def test_the_shipped_weights_are_those_of_the_record(name, images, least):
    path = weights_path(name)
    record = json.loads(path.with_suffix(".json").read_text())
    assert sha256_of(read_state(path)) == record["weights_sha256"]
    assert sha256_of(own_state(pretrained(name))) == record["weights_sha256"]
    assert record["train_images"] == images
    assert record["test_accuracy"] >= least
    assert path.stat().st_size < 600_000


@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.", "module._orig_mod."])
def test_torch_checkpoints_load_with_their_wrappings(tmp_path, prefix):
    model = lenet5()
    state = {f"{prefix}{name}": tensor for name, tensor in model.state_dict().items()}
    torch.save({"state_dict": state, "epoch": 3}, tmp_path / "w.pt")
    other = lenet5()
    load_state(other, read_state(tmp_path / "w.pt"), source="w.pt")
    assert sha256_of(other.state_dict()) == sha256_of(model.state_dict())


def test_a_prefix_of_some_keys_alone_is_part_of_their_names(tmp_path):
    state = lenet5().state_dict()
    state["module.fc3.bias"] = state.pop("fc3.bias")
    torch.save(state, tmp_path / "w.pt")
    with pytest.raises(EmulationError, match=r"w\.pt lacks fc3\.bias \(1 of 10 tensors missing\)"):
        load_state(lenet5(), read_state(tmp_path / "w.pt"), source="w.pt")


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
        ("alexnet", "unknown network 'alexnet': expected lenet5, resnet20, resnet50, vgg19"),
        ("torchvision:nothing", "torchvision has no classifier 'nothing'"),
        ("python:nowhere:f", "python:nowhere:f cannot be loaded"),
    ],
)
def test_an_unknown_network_gets_a_sentence(name, sentence):
    with pytest.raises(EmulationError, match=sentence):
        network(name)


def test_a_network_of_the_current_folder_is_found_as_a_console_script_starts(tmp_path, monkeypatch):
    (tmp_path / "here_axhil.py").write_text("from torch import nn\nnet = lambda: nn.Linear(2, 2)\n")
    monkeypatch.setattr(sys, "path", [one for one in sys.path if one])
    monkeypatch.chdir(tmp_path)
    assert len(list(network("python:here_axhil:net").build().parameters())) == 2


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


@pytest.mark.skipif(
    not os.environ.get("AXHIL_DATA")
    or not Path(os.environ.get("AXHIL_WEIGHTS", ""), "resnet20-12fca82f.th").is_file(),
    reason="needs CIFAR-10 in AXHIL_DATA and a ResNet-20 of other people's in AXHIL_WEIGHTS",
)
def test_resnet20_of_other_people_loads_and_is_as_accurate_as_on_such_pixels():
    path = Path(os.environ["AXHIL_WEIGHTS"], "resnet20-12fca82f.th")
    images = load("cifar10").select(200)
    # 91.7 % on the original pixels; images that went through JPEG cost some ten points.
    assert accuracy(pretrained("resnet20", weights=path), images, batch=100) > 0.75
