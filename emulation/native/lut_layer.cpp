// SPDX-License-Identifier: Apache-2.0
#include "lut_layer.hpp"

#include <algorithm>
#include <cstring>

#include "pool.hpp"

#if defined(__linux__)
#include <unistd.h>
#endif

namespace axhil {
namespace {

// Nanoseconds of a core, in proportion: an entry of a row built, a product added to a pixel's, a
// window's or an output channel's sums (whose codes are less often alike), one looked up by itself.
constexpr double kBuild = 1 / 25.0, kAdd = 1 / 70.0, kAddWindow = 1 / 45.0, kAddAll = 1 / 57.0;
constexpr double kLookUp = 1 / 1.7;
// A product looked up in planes: of activations below 128, of any; of weights whose products are
// added one by one, and of small ones. A code laid beside its neighbours.
constexpr double kPlane[2][2] = {{1 / 64.0, 1 / 78.0}, {1 / 47.0, 1 / 60.0}}, kSpread = 1 / 40.0;
constexpr double kSmall = 4096;   // spans of products of which four are added as bytes
constexpr double kDense = 0.8;    // of the codes are not 0
constexpr int kTile = 2048;       // pixels worth rows of their own
constexpr int kSpan = 128;        // items whose sums stay in the L1

// Rows of a block: half of the L2, which also sees sums and lists pass.
int row_capacity() {
  static const int rows = [] {
    long bytes = 0;
#if defined(_SC_LEVEL2_CACHE_SIZE)
    bytes = sysconf(_SC_LEVEL2_CACHE_SIZE);
#endif
    bytes = bytes > 0 ? bytes : 1 << 19;
    return static_cast<int>(std::clamp(bytes / 2, 1L << 17, 1L << 19) / (2 * kLanes));
  }();
  return rows;
}

// Entries of a block's rows; its taps' pitch adds a row for each.
std::size_t row_room() { return (static_cast<std::size_t>(row_capacity()) + 255) * kLanes; }

}  // namespace

// The codes of every position as numbers of rows: what is not 0 in each block of channels. Blocks
// apart, so that a block's lists are read in a row.
struct LutLayer::Lists {
  bool dense;
  int blocks, stride;                    // entries of a list
  long positions;
  std::uint16_t* entries;                // [group][block][position][stride]
  std::uint8_t* count;                   // [group][block][position]
  std::vector<Range> ranges;             // of the codes of every channel
};

LutLayer::LutLayer(const Geometry& geometry, const Ops* ops, const std::int32_t* table, int width,
                   const std::uint8_t* weights)
    : Layer(geometry, ops), width_(width) {
  const int size = 1 << width, K = segments_ * channels_;
  int number[256];
  std::fill(number, number + 256, -1);
  zeros_.resize(g_.O);
  for (int m = 0; m < g_.O; ++m) {
    std::uint32_t sum = 0;
    for (int k = 0; k < K; ++k) {
      const int w = weights[weight(m, k / channels_, k % channels_)];
      if (number[w] < 0) {
        number[w] = used_++;
        for (int a = 0; a < size; ++a) table_.push_back(table[a * size + w]);
      }
      numbers_.push_back(static_cast<std::uint8_t>(number[w]));
      sum += static_cast<std::uint32_t>(table[w]);
    }
    zeros_[m] = static_cast<std::int32_t>(sum);
  }
  fit_planes_ = ops_->add_planes && Planes::fit(table_, size);
  small_ = Planes::mean_span(table_, size, numbers_) < kSmall;
  blocks_ = block_count((used_ + 7) / 8 * 8);
  for (int at = 0; at < g_.groups * segments_; ++at) {
    for (int b = 0; b < blocks_; ++b) {
      for (int i = 0; i < per_group_; ++i) {
        const auto row = numbers_.begin() +
                         (static_cast<std::size_t>(at / segments_) * per_group_ + i) * K +
                         at % segments_ * channels_;
        weights_.insert(weights_.end(), row + block_start(b, blocks_),
                        row + block_start(b + 1, blocks_));
      }
    }
  }
  for (int chunk = 0; chunk < g_.groups * chunks(); ++chunk) {
    for (int k = 0; k < K; ++k) {
      for (int lane = 0; lane < kLanes; ++lane) {
        const int m = chunk % chunks() * kLanes + lane_channel(lane);
        const std::size_t row = static_cast<std::size_t>(chunk / chunks()) * per_group_ + m;
        lanes_.push_back(m < per_group_ ? numbers_[row * K + k] : 0);
      }
    }
  }
}

// Where rows are listed, what their entries leave out is zeros_.
const Columns& LutLayer::by_activation(Codes codes, bool listed) const {
  const int at = static_cast<int>(codes);
  std::call_once(columns_once_[at][listed], [&] {
    columns_[at][listed] = columns_by_activation(table_, width_, codes, listed);
  });
  return columns_[at][listed];
}

const Columns& LutLayer::by_weight(Codes codes) const {
  const int at = static_cast<int>(codes);
  std::call_once(columns_once_[at][2],
                 [&] { columns_[at][2] = columns_by_weight(table_, width_, codes); });
  return columns_[at][2];
}

int LutLayer::block_count(int size) const {
  const int taps = std::min(row_capacity() / size, 248);
  return (channels_ + taps - 1) / taps;
}

const Planes& LutLayer::planes(bool full) const {
  std::call_once(planes_once_[full], [&] {
    planes_[full] = std::make_unique<Planes>(table_, 1 << width_, full ? 256 : 128, numbers_, g_.O,
                                             segments_ * channels_);
  });
  return *planes_[full];
}

LutLayer::Way LutLayer::cheapest(long pixels, bool full, double density, int together,
                                 bool planes) const {
  const auto up = [](long n, long unit) {
    return static_cast<double>((n + unit - 1) / unit * unit);
  };
  const int size = std::max(8, (1 << width_) / (full ? 1 : 2));
  const double costs[] = {
      up(per_group_, kLanes) *
          (size * kBuild + pixels * (few_ ? kAddWindow / (used_ > 255 ? 1 : together)
                                          : density * kAdd)),
      up(pixels, kLanes) * (used_ * kBuild + per_group_ * kAddAll),
      static_cast<double>(pixels) * per_group_ * kLookUp,
      up(pixels, kLooked) * (kSpread + per_group_ * kPlane[full][small_])};
  return static_cast<Way>(std::min_element(costs, costs + (planes && fit_planes_ ? 4 : 3)) - costs);
}

bool LutLayer::wants_rows(long pixels, Sample codes) const {
  return cheapest(pixels, codes.negative, codes.density, 1, true) == kPlanesAdd;
}

void LutLayer::compute(const Images& images) const {
  const long pixels = images.pixels;
  const Codes codes = codes_of(images.codes_used, width_);
  const bool full = codes != Codes::kNonNegative;
  const int size = std::max(8, (1 << width_) / (full ? 1 : 2));
  const int together = used_ > 255 ? 1 : pixels_together(images);
  // Codes that lie as for planes are of no other use.
  const Way way =
      images.row ? kPlanesAdd : cheapest(pixels, full, images.density, together, false);

  if (images.row) {
    const Planes& made = planes(full);
    std::vector<std::uint32_t> offset_of(segments_ * channels_);
    for (int t = 0; t < segments_ * channels_; ++t) {
      const int c = t % g_.C, dx = t / g_.C % g_.kw, dy = t / g_.C / g_.kw;
      offset_of[t] =
          static_cast<std::uint32_t>((c * g_.kw + dx) * images.column + dy * g_.dh * images.row);
    }
    const long step = vector_step(images), rows = (pixels + step - 1) / step;
    const long panels = (rows + kPanel - 1) / kPanel * (step / kLooked);
    parallel_for(images.threads, panels * g_.groups * chunks(),
                 [&](long item) { planes_add(images, made, offset_of.data(), item); });
  } else if (way == kLookUp) {
    parallel_for(images.threads, g_.O, [&](long item) { look_up(images, item); });
  } else if (way == kChannelsAdd) {
    const Columns& columns = by_weight(codes);
    const long chunk = (pixels + kLanes - 1) / kLanes * g_.groups;
    const int parts = static_cast<int>(
        std::clamp<long>((images.threads + chunk - 1) / chunk, 1, (per_group_ + 127) / 128));
    parallel_for(images.threads, chunk * parts,
                 [&](long item) { channels_add(images, columns, item, parts); });
  } else {
    const long chunk = static_cast<long>(g_.groups) * chunks();
    int tiles = 1;
    while (images.threads > 1 && chunk * tiles < 4 * images.threads && pixels / tiles > kTile) {
      tiles *= 2;
    }
    if (few_) {
      const Columns& columns = by_activation(codes, false);
      const Windows& shared = windows(together);
      parallel_for(images.threads, chunk * tiles,
                   [&](long item) { windows_add(images, columns, shared, item, tiles); });
    } else {
      const Lists made = lists(images, size);
      const Columns& columns = by_activation(codes, !made.dense);
      parallel_for(images.threads, chunk * tiles,
                   [&](long item) { pixels_add(images, columns, made, item, tiles); });
    }
  }
}

const LutLayer::Windows& LutLayer::windows(int pixels) const {
  const int at = pixels / 2;
  std::call_once(windows_once_[at], [&] {
    Windows& w = windows_[at];
    // Columns of the windows side by side; with dilation, of the taps of one.
    const int columns = (pixels - 1) * g_.sw + g_.kw;
    w.pixels = pixels;
    w.taps = g_.kh * columns * g_.C;
    for (int chunk = 0; chunk < g_.groups * chunks(); ++chunk) {
      for (int t = 0; t < w.taps; ++t) {
        const int dy = t / g_.C / columns, column = t / g_.C % columns, c = t % g_.C;
        for (int lane = 0; lane < kLanes; ++lane) {
          const int each = kLanes / pixels, dx = column - lane_channel(lane) / each * g_.sw;
          const int m = chunk % chunks() * kLanes + lane_channel(lane) % each;
          // From the same channel's place among the lanes of single pixels.
          const int from = lane_channel(lane) % each;
          const int single = from < kLanes / 2 ? 2 * from : 2 * (from - kLanes / 2) + 1;
          const std::size_t tap =
              (static_cast<std::size_t>(chunk) * g_.kh * g_.kw + dy * g_.kw + dx) * g_.C + c;
          w.lanes.push_back(m < per_group_ && dx >= 0 && dx < g_.kw
                                ? lanes_[tap * kLanes + single]
                                : static_cast<std::uint8_t>(pixels > 1 ? used_ : 0));
        }
      }
    }
  });
  return windows_[at];
}

LutLayer::Lists LutLayer::lists(const Images& images, int size) const {
  static thread_local Buffer list_buffer, count_buffer;
  Lists lists;
  lists.blocks = block_count(size);
  // Where few codes are 0, nothing is listed: codes are rows as they stand.
  lists.dense = images.density > kDense && width_ == 8;
  lists.stride = lists.dense ? 0 : ((channels_ + lists.blocks - 1) / lists.blocks + 7) / 8 * 8;
  lists.positions = images.positions;
  const long all = lists.positions * lists.blocks * g_.groups;
  lists.entries = list_buffer.get<std::uint16_t>(all * lists.stride + 64);
  lists.count = count_buffer.get<std::uint8_t>(all);
  constexpr long kRun = 128;
  std::vector<Range> ranges((images.positions + kRun - 1) / kRun * images.stride);
  parallel_for(images.threads, (images.positions + kRun - 1) / kRun, [&](long item) {
    const long end = std::min(images.positions, kRun * (item + 1));
    ops_->widen(images.codes + kRun * item * images.stride, images.stride, end - kRun * item,
                static_cast<int>(images.stride), ranges.data() + item * images.stride);
    for (int i = 0; i < (lists.dense ? 0 : lists.blocks * g_.groups); ++i) {
      const int group = i / lists.blocks, b = i % lists.blocks;
      const int first = block_start(b, lists.blocks);
      const int taps = block_start(b + 1, lists.blocks) - first;
      const std::uint8_t* codes = images.codes + group * channels_ + first;
      for (long p = kRun * item; p < end; ++p) {
        const long list = i * lists.positions + p;
        lists.count[list] = static_cast<std::uint8_t>(
            ops_->compact(codes + p * images.stride, taps, size, size + 1,
                          lists.entries + list * lists.stride));
      }
    }
  });
  lists.ranges.resize(images.stride);
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    Range& range = lists.ranges[i % images.stride];
    range.low = std::min(range.low, ranges[i].low);
    range.high = std::max(range.high, ranges[i].high);
  }
  return lists;
}

