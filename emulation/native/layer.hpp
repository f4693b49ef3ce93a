// SPDX-License-Identifier: Apache-2.0
// The driver of a quantised convolution: geometry, scratch layout, tiling, threads. What a product
// is (a table, or a factorised table) is left to the derived classes.
//
// 64 images form a vector: lane n of the scratch line (channel, h, w) is image n. An output
// position then reads its tap k at a fixed distance from its first one, for any kernel, stride and
// dilation, and nothing is packed. When the images left over are too few to fill a vector, lanes
// are the pixels (oh, ow, n), n fastest, copied into panels of kPanel vectors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "ops.hpp"

namespace axhil {

struct Geometry {
  int O, C, kh, kw;  // of the weights: C input channels per group
  int sh, sw, ph, pw, dh, dw, groups;
};

struct Input {
  const float* x = nullptr;             // (N, C * groups, H, W)
  const std::uint8_t* codes = nullptr;  // or this
  int N, H, W;
  float inv_scale = 1, qmin = 0, qmax = 0;
  std::uint8_t* mask = nullptr;
};

struct Output {
  void* data;                           // (N, O, OH, OW), float32 if scale, else int32
  const float* scale = nullptr;         // (O,)
  const float* bias = nullptr;          // (O,)
  bool relu = false;
};

class Layer {
 public:
  Layer(const Geometry& geometry, const Ops* ops, int lane_bytes);
  virtual ~Layer() = default;
  Layer(const Layer&) = delete;
  Layer& operator=(const Layer&) = delete;

  const Geometry& geometry() const { return g_; }
  const Ops* ops() const { return ops_; }
  int out_height(int H) const { return (H + 2 * g_.ph - g_.dh * (g_.kh - 1) - 1) / g_.sh + 1; }
  int out_width(int W) const { return (W + 2 * g_.pw - g_.dw * (g_.kw - 1) - 1) / g_.sw + 1; }

  void run(const Input& in, const Output& out, int threads) const;

 protected:
  // Channels [m, m_end) of one group over one panel and one block of taps.
  struct Work {
    std::int32_t* acc;                    // of channel m
    std::size_t channel_stride;           // of acc, elements
    int m, m_end, block;
    bool full;                            // some activation pattern is 128 or above
    bool overwrite;
    int vectors;
    const std::uint8_t* base;
    const std::uint32_t* tap_offset;      // of the block's first tap
    const std::ptrdiff_t* vector_offset;
  };
  virtual void accumulate(const Work& work) const = 0;
  virtual void prepare(bool any_full, bool any_half) const = 0;
  // What accumulate left out of the sums of channel m in a block.
  virtual std::int32_t bias(int m, int block, bool full) const = 0;
  // Pattern of code 0 in the scratch, and code -> scratch bytes where they differ (lane_bytes 4).
  virtual std::uint8_t zero_pattern() const { return 0; }
  virtual const std::uint8_t* remap() const { return nullptr; }
  // Where a lane of a packed panel stands in acc.
  virtual int panel_slot(int lane) const { return ops_->lane_slot(lane); }

  int taps() const { return planes_ * g_.kh * g_.kw; }  // K, or its quads
  int blocks() const;
  int block_begin(int block) const;

  Geometry g_;
  const Ops* ops_;
  int lane_bytes_;  // 1: a line holds a channel; 4: a line holds four channels, interleaved
  int planes_;      // lines per position and group

 private:
  struct Call;
  void fill(const Call& call, long item) const;
  void tile(const Call& call, long item) const;
  void store_panels(const Call& call, const std::int32_t* acc, const std::int32_t* add, int m,
                    int channels, long first, long vectors) const;
};

}  // namespace axhil
