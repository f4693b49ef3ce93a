// SPDX-License-Identifier: Apache-2.0
// Portable path: a weight's column of the table stays in L1 while 64 pixels look it up.
#include "portable.hpp"

namespace axhil {
namespace {

void block(const BlockArgs& a) {
  for (int v = 0; v < a.vectors; ++v) {
    std::int32_t sum[kLanes] = {};
    for (int t = 0; t < a.taps; ++t) {
      const std::int32_t* column = a.columns + 256 * a.weights[t];
      const std::uint8_t* codes = a.base + a.tap_offset[t] + a.vector_offset[v];
      for (int lane = 0; lane < kLanes; ++lane) sum[lane] += column[codes[lane]];
    }
    std::int32_t* acc = a.acc + v * kLanes;
    for (int lane = 0; lane < kLanes; ++lane) {
      acc[lane] = (a.overwrite ? 0 : acc[lane]) + sum[lane];
    }
  }
}

int lane_slot(int lane) { return lane; }

void store(const StoreArgs& a) { store_portable(a, lane_slot); }

constexpr Ops kOps = {"scalar", false, block, quantize_portable, interleave_portable, store, lane_slot};

}  // namespace

const Ops* ops_scalar() { return &kOps; }

}  // namespace axhil
