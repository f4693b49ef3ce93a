// SPDX-License-Identifier: Apache-2.0
// AVX-512 VBMI. vpermi2b looks 64 activations up in a 128-entry byte plane held in two registers.
//
// Bytes are widened to 16 bits without separating even from odd lanes: `word` adds the register as
// it is (even + 256 odd, modulo 2^16), `odd` adds it shifted right by 8. The even sum is
// word - 256 odd, exact while it stays below 2^16, that is for 257 widenings; a block has at most
// kBlock of them. Three operations for 64 lanes instead of four.
#include "portable.hpp"

#ifdef AXHIL_AVX512
#include <immintrin.h>

namespace axhil {
namespace {

inline __m512i load(const void* p) { return _mm512_loadu_si512(p); }

struct Sums {
  __m512i word, odd;
};

inline void widen(Sums& s, __m512i bytes) {
  s.word = _mm512_add_epi16(s.word, bytes);
  s.odd = _mm512_add_epi16(s.odd, _mm512_srli_epi16(bytes, 8));
}

template <bool kFull>
struct Plane {
  __m512i part[kFull ? 4 : 2];
  explicit Plane(const std::uint8_t* table) {
    for (int i = 0; i < (kFull ? 4 : 2); ++i) part[i] = load(table + 64 * i);
  }
  __m512i operator()(__m512i code) const {
    const __m512i lower = _mm512_permutex2var_epi8(part[0], code, part[1]);
    if constexpr (kFull) {
      const __m512i upper = _mm512_permutex2var_epi8(part[2], code, part[3]);
      return _mm512_mask_blend_epi8(_mm512_movepi8_mask(code), lower, upper);
    }
    return lower;
  }
};

struct Source {
  const std::uint8_t* base;
  const std::uint32_t* tap_offset;
  const std::uint8_t* table;
  std::ptrdiff_t vector[kPanel];
};

// kGroup taps: planes = 1 or 2; low_bytes: the low plane too is added as bytes first.
template <int P, bool kFull, int kGroup, int kPlanes, bool kLowBytes>
inline __attribute__((always_inline)) void add_group(const Source& s, const std::uint16_t* entry,
                                                     Sums* low, Sums* high) {
  constexpr int kSize = kFull ? 256 : 128;
  __m512i low_bytes[P], high_bytes[P];
#pragma GCC unroll 8
  for (int g = 0; g < kGroup; ++g) {
    const std::uint8_t* code = s.base + s.tap_offset[entry[g] & 255];
    const std::uint8_t* table = s.table + static_cast<std::size_t>(entry[g] >> 8) * (2 * kSize);
    {
      const Plane<kFull> plane(table);
#pragma GCC unroll 4
      for (int p = 0; p < P; ++p) {
        const __m512i v = plane(load(code + s.vector[p]));
        if constexpr (kLowBytes) {
          low_bytes[p] = g ? _mm512_add_epi8(low_bytes[p], v) : v;
        } else {
          widen(low[p], v);
        }
      }
    }
    if constexpr (kPlanes == 2) {
      const Plane<kFull> plane(table + kSize);
#pragma GCC unroll 4
      for (int p = 0; p < P; ++p) {
        const __m512i v = plane(load(code + s.vector[p]));
        high_bytes[p] = g ? _mm512_add_epi8(high_bytes[p], v) : v;
      }
    }
  }
#pragma GCC unroll 4
  for (int p = 0; p < P; ++p) {
    if constexpr (kLowBytes) widen(low[p], low_bytes[p]);
    if constexpr (kPlanes == 2) widen(high[p], high_bytes[p]);
  }
}

template <int P, bool kFull, int kGroup, int kPlanes, bool kLowBytes>
inline __attribute__((always_inline)) void add_taps(const Source& s, const std::uint16_t* entry,
                                                    int count, Sums* low, Sums* high) {
  const std::uint16_t* const grouped = entry + count / kGroup * kGroup;
  const std::uint16_t* const end = entry + count;
  for (; entry != grouped; entry += kGroup) {
    add_group<P, kFull, kGroup, kPlanes, kLowBytes>(s, entry, low, high);
  }
  if constexpr (kGroup > 1) {
    for (; entry != end; ++entry) add_group<P, kFull, 1, kPlanes, false>(s, entry, low, high);
  }
}

// acc's lane order: slot 16 j + i holds lane 4 i + j.
inline void spill(std::int32_t* acc, bool overwrite, const Sums& low, const Sums& high, bool doubles,
                  int radix, int shift) {
  const __m512i mask = _mm512_set1_epi32(0xffff);
  const __m512i low_even = _mm512_sub_epi16(low.word, _mm512_slli_epi16(low.odd, 8));
  __m512i sum[4] = {_mm512_and_si512(low_even, mask), _mm512_and_si512(low.odd, mask),
                    _mm512_srli_epi32(low_even, 16), _mm512_srli_epi32(low.odd, 16)};
  if (doubles) {
    const __m512i high_even = _mm512_sub_epi16(high.word, _mm512_slli_epi16(high.odd, 8));
    const __m512i part[4] = {_mm512_and_si512(high_even, mask), _mm512_and_si512(high.odd, mask),
                             _mm512_srli_epi32(high_even, 16), _mm512_srli_epi32(high.odd, 16)};
    const __m128i by = _mm_cvtsi32_si128(radix);
    for (int j = 0; j < 4; ++j) sum[j] = _mm512_add_epi32(sum[j], _mm512_sll_epi32(part[j], by));
  }
  const __m128i by = _mm_cvtsi32_si128(shift);
  for (int j = 0; j < 4; ++j) {
    if (shift) sum[j] = _mm512_sll_epi32(sum[j], by);
    if (!overwrite) sum[j] = _mm512_add_epi32(sum[j], load(acc + 16 * j));
    _mm512_storeu_si512(acc + 16 * j, sum[j]);
  }
}

template <int P, bool kFull>
void block_panel(const BlockArgs& a, int first) {
  Source s{a.base, a.tap_offset, a.tables[kRadices - 1], {}};
  for (int p = 0; p < P; ++p) s.vector[p] = a.vector_offset[first + p];
  Sums low[P], high[P];
  for (int p = 0; p < P; ++p) {
    low[p].word = low[p].odd = high[p].word = high[p].odd = _mm512_setzero_si512();
  }
  const std::uint16_t* entry = a.entries + a.list.first;
  if (a.list.singles) {
    const int n = a.list.singles;
    switch (a.list.single_group) {
      case 8: add_taps<P, kFull, 8, 1, true>(s, entry, n, low, high); break;
      case 4: add_taps<P, kFull, 4, 1, true>(s, entry, n, low, high); break;
      case 2: add_taps<P, kFull, 2, 1, true>(s, entry, n, low, high); break;
      default: add_taps<P, kFull, 1, 1, false>(s, entry, n, low, high);
    }
    entry += n;
  }
  const int radix = kFormRadix[a.list.form];
  if (a.list.doubles) {
    s.table = a.tables[radix - 5];
    const int n = a.list.doubles;
    switch (a.list.form) {
      case kFiveByEight: add_taps<P, kFull, 8, 2, true>(s, entry, n, low, high); break;
      case kSixByFour: add_taps<P, kFull, 4, 2, true>(s, entry, n, low, high); break;
      case kSevenByTwo: add_taps<P, kFull, 2, 2, true>(s, entry, n, low, high); break;
      case kEightByTwo: add_taps<P, kFull, 2, 2, false>(s, entry, n, low, high); break;
      default: add_taps<P, kFull, 1, 2, false>(s, entry, n, low, high);
    }
  }
#pragma GCC unroll 4
  for (int p = 0; p < P; ++p) {
    spill(a.acc + (first + p) * kLanes, a.overwrite, low[p], high[p], a.list.doubles != 0, radix,
          a.shift);
  }
}

template <bool kFull>
void block_vectors(const BlockArgs& a) {
  int v = 0;
  if (a.vectors == 4) return block_panel<4, kFull>(a, 0);
  if (a.vectors - v >= 2) {
    block_panel<2, kFull>(a, v);
    v += 2;
  }
  if (a.vectors - v >= 1) block_panel<1, kFull>(a, v);
}

void block(const BlockArgs& a) {
  if (a.full) {
    block_vectors<true>(a);
  } else {
    block_vectors<false>(a);
  }
}

// 16 x 16 transpose of 32-bit elements.
inline void transpose(__m512i* r) {
  __m512i t[16];
#pragma GCC unroll 8
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
    t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 16; i += 4) {
    r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
    r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
    r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
    r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    t[i] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0x88);
    t[i + 4] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0xdd);
    t[i + 8] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0x88);
    t[i + 12] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0xdd);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    r[i] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0x88);
    r[i + 4] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0x88);
    r[i + 8] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0xdd);
    r[i + 12] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0xdd);
  }
}

