// SPDX-License-Identifier: Apache-2.0
// Turns a table and a layer's weights into tap lists for the byte-plane loops of ops.hpp.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "ops.hpp"

namespace axhil {

// A layer's weights as columns of the table: weight (m, k) uses column[m * K + k].
struct Columns {
  std::vector<std::array<std::int32_t, 256>> values;  // by activation bit pattern
  std::vector<std::uint8_t> column;
  int O = 0, K = 0;
};

// `block` of K: [b * K / blocks, (b + 1) * K / blocks).
int block_count(int K);
int block_start(int K, int block);

// Two lists for every (m, block). The sum over a block's taps of lut[x, w] is
// low + (high << 16) + bias, where high exists only if some column spans more than 65,536 values.
class TapPlan {
 public:
  // full: all 256 activation patterns; else only those below 128.
  TapPlan(const Columns& columns, bool full);

  const TapList& low(int m, int block) const { return low_.lists[m * blocks_ + block]; }
  const TapList& high(int m, int block) const { return high_.lists[m * blocks_ + block]; }
  bool has_high() const { return !high_.lists.empty(); }

  struct Part {
    std::vector<TapList> lists;
    std::vector<Entry> entries;
    std::array<std::vector<std::uint8_t>, kRadices> planes;
    std::array<const std::uint8_t*, kRadices> tables;
  };
  const Part& low_part() const { return low_; }
  const Part& high_part() const { return high_; }

 private:
  int blocks_;
  Part low_, high_;
};

}  // namespace axhil
