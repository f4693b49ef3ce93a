// SPDX-License-Identifier: Apache-2.0
// A quantised convolution for tables that factorise: lut[a, b] = u[a] * v[b]. Activations are
// remapped to u, and the sums are dot products of units: four channels of u8 x s8, where a
// negative u is moved up by 128, which a constant per output channel takes back, or two of s16.
#pragma once

#include <mutex>
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
  // Of windows of 1, 2 or 4 pixels, with weights of 0 where a pixel has none.
  struct Weights {
    int pixels = 0, units = 0;           // units of a segment
    std::vector<std::uint8_t> lanes;     // [group][chunk][segment][unit][kLanes] units
  };
  const Weights& weights(int pixels) const;
  void multiply(const Images& images, const Weights& weights, const void* codes,
                const std::uint32_t* offset_of, long item, int tiles) const;

  bool negative_;                        // whether some u is
  std::uint8_t map_[256];
  std::vector<std::int8_t> v_;           // [m][segment][channel]
  std::vector<std::int32_t> bias_;       // [m]
  mutable std::once_flag once_[3];
  mutable Weights weights_[3];           // of 1, 2 and 4 pixels
};

}  // namespace axhil
