// SPDX-License-Identifier: Apache-2.0
#include "columns.hpp"

#include <algorithm>

namespace axhil {
namespace {

constexpr std::int64_t kNever = INT64_MIN;  // product of an activation that does not occur

bool occurs(Codes codes, int pattern, int width) {
  const int half = 1 << (width - 1);
  return codes == Codes::kAny ||
         (codes == Codes::kNonNegative ? pattern < half : pattern != half);
}

// product(column, entry), of the first `used` entries.
template <class Product>
Columns columns(int count, int size, int used, Product product) {
  Columns c;
  c.size = size;
  std::int64_t least = INT64_MAX, most = INT64_MIN;
  for (int i = 0; i < count; ++i) {
    for (int j = 0; j < used; ++j) {
      const std::int64_t value = product(i, j);
      if (value == kNever) continue;
      least = std::min(least, value);
      most = std::max(most, value);
    }
  }
  c.offset = static_cast<std::int32_t>(least);  // of differences: modulo 2^32
  c.small = most - least <= 32767;
  for (int plane = 0; plane < (most - least > 65535 ? 2 : 1); ++plane) {
    auto& entries = c.planes[plane];
    entries.resize(static_cast<std::size_t>(count) * size);
    for (int i = 0; i < count; ++i) {
      for (int j = 0; j < used; ++j) {
        const std::int64_t value = product(i, j);
        entries[static_cast<std::size_t>(i) * size + j] =
            static_cast<std::uint16_t>(value == kNever ? 0 : (value - least) >> 16 * plane);
      }
    }
  }
  return c;
}

}  // namespace

Codes codes_of(Range range, int width) {
  const int half = 1 << (width - 1);
  if (range.low >= 0 && range.high < half) return Codes::kNonNegative;
  return range.low > -half && range.high < half ? Codes::kSymmetric : Codes::kAny;
}

Columns columns_by_activation(const std::vector<std::int32_t>& table, int width, Codes codes,
                              bool listed) {
  const int all = 1 << width, weights = static_cast<int>(table.size()) / all;
  const int size = std::max(8, codes == Codes::kNonNegative ? all / 2 : all);
  return columns(weights + 1, size, size, [&](int w, int entry) {
    const int a = entry % all;
    if (!occurs(codes, a, width)) return kNever;
    if (w == weights) return std::int64_t{0};
    return std::int64_t{table[w * all + a]} - (listed ? table[w * all] : 0);
  });
}

Columns columns_by_weight(const std::vector<std::int32_t>& table, int width, Codes codes) {
  const int all = 1 << width, weights = static_cast<int>(table.size()) / all;
  return columns(all, (weights + 7) / 8 * 8, weights, [&](int a, int w) {
    return occurs(codes, a, width) ? std::int64_t{table[w * all + a]} : kNever;
  });
}

}  // namespace axhil
