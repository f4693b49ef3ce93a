# SPDX-License-Identifier: Apache-2.0
"""Simulated tables are kept by all that they depend on, and never in the way."""

import os
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from axhil.hwsim import Lut
from axhil.hwsim.files import cache_folder
from axhil.hwsim.multipliers import Request, find
from axhil.hwsim.multipliers import cache as cache_module
from axhil.hwsim.operands import Asked, Operands

TEXT = (
    '`include "part.vh"\n'
    "module mul #(parameter K = 0) (input signed [1:0] a, b, input en, output signed [3:0] p);\n"
    'reg [3:0] rom [0:0]; initial $readmemh("rom.hex", rom);\n'
    "assign p = a * b + K + `PART + rom[0] + en;\nendmodule\n"
)


@pytest.fixture
def there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AXHIL_CACHE", str(tmp_path / "cache"))
    (tmp_path / "mul.v").write_text(TEXT)
    (tmp_path / "part.vh").write_text("`define PART 0\n")
    (tmp_path / "rom.hex").write_text("0\n")
    return tmp_path


def made(word="mul.v[tie.en=0]", request=None):
    """The table of a word, and whether it was simulated."""
    found = find(word, request)
    lut = found.table()
    origins = [note for note in found.notes if "simulated in" in note or "from the cache" in note]
    (origin,) = origins
    return lut, "simulated in" in origin


def kept(there):
    return sorted((there / "cache").glob("*.npz"))


@pytest.mark.sim
def test_the_second_time_is_from_the_cache_and_equal_to_the_byte(there):
    first, simulated = made()
    assert simulated
    (path,) = kept(there)
    second, simulated = made()
    assert not simulated
    assert second == first
    assert second.manifest["sources"] == first.manifest["sources"]
    second.save(there / "again.npz")
    assert (there / "again.npz").read_bytes() == path.read_bytes()


def edit_source(there):
    (there / "mul.v").write_text(TEXT.replace("a * b", "a + b"))


def edit_include(there):
    (there / "part.vh").write_text("`define PART 1\n")


def edit_memory(there):
    (there / "rom.hex").write_text("1\n")


@pytest.mark.sim
@pytest.mark.parametrize("edit", [edit_source, edit_include, edit_memory])
def test_another_text_is_another_table(there, edit):
    before, _ = made()
    edit(there)
    after, simulated = made()
    assert simulated
    assert after != before


@pytest.mark.sim
def test_another_fact_is_another_table(there):
    made()
    for word in ("mul.v[K=1,tie.en=0]", "mul.v[tie.en=1]", "mul.v[weight=a,tie.en=0]"):
        assert made(word)[1], word
    # The core as it is and in a wrapper.
    (there / "u.v").write_text(
        "module u (input [1:0] a, b, output [3:0] p); assign p = a * b; endmodule"
    )
    for word in ("u.v[unsigned]", "u.v[signed]", "u.v[wrap]"):
        assert made(word)[1], word
    assert len(kept(there)) == 7


@pytest.mark.sim
def test_another_simulator_or_harness_simulates_again(there, monkeypatch):
    made()
    monkeypatch.setattr(cache_module, "REVISION", cache_module.REVISION + 1)
    assert made()[1]
    simulator = cache_module.chosen()
    newer = replace(simulator, title="Another Verilog")
    monkeypatch.setattr(cache_module, "chosen", lambda: newer)
    assert made()[1]


@pytest.mark.sim
@pytest.mark.parametrize("damage", [b"", b"PK no archive", None])
def test_a_damaged_entry_is_simulated_again(there, damage):
    first, _ = made()
    (path,) = kept(there)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2] if damage is None else damage)
    second, simulated = made()
    assert simulated
    assert second == first
    assert path.read_bytes() == data


@pytest.mark.sim
def test_where_nothing_can_be_written_nothing_is_kept(there, monkeypatch):
    (there / "file").write_text("")
    for place in (there / "file" / "below", Path("/proc/nowhere")):
        monkeypatch.setenv("AXHIL_CACHE", str(place))
        found = find("mul.v[tie.en=0]")
        found.table()
        assert any(re.fullmatch(r".*: simulated in [\d.]+ s", note) for note in found.notes)


@pytest.mark.sim
def test_what_tests_the_hardware_does_not_look(there):
    wrong = Lut(np.zeros((4, 4)).astype(int), *Operands.parse("s2"))
    first, _ = made()
    (path,) = kept(there)
    wrong.save(path)
    assert made()[0] == wrong  # a look would show
    lut, simulated = made(request=Request(cache=False))
    assert simulated
    assert lut == first


@pytest.mark.sim
def test_other_words_of_the_catalogue_are_kept_too(there):
    request = Request(Asked(4, signed=True))
    first, simulated = made("drum(3)", request)
    assert simulated
    second, simulated = made("drum(3)", request)
    assert (second, simulated) == (first, False)
    assert made("drum(2)", request)[1]
    assert made("drum(3)", Request(Asked(4, signed=False)))[1]


def test_the_folder_is_where_caches_are(monkeypatch, tmp_path):
    monkeypatch.setenv("AXHIL_CACHE", "/c")
    assert cache_folder() == Path("/c")
    monkeypatch.delenv("AXHIL_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    assert cache_folder() == Path("/x/axhil")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "axhil"
    monkeypatch.setattr(os.path, "expanduser", lambda _: "~")  # neither HOME nor a user entry
    assert cache_folder() is None