// A tile of pixels, 32 channels.
void LutLayer::pixels_add(const Images& images, const Columns& columns, const Lists& lists,
                          long item, int tiles) const {
  static thread_local Buffer acc_buffer, row_buffer;
  const long pixels = images.pixels;
  const int tile = static_cast<int>(item % tiles), chunk = static_cast<int>(item / tiles);
  const int group = chunk / chunks(), m = chunk % chunks() * kLanes;
  const long first = pixels * tile / tiles;
  const int count = static_cast<int>(pixels * (tile + 1) / tiles - first);
  const std::uint8_t* lanes =
      lanes_.data() + static_cast<std::size_t>(chunk) * segments_ * channels_ * kLanes;
  auto* rows = row_buffer.get<std::uint16_t>(row_room());
  auto* acc = acc_buffer.get<std::uint32_t>((static_cast<std::size_t>(count) + 16) * kLanes);
  bool overwrite = true;
  for (int s = 0; s < segments_; ++s) {
    for (int b = 0; b < lists.blocks; ++b) {
      const int begin = block_start(b, lists.blocks), end = block_start(b + 1, lists.blocks);
      const long list =
          (static_cast<long>(group) * lists.blocks + b) * lists.positions + images.offset[s];
      for (int plane = 0; plane < 2 && !columns.planes[plane].empty(); ++plane) {
        ops_->build({columns.planes[plane].data(), columns.size, columns.pitch(),
                     lists.ranges.data() + group * channels_ + begin,
                     lanes + (static_cast<std::size_t>(s) * channels_ + begin) * kLanes,
                     end - begin, rows});
        const std::uint32_t* pixel = images.pixel.data() + first;
        const auto offset = plane ? 0 : static_cast<std::uint32_t>(columns.offset);
        if (lists.dense) {
          ops_->add_all({acc, overwrite, count, pixel,
                         images.codes + images.offset[s] * images.stride +
                             group * channels_ + begin,
                         images.stride, end - begin, columns.pitch(), rows, offset,
                         columns.entries(plane)});
        } else {
          ops_->add({acc, overwrite, count, pixel, lists.entries + list * lists.stride,
                     static_cast<std::size_t>(lists.stride), lists.count + list, rows, offset,
                     columns.entries(plane)});
        }
        overwrite = false;
      }
    }
  }
  const int channel = group * per_group_ + m;
  ops_->separate(acc, count);
  const std::int32_t none[kLanes] = {};
  const std::int32_t* lacking = lists.dense ? none : zeros_.data() + channel;
  ops_->store(target(images, channel, std::min(kLanes, per_group_ - m), lacking), acc, kLanes,
              first, count);
}

