// SPDX-License-Identifier: Apache-2.0
// AVX2. A byte plane of 128 entries is a row of 16-byte tables for vpshufb, which looks up the low
// four bits of an activation in each; a tree of blends on the higher bits picks one. With 256
// entries that is no faster than loads from the table's columns, which is what it does then.
// Widening is that of ops_avx512.cpp, in registers of 32 lanes.
#include "portable.hpp"

#ifdef AXHIL_AVX2
#include <immintrin.h>

namespace axhil {
namespace {

inline __m256i load(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }

struct Sums {
  __m256i word, odd;
};

inline void widen(Sums& s, __m256i bytes) {
  s.word = _mm256_add_epi16(s.word, bytes);
  s.odd = _mm256_add_epi16(s.odd, _mm256_srli_epi16(bytes, 8));
}

// An activation register and its bits 4, 5 and 6 moved to where vpblendvb looks.
struct Codes {
  __m256i code, bit4, bit5, bit6;
};

inline Codes prepare(const std::uint8_t* p) {
  const __m256i code = load(p);
  return {code, _mm256_slli_epi16(code, 3), _mm256_slli_epi16(code, 2),
          _mm256_slli_epi16(code, 1)};
}

// 128 entries at `table`, looked up for both halves of a vector.
inline void lookup(const std::uint8_t* table, const Codes* c, __m256i* out) {
  __m256i level[2][3];
#pragma GCC unroll 4
  for (int pair = 0; pair < 4; ++pair) {
    const auto* t = reinterpret_cast<const __m128i*>(table + 32 * pair);
    const __m256i even = _mm256_broadcastsi128_si256(_mm_loadu_si128(t));
    const __m256i odd = _mm256_broadcastsi128_si256(_mm_loadu_si128(t + 1));
#pragma GCC unroll 2
    for (int h = 0; h < 2; ++h) {
      __m256i v = _mm256_blendv_epi8(_mm256_shuffle_epi8(even, c[h].code),
                                     _mm256_shuffle_epi8(odd, c[h].code), c[h].bit4);
      if (pair % 2 == 0) {
        level[h][0] = v;
      } else {
        v = _mm256_blendv_epi8(level[h][0], v, c[h].bit5);
        if (pair == 1) {
          level[h][1] = v;
        } else {
          out[h] = _mm256_blendv_epi8(level[h][1], v, c[h].bit6);
        }
      }
    }
  }
}

template <int kPlanes, bool kLowBytes>
void add_taps(const BlockArgs& a, std::ptrdiff_t vector, const std::uint8_t* tables,
              const Entry* entry, int count, int group, Sums* low, Sums* high) {
  const int grouped = count / group * group;
  for (int t = 0; t < count;) {
    const int n = t < grouped ? group : 1;
    __m256i low_bytes[2], high_bytes[2];
    for (int h = 0; h < 2; ++h) low_bytes[h] = high_bytes[h] = _mm256_setzero_si256();
    for (int g = 0; g < n; ++g, ++t) {
      const std::uint8_t* p = a.base + a.tap_offset[entry[t].tap] + vector;
      const std::uint8_t* table = tables + entry[t].planes;
      const Codes codes[2] = {prepare(p), prepare(p + 32)};
      __m256i v[2];
      lookup(table, codes, v);
      for (int h = 0; h < 2; ++h) {
        if constexpr (kLowBytes) {
          low_bytes[h] = _mm256_add_epi8(low_bytes[h], v[h]);
        } else {
          widen(low[h], v[h]);
        }
      }
      if constexpr (kPlanes == 2) {
        lookup(table + 128, codes, v);
        for (int h = 0; h < 2; ++h) high_bytes[h] = _mm256_add_epi8(high_bytes[h], v[h]);
      }
    }
    for (int h = 0; h < 2; ++h) {
      if constexpr (kLowBytes) widen(low[h], low_bytes[h]);
      if constexpr (kPlanes == 2) widen(high[h], high_bytes[h]);
    }
  }
}

// acc's lane order: slot 32 h + 8 j + i holds lane 32 h + 4 i + j.
inline void parts(const Sums& s, __m256i* out) {
  const __m256i mask = _mm256_set1_epi32(0xffff);
  const __m256i even = _mm256_sub_epi16(s.word, _mm256_slli_epi16(s.odd, 8));
  out[0] = _mm256_and_si256(even, mask);
  out[1] = _mm256_and_si256(s.odd, mask);
  out[2] = _mm256_srli_epi32(even, 16);
  out[3] = _mm256_srli_epi32(s.odd, 16);
}

void block_vector(const BlockArgs& a, int index) {
  Sums low[2], high[2];
  for (int h = 0; h < 2; ++h) {
    low[h].word = low[h].odd = high[h].word = high[h].odd = _mm256_setzero_si256();
  }
  const std::ptrdiff_t vector = a.vector_offset[index];
  const Entry* entry = a.entries + a.list.first;
  const std::uint8_t* bytes = a.tables[kRadices - 1];
  if (a.list.single_group > 1) {
    add_taps<1, true>(a, vector, bytes, entry, a.list.singles, a.list.single_group, low,
                             high);
  } else {
    add_taps<1, false>(a, vector, bytes, entry, a.list.singles, 1, low, high);
  }
  entry += a.list.singles;
  const int radix = kFormRadix[a.list.form];
  if (radix < 8) {
    add_taps<2, true>(a, vector, a.tables[radix - 5], entry, a.list.doubles,
                             kFormGroup[a.list.form], low, high);
  } else {
    add_taps<2, false>(a, vector, bytes, entry, a.list.doubles, kFormGroup[a.list.form],
                              low, high);
  }
  for (int h = 0; h < 2; ++h) {
    __m256i sum[4], upper[4];
    parts(low[h], sum);
    parts(high[h], upper);
    for (int j = 0; j < 4; ++j) {
      auto* acc = reinterpret_cast<__m256i*>(a.acc + index * kLanes + 32 * h + 8 * j);
      sum[j] = _mm256_add_epi32(sum[j], _mm256_sll_epi32(upper[j], _mm_cvtsi32_si128(radix)));
      sum[j] = _mm256_sll_epi32(sum[j], _mm_cvtsi32_si128(a.shift));
      if (!a.overwrite) sum[j] = _mm256_add_epi32(sum[j], load(acc));
      _mm256_storeu_si256(acc, sum[j]);
    }
  }
}

int lane_slot(int lane) { return lane / 32 * 32 + 8 * (lane % 4) + lane % 32 / 4; }

void block(const BlockArgs& a) {
  if (a.full) {
    block_columns(a, lane_slot);
    return;
  }
  for (int v = 0; v < a.vectors; ++v) block_vector(a, v);
}

std::uint8_t quantize(const QuantizeArgs& a) { return quantize_portable(a); }

// kChannels output channels of 32 pixels. Bytes become 16-bit pairs (channels 0 and 2, 1 and 3) for
// vpmaddwd: vpmaddubsw would saturate.
template <int kChannels>
void product_half(const ProductArgs& a, int m, const std::uint8_t* base, std::int32_t* acc) {
  __m256i sum[kChannels][4];
  for (int c = 0; c < kChannels; ++c) {
    for (int i = 0; i < 4; ++i) sum[c][i] = _mm256_setzero_si256();
  }
  const std::int8_t* weights = a.weights + m * a.weight_stride;
  const __m256i low = _mm256_set1_epi16(0xff);
  for (int q = 0; q < a.quads; ++q) {
    __m256i even_weight[kChannels], odd_weight[kChannels];
#pragma GCC unroll 2
    for (int c = 0; c < kChannels; ++c) {
      std::int32_t quad;
      std::memcpy(&quad, weights + c * a.weight_stride + 4 * q, 4);
      const __m256i w = _mm256_set1_epi32(quad);
      even_weight[c] = _mm256_srai_epi16(_mm256_slli_epi16(w, 8), 8);
      odd_weight[c] = _mm256_srai_epi16(w, 8);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      const __m256i x = load(base + a.tap_offset[q] + 32 * i);
      const __m256i even = _mm256_and_si256(x, low), odd = _mm256_srli_epi16(x, 8);
#pragma GCC unroll 2
      for (int c = 0; c < kChannels; ++c) {
        const __m256i pairs = _mm256_add_epi32(_mm256_madd_epi16(even, even_weight[c]),
                                               _mm256_madd_epi16(odd, odd_weight[c]));
        sum[c][i] = _mm256_add_epi32(sum[c][i], pairs);
      }
    }
  }
  for (int c = 0; c < kChannels; ++c) {
    for (int i = 0; i < 4; ++i) {
      auto* to = reinterpret_cast<__m256i*>(acc + c * a.channel_stride + 8 * i);
      _mm256_storeu_si256(to, a.overwrite ? sum[c][i] : _mm256_add_epi32(sum[c][i], load(to)));
    }
  }
}

void product(const ProductArgs& a) {
  for (int v = 0; v < a.vectors; ++v) {
    for (int half = 0; half < 2; ++half) {
      const std::uint8_t* base = a.base + a.vector_offset[v] + 128 * half;
      std::int32_t* acc = a.acc + v * kLanes + 32 * half;
      int m = 0;
      for (; m + 2 <= a.channels; m += 2) product_half<2>(a, m, base, acc + m * a.channel_stride);
      if (m < a.channels) product_half<1>(a, m, base, acc + m * a.channel_stride);
    }
  }
}

void interleave(const std::uint8_t* from, std::size_t stride, int count, int lanes,
                const std::uint8_t* map, std::uint8_t rest, std::uint8_t* out) {
  interleave_portable(from, stride, count, lanes, map, rest, out, lane_slot);
}

void store(const StoreArgs& a) { store_portable(a, lane_slot); }

constexpr Ops kOps = {"avx2", true, false, 6000,
                      block, quantize, product, interleave, store, gather_portable, lane_slot};

}  // namespace

const Ops* ops_avx2() {
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx2") ? &kOps : nullptr;
}

}  // namespace axhil

#else

namespace axhil {

const Ops* ops_avx2() { return nullptr; }

}  // namespace axhil
#endif
