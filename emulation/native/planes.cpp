// SPDX-License-Identifier: Apache-2.0
#include "planes.hpp"

#include <algorithm>

namespace axhil {
namespace {

constexpr int kTaps = 256;  // of a block: what 16-bit sums of bytes hold, and a byte counts

std::vector<std::int64_t> spans(const std::vector<std::int32_t>& table, int codes) {
  std::vector<std::int64_t> all;
  for (auto from = table.begin(); from != table.end(); from += codes) {
    const auto [least, most] = std::minmax_element(from, from + codes);
    all.push_back(std::int64_t{*most} - *least);
  }
  return all;
}

}  // namespace

bool Planes::fit(const std::vector<std::int32_t>& table, int codes) {
  const auto all = spans(table, codes);
  return std::all_of(all.begin(), all.end(), [](auto span) { return span <= 65535; });
}

double Planes::mean_span(const std::vector<std::int32_t>& table, int codes,
                         const std::vector<std::uint8_t>& weights) {
  const auto all = spans(table, codes);
  double sum = 0;
  for (const std::uint8_t w : weights) sum += static_cast<double>(all[w]);
  return sum / static_cast<double>(weights.size());
}

Planes::Planes(const std::vector<std::int32_t>& table, int codes, int size,
               const std::vector<std::uint8_t>& weights, int O, int K)
    : K_(K), size_(size), blocks_((K + kTaps - 1) / kTaps), lacking_(O) {
  const int used = static_cast<int>(table.size()) / codes;
  std::vector<std::int32_t> least(used);
  std::vector<int> order(used), rank(used);
  for (int w = 0; w < used; ++w) {
    const auto from = table.begin() + w * codes;
    const auto [low, high] = std::minmax_element(from, from + std::min(size, codes));
    least[w] = *low;
    span_.push_back(static_cast<std::uint32_t>(*high - *low));
    order[w] = w;
  }
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return span_[a] > span_[b]; });
  for (int i = 0; i < used; ++i) rank[order[i]] = i;

  std::vector<Tap> sorted;
  for (int m = 0; m < O; ++m) {
    for (int b = 0; b < blocks_; ++b) {
      sorted.clear();
      for (int k = start(b); k < start(b + 1); ++k) {
        const std::uint8_t w = weights[static_cast<std::size_t>(m) * K + k];
        lacking_[m] += least[w];
        if (span_[w] > 0) sorted.push_back({static_cast<std::uint8_t>(k - start(b)), w});
      }
      std::sort(sorted.begin(), sorted.end(), [&](Tap x, Tap y) {
        return rank[x.weight] != rank[y.weight] ? rank[x.weight] < rank[y.weight] : x.tap < y.tap;
      });
      int form = 3;
      while (!deal(sorted, form)) --form;
      lists_.push_back({static_cast<std::uint32_t>(taps_.size() - sorted.size()),
                        static_cast<std::uint16_t>(sorted.size()),
                        static_cast<std::uint8_t>(form)});
      auto& planes = planes_[form];
      if (!planes.empty()) continue;
      const int radix = 8 - form;
      planes.resize(static_cast<std::size_t>(used) * 2 * size / sizeof(Line));
      for (int i = 0; i < used * 2 * size; ++i) {
        const int w = i / 2 / size, a = i % size % codes;
        const auto v = static_cast<std::uint32_t>(table[w * codes + a] - least[w]);
        const bool upper = i / size % 2;
        planes[i / 64].byte[i % 64] = static_cast<std::uint8_t>(upper ? v >> radix : v % (1 << radix));
      }
    }
  }
}

// The largest that are too many for the groups come last, alone. The next are the first of a group
// each, and the smaller the others of a group, the larger it is.
bool Planes::deal(const std::vector<Tap>& sorted, int form) {
  const int n = static_cast<int>(sorted.size()), group = 1 << form, groups = n / group;
  const int rest = n % group;
  if (n > 0 && span_[sorted[0].weight] >> (8 - form) > 255) return false;
  std::vector<std::uint32_t> total(groups);
  const std::size_t first = taps_.size();
  taps_.resize(first + n);
  for (int i = rest; i < n; ++i) {
    const int row = (i - rest) / groups, at = (i - rest) % groups;
    const int to = row ? groups - 1 - at : at;
    taps_[first + to * group + row] = sorted[i];
    total[to] += span_[sorted[i].weight] >> (8 - form);
  }
  std::copy(sorted.begin(), sorted.begin() + rest, taps_.begin() + first + n - rest);
  const bool held = std::all_of(total.begin(), total.end(), [](auto t) { return t <= 255; });
  if (!held) taps_.resize(first);
  return held;
}

void Planes::point(PlaneArgs& args, int m, int block) const {
  const List& list = lists_[static_cast<std::size_t>(m) * blocks_ + block];
  args.taps = taps_.data() + list.first;
  args.count = list.count;
  args.group = 1 << list.form;
  args.radix = 8 - list.form;
  args.planes = planes_[list.form].data()->byte;
  args.size = size_;
}

}  // namespace axhil
