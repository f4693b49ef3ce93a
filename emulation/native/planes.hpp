// SPDX-License-Identifier: Apache-2.0
// A table's products as planes of bytes, and every output channel's taps in the order in which
// `Ops::add_planes` adds them.
//
// A product less its weight's least is cut into `radix` lower bits and the others. So many products
// are added as bytes, 8 of radix 5, 4 of 6, 2 of 7 or 1, as fit: trained weights are small mostly,
// and a large one is put together with small ones.
#pragma once

#include <cstdint>
#include <vector>

#include "ops.hpp"

namespace axhil {

class Planes {
 public:
  // table: [used weight][codes], by activation, of whose patterns `size` occur, 128 or 256, repeated
  // where codes are fewer. weights: [m][K], numbers of used weights.
  Planes(const std::vector<std::int32_t>& table, int codes, int size,
         const std::vector<std::uint8_t>& weights, int O, int K);

  // Whether products are 16 bits.
  static bool fit(const std::vector<std::int32_t>& table, int codes);
  // Between a weight's least and largest product, on average.
  static double mean_span(const std::vector<std::int32_t>& table, int codes,
                          const std::vector<std::uint8_t>& weights);

  int blocks() const { return blocks_; }
  int start(int block) const { return static_cast<int>(static_cast<long>(K_) * block / blocks_); }
  // The taps of output m within a block, and their planes.
  void point(PlaneArgs& args, int m, int block) const;
  // [m]: what the sums lack.
  const std::int32_t* lacking() const { return lacking_.data(); }

 private:
  struct alignas(64) Line {
    std::uint8_t byte[64];
  };
  struct List {
    std::uint32_t first;
    std::uint16_t count;
    std::uint8_t form;                   // group 1 << form, radix 8 - form
  };
  // Deals `sorted`, taps by falling span, to groups with totals alike; whether bytes hold those.
  bool deal(const std::vector<Tap>& sorted, int form);

  const int K_, size_, blocks_;
  std::vector<std::uint32_t> span_;      // [weight]
  std::vector<Tap> taps_;
  std::vector<List> lists_;              // [m][block]
  std::vector<std::int32_t> lacking_;
  std::vector<Line> planes_[4];          // [form][weight][lower, upper][size] bytes
};

}  // namespace axhil
