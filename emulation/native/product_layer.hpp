// SPDX-License-Identifier: Apache-2.0
// A quantised convolution for tables that factorise: lut[a, b] = u[a] * v[b]. Activations are
// remapped to u while they are laid out, four channels to a dword, and the sums are u8 x s8 dot
// products; a negative u is moved up by 128, which a constant per output channel takes back.
#pragma once

#include <vector>

#include "layer.hpp"

namespace axhil {

class ProductLayer final : public Layer {
 public:
  // u, v: 1 << width integers by bit pattern; u in [-128, 127] or [0, 255], v in [-128, 127].
  // weights: (O, C, kh, kw) bit patterns below 1 << width.
  ProductLayer(const Geometry& geometry, const Ops* ops, const std::int32_t* u,
               const std::int32_t* v, int width, const std::uint8_t* weights);

 protected:
  void accumulate(const Work& work) const override;
  void prepare(bool, bool) const override {}
  std::int32_t bias(int m, int block, bool) const override { return block ? 0 : bias_[m]; }
  std::uint8_t zero_pattern() const override { return map_[0]; }
  const std::uint8_t* remap() const override { return map_; }
  int panel_slot(int lane) const override { return lane; }

 private:
  std::uint8_t map_[256];
  std::vector<std::int8_t> weights_;  // [m][quad][4]
  std::vector<std::int32_t> bias_;    // [m]
};

}  // namespace axhil
