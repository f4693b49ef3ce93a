// SPDX-License-Identifier: Apache-2.0
#include "product_layer.hpp"

#include <algorithm>

namespace axhil {

ProductLayer::ProductLayer(const Geometry& geometry, const Ops* ops, const std::int32_t* u,
                           const std::int32_t* v, int width, const std::uint8_t* weights)
    : Layer(geometry, ops, 4) {
  const int size = 1 << width, area = g_.kh * g_.kw;
  const int offset = *std::min_element(u, u + size) < 0 ? 128 : 0;
  for (int a = 0; a < 256; ++a) map_[a] = static_cast<std::uint8_t>(u[a % size] + offset);
  weights_.resize(static_cast<std::size_t>(g_.O) * taps() * 4);
  bias_.resize(g_.O);
  for (int m = 0; m < g_.O; ++m) {
    for (int c = 0; c < g_.C; ++c) {
      for (int i = 0; i < area; ++i) {
        const int w = v[weights[(static_cast<std::size_t>(m) * g_.C + c) * area + i]];
        const std::size_t quad = static_cast<std::size_t>(m) * taps() + c / 4 * area + i;
        weights_[quad * 4 + c % 4] = static_cast<std::int8_t>(w);
        bias_[m] -= offset * w;
      }
    }
  }
}

void ProductLayer::accumulate(const Work& w) const {
  ProductArgs a{};
  a.acc = w.acc;
  a.overwrite = w.overwrite;
  a.channel_stride = w.channel_stride;
  a.channels = w.m_end - w.m;
  a.vectors = w.vectors;
  a.base = w.base;
  a.tap_offset = w.tap_offset;
  a.quads = block_begin(w.block + 1) - block_begin(w.block);
  a.vector_offset = w.vector_offset;
  a.weight_stride = static_cast<std::size_t>(taps()) * 4;
  a.weights = weights_.data() + w.m * a.weight_stride + block_begin(w.block) * 4;
  ops_->product(a);
}

}  // namespace axhil
