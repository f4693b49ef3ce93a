# SPDX-License-Identifier: Apache-2.0
"""`axhil info`: what a bug report should carry."""

from __future__ import annotations

import platform
from importlib.metadata import version

import torch

from axhil import hwsim
from axhil.hwsim.tools.simulators import simulator_version
from axhil.zoo.data import data_dir
from axhil.zoo.weights import SHIPPED


def information() -> dict[str, str]:
    """Names and values, in the order to print."""
    try:
        simulator = f"Icarus Verilog {simulator_version()}"
    except hwsim.HwsimError as error:
        simulator = str(error)
    return {
        "axhil": version("axhil"),
        "python": f"{platform.python_version()} ({platform.system()} {platform.machine()})",
        "torch": f"{torch.__version__}, {torch.get_num_threads()} threads, "
        f"CUDA {'yes' if torch.cuda.is_available() else 'no'}",
        "cocotb": version("cocotb"),
        "simulator": simulator,
        "multipliers": ", ".join(str(m) for m in hwsim.PAPER_MULTIPLIERS),
        "golden tables": ", ".join(
            f"{m.label} {hwsim.golden(m).sha256[:8]}" for m in hwsim.PAPER_MULTIPLIERS
        ),
        "networks": ", ".join(["lenet5 (weights shipped)", "resnet50", "vgg19"]),
        "shipped": ", ".join(path.name for path in SHIPPED.values()),
        "data folder": str(data_dir()),
    }
