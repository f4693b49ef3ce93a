// SPDX-License-Identifier: Apache-2.0
#include "taps.hpp"

#include <algorithm>

namespace axhil {
namespace {

using Values = std::vector<std::array<std::uint16_t, 256>>;  // biased: column minimum is 0

// Deals `n` entries, sorted by falling span, into groups of `group` whose totals are alike: the
// largest n % group come last and alone, the rest go back and forth over the groups.
void deal(const std::vector<std::uint32_t>& sorted, int group, std::vector<std::uint32_t>& dealt) {
  const int n = static_cast<int>(sorted.size()), rest = n % group, groups = n / group;
  dealt.resize(sorted.size());
  const std::uint32_t* from = sorted.data() + rest;
  for (int row = 0; row < group; ++row, from += groups) {
    std::uint32_t* to = dealt.data() + row;
    for (int at = 0; at < groups; ++at) to[(row % 2 ? groups - 1 - at : at) * group] = from[at];
  }
  for (int i = 0; i < rest; ++i) dealt[groups * group + i] = sorted[i];
}

// Whether the byte sums of every group stay below 256, with spans >> shift in each byte.
bool fits(const std::vector<std::uint32_t>& dealt, int group, int shift) {
  const int grouped = static_cast<int>(dealt.size()) / group * group;
  for (int i = 0; i < grouped; i += group) {
    unsigned total = 0;
    for (int j = 0; j < group; ++j) total += (dealt[i + j] >> 16) >> shift;
    if (total > 255) return false;
  }
  for (std::size_t i = grouped; i < dealt.size(); ++i) {
    if (((dealt[i] >> 16) >> shift) > 255) return false;
  }
  return true;
}

Entry unpack(std::uint32_t tap) {
  return {static_cast<std::uint16_t>(tap & 255), static_cast<std::uint16_t>(tap & 0xff00)};
}

// Makes a list of one block's taps (span << 16 | column << 8 | tap), sorted by falling span. Two
// planes of 128 entries are 256 bytes, so the column's bits are its offset as they stand.
TapList make_list(const std::vector<std::uint32_t>& taps, std::vector<Entry>& entries) {
  static thread_local std::vector<std::uint32_t> singles, doubles, dealt;
  const auto border = std::partition_point(taps.begin(), taps.end(),
                                           [](std::uint32_t t) { return (t >> 16) > 255; });
  doubles.assign(taps.begin(), border);
  singles.assign(border, taps.end());
  TapList list;
  list.first = static_cast<std::uint32_t>(entries.size());
  list.singles = static_cast<std::uint16_t>(singles.size());
  list.doubles = static_cast<std::uint16_t>(doubles.size());
  for (int group : {8, 4, 2, 1}) {
    deal(singles, group, dealt);
    if (group > 1 && !fits(dealt, group, 0)) continue;
    list.single_group = static_cast<std::uint8_t>(group);
    for (std::uint32_t t : dealt) entries.push_back(unpack(t));
    break;
  }
  for (int form = kForms - 1; form >= 0; --form) {
    deal(doubles, kFormGroup[form], dealt);
    if (form > kEightByOne && !fits(dealt, kFormGroup[form], kFormRadix[form])) continue;
    list.form = static_cast<std::uint8_t>(form);
    for (std::uint32_t t : dealt) entries.push_back(unpack(t));
    break;
  }
  return list;
}

// Low and high planes of every column, for each radix.
void make_planes(const Values& values, int size, TapPlan::Part& part) {
  for (int r = 0; r < kRadices; ++r) {
    const int radix = 5 + r;
    auto& planes = part.planes[r];
    planes.resize(values.size() * 2 * size + 64);
    auto* start = reinterpret_cast<std::uint8_t*>(
        (reinterpret_cast<std::uintptr_t>(planes.data()) + 63) / 64 * 64);
    part.tables[r] = start;
    for (std::size_t slot = 0; slot < values.size(); ++slot) {
      for (int a = 0; a < size; ++a) {
        const unsigned v = values[slot][a];
        start[slot * 2 * size + a] = static_cast<std::uint8_t>(v & ((1u << radix) - 1));
        // Where v >> radix exceeds a byte no list uses this radix for the column.
        start[slot * 2 * size + size + a] = static_cast<std::uint8_t>(v >> radix);
      }
    }
  }
}

}  // namespace

int block_count(int K) { return (K + kBlock - 1) / kBlock; }

int block_start(int K, int block) {
  return static_cast<int>(static_cast<std::int64_t>(K) * block / block_count(K));
}

TapPlan::TapPlan(const Columns& columns, bool full) : blocks_(block_count(columns.K)) {
  const int size = full ? 256 : 128, count = static_cast<int>(columns.values.size());
  Values low(count), high(count);
  std::vector<std::int32_t> bias(count);
  std::vector<std::uint32_t> span(count);
  bool wide = false;
  for (int c = 0; c < count; ++c) {
    const auto& v = columns.values[c];
    const auto [least, most] = std::minmax_element(v.begin(), v.begin() + size);
    bias[c] = *least;
    span[c] = static_cast<std::uint32_t>(*most) - static_cast<std::uint32_t>(*least);
    wide = wide || span[c] > 65535;
    for (int a = 0; a < size; ++a) {
      const auto biased = static_cast<std::uint32_t>(v[a]) - static_cast<std::uint32_t>(*least);
      low[c][a] = static_cast<std::uint16_t>(biased);
      high[c][a] = static_cast<std::uint16_t>(biased >> 16);
    }
  }
  make_planes(low, size, low_);
  if (wide) make_planes(high, size, high_);

  // Columns by falling span, constant ones left out.
  std::vector<int> order;
  for (int c = 0; c < count; ++c) {
    if (span[c] > 0) order.push_back(c);
  }
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return span[a] > span[b]; });

  std::vector<std::uint32_t> taps, upper;
  std::array<std::uint16_t, 257> start;  // of each column's taps in the block, counting sort
  std::array<std::uint8_t, kBlock> sorted;
  low_.entries.reserve(static_cast<std::size_t>(columns.O) * columns.K);
  low_.lists.reserve(static_cast<std::size_t>(columns.O) * blocks_);
  for (int m = 0; m < columns.O; ++m) {
    for (int b = 0; b < blocks_; ++b) {
      const int begin = block_start(columns.K, b), size_k = block_start(columns.K, b + 1) - begin;
      const std::uint8_t* column =
          columns.column.data() + static_cast<std::size_t>(m) * columns.K + begin;
      std::uint32_t total = 0;
      start.fill(0);
      for (int k = 0; k < size_k; ++k) {
        ++start[column[k] + 1];
        total += static_cast<std::uint32_t>(bias[column[k]]);
      }
      for (int c = 0; c < count; ++c) start[c + 1] += start[c];
      auto next = start;
      for (int k = 0; k < size_k; ++k) sorted[next[column[k]]++] = static_cast<std::uint8_t>(k);
      taps.clear();
      upper.clear();
      for (int c : order) {
        const std::uint32_t low_span = std::min<std::uint32_t>(span[c], 65535) << 16 | c << 8;
        for (int i = start[c]; i < start[c + 1]; ++i) {
          taps.push_back(low_span | sorted[i]);
          if (span[c] > 65535) upper.push_back(span[c] >> 16 << 16 | c << 8 | sorted[i]);
        }
      }
      low_.lists.push_back(make_list(taps, low_.entries));
      low_.lists.back().bias = static_cast<std::int32_t>(total);
      if (wide) high_.lists.push_back(make_list(upper, high_.entries));
    }
  }
}

}  // namespace axhil
