// SPDX-License-Identifier: Apache-2.0
// What rows are made of: the products of one weight by activation, or of one activation by weight,
// as 16-bit entries.
#pragma once

#include <cstdint>
#include <vector>

#include "ops.hpp"

namespace axhil {

// Activations whose bit pattern is below half of all, is not half of all, or is any.
enum class Codes { kNonNegative, kSymmetric, kAny };
Codes codes_of(Range range, int width);

struct Columns {
  std::vector<std::uint16_t> planes[2];  // [column][size]: products less `offset`, bits 0 to 15
                                         // and, where any has them, 16 to 31
  std::int32_t offset = 0;
  bool small = false;                    // two entries' sum has room in 16 bits
  int size = 0;                          // entries

  Entries entries(int plane) const {
    return plane ? Entries::kUpper : small ? Entries::kSmall : Entries::kWhole;
  }
  // Rows of a tap: one more, or rows of one code would fall on the same sets of the L1.
  int pitch() const { return size + 1; }
};

// table: [weight][1 << width]. Only activations that occur bound the entries.
//
// A column for each weight, and a last one of no weight; at least 8 entries, repeated where the
// width has fewer activations. Where rows are listed: less the products of code 0, which is not.
Columns columns_by_activation(const std::vector<std::int32_t>& table, int width, Codes codes,
                              bool listed);
// A column for each activation; entries, one for each weight, rounded up to 8.
Columns columns_by_weight(const std::vector<std::int32_t>& table, int width, Codes codes);

}  // namespace axhil