// The codes of 4 images at up to 16 positions, as 16 dwords (one per position) of 4 bytes.
inline __m512i quad_of_codes(const QuantizeArgs& a, int n, std::size_t p, __mmask16 valid) {
  __m512i v[4];
  const __m512 inv = _mm512_set1_ps(a.inv_scale);
  const __m512 least = _mm512_set1_ps(a.qmin), most = _mm512_set1_ps(a.qmax);
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    if (n + i >= a.images) {
      v[i] = _mm512_setzero_si512();
      continue;
    }
    const std::size_t at = (n + i) * a.image_stride + p;
    if (a.codes) {
      v[i] = _mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(valid, a.codes + at));
      continue;
    }
    const __m512 x = _mm512_mul_ps(_mm512_maskz_loadu_ps(valid, a.x + at), inv);
    if (a.mask) {
      const __m512 r = _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
      const __mmask16 in = _mm512_cmp_ps_mask(r, least, _CMP_GE_OQ) &
                           _mm512_cmp_ps_mask(r, most, _CMP_LE_OQ);
      _mm_mask_storeu_epi8(a.mask + at, valid, _mm_maskz_set1_epi8(in, 1));
    }
    // max(x, qmin) is qmin for NaN, as on the portable path.
    v[i] = _mm512_and_si512(
        _mm512_cvtps_epi32(_mm512_min_ps(_mm512_max_ps(x, least), most)), _mm512_set1_epi32(255));
  }
  // Values are 0..255: the packs below don't saturate. Per 128-bit part: 4 positions of image n,
  // of n + 1, ...; the byte shuffle brings the 4 images of a position together.
  const __m512i packed = _mm512_packus_epi16(_mm512_packus_epi32(v[0], v[1]),
                                             _mm512_packus_epi32(v[2], v[3]));
  const __m512i order = _mm512_broadcast_i32x4(
      _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
  return _mm512_shuffle_epi8(packed, order);
}

