// SPDX-License-Identifier: Apache-2.0
#include "product_layer.hpp"

#include <algorithm>
#include <cstring>

#include "pool.hpp"

namespace axhil {
namespace {

constexpr int kTile = 512;       // pixels of an item: their sums stay in L2
constexpr int kUnits = 128;      // in a block: its weights, 16 KiB, stay in L1

}  // namespace

ProductLayer::ProductLayer(const Geometry& geometry, const Ops* ops, const std::int32_t* u,
                           const std::int32_t* v, int width, const std::uint8_t* weights)
    : Layer(geometry, ops),
      units_((channels_ + ops->unit - 1) / ops->unit),
      negative_(*std::min_element(u, u + (1 << width)) < 0) {
  const int size = 1 << width, unit = ops_->unit, offset = unit == 4 && negative_ ? 128 : 0;
  for (int a = 0; a < 256; ++a) map_[a] = static_cast<std::uint8_t>(u[a % size] + offset);
  weights_.resize(static_cast<std::size_t>(g_.groups) * chunks() * segments_ * units_ * kLanes * 4);
  bias_.resize(g_.O);
  for (int m = 0; m < g_.O; ++m) {
    const int group = m / per_group_, chunk = m % per_group_ / kLanes, lane = m % per_group_ % kLanes;
    for (int s = 0; s < segments_; ++s) {
      for (int c = 0; c < channels_; ++c) {
        const int w = v[weights[weight(m, s, c)]];
        const std::size_t at =
            ((static_cast<std::size_t>(group) * chunks() + chunk) * segments_ + s) * units_ + c / unit;
        std::uint8_t* to = weights_.data() + (at * kLanes + lane) * 4;
        const auto half = static_cast<std::int16_t>(w);
        if (unit == 4) {
          to[c % 4] = static_cast<std::uint8_t>(w);
        } else {
          std::memcpy(to + c % 2 * 2, &half, 2);
        }
        bias_[m] -= offset * w;
      }
    }
  }
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
        for (std::size_t i = kRun * item; i < end; ++i) halves[i] = static_cast<std::int8_t>(from[i]);
      } else {
        for (std::size_t i = kRun * item; i < end; ++i) halves[i] = from[i];
      }
    });
    codes = halves;
  }
  const long pixels = static_cast<long>(images.pixel.size());
  const int tiles = static_cast<int>((pixels + kTile - 1) / kTile);
  parallel_for(images.threads, static_cast<long>(g_.groups) * chunks() * tiles,
               [&](long item) { multiply(images, codes, item, tiles); });
}

// A tile of pixels, 32 channels.
void ProductLayer::multiply(const Images& images, const void* codes, long item,
                            int tiles) const {
  static thread_local Buffer acc_buffer;
  auto* acc = acc_buffer.get<std::uint32_t>((kTile + 16) * kLanes);
  const long pixels = static_cast<long>(images.pixel.size());
  const int tile = static_cast<int>(item % tiles), chunk = static_cast<int>(item / tiles);
  const int group = chunk / chunks(), m = chunk % chunks() * kLanes;
  const long first = pixels * tile / tiles, count = pixels * (tile + 1) / tiles - first;
  ProductArgs a{};
  a.acc = acc;
  a.overwrite = true;
  a.pixels = static_cast<int>(count);
  a.item = images.pixel.data() + first;
  const int bytes = 4 / ops_->unit;
  a.stride = images.stride * bytes;
  for (int s = 0; s < segments_; ++s) {
    for (int begin = 0; begin < units_; begin += kUnits) {
      a.x = static_cast<const std::uint8_t*>(codes) + images.offset[s] * a.stride +
            group * channels_ * bytes + begin * 4;
      a.units = std::min(kUnits, units_ - begin);
      a.weights = weights_.data() +
                  ((static_cast<std::size_t>(chunk) * segments_ + s) * units_ + begin) * kLanes * 4;
      ops_->product(a);
      a.overwrite = false;
    }
  }
  const int channel = group * per_group_ + m;
  ops_->store(target(images, channel, std::min(kLanes, per_group_ - m), bias_.data() + channel),
              acc, kLanes, first, static_cast<int>(count));
}

}  // namespace axhil