// A tile of windows, 32 channels.
void LutLayer::windows_add(const Images& images, const Columns& columns, const Windows& windows,
                           long item, int tiles) const {
  static thread_local Buffer acc_buffer, row_buffer;
  const long all = images.pixels / windows.pixels;
  const int tile = static_cast<int>(item % tiles), chunk = static_cast<int>(item / tiles);
  const int group = chunk / chunks(), m = chunk % chunks() * kLanes;
  const long first = all * tile / tiles;
  const int count = static_cast<int>(all * (tile + 1) / tiles - first);
  auto* rows = row_buffer.get<std::uint16_t>(row_room());
  std::vector<std::uint32_t> place(count), offset_of(windows.taps);
  for (int i = 0; i < count; ++i) place[i] = images.pixel[(first + i) * windows.pixels];
  const int row = windows.taps / g_.kh;
  for (int t = 0; t < windows.taps; ++t) {
    const std::size_t position =
        static_cast<std::size_t>(t / row) * g_.dh * images.width + t % row / g_.C * g_.dw;
    offset_of[t] =
        static_cast<std::uint32_t>(position * images.stride + group * g_.C + t % g_.C);
  }
  const int taps = std::min(row_capacity() / columns.size, windows.taps);
  const std::vector<Range> ranges(taps, images.codes_used);
  const int channel = group * per_group_ + m;
  const std::int32_t none[kLanes] = {};
  const Target to = target(images, channel, std::min(kLanes, per_group_ - m), none);
  // Where all rows stay, sums are stored before they leave the L1.
  const bool stay = taps == windows.taps && columns.planes[1].empty();
  const int span = stay ? std::min(count, kSpan) : count;
  auto* acc = acc_buffer.get<std::uint32_t>((static_cast<std::size_t>(span) + 16) * kLanes);
  for (int begin = 0; begin < count; begin += span) {
    const int items = std::min(span, count - begin);
    bool overwrite = true;
    for (int t = 0; t < windows.taps; t += taps) {
      const int n = std::min(taps, windows.taps - t);
      const std::size_t tap = static_cast<std::size_t>(chunk) * windows.taps + t;
      for (int plane = 0; plane < 2 && !columns.planes[plane].empty(); ++plane) {
        if (begin == 0) {
          ops_->build({columns.planes[plane].data(), columns.size, columns.pitch(), ranges.data(),
                       windows.lanes.data() + tap * kLanes, n, rows});
        }
        ops_->add_windows({acc, overwrite, items, place.data() + begin, images.codes, images.stride,
                           offset_of.data() + t, n, columns.size, columns.pitch(), rows,
                           plane ? 0 : static_cast<std::uint32_t>(columns.offset),
                           columns.entries(plane)});
        overwrite = false;
      }
    }
    ops_->separate(acc, items);
    ops_->store(to, acc, kLanes / windows.pixels, (first + begin) * windows.pixels,
                items * windows.pixels);
  }
}

