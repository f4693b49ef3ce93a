# SPDX-License-Identifier: Apache-2.0
"""Our AutoAttack suite beside that of the package pyautoattack: same network, images, budgets.

python -m benchmarks.reference lenet5 --images 500 --eps 0.1,0.15 --out docs/records/reference

Its standard version against ours, on a network in float; the flags of both are kept, so a finished
budget is not run again.
"""

from __future__ import annotations

import argparse
import json
import logging
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from axhil.attacks import Norm, Suite, apgd, evaluate
from axhil.attacks.fab import Fab
from axhil.attacks.square import Square
from axhil.attacks.suites import Member
from axhil.hwsim.files import write_atomically
from axhil.zoo import network
from axhil.zoo.data import load
from axhil.zoo.weights import own_state, pretrained, sha256_of

from .processor import processor


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reference", description=__doc__)
    parser.add_argument("network")
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--eps", default="0.1")
    parser.add_argument("--norm", default="linf")
    parser.add_argument("--weights", type=Path, default=None)
    parser.add_argument("--data-dir", type=Path, default=None)
    parser.add_argument("--out", type=Path, default=Path("out/reference"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    model = pretrained(options.network, weights=options.weights).eval()
    images = load(network(options.network).data, root=options.data_dir).select(options.images)
    x, y = images.batch()
    options.out.mkdir(parents=True, exist_ok=True)
    for eps in map(float, options.eps.split(",")):
        path = options.out / f"{options.network}_{options.norm}_{eps:g}.json"
        if path.is_file():
            continue
        body = {
            "network": options.network,
            "weights_sha256": sha256_of(own_state(model)),
            "data": images.name,
            "data_sha256": images.sha256,
            "images": len(x),
            "norm": options.norm,
            "eps": eps,
            "processor": processor(),
            "torch": torch.__version__,
            "clean": flags(model(x).argmax(1) == y),
            **beside(model, x, y, options.norm, eps),
        }
        write_atomically(path, (json.dumps(body, indent=1) + "\n").encode())
        print(f"{path}: {body['ours'].count('1')} ours, {body['theirs'].count('1')} theirs")


def flags(right: Tensor) -> str:
    """(N,) bool as a string of 0 and 1."""
    return "".join("01"[int(one)] for one in right.tolist())


def beside(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    norm: str,
    eps: float,
    *,
    targets: int = 9,
    fab_steps: int = 100,
    queries: int = 5000,
) -> dict[str, Any]:
    """Run both suites.

    Args:
        model: in evaluation mode.
        x: (N, ...) float32 in [0, 1].
        y: (N,) int64.
        norm: "linf" or "l2".
        eps: the budget.
        targets: wrong classes that targeted members of both go to.
        fab_steps: of FAB towards each.
        queries: of Square.

    Returns:
        Flags of the images that survive each, what broke those that did not survive ours, and CPU
        seconds.
    """
    import pyautoattack  # noqa: PLC0415  (for development only)

    logging.getLogger("auto-attack").setLevel(logging.ERROR)
    reference = pyautoattack.AutoAttack(
        model, norm={"linf": "Linf", "l2": "L2"}[norm], eps=eps, seed=0
    )
    reference.apgd_targeted.n_target_classes = reference.fab.n_target_classes = targets
    reference.fab.n_iter, reference.square.n_queries = fab_steps, queries
    members = (
        apgd(norm),
        apgd(norm, loss="targeted_dlr", targets=targets),
        Fab(norm, steps=fab_steps, targets=targets),
        Square(norm, queries=queries),
    )
    suite = Suite("autoattack", Norm(norm), tuple(map(Member, members)))
    began = time.process_time()
    survived, _ = reference.run_standard_evaluation(x, y, batch_size=256)
    between = time.process_time()
    found = evaluate(model, x, y, suite, budgets=[eps])
    return {
        "ours": flags(found.correct[0]),
        "theirs": flags(model(survived).argmax(1) == y),
        "broken_by": list(found.broken_by[0]),
        "seconds_ours": round(time.process_time() - between, 1),
        "seconds_theirs": round(between - began, 1),
    }


if __name__ == "__main__":
    main()
