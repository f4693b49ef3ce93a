# SPDX-License-Identifier: Apache-2.0
"""The kernels as compiled for NEON, run by an emulator of the processor."""

import shutil
import subprocess
from pathlib import Path

import pytest

NATIVE = Path(__file__).parents[1] / "emulation" / "native"
SOURCES = ("layer", "lut_layer", "columns", "planes", "product_layer", "input_gradient", "pool",
           "ops_portable", "ops_avx2", "ops_avx512")  # fmt: skip
TOOLS = {"aarch64-linux-gnu-g++": "g++-aarch64-linux-gnu", "qemu-aarch64": "qemu-user"}


def test_on_neon_every_layer_and_gradient_is_that_of_plain_loops(tmp_path):
    for tool, package in TOOLS.items():
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} not found on PATH (Debian: apt-get install {package})")
    program = tmp_path / "check"
    sources = [NATIVE / f"{name}.cpp" for name in SOURCES]
    sources.append(Path(__file__).with_name("native_check.cpp"))
    compiler = ["aarch64-linux-gnu-g++", "-std=c++17", "-O2", "-ffp-contract=off", "-static"]
    compiler += [f"-I{NATIVE}", "-pthread", "-o", str(program)]
    subprocess.run([*compiler, *map(str, sources)], check=True, timeout=300)
    done = subprocess.run(["qemu-aarch64", str(program)], check=False, capture_output=True,
                          text=True, timeout=300)  # fmt: skip
    agreed = "neon: 120 layers and 40 gradients agree\n"
    assert (done.returncode, done.stdout) == (0, agreed), done.stderr