// 32 pixels, a part of one group's channels.
void LutLayer::channels_add(const Images& images, const Columns& columns, long item,
                            int parts) const {
  static thread_local Buffer acc_buffer, row_buffer, lane_buffer;
  const long pixels = images.pixels;
  const int part = static_cast<int>(item % parts);
  const int group = static_cast<int>(item / parts % g_.groups);
  const long first = item / parts / g_.groups * kLanes;
  const int count = static_cast<int>(std::min<long>(kLanes, pixels - first));
  const int m_begin = per_group_ * part / parts + group * per_group_;
  const int m_end = per_group_ * (part + 1) / parts + group * per_group_;
  const int taps = (channels_ + blocks_ - 1) / blocks_;
  const auto mask = static_cast<std::uint8_t>((1 << width_) - 1);
  auto* rows = row_buffer.get<std::uint16_t>(row_room());
  auto* acc = acc_buffer.get<std::uint32_t>(static_cast<std::size_t>(m_end - m_begin) * kLanes);
  auto* lanes = lane_buffer.get<std::uint8_t>(static_cast<std::size_t>(taps) * kLanes);
  const std::vector<Range> all(taps, Range{0, used_ - 1});
  AddAllArgs a{};
  a.acc = acc;
  a.overwrite = true;
  a.items = m_end - m_begin;
  a.pitch = columns.pitch();
  a.rows = rows;
  for (int s = 0; s < segments_; ++s) {
    for (int b = 0; b < blocks_; ++b) {
      const int begin = block_start(b, blocks_), n = block_start(b + 1, blocks_) - begin;
      for (int lane = 0; lane < kLanes; ++lane) {
        const long pixel = first + std::min(lane_channel(lane), count - 1);
        const std::uint8_t* codes = images.codes +
                                    (images.pixel[pixel] + images.offset[s]) * images.stride +
                                    group * channels_ + begin;
        for (int t = 0; t < n; ++t) lanes[t * kLanes + lane] = codes[t] & mask;
      }
      for (int plane = 0; plane < 2 && !columns.planes[plane].empty(); ++plane) {
        ops_->build({columns.planes[plane].data(), columns.size, columns.pitch(), all.data(), lanes,
                     n, rows});
        a.codes = weights(m_begin, s, b);
        a.stride = static_cast<std::size_t>(n);
        a.taps = n;
        a.offset = plane ? 0 : static_cast<std::uint32_t>(columns.offset);
        a.entries = columns.entries(plane);
        ops_->add_all(a);
        a.overwrite = false;
      }
    }
  }
  const std::vector<std::int32_t> none(m_end - m_begin);
  ops_->separate(acc, m_end - m_begin);
  ops_->store_lanes(target(images, m_begin, m_end - m_begin, none.data()), acc, first, count);
}

