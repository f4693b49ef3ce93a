# SPDX-License-Identifier: Apache-2.0
"""Traces of the clocked modules: what they try, and that each kind of difference is seen."""

import random
import re
from collections import Counter
from itertools import islice

import numpy as np
import pytest

from axhil.hwsim.designs.mac import unpack
from axhil.hwsim.designs.sources import rtl_dir
from axhil.hwsim.mutation import Killer
from axhil.hwsim.mutation.clocked import MODULES
from axhil.hwsim.mutation.gate import gate
from axhil.hwsim.mutation.runner import Runner


def first_check(module):
    return gate(module, rtl=rtl_dir()).checks[0]


def cycles_of(trace, instance):
    """(model's state before, inputs, outputs) of a few hundred cycles."""
    model = instance.model()
    for given in islice(instance.stimulus(model, random.Random(5)), trace.cycles):
        yield model, given, model.step(given)


def test_the_element_is_tried_at_its_limits():
    trace = first_check("mac")
    (one,) = [i for i in trace.instances if i.name == "ACC_BITS=16, SATURATE=1"]
    seen = set()
    for model, given, out in cycles_of(trace, one):
        if given["acc_i"] and model.arriving == 128**2:
            seen.add("-128 * -128 arrives")
        if not given["rst_ni"]:
            seen.add("reset with a valid sum" if out["valid_o"] else "reset")
        elif not given["en_i"]:
            seen.add("held with a valid sum" if out["valid_o"] else "held")
        if out["valid_o"]:
            (acc,) = unpack(out["acc_o"], 16, 1)
            seen.add({-(2**15): "lowest", 2**15 - 1: "highest"}.get(acc, "between"))
            near = {2**15 - 2: "one below the highest", 1 - 2**15: "one above the lowest"}
            seen.add(near.get(acc, "between"))
    assert seen == {
        "-128 * -128 arrives", "reset", "reset with a valid sum", "held", "held with a valid sum",
        "lowest", "highest", "between", "one below the highest", "one above the lowest",
    }  # fmt: skip


def test_arrays_are_tried_in_every_state_of_their_handshakes():
    trace = first_check("mac_array")
    given_ports, seen_ports = ("w_valid_i", "valid_i", "ready_i"), ("w_ready_o", "valid_o")
    seen = Counter()
    for one in trace.instances:
        found = {
            (*(given[port] for port in given_ports), *(out[port] for port in seen_ports))
            for _, given, out in islice(cycles_of(trace, one), 1, None)
        }
        seen.update(found)
    every = {tuple(map(int, f"{n:05b}")) for n in range(32)}
    # Idle with sums waiting cannot be.
    assert {*seen} == {state for state in every if state[3:] != (1, 1)}
    # Each by most of the arrays.
    assert min(seen.values()) > len(trace.instances) / 2


def test_a_limit_is_reached_in_the_middle_of_a_column():
    trace = first_check("mac_array")
    (one,) = [i for i in trace.instances if "SATURATE=1, ROWS=3" in i.name]
    differ = 0
    for model, given, out in cycles_of(trace, one):
        if given["valid_i"] and out["ready_o"]:
            columns = np.array(model.products(unpack(given["a_i"], 4, 3))).sum(0)
            whole = unpack(given["acc_i"], 8, 2) + columns
            waiting = model._pipeline[-1] or [0, 0]
            differ += any(a != np.clip(b, -128, 127) for a, b in zip(waiting, whole, strict=True))
    assert differ > 5


@pytest.mark.parametrize("module", MODULES)
def test_a_trace_is_the_same_every_time_and_another_with_another_seed(tmp_path, module):
    trace = first_check(module)
    for name in ("one", "two"):
        trace.write(tmp_path / f"{name}.v", tmp_path / f"{name}.hex")
    assert (tmp_path / "one.hex").read_bytes() == (tmp_path / "two.hex").read_bytes()
    rows = (tmp_path / "one.hex").read_text().splitlines()
    assert len(rows) == trace.cycles
    assert len({len(row) for row in rows}) == 1
    one = trace.instances[0]
    assert [*one.digits(50, "a seed")] == [*one.digits(50, "a seed")]
    assert [*one.digits(50, "a seed")] != [*one.digits(50, "another")]


SEEN = [
    # Behind the clock edge, at a limit, with the inputs at once, on the other edge, never cleared.
    ("mac", "valid_o   <= valid_q", "valid_o   <= valid_i",
     r"^elements: [\d,]+ of 5,489 entries; 11 of 11 instances, first .* in cycle \d+: valid_o is"),
    ("mac", "sum[ACC_BITS] ? lowest", "!sum[ACC_BITS] ? lowest",
     r"^elements: \d+ of 5,489 entries; 4 of 11 instances, first [A-Z_=\d, ]+, SATURATE=1 in "
     r"cycle \d+: acc_o is (\d+), expected (?!\1)\d+$"),
    ("mac_array", "ready_o   = en &&", "ready_o   =", "ready_o is 1, expected 0$"),
    ("mac", "posedge clk_i", "negedge clk_i", "11 of 11 instances"),
    ("mac_array", "posedge clk_i) begin\n          if (!rst_ni) weight_q",
     "negedge clk_i) begin\n          if (!rst_ni) weight_q", "6 of 6 instances"),
    ("mac", "acc_o   <= 1'b0;", "", "of 11 instances, .* in cycle 1: acc_o is b'x+, expected 0$"),
]  # fmt: skip


@pytest.mark.sim
@pytest.mark.parametrize("case", SEEN, ids=[case[0] for case in SEEN])
def test_a_difference_is_seen_and_said(tmp_path, case):
    module, old, new, sentence = case
    path = rtl_dir() / f"{module}.v"
    assert path.read_text().count(old) == 1
    changed = tmp_path / path.name
    changed.write_text(path.read_text().replace(old, new))
    kill = Runner(gate(module, rtl=rtl_dir()), path, tmp_path).judge(changed)
    assert (kill.by, kill.wrong > 0) == (Killer.trace, True)
    assert re.search(sentence, str(kill)), str(kill)
