// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

namespace axhil {

// The usual way of emulating a multiplier, for benchmarks only: out[m, p] = sum over k of
// table[activations[k, p], weights[m, k]], one scalar load per product.
// activations: (K, P), weights: (O, K) bit patterns; out: (O, P).
void gather_baseline(const std::int32_t* table, const std::uint8_t* activations,
                     const std::uint8_t* weights, std::int32_t* out, std::size_t O, std::size_t K,
                     std::size_t P);

}  // namespace axhil
