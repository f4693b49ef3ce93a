// SPDX-License-Identifier: Apache-2.0
#include "layer.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <memory>
#include <new>
#include <stdexcept>

#include "pool.hpp"

namespace axhil {
namespace {

// An item's outputs: its sums stay in L2, and as many positions as that allows are written in a
// row, since every image and channel is a page of its own for the TLB.
constexpr int kTile = 64;      // vectors (output positions) per item
constexpr int kChannels = 64;  // output channels per item
constexpr int kSums = 1024;    // vectors times channels
// Outputs of at least this many bytes are written past the caches. Otherwise every line is read
// before it is written, and the 64 images' lines of a store, a power of two apart, compete for one
// set of each cache. On a Zen 5 core (1 MiB of L2, 32 MiB of L3 shared) ResNet-50's stem, 16 MiB,
// takes half the time so, and a layer that reads it next loses a tenth of what is won; at 8 MiB
// the two are equal, and at 4 MiB nothing is won.
constexpr std::size_t kStream = std::size_t{12} << 20;
// Fewer images than this share vectors over positions instead of leaving lanes empty.
constexpr int kFewImages = 48;

// A buffer that grows and never shrinks, aligned to cache lines.
class Buffer {
 public:
  void* get(std::size_t bytes) {
    if (bytes > size_) {
      memory_.reset();
      size_ = 0;
      memory_.reset(::operator new(bytes, std::align_val_t(64)));
      size_ = bytes;
    }
    return memory_.get();
  }

