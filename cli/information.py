# SPDX-License-Identifier: Apache-2.0
"""`axhil info`: what a bug report should carry."""

from __future__ import annotations

import platform
from importlib.metadata import version

import typer

from axhil.hwsim import PAPER_MULTIPLIERS, HwsimError, golden
from axhil.hwsim.files import cache_folder
from axhil.hwsim.multipliers.comparing.opinion import NO_YOSYS
from axhil.hwsim.netlist import native as gates
from axhil.hwsim.tools.box import GUARANTEES, missing
from axhil.hwsim.tools.ghdl import INSTALL as GET_GHDL
from axhil.hwsim.tools.ghdl import ghdl_version
from axhil.hwsim.tools.simulators import simulator_version
from axhil.hwsim.tools.yosys import find_yosys

from .console import Json, emit, out

app = typer.Typer()


@app.command()
def info(as_json: Json = False) -> None:
    """Versions, simulator, processor, where tables and weights come from."""
    facts = information()
    for key, value in facts.items():
        out.print(f"[bold]{key:14}[/bold] {value}", soft_wrap=True)
    if as_json:
        emit(facts)


def information() -> dict[str, str]:
    """Names and values, in the order to print."""
    try:
        simulator = f"Icarus Verilog {simulator_version()}"
    except HwsimError as error:
        simulator = str(error)
    yosys, ghdl = find_yosys(), ghdl_version()
    path = "NumPy: no native kernel" if gates.module() is None else gates.isa()
    return {
        "axhil": version("axhil"),
        "python": f"{platform.python_version()} ({platform.system()} {platform.machine()})",
        "cocotb": version("cocotb"),
        "simulator": simulator,
        "box": _box(),
        "gates": NO_YOSYS if yosys is None else f"Yosys {yosys.version()} ({yosys.title}), {path}",
        "vhdl": f"no ghdl, which reads VHDL ({GET_GHDL})" if ghdl is None else f"GHDL {ghdl}",
        "multipliers": ", ".join(map(str, PAPER_MULTIPLIERS)),
        "golden tables": ", ".join(
            f"{one.label} {golden(one).sha256[:8]}" for one in PAPER_MULTIPLIERS
        ),
        "table cache": str(cache_folder() or "none: no home folder and no $AXHIL_CACHE"),
        **_networks(),
    }


def _box() -> str:
    """What simulators and models cannot do here, and what they could."""
    lacking = missing()
    given = ", ".join(what for what in GUARANTEES if what not in lacking)
    sentence = f"simulators and models {given or 'are not confined'}"
    return f"{sentence}; not on this machine: {', '.join(lacking)}" if lacking else sentence


def _networks() -> dict[str, str]:
    try:
        import torch
    except ModuleNotFoundError:
        return {"torch": "not installed, which networks need: pip install 'axhil[networks]'"}
    from axhil.emulation import native
    from axhil.zoo.data import data_dir
    from axhil.zoo.networks import network_names
    from axhil.zoo.weights import SHIPPED

    return {
        "torch": f"{torch.__version__}, {torch.get_num_threads()} threads, "
        f"CUDA {'yes' if torch.cuda.is_available() else 'no'}",
        "kernel": native.isa() if native.available() else f"none: {native.unavailable_reason()}",
        "networks": ", ".join(
            f"{name} (weights shipped)" if name in SHIPPED else name for name in network_names()
        ),
        "data folder": str(data_dir()),
    }
