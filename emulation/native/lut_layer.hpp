// SPDX-License-Identifier: Apache-2.0
// A quantised convolution whose every product is a look-up in a multiplier's table.
//
// Products come in rows: for a tap and an activation code, the products with 32 output channels'
// weights; a pixel adds a row per tap whose code is not 0. A block of taps has its rows in L2.
// Where input channels are few a pixel adds a row per tap, and where output channels are few too, a
// row serves 2 or 4 neighbouring pixels: what their windows share is added once. Where pixels are
// few and output channels many it is the other way round: for a tap and a weight code, the products
// with 32 pixels' activations, and an output channel adds a row per tap. Where both are few, as in
// depthwise layers, products are looked up one by one. Where an instruction looks bytes up, a
// weight's products lie in registers, and the codes of pixels side by side pick from them.
#pragma once

#include <array>
#include <memory>
#include <mutex>
#include <vector>

#include "columns.hpp"
#include "layer.hpp"
#include "planes.hpp"

namespace axhil {

class LutLayer final : public Layer {
 public:
  // table: (1 << width)^2 entries, row = activation, column = weight bit pattern.
  // weights: (O, C, kh, kw) bit patterns below 1 << width.
  LutLayer(const Geometry& geometry, const Ops* ops, const std::int32_t* table, int width,
           const std::uint8_t* weights);

 protected:
  void compute(const Images& images) const override;
  bool wants_rows(long pixels, Sample codes) const override;

 private:
  struct Lists;
  enum Way { kPixelsAdd, kChannelsAdd, kLookUp, kPlanesAdd };
  Way cheapest(long pixels, bool full, double density, int together, bool planes) const;
  const Planes& planes(bool full) const;
  const Columns& by_activation(Codes codes, bool listed) const;
  const Columns& by_weight(Codes codes) const;
  // Of a block's weights of output m.
  const std::uint8_t* weights(int m, int segment, int block) const {
    const std::size_t at = static_cast<std::size_t>(m / per_group_) * segments_ + segment;
    const int begin = block_start(block, blocks_), end = block_start(block + 1, blocks_);
    return weights_.data() + (at * channels_ + begin) * per_group_ + m % per_group_ * (end - begin);
  }
  int block_count(int size) const;
  int block_start(int block, int blocks) const {
    return static_cast<int>(static_cast<long>(channels_) * block / blocks);
  }

  Lists lists(const Images& images, int size) const;
  // Rows of windows: 1, 2 or 4 pixels'.
  struct Windows {
    int pixels = 0, taps = 0;            // taps of all of them together
    std::vector<std::uint8_t> lanes;     // [group][chunk][tap][kLanes], as lanes_
  };
  const Windows& windows(int pixels) const;

  void pixels_add(const Images& images, const Columns& columns, const Lists& lists, long item,
                  int tiles) const;
  void windows_add(const Images& images, const Columns& columns, const Windows& windows, long item,
                   int tiles) const;
  void channels_add(const Images& images, const Columns& columns, long item, int parts) const;
  // Pixels from one vector of a panel to the next.
  static long vector_step(const Images& images) {
    const long row = images.out.images * images.out_width;
    return row % kLooked ? kLooked : row;
  }
  void planes_add(const Images& images, const Planes& planes, const std::uint32_t* offset_of,
                  long item) const;
  void look_up(const Images& images, long item) const;

  const int width_;
  std::vector<std::int32_t> table_;      // [used weight][1 << width], by activation
  int used_ = 0;                         // different weights
  bool fit_planes_ = false, small_ = false;  // products of most weights
  int blocks_ = 0;                       // of channels, with rows of all used weights
  std::vector<std::uint8_t> numbers_;    // [m][segment][channel], of used weights
  std::vector<std::uint8_t> weights_;    // [group][segment][block][m][channel], as numbers_
  std::vector<std::uint8_t> lanes_;      // [group][chunk][segment][channel][kLanes]
  std::vector<std::int32_t> zeros_;      // [m]: the sum where every code is 0
  // Built when first needed: most layers only ever see one kind of activations.
  mutable std::once_flag columns_once_[3][3], windows_once_[3], planes_once_[2];
  mutable Columns columns_[3][3];        // [Codes]: by activation, listed or not, and by weight
  mutable Windows windows_[3];           // of 1, 2 and 4 pixels
  mutable std::unique_ptr<Planes> planes_[2];  // of non-negative activations, of any
};

}  // namespace axhil
