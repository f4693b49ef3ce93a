# SPDX-License-Identifier: Apache-2.0
"""Hardware under attack: products come from gates or a simulator, and there is no gradient."""

import pytest
import torch
from torch import nn

from axhil.attacks import AttackError, evaluate, parse_attack
from axhil.emulation import External
from axhil.hwsim import Catalogued, golden
from axhil.hwsim.multipliers import find
from axhil.hwsim.multipliers.by_gates import program_of
from axhil.hwsim.netlist.live import LiveGates
from axhil.hwsim.simulation.live import LiveMultiplier
from axhil.study.subject import load_subject
from axhil.zoo.data import embedded_split

BUDGETS = [0.1, 0.4]


class Asked(nn.Module):
    """Answers, and nothing that autograd could follow; counts the images it is asked about."""

    def __init__(self, network):
        super().__init__()
        self.network, self.rows = network, 0

    def forward(self, x):
        self.rows += len(x)
        with torch.no_grad():
            return self.network(x)


@pytest.fixture(scope="module")
def case():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield load_subject("lenet5").prepared, *embedded_split("evaluation").select(3).batch()
    torch.set_num_threads(threads)


def attacked(network, x, y, queries):
    return evaluate(network, x, y, parse_attack(f"square(queries={queries})"), budgets=BUDGETS)


def test_square_breaks_a_network_of_live_gates_as_it_breaks_its_table(case):
    prepared, x, y = case
    words = "drum(3)"
    with LiveGates(program_of(find(words)), threads=1) as live:
        asked = []
        products = External("gates", lambda a, b: asked.append(len(a)) or live(a, b))
        hardware = Asked(prepared.emulate(products))
        found = attacked(hardware, x, y, 12)
        with pytest.raises(AttackError, match="got a network without a gradient"):
            evaluate(hardware, x, y, parse_attack("fgsm"), budgets=BUDGETS)
    table = attacked(prepared.emulate(golden(Catalogued.parse(words))), x, y, 12)
    assert torch.equal(found.predictions, table.predictions)
    assert found.clean_correct.all()
    assert not found.correct.all()
    assert found.warnings == ()
    # Every product of every query, 281,640 for each image, padding included where there is any.
    assert sum(asked) >= 281_640 * (hardware.rows - len(x))


@pytest.mark.sim
def test_square_queries_a_network_in_icarus(case):
    prepared, x, y = case
    lut = golden(Catalogued.parse("drum(4)"))
    with LiveMultiplier(Catalogued.parse("drum(4)").circuit(), processes=1) as live:
        mixed = dict.fromkeys(prepared.traces, lut) | {"fc2": External("RTL", live)}
        hardware = Asked(prepared.emulate(mixed))
        found = attacked(hardware, x[:1], y[:1], 2)
    assert hardware.rows >= 1 + len(BUDGETS)
    table = attacked(prepared.emulate(lut), x[:1], y[:1], 2)
    assert torch.equal(found.predictions, table.predictions)