std::uint8_t quantize(const QuantizeArgs& a) {
  __m512i any = _mm512_setzero_si512();
  for (std::size_t p = 0; p < a.positions; p += 16) {
    const int count = static_cast<int>(a.positions - p < 16 ? a.positions - p : 16);
    const auto valid = static_cast<__mmask16>((1u << count) - 1);
    __m512i rows[16];
    for (int q = 0; q < 16; ++q) {
      rows[q] = 4 * q < a.images ? quad_of_codes(a, 4 * q, p, valid) : _mm512_setzero_si512();
      any = _mm512_or_si512(any, rows[q]);
    }
    transpose(rows);
    for (int i = 0; i < count; ++i) {
      _mm512_storeu_si512(a.plane + static_cast<std::size_t>(a.line[p + i]) * kLanes, rows[i]);
    }
  }
  return _mm512_movepi8_mask(any) ? 255 : 0;
}

// Sixteen rows (position of a channel) of acc, transposed to 16 contiguous outputs per image.
struct Rows {
  const std::int32_t* acc;
  int count, period, channel;  // row r belongs to channel + r / period
};

void store_rows(const StoreArgs& a, const Rows& rows, std::size_t to) {
  const auto valid = static_cast<__mmask16>((1u << rows.count) - 1);
  for (int j = 0; j < 4; ++j) {
    __m512i r[16];
    for (int i = 0; i < 16; ++i) {
      if (i >= rows.count) {
        r[i] = _mm512_setzero_si512();
        continue;
      }
      const int m = rows.channel + i / rows.period;
      r[i] = _mm512_add_epi32(load(rows.acc + i * kLanes + 16 * j), _mm512_set1_epi32(a.add[m]));
      if (!a.scale) continue;
      __m512 y = _mm512_mul_ps(_mm512_cvtepi32_ps(r[i]), _mm512_set1_ps(a.scale[m]));
      y = _mm512_add_ps(y, _mm512_set1_ps(a.bias[m]));
      if (a.relu) {
        const __m512 zero = _mm512_setzero_ps();
        y = _mm512_mask_mov_ps(y, _mm512_cmp_ps_mask(y, zero, _CMP_LT_OQ), zero);
      }
      r[i] = _mm512_castps_si512(y);
    }
    transpose(r);
    auto* out = static_cast<std::int32_t*>(a.out) + to;
    for (int i = 0; i < 16 && 4 * i + j < a.images; ++i) {
      _mm512_mask_storeu_epi32(out + (4 * i + j) * a.image_stride, valid, r[i]);
    }
  }
}

void store(const StoreArgs& a) {
  const std::size_t positions = a.positions;
  if (a.channel_stride == positions) {
    // All positions of the channels: their rows are contiguous in the output.
    const int total = static_cast<int>(a.channels * positions);
    for (int row = 0; row < total; row += 16) {
      if (positions % 16 == 0 || 16 % positions == 0) {
        const Rows rows{a.acc + row * kLanes, total - row < 16 ? total - row : 16, a.positions,
                        static_cast<int>(row / positions)};
        store_rows(a, rows, row);
      } else {
        break;
      }
    }
    if (positions % 16 == 0 || 16 % positions == 0) return;
  }
  for (int m = 0; m < a.channels; ++m) {
    for (int p = 0; p < a.positions; p += 16) {
      const Rows rows{a.acc + (static_cast<std::size_t>(m) * positions + p) * kLanes,
                      a.positions - p < 16 ? a.positions - p : 16, a.positions, m};
      store_rows(a, rows, m * a.channel_stride + p);
    }
  }
}

int lane_slot(int lane) { return 16 * (lane % 4) + lane / 4; }

constexpr Ops kOps = {"avx512vbmi", true, block, quantize, store, lane_slot};

}  // namespace

const Ops* ops_avx512vbmi() {
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                 __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
                 __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vnni")
             ? &kOps
             : nullptr;
}

}  // namespace axhil

#else

namespace axhil {

const Ops* ops_avx512vbmi() { return nullptr; }

}  // namespace axhil
#endif