// A panel of pixels, 32 channels. Where rows are whole vectors, it is of neighbouring rows, whose
// windows share codes.
void LutLayer::planes_add(const Images& images, const Planes& planes,
                          const std::uint32_t* offset_of, long item) const {
  static thread_local Buffer buffer;
  const int m = static_cast<int>(item % chunks()) * kLanes;
  const int group = static_cast<int>(item / chunks() % g_.groups);
  const int channel = group * per_group_ + m, channels = std::min(kLanes, per_group_ - m);
  const long step = vector_step(images), row = item / chunks() / g_.groups / (step / kLooked);
  const long column = item / chunks() / g_.groups % (step / kLooked);
  const long first = row * kPanel * step + column * kLooked;
  PlaneArgs a{};
  a.stride = static_cast<std::size_t>(channels) * kLanes;
  a.vectors =
      static_cast<int>(std::min<long>(kPanel, (images.pixels - first + step - 1) / step));
  a.pitch = step == kLooked ? kLooked : images.row;
  a.codes = images.codes + group * g_.C * g_.kw * images.column + row * kPanel * a.pitch +
            column * kLooked;
  auto* acc = buffer.get<std::uint32_t>(kPanel * kLooked * kLanes);
  for (int b = 0; b < planes.blocks(); ++b) {
    a.overwrite = b == 0;
    a.offset_of = offset_of + planes.start(b);
    for (int i = 0; i < channels; ++i) {
      a.acc = acc + i * kLanes;
      planes.point(a, channel + i, b);
      ops_->add_planes(a);
    }
  }
  const Target to = target(images, channel, channels, planes.lacking() + channel);
  for (int half = 0; half < 2 * a.vectors; ++half) {
    const long at = first + half / 2 * step + half % 2 * kLanes;
    ops_->store_lanes(to, acc + half * a.stride, at,
                      static_cast<int>(std::min<long>(kLanes, images.pixels - at)));
  }
}

