// SPDX-License-Identifier: Apache-2.0
// The portable path: plain loops, see portable.hpp.
#include "portable.hpp"

namespace axhil {
namespace {

void product(const ProductArgs& a) {
  for (int m = 0; m < a.channels; ++m) {
    for (int v = 0; v < a.vectors; ++v) {
      std::int32_t sum[kLanes] = {};
      const std::int8_t* w = a.weights + m * a.weight_stride;
      for (int q = 0; q < a.quads; ++q, w += 4) {
        const std::uint8_t* x = a.base + a.tap_offset[q] + a.vector_offset[v];
        for (int lane = 0; lane < kLanes; ++lane, x += 4) {
          sum[lane] += x[0] * w[0] + x[1] * w[1] + x[2] * w[2] + x[3] * w[3];
        }
      }
      std::int32_t* acc = a.acc + m * a.channel_stride + v * kLanes;
      for (int lane = 0; lane < kLanes; ++lane) {
        acc[lane] = (a.overwrite ? 0 : acc[lane]) + sum[lane];
      }
    }
  }
}

int lane_slot(int lane) { return lane; }

void block(const BlockArgs& a) { block_columns(a, lane_slot); }

void interleave(const std::uint8_t* from, std::size_t stride, int count, int lanes,
                const std::uint8_t* map, std::uint8_t rest, std::uint8_t* out) {
  interleave_portable(from, stride, count, lanes, map, rest, out, lane_slot);
}

void store(const StoreArgs& a) { store_portable(a, lane_slot); }

constexpr Ops kOps = {"scalar", false, false, 2500,
                      block, quantize_portable, product, interleave, store, gather_portable,
                      lane_slot};

}  // namespace

const Ops* ops_scalar() { return &kOps; }

}  // namespace axhil
