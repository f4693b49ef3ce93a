// SPDX-License-Identifier: Apache-2.0
// Look-ups of 64 bytes at once, by AVX-512 VBMI's vpermi2b: 128 bytes in two registers are a plane
// of a weight's products, a vector of codes picks from them.
#pragma once

#include "loops.hpp"

namespace axhil {
namespace {

void spread(const SpreadArgs& a) {
  for (int i = 0; i < a.kernel; ++i) {
    const int shift = i * a.dilation - a.padding;  // of the codes against the pixels
    const int begin = shift < 0 ? -shift : 0;
    const int end = a.count < a.width - shift ? a.count : a.width - shift;
    for (int p = begin; p < end; p += kLooked) {
      const __mmask64 valid = end - p < kLooked ? (1ull << (end - p)) - 1 : ~0ull;
      const std::uint8_t* from = a.from + shift + p;
      std::uint8_t* to = a.to + i * a.column + p;
      for (int h = 0; h < a.height; ++h, from += a.width, to += a.row) {
        _mm512_mask_storeu_epi8(to, valid, _mm512_maskz_loadu_epi8(valid, from));
      }
    }
  }
}

// Sums of bytes, without separating even from odd lanes: `word` adds the pairs (even + 256 odd,
// modulo 2^16), `odd` their upper halves. The even sum is word - 256 odd, for 257 bytes at most.
struct ByteSums {
  __m512i word, odd;

  void add(__m512i bytes) {
    word = _mm512_add_epi16(word, bytes);
    odd = _mm512_add_epi16(odd, _mm512_srli_epi16(bytes, 8));
  }
};

template <bool kFull>
inline __m512i look_up(const std::uint8_t* plane, __m512i code) {
  const auto part = [&](int i) { return _mm512_loadu_si512(plane + 64 * i); };
  const __m512i low = _mm512_permutex2var_epi8(part(0), code, part(1));
  if constexpr (!kFull) return low;
  const __m512i high = _mm512_permutex2var_epi8(part(2), code, part(3));
  return _mm512_mask_blend_epi8(_mm512_movepi8_mask(code), low, high);
}

// Floor: 2 shuffles, 2 additions and 6 / kGroup more operations for 64 products of 7-bit codes.
template <int kVectors, bool kFull, int kGroup>
inline const Tap* add_groups(const PlaneArgs& a, const Tap* tap, int groups, ByteSums* low,
                             ByteSums* high) {
  constexpr int kSize = kFull ? 256 : 128;
  for (const Tap* end = tap + groups * kGroup; tap != end; tap += kGroup) {
    __m512i lower[kVectors], upper[kVectors];
#pragma GCC unroll 8
    for (int g = 0; g < kGroup; ++g) {
      const std::uint8_t* codes = a.codes + a.offset_of[tap[g].tap];
      const std::uint8_t* plane = a.planes + std::size_t{tap[g].weight} * 2 * kSize;
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) {
        const __m512i code = _mm512_loadu_si512(codes + v * a.pitch);
        __m512i copy = code;
        asm("" : "+v"(copy));  // no second load: a look-up overwrites its codes
        const __m512i l = look_up<kFull>(plane, code), h = look_up<kFull>(plane + kSize, copy);
        lower[v] = g ? _mm512_add_epi8(lower[v], l) : l;
        upper[v] = g ? _mm512_add_epi8(upper[v], h) : h;
        // In this order: gcc 12 adds look-ups up first, and runs out of registers.
        asm volatile("" : "+v"(lower[v]), "+v"(upper[v]));
      }
    }
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) low[v].add(lower[v]), high[v].add(upper[v]);
  }
  return tap;
}

// Vector q: sums of bytes 16 q to 16 q + 15.
inline void combine(const ByteSums& low, const ByteSums& high, int radix, Words* r) {
  const auto even = [](const ByteSums& s) {
    return reinterpret_cast<Words>(_mm512_sub_epi16(s.word, _mm512_slli_epi16(s.odd, 8)));
  };
  const Words low_even = even(low), high_even = even(high);
  const auto low_odd = reinterpret_cast<Words>(low.odd), high_odd = reinterpret_cast<Words>(high.odd);
  r[0] = (low_even & 65535u) + ((high_even & 65535u) << radix);  // of bytes 4 k
  r[1] = (low_odd & 65535u) + ((high_odd & 65535u) << radix);    // of bytes 4 k + 1
  r[2] = (low_even >> 16) + (high_even >> 16 << radix);
  r[3] = (low_odd >> 16) + (high_odd >> 16 << radix);
  transpose4(r);
  // The same of 16-byte parts.
  __m512i s[4];
  for (int i = 0; i < 4; i += 2) {
    const auto x = reinterpret_cast<__m512i>(r[i]), y = reinterpret_cast<__m512i>(r[i + 1]);
    s[i] = _mm512_shuffle_i32x4(x, y, 0x88);
    s[i + 1] = _mm512_shuffle_i32x4(x, y, 0xdd);
  }
  r[0] = reinterpret_cast<Words>(_mm512_shuffle_i32x4(s[0], s[2], 0x88));
  r[1] = reinterpret_cast<Words>(_mm512_shuffle_i32x4(s[1], s[3], 0x88));
  r[2] = reinterpret_cast<Words>(_mm512_shuffle_i32x4(s[0], s[2], 0xdd));
  r[3] = reinterpret_cast<Words>(_mm512_shuffle_i32x4(s[1], s[3], 0xdd));
}

template <int kVectors, bool kFull, int kGroup>
void add_panel(const PlaneArgs& a) {
  ByteSums low[kVectors], high[kVectors];
#pragma GCC unroll 4
  for (int v = 0; v < kVectors; ++v) {
    low[v].word = low[v].odd = high[v].word = high[v].odd = _mm512_setzero_si512();
  }
  const Tap* rest = add_groups<kVectors, kFull, kGroup>(a, a.taps, a.count / kGroup, low, high);
  if constexpr (kGroup > 1) {
    add_groups<kVectors, kFull, 1>(a, rest, a.count % kGroup, low, high);
  }
#pragma GCC unroll 4
  for (int v = 0; v < kVectors; ++v) {
    Words r[4];
    combine(low[v], high[v], a.radix, r);
#pragma GCC unroll 4
    for (int q = 0; q < 4; ++q) {
      std::uint32_t* acc = a.acc + (2 * v + q / 2) * a.stride + q % 2 * kWords;
      save(acc, a.overwrite ? r[q] : r[q] + load<Words>(acc));
    }
  }
}

template <int kVectors, bool kFull>
void add_by_group(const PlaneArgs& a) {
  switch (a.group) {
    case 8: return add_panel<kVectors, kFull, 8>(a);
    case 4: return add_panel<kVectors, kFull, 4>(a);
    case 2: return add_panel<kVectors, kFull, 2>(a);
    default: return add_panel<kVectors, kFull, 1>(a);
  }
}

template <bool kFull>
void add_vectors(PlaneArgs a) {
  if (a.vectors == kPanel) return add_by_group<kPanel, kFull>(a);
  for (int done; a.vectors > 0; a.vectors -= done) {
    done = a.vectors > 1 ? 2 : 1;
    done == 2 ? add_by_group<2, kFull>(a) : add_by_group<1, kFull>(a);
    a.codes += done * a.pitch;
    a.acc += 2 * done * a.stride;
  }
}

void add_planes(const PlaneArgs& a) { a.size == 256 ? add_vectors<true>(a) : add_vectors<false>(a); }

}  // namespace
}  // namespace axhil