 private:
  struct Free {
    void operator()(void* p) const { ::operator delete(p, std::align_val_t(64)); }
  };
  std::unique_ptr<void, Free> memory_;
  std::size_t size_ = 0;
};

}  // namespace

// One group of at most 64 images.
struct Layer::Call {
  Input in;
  Output out;
  int first, images;                        // of the batch
  bool few;                                 // lanes are pixels, not images
  int threads, OH, OW, line_width;          // bytes of a position in the scratch
  std::size_t plane_bytes;
  std::uint8_t* scratch;
  std::atomic<std::uint8_t>* any;           // per plane: or of its patterns
  int run;                                  // planes per item
  const std::uint32_t* line;                // of every channel and position of a run
  const std::uint32_t* place;               // of every position in a plane, bytes
  const std::uint32_t* tap_offset;
  const std::ptrdiff_t* vector_offset;      // of every output position
  long vectors;
  int tile, channels;                       // per item
  const std::uint8_t* full;                 // [group][block]
};

Layer::Layer(const Geometry& geometry, const Ops* ops, int lane_bytes)
    : g_(geometry),
      ops_(ops),
      lane_bytes_(lane_bytes),
      planes_((geometry.C + lane_bytes - 1) / lane_bytes) {}

int Layer::blocks() const { return (taps() + kBlock - 1) / kBlock; }

int Layer::block_begin(int block) const {
  return static_cast<int>(static_cast<std::int64_t>(taps()) * block / blocks());
}

// Quantises a run of planes (each a channel, or four) of the call's images into the scratch.
void Layer::fill(const Call& c, long item) const {
  static thread_local Buffer buffer;
  const std::size_t area = static_cast<std::size_t>(c.in.H) * c.in.W;
  const int first = static_cast<int>(item) * c.run;
  const int planes = std::min(c.run, planes_ * g_.groups - first);
  // The run's channels are contiguous in the input: one plane, or all planes full.
  const int channel = first / planes_ * g_.C + first % planes_ * lane_bytes_;
  const int channels = planes == 1 ? std::min(lane_bytes_, g_.C - first % planes_ * lane_bytes_)
                                   : planes * lane_bytes_;
  std::uint8_t* out = c.scratch + first * c.plane_bytes;
  if (g_.ph || g_.pw) std::memset(out, zero_pattern(), planes * c.plane_bytes);

  QuantizeArgs q{};
  const std::size_t stride = area * g_.C * g_.groups;
  const std::size_t at = c.first * stride + channel * area;
  q.x = c.in.x ? c.in.x + at : nullptr;
  q.codes = c.in.codes ? c.in.codes + at : nullptr;
  q.mask = c.in.mask ? c.in.mask + at : nullptr;
  q.image_stride = stride;
  q.images = c.images;
  q.positions = channels * area;
  q.inv_scale = c.in.inv_scale;
  q.qmin = c.in.qmin;
  q.qmax = c.in.qmax;
  q.line = c.line;
  std::uint8_t any;
  if (!c.few && lane_bytes_ == 1) {
    q.plane = out;
    any = ops_->quantize(q);
  } else {
    // By way of lines in the input's order, then interleaved, remapped and squeezed.
    q.plane = static_cast<std::uint8_t*>(buffer.get(q.positions * kLanes));
    any = ops_->quantize(q);
    for (int plane = 0; plane < planes; ++plane) {
      const std::uint8_t* from = q.plane + plane * lane_bytes_ * area * kLanes;
      const int count = std::min(lane_bytes_, channels - plane * lane_bytes_);
      for (std::size_t p = 0; p < area; ++p, from += kLanes) {
        std::uint8_t* to = out + plane * c.plane_bytes + c.place[p];
        if (lane_bytes_ == 1) {
          std::memcpy(to, from, c.images);
        } else {
          ops_->interleave(from, area * kLanes, count, c.line_width / 4, remap(), zero_pattern(),
                           to);
        }
      }
    }
  }
  for (int plane = 0; plane < planes; ++plane) c.any[first + plane].store(any);
}

// One tile of output positions for one run of output channels.
void Layer::tile(const Call& c, long item) const {
  static thread_local Buffer acc_buffer, panel_buffer;
  const int chunks = (g_.O + c.channels - 1) / c.channels;
  const int m_begin = static_cast<int>(item % chunks) * c.channels;
  const int m_end = std::min(g_.O, m_begin + c.channels);
  const long first = item / chunks * c.tile;
  const int count = static_cast<int>(std::min<long>(c.tile, c.vectors - first));
  const int per_group = g_.O / g_.groups;
  const std::size_t channel_stride = static_cast<std::size_t>(count) * kLanes;
  auto* acc = static_cast<std::int32_t*>(
      acc_buffer.get((m_end - m_begin) * channel_stride * sizeof(std::int32_t)));
  std::int32_t add[kChannels] = {};

  // Where lanes are pixels, the runs of consecutive bytes that make up each panel.
  struct Run {
    std::uint32_t from, to, bytes;
  };
  static thread_local std::vector<Run> runs;
  std::uint8_t* packed = nullptr;
  std::uint32_t packed_offset[kBlock];
  std::ptrdiff_t panel_offset[kPanel];
  const int lane_line = kLanes * lane_bytes_;
  if (c.few) {
    packed = static_cast<std::uint8_t*>(
        panel_buffer.get(static_cast<std::size_t>(kBlock) * kPanel * lane_line));
    for (int t = 0; t < kBlock; ++t) packed_offset[t] = t * kPanel * lane_line;
    for (int p = 0; p < kPanel; ++p) panel_offset[p] = p * lane_line;
  }

  for (int m = m_begin; m < m_end;) {
    const int group = m / per_group;
    const int group_end = std::min(m_end, (group + 1) * per_group);
    const std::uint8_t* base =
        c.scratch + static_cast<std::size_t>(group) * planes_ * c.plane_bytes;
    std::int32_t* group_acc = acc + (m - m_begin) * channel_stride;
    for (int v = 0; v < count; v += kPanel) {
      const int vectors = std::min(kPanel, count - v);
      if (c.few) {
        runs.clear();
        const long pixels = static_cast<long>(c.OH) * c.OW * c.images;
        const long begin = (first + v) * kLanes;
        const long end = std::min(pixels, begin + static_cast<long>(vectors) * kLanes);
        for (long px = begin; px < end;) {
          const long position = px / c.images, n = px % c.images;
          const long len = std::min(end - px, c.images - n);
          const auto from = static_cast<std::uint32_t>(c.vector_offset[position] + n * lane_bytes_);
          const auto bytes = static_cast<std::uint32_t>(len * lane_bytes_);
          if (!runs.empty() && runs.back().from + runs.back().bytes == from) {
            runs.back().bytes += bytes;
          } else {
            runs.push_back({from, static_cast<std::uint32_t>((px - begin) * lane_bytes_), bytes});
          }
          px += len;
        }
        std::memset(packed, zero_pattern(), static_cast<std::size_t>(kBlock) * kPanel * lane_line);
      }
      for (int b = 0; b < blocks(); ++b) {
        const int k = block_begin(b);
        Work w{group_acc + v * kLanes, channel_stride, m, group_end, b,
               c.full[group * blocks() + b] != 0, b == 0, vectors, base, c.tap_offset + k,
               c.vector_offset + first + v};
        if (c.few) {
          for (int t = 0; t < block_begin(b + 1) - k; ++t) {
            const std::uint8_t* from = base + c.tap_offset[k + t];
            std::uint8_t* to = packed + packed_offset[t];
            for (const Run& run : runs) std::memcpy(to + run.to, from + run.from, run.bytes);
          }
          w.base = packed;
          w.tap_offset = packed_offset;
          w.vector_offset = panel_offset;
        }
        accumulate(w);
      }
    }
    for (int i = m; i < group_end; ++i) {
      std::uint32_t sum = 0;
      for (int b = 0; b < blocks(); ++b) {
        sum += static_cast<std::uint32_t>(bias(i, b, c.full[group * blocks() + b] != 0));
      }
      add[i - m_begin] = static_cast<std::int32_t>(sum);
    }
    m = group_end;
  }

  if (c.few) {
    store_panels(c, acc, add, m_begin, m_end - m_begin, first, count);
    return;
  }
  const std::size_t area = static_cast<std::size_t>(c.OH) * c.OW;
  StoreArgs s{};
  s.acc = acc;
  s.channels = m_end - m_begin;
  s.positions = count;
  s.add = add;
  s.scale = c.out.scale ? c.out.scale + m_begin : nullptr;
  s.bias = c.out.scale ? c.out.bias + m_begin : nullptr;
  s.relu = c.out.relu;
  s.image_stride = area * g_.O;
  s.channel_stride = area;
  s.images = c.images;
  s.stream = c.in.N * s.image_stride * sizeof(float) >= kStream;
  s.out = static_cast<float*>(c.out.data) + c.first * s.image_stride + m_begin * area + first;
  ops_->store(s);
}

// The sums of vectors whose lanes are pixels: image by image, so that every write is contiguous.
void Layer::store_panels(const Call& c, const std::int32_t* acc, const std::int32_t* add, int m,
                         int channels, long first, long vectors) const {
  static thread_local std::vector<std::int32_t> at;
  const long area = static_cast<long>(c.OH) * c.OW, images = c.images;
  const long begin = first * kLanes;
  const long end = std::min(area * images, begin + vectors * kLanes);
  for (long n = 0; n < images; ++n) {
    // Positions whose pixel of this image lies in [begin, end).
    const long position = (begin - n + images - 1) / images;
    at.clear();
    for (long px = position * images + n; px < end; px += images) {
      const long lane = px - begin;
      at.push_back(static_cast<std::int32_t>(lane / kLanes * kLanes + panel_slot(lane % kLanes)));
    }
    GatherArgs g{};
    g.at = at.data();
    g.count = static_cast<int>(at.size());
    g.dequantize = c.out.scale != nullptr;
    g.relu = c.out.relu;
    for (int i = 0; i < channels && g.count; ++i) {
      g.acc = acc + i * vectors * kLanes;
      g.add = add[i];
      if (c.out.scale) g.scale = c.out.scale[m + i], g.bias = c.out.bias[m + i];
      g.out = static_cast<float*>(c.out.data) +
              (static_cast<std::size_t>(c.first + n) * g_.O + m + i) * area + position;
      ops_->gather(g);
    }
  }
}

void Layer::run(const Input& in, const Output& out, int threads) const {
  static thread_local Buffer scratch;
  Call c{};
  c.in = in;
  c.out = out;
  c.threads = std::max(threads, 1);
  c.OH = out_height(in.H);
  c.OW = out_width(in.W);
  const int Hp = in.H + 2 * g_.ph, Wp = in.W + 2 * g_.pw;
  const int all_planes = planes_ * g_.groups;

  for (c.first = 0; c.first < in.N; c.first += kLanes) {
    c.images = std::min(kLanes, in.N - c.first);
    c.few = c.images < kFewImages && static_cast<long>(c.OH) * c.OW > 1;
    c.line_width = (c.few ? c.images : kLanes) * lane_bytes_;
    // An odd number of cache lines between planes spreads the taps over all sets of the L1.
    c.plane_bytes = ((static_cast<std::size_t>(Hp) * Wp * c.line_width + 63) / 64 | 1) * 64;
    if (c.plane_bytes * planes_ > UINT32_MAX) {
      throw std::invalid_argument("expected an input below 4 GiB of codes per group of channels; "
                                  "split the batch or the image");
    }
    c.scratch = static_cast<std::uint8_t*>(scratch.get(c.plane_bytes * all_planes + 64));

    // Small planes are quantised several at a time, to fill registers of 16 positions.
    const std::size_t area = static_cast<std::size_t>(in.H) * in.W;
    c.run = lane_bytes_ > 1 && g_.C % lane_bytes_
                ? 1
                : static_cast<int>(std::clamp<std::size_t>(64 / area, 1, all_planes));
    std::vector<std::uint32_t> place(area), line(area * c.run * lane_bytes_), tap_offset(taps());
    std::vector<std::ptrdiff_t> vector_offset(static_cast<std::size_t>(c.OH) * c.OW);
    for (int h = 0; h < in.H; ++h) {
      for (int w = 0; w < in.W; ++w) {
        place[h * in.W + w] = ((h + g_.ph) * Wp + w + g_.pw) * c.line_width;
      }
    }
    const bool direct = !c.few && lane_bytes_ == 1;
    for (std::size_t p = 0; p < line.size(); ++p) {
      line[p] = static_cast<std::uint32_t>(
          direct ? (p / area * c.plane_bytes + place[p % area]) / kLanes : p);
    }
    for (int t = 0; t < taps(); ++t) {
      const int plane = t / (g_.kh * g_.kw), dy = t / g_.kw % g_.kh, dx = t % g_.kw;
      tap_offset[t] = static_cast<std::uint32_t>(
          plane * c.plane_bytes +
          (static_cast<std::size_t>(dy) * g_.dh * Wp + dx * g_.dw) * c.line_width);
    }
    for (int oh = 0; oh < c.OH; ++oh) {
      for (int ow = 0; ow < c.OW; ++ow) {
        vector_offset[static_cast<std::size_t>(oh) * c.OW + ow] =
            (static_cast<std::ptrdiff_t>(oh) * g_.sh * Wp + ow * g_.sw) * c.line_width;
      }
    }
    std::vector<std::atomic<std::uint8_t>> any(all_planes);
    c.line = line.data();
    c.place = place.data();
    c.tap_offset = tap_offset.data();
    c.vector_offset = vector_offset.data();
    c.any = any.data();

    // A thread is worth waking for some 100 microseconds of work; an input is worth 20 products.
    const double work = static_cast<double>(c.OH) * c.OW * c.images * g_.O * taps() * lane_bytes_ +
                        20.0 * area * c.images * g_.C * g_.groups;
    const int threads_now = work < 100.0 * ops_->products_per_microsecond ? 1 : c.threads;
    parallel_for(threads_now, (all_planes + c.run - 1) / c.run, [&](long item) { fill(c, item); });

    std::vector<std::uint8_t> full(static_cast<std::size_t>(g_.groups) * blocks());
    bool any_full = false, any_half = false;
    for (int group = 0; group < g_.groups; ++group) {
      for (int b = 0; b < blocks(); ++b) {
        const int begin = block_begin(b) / (g_.kh * g_.kw);
        const int end = (block_begin(b + 1) - 1) / (g_.kh * g_.kw);
        std::uint8_t patterns = 0;
        for (int plane = begin; plane <= end; ++plane) patterns |= any[group * planes_ + plane];
        full[group * blocks() + b] = patterns >= 128;
        (patterns >= 128 ? any_full : any_half) = true;
      }
    }
    c.full = full.data();
    prepare(any_full, any_half);

    const long pixels = static_cast<long>(c.OH) * c.OW * (c.few ? c.images : kLanes);
    c.vectors = (pixels + kLanes - 1) / kLanes;
    c.tile = static_cast<int>(std::min<long>(kTile, c.vectors));
    c.channels = std::min({kChannels, std::max(kSums / c.tile, 1), g_.O});
    const auto items = [&] {
      return (c.vectors + c.tile - 1) / c.tile * ((g_.O + c.channels - 1) / c.channels);
    };
    while (threads_now > 1 && items() < 4 * threads_now && c.channels > 8) {
      c.channels = (c.channels + 1) / 2;
    }
    parallel_for(threads_now, items(), [&](long item) { tile(c, item); });
  }
}

}  // namespace axhil
