// SPDX-License-Identifier: Apache-2.0
// The portable versions of the loops in ops.hpp, as templates: each instruction set's translation
// unit compiles its own copy with its own flags.
#pragma once

#include <cstring>

#include "ops.hpp"

namespace axhil {
namespace {  // per translation unit, so that no AVX copy is linked into the scalar one

// A weight's column of the table stays in L1 while 64 pixels look it up.
template <class Slot>
inline void block_columns(const BlockArgs& a, Slot slot) {
  for (int v = 0; v < a.vectors; ++v) {
    std::int32_t sum[kLanes] = {};
    for (int t = 0; t < a.taps; ++t) {
      const std::int32_t* column = a.columns + 256 * a.weights[t];
      const std::uint8_t* codes = a.base + a.tap_offset[t] + a.vector_offset[v];
      for (int lane = 0; lane < kLanes; ++lane) sum[lane] += column[codes[lane]];
    }
    std::int32_t* acc = a.acc + v * kLanes;
    for (int lane = 0; lane < kLanes; ++lane) {
      acc[slot(lane)] = (a.overwrite ? 0 : acc[slot(lane)]) + sum[lane];
    }
  }
}

// Round half to even of a value that the clamp has made small (below 2^22).
inline float round_small(float v) { return (v + 12582912.0f) - 12582912.0f; }

inline std::uint8_t quantize_one(float x, float inv_scale, float qmin, float qmax) {
  float v = x * inv_scale;
  v = v > qmin ? v : qmin;  // NaN becomes qmin on every path
  v = v < qmax ? v : qmax;
  // rint after the clamp: the limits are integers, so the order doesn't matter.
  return static_cast<std::uint8_t>(static_cast<std::int32_t>(round_small(v)));
}

inline std::uint8_t within(float x, float inv_scale, float qmin, float qmax) {
  float v = x * inv_scale;
  v = v > qmin - 1.0f ? v : qmin - 1.0f;
  v = v < qmax + 1.0f ? v : qmax + 1.0f;
  v = round_small(v);
  return v >= qmin && v <= qmax;
}

inline std::uint8_t quantize_portable(const QuantizeArgs& a) {
  std::uint8_t any = 0;
  for (std::size_t p = 0; p < a.positions; ++p) {
    std::uint8_t* lanes = a.plane + static_cast<std::size_t>(a.line[p]) * kLanes;
    for (int n = 0; n < a.images; ++n) {
      const std::size_t at = n * a.image_stride + p;
      const std::uint8_t code =
          a.codes ? a.codes[at] : quantize_one(a.x[at], a.inv_scale, a.qmin, a.qmax);
      if (a.mask) a.mask[at] = within(a.x[at], a.inv_scale, a.qmin, a.qmax);
      lanes[n] = code;
      any |= code;
    }
    std::memset(lanes + a.images, 0, kLanes - a.images);
  }
  return any;
}

template <class Slot>
inline void interleave_portable(const std::uint8_t* from, std::size_t stride, int count, int lanes,
                                const std::uint8_t* map, std::uint8_t rest, std::uint8_t* out,
                                Slot slot) {
  for (int n = 0; n < lanes; ++n) {
    std::uint8_t* to = out + 4 * (lanes == kLanes ? slot(n) : n);
    for (int i = 0; i < 4; ++i) to[i] = i < count ? map[from[i * stride + n]] : rest;
  }
}

inline float dequantize(std::int32_t acc, float scale, float bias, bool relu) {
  const float product = static_cast<float>(acc) * scale;
  const float y = product + bias;
  // As torch.relu: -0.0 and NaN stay.
  return relu && y < 0.0f ? 0.0f : y;
}

template <class Slot>
inline void store_portable(const StoreArgs& a, Slot slot) {
  for (int m = 0; m < a.channels; ++m) {
    for (int n = 0; n < a.images; ++n) {
      const std::size_t to = n * a.image_stride + m * a.channel_stride;
      const std::int32_t* from =
          a.acc + static_cast<std::size_t>(m) * a.positions * kLanes + slot(n);
      for (int p = 0; p < a.positions; ++p) {
        // Unsigned: the parts may wrap, their sum is right modulo 2^32.
        const auto sum = static_cast<std::int32_t>(static_cast<std::uint32_t>(from[p * kLanes]) +
                                                   static_cast<std::uint32_t>(a.add[m]));
        if (a.scale) {
          static_cast<float*>(a.out)[to + p] = dequantize(sum, a.scale[m], a.bias[m], a.relu);
        } else {
          static_cast<std::int32_t*>(a.out)[to + p] = sum;
        }
      }
    }
  }
}

inline void gather_portable(const GatherArgs& a) {
  const auto add = static_cast<std::uint32_t>(a.add);
  if (a.dequantize) {
    auto* out = static_cast<float*>(a.out);
    for (int p = 0; p < a.count; ++p) {
      const auto sum = static_cast<std::int32_t>(static_cast<std::uint32_t>(a.acc[a.at[p]]) + add);
      out[p] = dequantize(sum, a.scale, a.bias, a.relu);
    }
  } else {
    auto* out = static_cast<std::int32_t*>(a.out);
    for (int p = 0; p < a.count; ++p) {
      out[p] = static_cast<std::int32_t>(static_cast<std::uint32_t>(a.acc[a.at[p]]) + add);
    }
  }
}

}  // namespace
}  // namespace axhil
