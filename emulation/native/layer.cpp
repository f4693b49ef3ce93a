// SPDX-License-Identifier: Apache-2.0
#include "layer.hpp"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <stdexcept>

#include "pool.hpp"

namespace axhil {
namespace {

// Images are taken together until they have this many pixels per thread: enough to share a layer's
// rows, few enough for their codes and sums to stay in the caches.
constexpr long kPixels = 8192;
constexpr int kFewChannels = 16;
constexpr int kCodes = 4096;        // to quantise at least, where an image has them
// What is too short to share among threads: some 100 microseconds.
constexpr double kWork = 4e6;

}  // namespace

struct Layer::Call {
  Input in;
  int first, images;                   // of the batch
  int Hp, Wp, channels;                // all groups'
  int run, runs;                       // channels of an item; items of an image
  int out_width;
  std::size_t row, column;             // as of Images
  std::uint8_t* codes;
  const std::uint32_t* place;          // of every position of an image, bytes
  Survey* survey;                      // of every item
};

Layer::Layer(const Geometry& geometry, const Ops* ops)
    : g_(geometry),
      ops_(ops),
      few_(geometry.kh * geometry.kw > 1 && geometry.C <= kFewChannels),
      joined_(few_ && geometry.groups == 1 && geometry.dw == 1),
      segments_(joined_ ? geometry.kh : geometry.kh * geometry.kw),
      channels_(joined_ ? geometry.kw * geometry.C : geometry.C),
      per_group_(geometry.O / geometry.groups) {}

std::size_t Layer::weight(int m, int segment, int channel) const {
  const int tap = segment * channels_ + channel;  // in both cases (kh, kw, C)
  return (static_cast<std::size_t>(m) * g_.C + tap % g_.C) * g_.kh * g_.kw + tap / g_.C;
}

int Layer::pixels_together(const Images& images) const {
  if (!few_ || g_.dw > 1) return 1;
  for (int pixels : {4, 2}) {
    if (pixels * per_group_ <= kLanes && images.out_width % pixels == 0) return pixels;
  }
  return 1;
}

Target Layer::target(const Images& images, int channel, int channels,
                     const std::int32_t* add) const {
  Target t = images.out;
  t.out = static_cast<float*>(t.out) + static_cast<std::size_t>(channel) * t.area;
  t.channels = channels;
  t.add = add;
  if (images.all.scale) {
    t.scale = images.all.scale + channel;
    t.bias = images.all.bias + channel;
  }
  return t;
}

// Quantises a run of channels of one image and lays them out.
void Layer::fill(const Call& c, long item) const {
  static thread_local Buffer buffer;
  const int image = static_cast<int>(item / c.runs);
  const int channel = static_cast<int>(item % c.runs) * c.run;
  const int channels = std::min(c.run, c.channels - channel);
  const std::size_t area = static_cast<std::size_t>(c.in.H) * c.in.W;
  const std::size_t at = (static_cast<std::size_t>(c.first + image) * c.channels + channel) * area;
  const std::uint8_t* codes = c.in.codes + at;
  if (c.in.x) {
    auto* quantised = buffer.get<std::uint8_t>(channels * area);
    ops_->quantize({c.in.x + at, channels * area, c.in.inv_scale, c.in.qmin, c.in.qmax, quantised,
                    c.in.mask ? c.in.mask + at : nullptr});
    codes = quantised;
  }
  if (!map()) {
    c.survey[item] = ops_->survey(codes, channels * area);
  } else {
    auto* mapped = buffer.get<std::uint8_t>(channels * area);
    if (codes != mapped) std::memcpy(mapped, codes, channels * area);
    ops_->remap(map(), mapped, channels * area);
    codes = mapped;
  }
  if (c.row) {
    std::uint8_t* to = c.codes + c.column * g_.kw * channel + image * c.out_width;
    if (c.Hp * c.Wp == 1) {
      for (int i = 0; i < channels; ++i) to[i * c.column] = codes[i];
      return;
    }
    for (int i = 0; i < channels; ++i, to += c.column * g_.kw, codes += area) {
      ops_->spread({codes, c.in.H, c.in.W, to + g_.ph * c.row, c.row, c.column, g_.kw, c.out_width,
                    g_.pw, g_.dw});
    }
    return;
  }
  std::uint8_t* to = c.codes + static_cast<std::size_t>(image) * c.Hp * c.Wp * c.channels;
  if (area == 1) {
    std::memcpy(to + c.place[0] + channel, codes, channels);
  } else if (c.channels == 1) {
    for (int h = 0; h < c.in.H; ++h) {
      std::memcpy(to + c.place[h * c.in.W], codes + h * c.in.W, c.in.W);
    }
  } else {
    ops_->transpose({codes, channels, static_cast<int>(area), to + channel, c.place});
  }
}

// Before codes are laid out, from some of the first image.
Layer::Sample Layer::sample(const Input& in) const {
  const std::size_t count = static_cast<std::size_t>(g_.C) * g_.groups * in.H * in.W * (in.N > 0);
  const std::size_t step = count / 1024 + 1;
  int used = 0, all = 0;
  bool negative = false;
  for (std::size_t i = 0; i < count; i += step, ++all) {
    const float code = in.x ? in.x[i] * in.inv_scale : static_cast<std::int8_t>(in.codes[i]);
    used += code >= 0.5f || code <= -0.5f;
    negative |= code <= -0.5f;
  }
  return {negative, used / std::max(1.0, static_cast<double>(all))};
}

void Layer::run(const Input& in, const Output& out, int threads) const {
  static thread_local Buffer buffer, used_buffer;
  Call c{};
  c.in = in;
  const int OH = out_height(in.H), OW = out_width(in.W);
  const long area = static_cast<long>(OH) * OW;
  c.Hp = in.H + 2 * g_.ph, c.Wp = in.W + 2 * g_.pw;
  c.channels = g_.C * g_.groups;
  c.run = static_cast<int>(std::max<long>(1, kCodes / (64L * in.H * in.W))) * 64;
  c.runs = (c.channels + c.run - 1) / c.run;
  const double work = static_cast<double>(area) * in.N * g_.O * segments_ * channels_ +
                      20.0 * in.N * in.H * in.W * c.channels;
  threads = work < kWork ? 1 : threads;
  // Windows that are images are rows of one pixel; others' rows lie as far apart as theirs do.
  const bool whole = area == 1 && in.H * in.W == 1 && !g_.ph && !g_.pw;
  long together = std::max(1L, kPixels * threads / area);
  const bool rows = (whole || g_.sh * g_.sw == 1) &&
                    wants_rows(area * std::min<long>(together, in.N), sample(in));
  if (rows) {
    const long lines = 64 / std::gcd(64, OW);
    together = (together + lines - 1) / lines * lines;
  }
  together = std::clamp<long>(together, 1, std::max(in.N, 1));
  const std::size_t plane = static_cast<std::size_t>(c.Hp) * c.Wp;
  if (plane * together > UINT32_MAX / 64 || plane * c.channels > UINT32_MAX) {
    throw std::invalid_argument("expected images of fewer codes; split the image");
  }

  std::vector<std::uint32_t> place(static_cast<std::size_t>(in.H) * in.W);
  for (int h = 0; h < in.H; ++h) {
    for (int w = 0; w < in.W; ++w) {
      place[h * in.W + w] = ((h + g_.ph) * c.Wp + w + g_.pw) * c.channels;
    }
  }
  c.place = place.data();
  c.out_width = OW;
  // Whole cache lines of codes, an odd number of them, or rows would fall on the same sets.
  const auto pitch = [&](std::size_t pixels) { return pixels % 64 ? pixels : pixels | 64; };
  const std::size_t bytes =
      c.channels * (rows ? pitch(together * OW) * c.Hp * g_.kw : plane * together);
  // Units of products are read whole, beyond the last code.
  c.codes = buffer.get<std::uint8_t>(bytes + kPanel * kLooked);
  std::vector<Survey> surveys(static_cast<std::size_t>(c.runs) * together);
  c.survey = surveys.data();

  Images images{};
  images.all = out;
  images.threads = threads;
  images.width = c.Wp;
  images.out_width = OW;
  images.out.area = static_cast<int>(area);
  images.out.image_stride = static_cast<std::size_t>(area) * g_.O;
  images.out.relu = out.relu;
  images.out.run = static_cast<int>(rows ? OW : area);
  for (int i = 0; i < segments_; ++i) {
    const int row = joined_ ? i : i / g_.kw, column = joined_ ? 0 : i % g_.kw;
    images.offset.push_back(row * g_.dh * c.Wp + column * g_.dw);
  }
  for (c.first = 0; c.first < in.N; c.first += static_cast<int>(together)) {
    c.images = static_cast<int>(std::min<long>(together, in.N - c.first));
    images.out.images = rows ? c.images : in.N;
    c.row = images.row = rows ? pitch(static_cast<std::size_t>(c.images) * OW) : 0;
    c.column = images.column = c.row * c.Hp;
    if (const long pixels = area * c.images; images.pixels != pixels) {
      images.pixels = pixels;
      // Elsewhere in the last, fewer images.
      if (g_.ph || g_.pw) std::memset(c.codes, map() ? map()[0] : 0, bytes);
      images.pixel.resize(rows ? 0 : pixels);
      auto next = images.pixel.begin();
      for (int n = 0; next != images.pixel.end(); ++n) {
        for (int oh = 0; oh < OH; ++oh) {
          for (int ow = 0; ow < OW; ++ow) {
            *next++ = static_cast<std::uint32_t>((n * c.Hp + oh * g_.sh) * c.Wp + ow * g_.sw);
          }
        }
      }
    }
    const long items = static_cast<long>(c.runs) * c.images;
    parallel_for(threads, items, [&](long item) { fill(c, item); });
    images.codes_used = {};
    for (long i = 0; i < items; ++i) {
      images.codes_used.low = std::min(images.codes_used.low, surveys[i].low);
      images.codes_used.high = std::max(images.codes_used.high, surveys[i].high);
      images.codes_used.used += surveys[i].used;
    }
    images.density = static_cast<double>(images.codes_used.used) /
                     (static_cast<double>(in.H) * in.W * c.channels * c.images);
    images.out.out = static_cast<float*>(out.data) + c.first * images.out.image_stride;
    images.codes = c.codes;
    images.stride = c.channels;
    images.positions = static_cast<long>(plane) * c.images;
    if (rows || segments_ > 1 || g_.sh * g_.sw == 1 || g_.kw > 1) {
      compute(images);
      continue;
    }
    Images used = images;
    used.positions = images.pixels;
    auto* to = used_buffer.get<std::uint8_t>(images.pixels * images.stride + 64);
    parallel_for(threads, (images.pixels + 255) / 256, [&](long item) {
      for (long p = 256 * item; p < std::min(images.pixels, 256 * (item + 1)); ++p) {
        std::memcpy(to + p * images.stride, c.codes + images.pixel[p] * images.stride,
                    images.stride);
        used.pixel[p] = static_cast<std::uint32_t>(p);
      }
    });
    used.codes = to;
    compute(used);
  }
}

}  // namespace axhil
