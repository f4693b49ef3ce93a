// SPDX-License-Identifier: Apache-2.0
#include "product_layer.hpp"

#include <algorithm>

#include "pool.hpp"

namespace axhil {
namespace {

constexpr int kTile = 512;       // pixels of an item: their sums stay in L2
constexpr int kUnits = 128;      // in a block: its weights, 16 KiB, stay in L1

}  // namespace

ProductLayer::ProductLayer(const Geometry& geometry, const Ops* ops, const std::int32_t* u,
                           const std::int32_t* v, int width, const std::uint8_t* weights)
    : Layer(geometry, ops), negative_(*std::min_element(u, u + (1 << width)) < 0) {
  const int size = 1 << width, offset = ops_->unit == 4 && negative_ ? 128 : 0;
  for (int a = 0; a < 256; ++a) map_[a] = static_cast<std::uint8_t>(u[a % size] + offset);
  for (int m = 0; m < g_.O; ++m) {
    int sum = 0;
    for (int k = 0; k < segments_ * channels_; ++k) {
      v_.push_back(static_cast<std::int8_t>(v[weights[weight(m, k / channels_, k % channels_)]]));
      sum += v_.back();
    }
    bias_.push_back(-offset * sum);
  }
}

const ProductLayer::Weights& ProductLayer::weights(int pixels) const {
  const int at = pixels / 2;
  std::call_once(once_[at], [&] {
    Weights& w = weights_[at];
    const int unit = ops_->unit, each = kLanes / pixels;
    const int shift = g_.sw * g_.C, channels = channels_ + (pixels - 1) * shift;
    w.pixels = pixels;
    w.units = (channels + unit - 1) / unit;
    for (int i = 0; i < g_.groups * chunks() * segments_ * w.units * kLanes * unit; ++i) {
      const int c = i / unit / kLanes % w.units * unit + i % unit, lane = i / unit % kLanes;
      const int segment = i / unit / kLanes / w.units;  // of [group][chunk][segment]
      const int chunk = segment / segments_, m = chunk % chunks() * kLanes + lane % each;
      const int own = c - lane / each * shift;  // channel of the lane's pixel
      std::int16_t value = 0;
      if (m < per_group_ && own >= 0 && own < channels_) {
        const std::size_t row = static_cast<std::size_t>(chunk / chunks()) * per_group_ + m;
        value = v_[(row * segments_ + segment % segments_) * channels_ + own];
      }
      const auto* bytes = reinterpret_cast<const std::uint8_t*>(&value);  // little-endian
      w.lanes.insert(w.lanes.end(), bytes, bytes + 4 / unit);
    }
  });
  return weights_[at];
}

void ProductLayer::compute(const Images& images) const {
  static thread_local Buffer buffer;
  const void* codes = images.codes;
  if (ops_->unit == 2) {
    // 64 bytes beyond: what fills up a last unit meets weights of 0.
    const std::size_t count = images.positions * images.stride;
    auto* halves = buffer.get<std::int16_t>(count + 64);
    constexpr std::size_t kRun = 1 << 16;
    parallel_for(images.threads, static_cast<long>((count + kRun - 1) / kRun), [&](long item) {
      const std::size_t end = std::min(count, kRun * (item + 1));
      const std::uint8_t* from = images.codes;
      if (negative_) {
        for (std::size_t i = kRun * item; i < end; ++i) {
          halves[i] = static_cast<std::int8_t>(from[i]);
        }
      } else {
        for (std::size_t i = kRun * item; i < end; ++i) halves[i] = from[i];
      }
    });
    codes = halves;
  }
  const Weights& shared = weights(joined_ ? pixels_together(images) : 1);
  std::vector<std::uint32_t> offset_of;  // a window's units, bytes
  for (const std::uint32_t segment : images.offset) {
    for (int u = 0; u < shared.units; ++u) {
      offset_of.push_back(
          static_cast<std::uint32_t>(segment * images.stride * 4 / ops_->unit + 4 * u));
    }
  }
  const long windows = images.pixels / shared.pixels;
  const int tiles = static_cast<int>((windows + kTile - 1) / kTile);
  parallel_for(images.threads, static_cast<long>(g_.groups) * chunks() * tiles,
               [&](long item) { multiply(images, shared, codes, offset_of.data(), item, tiles); });
}

// A tile of windows, 32 channels.
void ProductLayer::multiply(const Images& images, const Weights& weights, const void* codes,
                            const std::uint32_t* offset_of, long item, int tiles) const {
  static thread_local Buffer acc_buffer;
  auto* acc = acc_buffer.get<std::uint32_t>((kTile + 16) * kLanes);
  const long windows = images.pixels / weights.pixels;
  const int tile = static_cast<int>(item % tiles), chunk = static_cast<int>(item / tiles);
  const int group = chunk / chunks(), m = chunk % chunks() * kLanes;
  const long first = windows * tile / tiles;
  const int count = static_cast<int>(windows * (tile + 1) / tiles - first);
  std::uint32_t place[kTile];
  for (int i = 0; i < count; ++i) place[i] = images.pixel[(first + i) * weights.pixels];
  const int bytes = 4 / ops_->unit;
  ProductArgs a{};
  a.acc = acc;
  a.overwrite = true;
  a.pixels = count;
  a.item = place;
  a.stride = images.stride * bytes;
  a.x = static_cast<const std::uint8_t*>(codes) + group * channels_ * bytes;
  const int units = segments_ * weights.units;
  for (int begin = 0; begin < units; begin += kUnits) {
    a.offset_of = offset_of + begin;
    a.units = std::min(kUnits, units - begin);
    a.weights =
        weights.lanes.data() + (static_cast<std::size_t>(chunk) * units + begin) * kLanes * 4;
    ops_->product(a);
    a.overwrite = false;
  }
  const int channel = group * per_group_ + m;
  ops_->store(target(images, channel, std::min(kLanes, per_group_ - m), bias_.data() + channel),
              acc, kLanes / weights.pixels, first * weights.pixels, count * weights.pixels);
}

}  // namespace axhil