// One output channel, look-up by look-up.
// Floor: two loads and an addition a product.
void LutLayer::look_up(const Images& images, long item) const {
  const int m = static_cast<int>(item), codes = 1 << width_;
  const auto mask = static_cast<std::uint8_t>(codes - 1);
  const std::size_t channel = static_cast<std::size_t>(m / per_group_) * channels_;
  const std::int32_t none = 0;
  const Target to = target(images, m, 1, &none);
  const long pixels = images.pixels;
  for (long first = 0; first < pixels; first += kLanes) {
    const int count = static_cast<int>(std::min<long>(kLanes, pixels - first));
    std::int32_t sum[kLanes] = {};
    const std::uint8_t* x[kLanes];
    for (int i = 0; i < count; ++i) {
      x[i] = images.codes + images.pixel[first + i] * images.stride + channel;
    }
    for (int s = 0; s < segments_; ++s) {
      const std::size_t offset = images.offset[s] * images.stride;
      for (int b = 0; b < blocks_; ++b) {
        const std::uint8_t* w = weights(m, s, b);
        for (int c = block_start(b, blocks_); c < block_start(b + 1, blocks_); ++c, ++w) {
          const std::int32_t* column = table_.data() + *w * codes;
          for (int i = 0; i < count; ++i) sum[i] += column[x[i][offset + c] & mask];
        }
      }
    }
    std::uint32_t acc[kLanes];
    std::memcpy(acc, sum, sizeof acc);
    ops_->store_lanes(to, acc, first, count);
  }
}

}  // namespace axhil
