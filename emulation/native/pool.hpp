// SPDX-License-Identifier: Apache-2.0
// A small persistent thread pool: one job at a time, items handed out by an atomic counter.
#pragma once

#include <functional>

namespace axhil {

// Calls `work(item)` for every item in [0, items) on up to `threads` threads, the caller's among
// them, and returns when all are done. While another thread's job runs, the caller's is run
// inline. Safe in a forked child, which gets a pool of its own.
void parallel_for(int threads, long items, const std::function<void(long)>& work);

}  // namespace axhil
