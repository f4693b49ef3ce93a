// SPDX-License-Identifier: Apache-2.0
#include "pooling.hpp"

#include <cstring>

namespace axhil {

void pool(const Pooling& a) {
  const int rows = a.height / 2, columns = a.width / 2;
  for (long i = 0; i < a.planes * rows; ++i) {
    const float* __restrict x = a.large + (i / rows * a.height + i % rows * 2) * a.width;
    const float* __restrict below = x + a.width;
    float* __restrict y = a.small + i * columns;
    for (int j = 0; j < columns; ++j) {
      const auto larger = [](float most, float v) { return (v > most) | (v != v) ? v : most; };
      y[j] = larger(larger(larger(x[2 * j], x[2 * j + 1]), below[2 * j]), below[2 * j + 1]);
    }
    if (!a.which) continue;
    std::uint8_t* __restrict which = a.which + i * columns;
    for (int j = 0; j < columns; ++j) {
      const auto differs = [&](float v) { return std::int32_t{v != y[j]} & std::int32_t{v == v}; };
      const std::int32_t not_0 = differs(x[2 * j]), not_1 = differs(x[2 * j + 1]),
                         not_2 = differs(below[2 * j]);
      which[j] = static_cast<std::uint8_t>(not_0 + (not_0 & not_1) + (not_0 & not_1 & not_2));
    }
  }
}

void unpool(const Pooling& a) {
  const int rows = a.height / 2, columns = a.width / 2;
  if (a.height % 2 || a.width % 2) {
    std::memset(a.large, 0, sizeof(float) * a.planes * a.height * a.width);
  }
  for (long i = 0; i < a.planes * rows; ++i) {
    float* __restrict x = a.large + (i / rows * a.height + i % rows * 2) * a.width;
    float* __restrict below = x + a.width;
    const float* __restrict y = a.small + i * columns;
    const std::uint8_t* __restrict which = a.which + i * columns;
    for (int j = 0; j < columns; ++j) {
      const std::int32_t at = which[j];
      std::uint32_t bits;
      std::memcpy(&bits, y + j, 4);
      // And instead of choose, which gcc 12 makes branches of.
      const auto put = [&](float* to, std::int32_t place) {
        const std::uint32_t value = bits & -static_cast<std::uint32_t>(at == place);
        std::memcpy(to, &value, 4);
      };
      put(x + 2 * j, 0);
      put(x + 2 * j + 1, 1);
      put(below + 2 * j, 2);
      put(below + 2 * j + 1, 3);
    }
  }
}

}  // namespace axhil
