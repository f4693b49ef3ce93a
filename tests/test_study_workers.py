# SPDX-License-Identifier: Apache-2.0
import torch

from axhil.study.engine.workers import shared_out


def test_workers_share_torchs_threads_and_the_setting_is_put_back():
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(4)
        with shared_out(2) as (pool, threads):
            seen = list(pool.map(lambda _: torch.get_num_threads(), range(4)))
        assert threads == 2
        assert seen == [2] * 4
        assert torch.get_num_threads() == 4
    finally:
        torch.set_num_threads(before)
