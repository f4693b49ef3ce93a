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
    : Layer(geometry, ops), units_((channels_ + ops->unit - 1) / ops->unit) {
  const int size = 1 << width, unit = ops_->unit;
  const int offset = unit == 4 && *std::min_element(u, u + size) < 0 ? 128 : 0;
  for (int a = 0; a < 256; ++a) map_[a] = static_cast<std::uint16_t>(u[a % size] + offset);
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
  // [position][group][unit]; what fills up a unit meets weights of 0.
  const std::size_t stride = static_cast<std::size_t>(g_.groups) * units_ * 4;
  auto* units = buffer.get<std::uint8_t>(images.positions * stride);
  constexpr long kRun = 256;
  parallel_for(images.threads, (images.positions + kRun - 1) / kRun, [&](long item) {
    const long end = std::min(images.positions, kRun * (item + 1));
    for (long p = kRun * item; p < end; ++p) {
      for (int group = 0; group < g_.groups; ++group) {
        const std::uint8_t* from = images.codes + p * images.stride + group * channels_;
        std::uint8_t* to = units + p * stride + group * units_ * 4;
        if (ops_->unit == 4) {
          for (int c = 0; c < channels_; ++c) to[c] = static_cast<std::uint8_t>(map_[from[c]]);
        } else {
          for (int c = 0; c < channels_; ++c) std::memcpy(to + 2 * c, map_ + from[c], 2);
        }
      }
    }
  });
  const long pixels = static_cast<long>(images.pixel.size());
  const int tiles = static_cast<int>((pixels + kTile - 1) / kTile);
  parallel_for(images.threads, static_cast<long>(g_.groups) * chunks() * tiles,
               [&](long item) { multiply(images, units, item, tiles); });
}

// A tile of pixels, 32 channels.
void ProductLayer::multiply(const Images& images, const std::uint8_t* units, long item,
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
  a.stride = static_cast<std::size_t>(g_.groups) * units_ * 4;
  for (int s = 0; s < segments_; ++s) {
    for (int begin = 0; begin < units_; begin += kUnits) {
      a.x = units + images.offset[s] * a.stride + (group * units_ + begin) * 4;
      a.units = std::min(kUnits, units_ - begin);
      a.weights = weights_.data() +
                  ((static_cast<std::size_t>(chunk) * segments_ + s) * units_ + begin) * kLanes * 4;
      ops_->product(a);
      a.overwrite = false;
    }
  }
  const int channel = group * per_group_ + m;
  ops_->store(target(images, channel, std::min(kLanes, per_group_ - m), bias_.data() + channel),
              acc, false, first, static_cast<int>(count));
}

}  // namespace axhil
