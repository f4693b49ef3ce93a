// SPDX-License-Identifier: Apache-2.0
// A quantised convolution for tables that factorise: lut[a, b] = u[a] * v[b]. Activations are
// remapped to u, and the sums are dot products of units: four channels of u8 x s8, where a
// negative u is moved up by 128, which a constant per output channel takes back, or two of s16.
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
  void compute(const Images& images) const override;
  const std::uint8_t* map() const override { return map_; }

 private:
  void multiply(const Images& images, const void* codes, long item, int tiles) const;

  int units_;                            // of a segment
  bool negative_;                        // whether some u is
  std::uint8_t map_[256];
  std::vector<std::uint8_t> weights_;    // [group][chunk][segment][unit][kLanes] units
  std::vector<std::int32_t> bias_;       // [m]
};

}  // namespace axhil
