// SPDX-License-Identifier: Apache-2.0
#include "lut_layer.hpp"

namespace axhil {

LutLayer::LutLayer(const Geometry& geometry, const Ops* ops, const std::int32_t* table, int width,
                   const std::uint8_t* weights)
    : Layer(geometry, ops, 1) {
  const int size = 1 << width;
  columns_.O = g_.O;
  columns_.K = taps();
  columns_.column.resize(static_cast<std::size_t>(columns_.O) * columns_.K);
  int slot[256];
  for (int& s : slot) s = -1;
  for (std::size_t i = 0; i < columns_.column.size(); ++i) {
    const int w = weights[i];
    if (slot[w] < 0) {
      slot[w] = static_cast<int>(columns_.values.size());
      auto& values = columns_.values.emplace_back();
      // Patterns beyond the width repeat: a narrow code is sign-extended in its byte.
      for (int a = 0; a < 256; ++a) values[a] = table[(a % size) * size + w];
    }
    columns_.column[i] = static_cast<std::uint8_t>(slot[w]);
  }
}

void LutLayer::prepare(bool any_full, bool any_half) const {
  for (int full = 0; full < 2; ++full) {
    if ((full ? any_full : any_half) && planes(full)) {
      std::call_once(once_[full],
                     [&] { plan_[full] = std::make_unique<TapPlan>(columns_, full != 0); });
    }
  }
}

std::int32_t LutLayer::bias(int m, int block, bool full) const {
  return planes(full) ? plan_[full]->low(m, block).bias : 0;
}

void LutLayer::accumulate(const Work& w) const {
  BlockArgs a{};
  a.overwrite = w.overwrite;
  a.vectors = w.vectors;
  a.base = w.base;
  a.tap_offset = w.tap_offset;
  a.vector_offset = w.vector_offset;
  a.full = w.full;
  a.taps = block_begin(w.block + 1) - block_begin(w.block);
  a.columns = columns_.values.front().data();
  const TapPlan* plan = plan_[w.full].get();
  for (int m = w.m; m < w.m_end; ++m) {
    a.acc = w.acc + (m - w.m) * w.channel_stride;
    if (!planes(w.full)) {
      a.weights = columns_.column.data() + static_cast<std::size_t>(m) * columns_.K +
                  block_begin(w.block);
      ops_->block(a);
      continue;
    }
    a.list = plan->low(m, w.block);
    a.entries = plan->low_part().entries.data();
    a.tables = plan->low_part().tables.data();
    ops_->block(a);
    if (plan->has_high() && plan->high(m, w.block).singles + plan->high(m, w.block).doubles) {
      BlockArgs upper = a;
      upper.list = plan->high(m, w.block);
      upper.entries = plan->high_part().entries.data();
      upper.tables = plan->high_part().tables.data();
      upper.shift = 16;
      upper.overwrite = false;
      ops_->block(upper);
    }
  }
}

}  // namespace axhil
