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

#include <utility>

namespace axhil {
namespace {

inline __m512i load(const void* p) { return _mm512_loadu_si512(p); }

struct Sums {
  __m512i word, odd;
};

// The inner loop is volatile assembly, statement by statement, which keeps it in the order
// written. Left to itself gcc 12 hoists the loads of a whole group of taps, reassociates the sums
// and spills them, and picks vpermt2b, which overwrites a table register: half the rate.

inline void widen(Sums& s, __m512i bytes) {
  asm volatile(
      "vpaddw %2, %0, %0\n\t"
      "vpsrlw $8, %2, %2\n\t"
      "vpaddw %2, %1, %1"
      : "+v"(s.word), "+v"(s.odd), "+v"(bytes));
}

inline void add_bytes(__m512i& sum, __m512i bytes) {
  asm volatile("vpaddb %1, %0, %0" : "+v"(sum) : "v"(bytes));
}

inline __m512i load_now(const std::uint8_t* p) {
  __m512i v;
  asm volatile("vmovdqu64 %1, %0" : "=v"(v) : "m"(*reinterpret_cast<const char(*)[64]>(p)));
  return v;
}

template <bool kFull>
struct Plane {
  __m512i part[kFull ? 4 : 2];
  explicit Plane(const std::uint8_t* table) {
    for (int i = 0; i < (kFull ? 4 : 2); ++i) part[i] = load_now(table + 64 * i);
  }
};

inline __m512i lookup(const Plane<false>& t, const std::uint8_t* code) {
  __m512i v;
  asm volatile(
      "vmovdqu64 %3, %0\n\t"
      "vpermi2b %2, %1, %0"
      : "=&v"(v)
      : "v"(t.part[0]), "v"(t.part[1]), "m"(*reinterpret_cast<const char(*)[64]>(code)));
  return v;
}

inline __m512i lookup(const Plane<true>& t, const std::uint8_t* code) {
  __m512i lower, upper;
  __mmask64 beyond;
  asm volatile(
      "vmovdqu64 %7, %0\n\t"
      "vmovdqa64 %0, %1\n\t"
      "vpmovb2m %0, %2\n\t"
      "vpermi2b %4, %3, %0\n\t"
      "vpermi2b %6, %5, %1"
      : "=&v"(lower), "=&v"(upper), "=&k"(beyond)
      : "v"(t.part[0]), "v"(t.part[1]), "v"(t.part[2]), "v"(t.part[3]),
        "m"(*reinterpret_cast<const char(*)[64]>(code)));
  return _mm512_mask_blend_epi8(beyond, lower, upper);
}

inline void lookup_both(const Plane<false>& low, const Plane<false>& high, const std::uint8_t* code,
                        __m512i* v) {
  asm volatile(
      "vmovdqu64 %6, %0\n\t"
      "vmovdqa64 %0, %1\n\t"
      "vpermi2b %3, %2, %0\n\t"
      "vpermi2b %5, %4, %1"
      : "=&v"(v[0]), "=&v"(v[1])
      : "v"(low.part[0]), "v"(low.part[1]), "v"(high.part[0]), "v"(high.part[1]),
        "m"(*reinterpret_cast<const char(*)[64]>(code)));
}

struct Source {
  const std::uint8_t* base;
  const std::uint32_t* tap_offset;
  const std::uint8_t* table;
  std::ptrdiff_t vector[kPanel];
};

// Calls step(0), ..., step(kCount - 1) with constants: gcc keeps arrays in registers only if no
// index is ever a variable.
template <class Step, int... kAt>
inline __attribute__((always_inline)) void each(std::integer_sequence<int, kAt...>, Step step) {
  (step(std::integral_constant<int, kAt>()), ...);
}
template <int kCount, class Step>
inline __attribute__((always_inline)) void each(Step step) {
  each(std::make_integer_sequence<int, kCount>(), step);
}

// Adds up `count` taps, kGroup at a time as bytes; a low plane only if kLowBytes.
template <int P, bool kFull, int kGroup, int kPlanes, bool kLowBytes>
inline __attribute__((always_inline)) void add_taps(const Source& s, const Entry* entry,
                                                    int count, Sums (&low)[P], Sums (&high)[P]) {
  constexpr int kSize = kFull ? 256 : 128;
  const Entry* const grouped = entry + count / kGroup * kGroup;
  const Entry* const end = entry + count;
  for (; entry != grouped; entry += kGroup) {
    __m512i low_bytes[P], high_bytes[P];
    each<kGroup>([&](auto g) __attribute__((always_inline)) {
      const std::uint8_t* code = s.base + s.tap_offset[entry[g].tap];
      const std::uint8_t* table = s.table + std::size_t{entry[g].planes} * (kSize / 128);
      const auto add_low = [&](auto p, __m512i v) __attribute__((always_inline)) {
        if constexpr (!kLowBytes) {
          widen(low[p], v);
        } else if constexpr (g == 0) {
          low_bytes[p] = v;
        } else {
          add_bytes(low_bytes[p], v);
        }
      };
      const auto add_high = [&](auto p, __m512i v) __attribute__((always_inline)) {
        if constexpr (g == 0) {
          high_bytes[p] = v;
        } else {
          add_bytes(high_bytes[p], v);
        }
      };
      if constexpr (kFull || kPlanes == 1) {
        // A plane at a time: registers hold no more than one of 256 entries.
        const Plane<kFull> low_plane(table);
        each<P>([&](auto p) __attribute__((always_inline)) {
          add_low(p, lookup(low_plane, code + s.vector[p]));
        });
        if constexpr (kPlanes == 2) {
          const Plane<kFull> high_plane(table + kSize);
          each<P>([&](auto p) __attribute__((always_inline)) {
            add_high(p, lookup(high_plane, code + s.vector[p]));
          });
        }
      } else {
        const Plane<kFull> low_plane(table), high_plane(table + kSize);
        each<P>([&](auto p) __attribute__((always_inline)) {
          __m512i v[2];
          lookup_both(low_plane, high_plane, code + s.vector[p], v);
          add_low(p, v[0]);
          add_high(p, v[1]);
        });
      }
    });
    each<P>([&](auto p) __attribute__((always_inline)) {
      if constexpr (kLowBytes) widen(low[p], low_bytes[p]);
      if constexpr (kPlanes == 2) widen(high[p], high_bytes[p]);
    });
  }
  if constexpr (kGroup > 1) {
    add_taps<P, kFull, 1, kPlanes, false>(s, entry, static_cast<int>(end - entry), low, high);
  }
}

// acc's lane order: slot 16 j + i holds lane 4 i + j.
inline void spill(std::int32_t* acc, bool overwrite, const Sums& low, const Sums& high,
                  bool doubles, int radix, int shift) {
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
struct Panel {
  Source source;
  Sums low[P], high[P];
};

// Not inlined: a function per kind of list keeps its sums in registers from end to end.
template <int P, bool kFull, int kGroup, int kPlanes, bool kLowBytes>
__attribute__((noinline)) void add_list(Panel<P, kFull>& panel, const Entry* entry,
                                        int count) {
  const Source source = panel.source;
  Sums low[P], high[P];
  each<P>([&](auto p) { low[p] = panel.low[p], high[p] = panel.high[p]; });
  add_taps<P, kFull, kGroup, kPlanes, kLowBytes>(source, entry, count, low, high);
  each<P>([&](auto p) { panel.low[p] = low[p], panel.high[p] = high[p]; });
}

template <int P, bool kFull>
void block_panel(const BlockArgs& a, int first) {
  Panel<P, kFull> s;
  s.source = {a.base, a.tap_offset, a.tables[kRadices - 1], {}};
  for (int p = 0; p < P; ++p) {
    s.source.vector[p] = a.vector_offset[first + p];
    s.low[p].word = s.low[p].odd = s.high[p].word = s.high[p].odd = _mm512_setzero_si512();
  }
  const Entry* entry = a.entries + a.list.first;
  if (const int n = a.list.singles) {
    switch (a.list.single_group) {
      case 8: add_list<P, kFull, 8, 1, true>(s, entry, n); break;
      case 4: add_list<P, kFull, 4, 1, true>(s, entry, n); break;
      case 2: add_list<P, kFull, 2, 1, true>(s, entry, n); break;
      default: add_list<P, kFull, 1, 1, false>(s, entry, n);
    }
    entry += n;
  }
  const int radix = kFormRadix[a.list.form];
  if (const int n = a.list.doubles) {
    s.source.table = a.tables[radix - 5];
    switch (a.list.form) {
      case kFiveByEight: add_list<P, kFull, 8, 2, true>(s, entry, n); break;
      case kSixByFour: add_list<P, kFull, 4, 2, true>(s, entry, n); break;
      case kSevenByTwo: add_list<P, kFull, 2, 2, true>(s, entry, n); break;
      case kEightByTwo: add_list<P, kFull, 2, 2, false>(s, entry, n); break;
      default: add_list<P, kFull, 1, 2, false>(s, entry, n);
    }
  }
#pragma GCC unroll 4
  for (int p = 0; p < P; ++p) {
    spill(a.acc + (first + p) * kLanes, a.overwrite, s.low[p], s.high[p], a.list.doubles != 0,
          radix, a.shift);
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
    // No hardware prefetcher follows 64 streams, one per image.
    _mm_prefetch(reinterpret_cast<const char*>(a.x + at + 32), _MM_HINT_T0);
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
  std::size_t next;            // distance of the next sixteen in the output
};

template <bool kStream>
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
      std::int32_t* line = out + (4 * i + j) * a.image_stride;
      // As for reading: 64 streams of single cache lines, which the next call wants owned.
      if constexpr (!kStream) __builtin_prefetch(line + rows.next, 1);
      if (rows.count != 16) {
        _mm512_mask_storeu_epi32(line, valid, r[i]);
      } else if constexpr (kStream) {
        _mm512_stream_si512(reinterpret_cast<__m512i*>(line), r[i]);
      } else {
        _mm512_storeu_si512(line, r[i]);
      }
    }
  }
}

template <bool kStream>
void store_all(const StoreArgs& a) {
  const std::size_t positions = a.positions;
  if (a.channel_stride == positions) {
    // All positions of the channels: their rows are contiguous in the output.
    const int total = static_cast<int>(a.channels * positions);
    for (int row = 0; row < total; row += 16) {
      if (positions % 16 == 0 || 16 % positions == 0) {
        const Rows rows{a.acc + row * kLanes, total - row < 16 ? total - row : 16, a.positions,
                        static_cast<int>(row / positions), 16};
        store_rows<kStream>(a, rows, row);
      } else {
        break;
      }
    }
    if (positions % 16 == 0 || 16 % positions == 0) return;
  }
  for (int m = 0; m < a.channels; ++m) {
    for (int p = 0; p < a.positions; p += 16) {
      const Rows rows{a.acc + (static_cast<std::size_t>(m) * positions + p) * kLanes,
                      a.positions - p < 16 ? a.positions - p : 16, a.positions, m,
                      p + 16 < a.positions ? 16 : a.channel_stride - p};
      store_rows<kStream>(a, rows, m * a.channel_stride + p);
    }
  }
}

void store(const StoreArgs& a) {
  // Sixteen outputs are a line if every row of them starts on one.
  const bool lines = reinterpret_cast<std::uintptr_t>(a.out) % 64 == 0 &&
                     a.image_stride % 16 == 0 && a.channel_stride % 16 == 0;
  if (a.stream && lines) {
    store_all<true>(a);
    _mm_sfence();  // streamed stores are not ordered by the atomics that end a job
  } else {
    store_all<false>(a);
  }
}

// kChannels output channels of one vector: 4 registers of 16 pixels each.
template <int kChannels>
void product_vector(const ProductArgs& a, int m, const std::uint8_t* base, std::int32_t* acc) {
  __m512i sum[kChannels][4];
  each<kChannels>([&](auto c) {
    each<4>([&](auto j) { sum[c][j] = _mm512_setzero_si512(); });
  });
  const std::int8_t* weights = a.weights + m * a.weight_stride;
  for (int q = 0; q < a.quads; ++q) {
    const std::uint8_t* x = base + a.tap_offset[q];
    const __m512i pixels[4] = {load(x), load(x + 64), load(x + 128), load(x + 192)};
    each<kChannels>([&](auto c) __attribute__((always_inline)) {
      std::int32_t quad;
      std::memcpy(&quad, weights + c * a.weight_stride + 4 * q, 4);
      const __m512i w = _mm512_set1_epi32(quad);
      each<4>([&](auto j) __attribute__((always_inline)) {
        sum[c][j] = _mm512_dpbusd_epi32(sum[c][j], pixels[j], w);
      });
    });
  }
  each<kChannels>([&](auto c) {
    each<4>([&](auto j) {
      std::int32_t* to = acc + c * a.channel_stride + 16 * j;
      if (!a.overwrite) sum[c][j] = _mm512_add_epi32(sum[c][j], load(to));
      _mm512_storeu_si512(to, sum[c][j]);
    });
  });
}

void product(const ProductArgs& a) {
  for (int v = 0; v < a.vectors; ++v) {
    const std::uint8_t* base = a.base + a.vector_offset[v];
    std::int32_t* acc = a.acc + v * kLanes;
    int m = 0;
    for (; m + 6 <= a.channels; m += 6) product_vector<6>(a, m, base, acc + m * a.channel_stride);
    for (; m + 2 <= a.channels; m += 2) product_vector<2>(a, m, base, acc + m * a.channel_stride);
    if (m < a.channels) product_vector<1>(a, m, base, acc + m * a.channel_stride);
  }
}

int lane_slot(int lane) { return 16 * (lane % 4) + lane / 4; }

// A full vector's dwords come out in the order of lane_slot: dword i of register j is the four
// channels of image 4 i + j, a 4 x 4 byte transpose of dword i of the four channels' lines.
void interleave(const std::uint8_t* from, std::size_t stride, int count, int lanes,
                const std::uint8_t* map, std::uint8_t rest, std::uint8_t* out) {
  if (lanes != kLanes) {
    interleave_portable(from, stride, count, lanes, map, rest, out, lane_slot);
    return;
  }
  __m512i line[4];
  for (int c = 0; c < 4; ++c) {
    if (c >= count) {
      line[c] = _mm512_set1_epi8(static_cast<char>(rest));
      continue;
    }
    const __m512i code = load(from + c * stride);
    const __m512i lower = _mm512_permutex2var_epi8(load(map), code, load(map + 64));
    const __m512i upper = _mm512_permutex2var_epi8(load(map + 128), code, load(map + 192));
    line[c] = _mm512_mask_blend_epi8(_mm512_movepi8_mask(code), lower, upper);
  }
  // Byte 4 i + k of register j: byte 4 i + j of line k; lines 0, 1 and lines 2, 3 pair up.
  alignas(64) static const auto kIndex = [] {
    struct { std::uint8_t at[4][64]; } t{};
    for (int j = 0; j < 4; ++j) {
      for (int b = 0; b < 64; ++b) {
        t.at[j][b] = static_cast<std::uint8_t>(b / 4 * 4 + j + (b % 2 ? 64 : 0));
      }
    }
    return t;
  }();
  for (int j = 0; j < 4; ++j) {
    const __m512i index = load(kIndex.at[j]);
    const __m512i first = _mm512_permutex2var_epi8(line[0], index, line[1]);
    const __m512i second = _mm512_permutex2var_epi8(line[2], index, line[3]);
    _mm512_storeu_si512(out + 64 * j,
                        _mm512_mask_blend_epi8(0xccccccccccccccccull, first, second));
  }
}

constexpr Ops kOps = {"avx512vbmi", true, true, 80000,
                      block, quantize, product, interleave, store, gather_portable, lane_slot};

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
