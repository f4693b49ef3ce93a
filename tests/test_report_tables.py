# SPDX-License-Identifier: Apache-2.0
from study_samples import cell

from axhil.report.findings import warnings


def test_warnings_of_one_kind_are_told_once_with_all_multipliers():
    cells = [
        cell("1111", "0000", label="ACC", warnings=("rising-accuracy: it rises to 3",)),
        cell("1111", "0000", label="DR3", warnings=("rising-accuracy: it rises to 9",)),
        cell("1111", "0000", label="DR3", norm="l2", warnings=("zero-gradient: 4 of 9",)),
    ]
    assert warnings(cells) == [
        "FGSM L∞, rising-accuracy (ACC, DR3): it rises to 3 (figures of ACC)",
        "FGM L2, zero-gradient (DR3): 4 of 9",
    ]
