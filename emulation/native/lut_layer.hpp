// SPDX-License-Identifier: Apache-2.0
// A quantised convolution whose every product is a look-up in a multiplier's table.
#pragma once

#include <memory>
#include <mutex>

#include "layer.hpp"
#include "taps.hpp"

namespace axhil {

class LutLayer final : public Layer {
 public:
  // table: (1 << width)^2 entries, row = activation, column = weight bit pattern.
  // weights: (O, C, kh, kw) bit patterns below 1 << width.
  LutLayer(const Geometry& geometry, const Ops* ops, const std::int32_t* table, int width,
           const std::uint8_t* weights);

 protected:
  void accumulate(const Work& work) const override;
  void prepare(bool any_full, bool any_half) const override;
  std::int32_t bias(int m, int block, bool full) const override;

 private:
  bool planes(bool full) const { return full ? ops_->full_planes : ops_->half_planes; }

  Columns columns_;
  // Built when first needed: most layers only ever see one kind of activations.
  mutable std::once_flag once_[2];
  mutable std::unique_ptr<const TapPlan> plan_[2];  // [full]
};

}  // namespace axhil
