# SPDX-License-Identifier: Apache-2.0
"""What the layers of an assignment take in hardware: energy of an image, area.

Taking operands from a network and making gates is minutes of work, so what comes of it is kept
beside the results with all that it depends on.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from axhil.hwsim.cost import Cells, Costs, costs, exact_inferences, inference
from axhil.hwsim.cost.energy import ORDERS
from axhil.hwsim.files import DATA_LIMIT, json_of, read_bytes, write_atomically
from axhil.study.costs import on_network, operand_images, target_of
from axhil.study.engine.experiment import quantisation_of
from axhil.study.spec import Cost, Measure
from axhil.study.storage.cells import typed
from axhil.study.storage.store import reading
from axhil.study.subject import Subject
from axhil.zoo import Images

from .space import Genes, Space
from .values import Values

FILE = "prices.json"

Row = tuple[float, ...]


@dataclass(frozen=True)
class Prices:
    """Energy by layer and choice, area by choice.

    The exact choice takes what the best exact circuit takes, as do layers that no multiplier is
    searched for.

    Attributes:
        target: what the multipliers were made of.
        unit: of areas.
        areas: by choice.
        energies: nJ of an image's products, by layer and choice; empty where it is not known.
        exact_area: of the smallest exact circuit.
        exact_energies: by layer, of the exact circuit that takes least.
        elsewhere: nJ of an image in layers that are always exact.
        always: whether there are such layers.
    """

    target: str
    unit: str
    areas: Row
    energies: tuple[Row, ...]
    exact_area: float
    exact_energies: Row
    elsewhere: float
    always: bool

    def of(self, measure: Measure, genes: Sequence[Genes], *, exact: int | None) -> Values:
        """Energy in nJ of an image, or area of the distinct multipliers.

        Args:
            measure: energy or area.
            genes: N assignments.
            exact: the exact choice.

        Returns:
            (N,) float64.
        """
        chosen = np.asarray(genes, np.int64)  # (N, layers)
        if measure == "energy":
            table = np.asarray(self.energies)
            found: Values = table[np.arange(chosen.shape[1]), chosen].sum(1) + self.elsewhere
            return found
        used = (chosen[:, :, None] == np.arange(len(self.areas))).any(1)  # (N, choices)
        if exact is not None and self.always:
            used[:, exact] = True
        area: Values = (used * np.asarray(self.areas)).sum(1)
        return area + self.exact_area if exact is None and self.always else area

    def exact(self, measure: Measure) -> float:
        """Of the network built from the best exact circuit alone."""
        if measure == "area":
            return self.exact_area
        return sum(self.exact_energies) + self.elsewhere


def kept_prices(
    folder: Path,
    space: Space,
    wanted: Cost,
    subject: Subject,
    images: Images,
    *,
    energy: bool,
    jobs: int | None = None,
    progress: Callable[[int, int, str], None] | None = None,
) -> Prices:
    """The prices in a folder, if they are of these multipliers and this network; else new ones.

    Args:
        folder: of the results.
        space: what there is to choose from.
        wanted: library and cells.
        subject: the network.
        images: to take operands from, which the search may see.
        energy: whether it has to be known.
        jobs: of Yosys at a time; None is one per processor core.
        progress: see `study.costs.Progress`.

    Raises:
        HwsimError: there is no Yosys, or no library; a multiplier is a table, without hardware.
        StudyError: the file is damaged.
    """
    target = target_of(wanted)
    facts = {
        "network": subject.network.name,
        "weights_sha256": subject.weights_sha256,
        "calibration": subject.calibration,
        "quantisation": quantisation_of(subject.prepared.settings),
        "operands": operand_images(images).sha256 if energy else "",
        "layers": list(space.layers),
        "choices": [[one.name, choice.digest]
                    for one, choice in zip(space.multipliers, space.choices, strict=True)],
        "target": target.name,
        "target_facts": dict(target.facts),
    }  # fmt: skip
    path = folder / FILE
    if path.exists():
        with reading(path, "is damaged ({}); remove it to have it made again"):
            body = json_of(read_bytes(path, limit=DATA_LIMIT))
            if body["facts"] == json.loads(json.dumps(facts)):
                return typed(Prices, _tuples(body["prices"]))
    made = costs(space.multipliers, target, jobs=jobs, progress=progress)
    if energy:
        made, _ = on_network(made, subject, images, jobs=jobs, progress=progress)
    found = _prices(space, made, subject, energy=energy)
    folder.mkdir(parents=True, exist_ok=True)
    body = {"prices": asdict(found), "facts": facts}
    write_atomically(path, (json.dumps(body, indent=1) + "\n").encode())
    return found


def _prices(space: Space, made: Costs, subject: Subject, *, energy: bool) -> Prices:
    figure = made.target.figures[0]
    exact = made.exact[space.multipliers[0].operands.code]
    areas = [made.of(one).value(figure) for one in space.multipliers]
    layers: list[dict[str, float]] = []
    best: dict[str, float] = {}
    if energy:
        rows = [inference(made, choice) for choice in space.choices]
        order = ORDERS[0]
        best, *layers = (
            {layer: figures[order] for layer, figures in row.layers.items()}
            for row in (exact_inferences(made)[0], *rows)
        )
    if space.exact is not None:
        areas[space.exact] = exact.value(figure)
        if energy:
            layers[space.exact] = best
    others = set(subject.prepared.traces) - set(space.layers)
    return Prices(
        target=made.target.name,
        unit="um2" if isinstance(made.target, Cells) else figure,
        areas=tuple(areas),
        energies=tuple(tuple(row[layer] for row in layers) for layer in space.layers)
        if energy
        else (),
        exact_area=exact.value(figure),
        exact_energies=tuple(best[layer] for layer in space.layers) if energy else (),
        elsewhere=sum(best[layer] for layer in others) if energy else 0.0,
        always=bool(others),
    )


def _tuples(body: dict[str, Any]) -> dict[str, Any]:
    """JSON's lists as the fields' tuples."""
    return {
        key: tuple(tuple(one) if isinstance(one, list) else one for one in value)
        if isinstance(value, list)
        else value
        for key, value in body.items()
    }
