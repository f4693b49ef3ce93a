// SPDX-License-Identifier: Apache-2.0
// The driver of a quantised convolution: codes, geometry, threads. What a product is (a table, or
// a factorised table) is left to the derived classes.
//
// Codes lie with the channels of a position side by side, zero padding included, so that a window
// is a handful of runs of channels: its segments. Where channels are few, a whole row of a window
// is one. Where a 1x1 layer skips most positions, the others are copied out. Or pixels lie side by
// side: a row of windows meets with each of its columns a row of codes, of all images.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <new>
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

// A buffer that grows and never shrinks, aligned to pages.
class Buffer {
 public:
  template <class T>
  T* get(std::size_t count) {
    const std::size_t bytes = count * sizeof(T);
    if (bytes > size_) {
      memory_.reset();
      size_ = 0;
      memory_.reset(::operator new(bytes, std::align_val_t(4096)));
      size_ = bytes;
    }
    return static_cast<T*>(memory_.get());
  }

 private:
  struct Free {
    void operator()(void* p) const { ::operator delete(p, std::align_val_t(4096)); }
  };
  std::unique_ptr<void, Free> memory_;
  std::size_t size_ = 0;
};

class Layer {
 public:
  Layer(const Geometry& geometry, const Ops* ops);
  virtual ~Layer() = default;
  Layer(const Layer&) = delete;
  Layer& operator=(const Layer&) = delete;

  const Geometry& geometry() const { return g_; }
  const Ops* ops() const { return ops_; }
  int out_height(int H) const { return (H + 2 * g_.ph - g_.dh * (g_.kh - 1) - 1) / g_.sh + 1; }
  int out_width(int W) const { return (W + 2 * g_.pw - g_.dw * (g_.kw - 1) - 1) / g_.sw + 1; }

  void run(const Input& in, const Output& out, int threads) const;

 protected:
  // The codes and the output of some images.
  struct Images {
    const std::uint8_t* codes;
    std::size_t stride;                // bytes of a position: of all groups' channels
    long positions, pixels;            // of the input, of the output
    int width;                         // positions of a row
    int out_width;
    std::size_t row, column;           // codes of a row and of a column of rows; 0: channels lie
                                       // side by side
    std::vector<std::uint32_t> pixel;  // the first position of every output pixel's window
    std::vector<std::uint32_t> offset; // of every segment, positions from there
    Survey codes_used;                 // of the codes, without padding
    double density;                    // how many of them are not 0
    Target out;                        // of channel 0
    Output all;
    int threads;
  };
  virtual void compute(const Images& images) const = 0;
  // What codes are replaced by; null: nothing, and they are surveyed.
  virtual const std::uint8_t* map() const { return nullptr; }
  struct Sample {
    bool negative;                     // whether some code is
    double density;                    // how many of them are not 0
  };
  // Whether so many pixels of such codes are to lie side by side.
  virtual bool wants_rows(long, Sample) const { return false; }

  // `images`' target of up to 32 channels of one group.
  Target target(const Images& images, int channel, int channels, const std::int32_t* add) const;
  // Neighbouring pixels that share a row's lanes: as many as a row has lanes for and output rows
  // divide into.
  int pixels_together(const Images& images) const;
  int chunks() const { return (per_group_ + kLanes - 1) / kLanes; }
  // Where tap `channel` of `segment` stands among the weights (O, C, kh, kw) of output m.
  std::size_t weight(int m, int segment, int channel) const;

  const Geometry g_;
  const Ops* const ops_;
  const bool few_;                     // channels, of windows of more than one position
  const bool joined_;                  // a row of a window is one segment
  const int segments_, channels_;      // of a window; channels per group
  const int per_group_;                // outputs

 private:
  struct Call;
  Sample sample(const Input& in) const;
  void fill(const Call& call, long item) const;
};

}  // namespace axhil
