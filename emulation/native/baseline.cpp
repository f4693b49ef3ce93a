// SPDX-License-Identifier: Apache-2.0
#include "baseline.hpp"

#include <algorithm>

namespace axhil {

void gather_baseline(const std::int32_t* table, const std::uint8_t* activations,
                     const std::uint8_t* weights, std::int32_t* out, std::size_t O, std::size_t K,
                     std::size_t P) {
  // Pixels in tiles, so that activations and sums stay in L1, and products in blocks of four
  // taps, so that a sum is loaded and stored once in four look-ups.
  constexpr std::size_t kTile = 256;
  for (std::size_t p = 0; p < P; p += kTile) {
    const std::size_t end = std::min(P, p + kTile);
    for (std::size_t m = 0; m < O; ++m) {
      std::int32_t* sums = out + m * P;
      const std::uint8_t* w = weights + m * K;
      std::fill(sums + p, sums + end, 0);
      std::size_t k = 0;
      for (; k + 4 <= K; k += 4) {
        const std::uint8_t* x = activations + k * P;
        const std::int32_t *t0 = table + w[k], *t1 = table + w[k + 1], *t2 = table + w[k + 2],
                           *t3 = table + w[k + 3];
        for (std::size_t i = p; i < end; ++i) {
          sums[i] += t0[x[i] << 8] + t1[x[P + i] << 8] + t2[x[2 * P + i] << 8] +
                     t3[x[3 * P + i] << 8];
        }
      }
      for (; k < K; ++k) {
        const std::uint8_t* x = activations + k * P;
        const std::int32_t* t = table + w[k];
        for (std::size_t i = p; i < end; ++i) sums[i] += t[x[i] << 8];
      }
    }
  }
}

}  // namespace axhil
