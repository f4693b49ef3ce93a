// SPDX-License-Identifier: Apache-2.0
// The loops of ops.hpp in the compiler's vector extensions: each instruction set's translation
// unit compiles its own copy, with its own flags and AXHIL_VECTOR_BYTES (16, 32 or 64).
#pragma once

#include <cstring>

#include "ops.hpp"

#if AXHIL_VECTOR_BYTES > 16 || defined(__SSE2__)
#include <immintrin.h>
#endif

namespace axhil {
namespace {  // per translation unit, so that no AVX copy is linked into the portable one

constexpr int kBytes = AXHIL_VECTOR_BYTES;
constexpr int kWords = kBytes / 4;            // 32-bit lanes of a vector
constexpr int kPieces = kBytes / 16;          // 16-byte parts of a vector
constexpr int kRow = 2 * kLanes / kBytes;     // vectors in a row of 16-bit entries
constexpr int kHalf = kLanes / 2;

using Words = std::uint32_t __attribute__((vector_size(kBytes)));
using Ints = std::int32_t __attribute__((vector_size(kBytes)));
using Halves = std::uint16_t __attribute__((vector_size(kBytes)));
using Floats = float __attribute__((vector_size(kBytes)));

template <class T>
inline T load(const void* p) {
  T v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
template <class T>
inline void save(void* p, T v) {
  std::memcpy(p, &v, sizeof v);
}

// 16 bytes from each of kPieces places.
inline Words join(const void* const* from) {
#if AXHIL_VECTOR_BYTES == 64
  const auto part = [&](int i) { return _mm_loadu_si128(static_cast<const __m128i*>(from[i])); };
  __m512i v = _mm512_castsi128_si512(part(0));
  v = _mm512_inserti32x4(v, part(1), 1);
  v = _mm512_inserti32x4(v, part(2), 2);
  return reinterpret_cast<Words>(_mm512_inserti32x4(v, part(3), 3));
#elif AXHIL_VECTOR_BYTES == 32
  const auto part = [&](int i) { return _mm_loadu_si128(static_cast<const __m128i*>(from[i])); };
  return reinterpret_cast<Words>(
      _mm256_inserti128_si256(_mm256_castsi128_si256(part(0)), part(1), 1));
#else
  return load<Words>(from[0]);
#endif
}

// Interleaves the lower or upper half of each 16-byte part of two vectors.
#if AXHIL_VECTOR_BYTES == 64
#define AXHIL_UNPACK(name, intrinsic)                                             \
  inline Words name(Words a, Words b) {                                           \
    return reinterpret_cast<Words>(_mm512_##intrinsic(reinterpret_cast<__m512i>(a), \
                                                      reinterpret_cast<__m512i>(b))); \
  }
#elif AXHIL_VECTOR_BYTES == 32
#define AXHIL_UNPACK(name, intrinsic)                                             \
  inline Words name(Words a, Words b) {                                           \
    return reinterpret_cast<Words>(_mm256_##intrinsic(reinterpret_cast<__m256i>(a), \
                                                      reinterpret_cast<__m256i>(b))); \
  }
#endif
#if AXHIL_VECTOR_BYTES > 16
AXHIL_UNPACK(low16, unpacklo_epi16)
AXHIL_UNPACK(high16, unpackhi_epi16)
AXHIL_UNPACK(low32, unpacklo_epi32)
AXHIL_UNPACK(high32, unpackhi_epi32)
AXHIL_UNPACK(low64, unpacklo_epi64)
AXHIL_UNPACK(high64, unpackhi_epi64)
#undef AXHIL_UNPACK
#else
inline Words low16(Words a, Words b) {
  return (Words)__builtin_shuffle((Halves)a, (Halves)b, Halves{0, 8, 1, 9, 2, 10, 3, 11});
}
inline Words high16(Words a, Words b) {
  return (Words)__builtin_shuffle((Halves)a, (Halves)b, Halves{4, 12, 5, 13, 6, 14, 7, 15});
}
inline Words low32(Words a, Words b) { return __builtin_shuffle(a, b, Words{0, 4, 1, 5}); }
inline Words high32(Words a, Words b) { return __builtin_shuffle(a, b, Words{2, 6, 3, 7}); }
inline Words low64(Words a, Words b) { return __builtin_shuffle(a, b, Words{0, 1, 4, 5}); }
inline Words high64(Words a, Words b) { return __builtin_shuffle(a, b, Words{2, 3, 6, 7}); }
#endif

// Rows of four 32-bit elements in each 16-byte part: transposed, part by part.
inline void transpose4(Words* r) {
  const Words a = low32(r[0], r[1]), b = low32(r[2], r[3]);
  const Words c = high32(r[0], r[1]), d = high32(r[2], r[3]);
  r[0] = low64(a, b), r[1] = high64(a, b), r[2] = low64(c, d), r[3] = high64(c, d);
}

// ---- Codes -------------------------------------------------------------------------------------

// Round half to even of a value that the clamp has made small (below 2^22); the lower bits of the
// result's pattern before the subtraction are the integer.
constexpr float kRound = 12582912.0f;

void quantize(const QuantizeArgs& a) {
  // Locals, which no store of a byte can change.
  const float* __restrict x = a.x;
  const float inv_scale = a.inv_scale, qmin = a.qmin, qmax = a.qmax;
  const std::size_t count = a.count;
  std::uint8_t *__restrict codes = a.codes, *__restrict mask = a.mask;
  for (std::size_t i = 0; i < count; ++i) {
    float v = x[i] * inv_scale;
    v = v > qmin ? v : qmin;  // NaN becomes qmin
    v = v < qmax ? v : qmax;
    // rint after the clamp: the limits are integers, so the order doesn't matter.
    v += kRound;
    std::uint32_t bits;
    std::memcpy(&bits, &v, sizeof bits);
    codes[i] = static_cast<std::uint8_t>(bits);
  }
  if (!mask) return;
  for (std::size_t i = 0; i < count; ++i) {
    float v = x[i] * inv_scale;
    v = v > qmin - 1.0f ? v : qmin - 1.0f;
    v = v < qmax + 1.0f ? v : qmax + 1.0f;
    v = (v + kRound) - kRound;
    mask[i] = static_cast<std::uint8_t>((v >= qmin) & (v <= qmax));
  }
}

Survey survey(const std::uint8_t* codes, std::size_t count) {
  Survey s;
  while (count > 0) {
    // Blocks in which a byte's counts cannot overflow.
    const std::size_t block = count < 4096 ? count : 4096;
    std::int8_t low = 0, high = 0;
    std::uint16_t used = 0;
    for (std::size_t i = 0; i < block; ++i) {
      const auto code = static_cast<std::int8_t>(codes[i]);
      low = code < low ? code : low;
      high = code > high ? code : high;
      used = static_cast<std::uint16_t>(used + (code != 0));
    }
    s.low = low < s.low ? low : s.low;
    s.high = high > s.high ? high : s.high;
    s.used += used;
    codes += block;
    count -= block;
  }
  return s;
}

void remap(const std::uint8_t* map, std::uint8_t* codes, std::size_t count) {
  std::size_t i = 0;
#ifdef __AVX512VBMI__
  const auto part = [&](int at) { return _mm512_loadu_si512(map + at); };
  const __m512i a = part(0), b = part(64), c = part(128), d = part(192);
  for (; i + 64 <= count; i += 64) {
    const __m512i code = _mm512_loadu_si512(codes + i);
    _mm512_storeu_si512(codes + i, _mm512_mask_blend_epi8(_mm512_movepi8_mask(code),
                                                          _mm512_permutex2var_epi8(a, code, b),
                                                          _mm512_permutex2var_epi8(c, code, d)));
  }
#endif
  for (; i < count; ++i) codes[i] = map[codes[i]];
}

using Bytes16 = std::uint8_t __attribute__((vector_size(16)));
using Halves8 = std::uint16_t __attribute__((vector_size(16)));

// Four channels of sixteen positions at a time: a byte and a 16-bit interleave make their words.
void transpose(const TransposeArgs& a) {
  const Bytes16 low8 = {0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23};
  const Bytes16 high8 = {8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
  const Halves8 low = {0, 8, 1, 9, 2, 10, 3, 11}, high = {4, 12, 5, 13, 6, 14, 7, 15};
  const int quads = a.channels / 4 * 4, full = a.positions / 16 * 16;
  const std::size_t stride = a.positions;
  for (int p = 0; p < full; p += 16) {
    for (int c = 0; c < quads; c += 4) {
      const std::uint8_t* from = a.from + c * stride + p;
      const auto x0 = load<Bytes16>(from), x1 = load<Bytes16>(from + stride),
                 x2 = load<Bytes16>(from + 2 * stride), x3 = load<Bytes16>(from + 3 * stride);
      const auto a0 = (Halves8)__builtin_shuffle(x0, x1, low8),
                 a1 = (Halves8)__builtin_shuffle(x0, x1, high8),
                 b0 = (Halves8)__builtin_shuffle(x2, x3, low8),
                 b1 = (Halves8)__builtin_shuffle(x2, x3, high8);
      std::uint32_t words[16];
      save(words, __builtin_shuffle(a0, b0, low));
      save(words + 4, __builtin_shuffle(a0, b0, high));
      save(words + 8, __builtin_shuffle(a1, b1, low));
      save(words + 12, __builtin_shuffle(a1, b1, high));
#pragma GCC unroll 16
      for (int i = 0; i < 16; ++i) save(a.to + a.place[p + i] + c, words[i]);
    }
  }
  for (int p = 0; p < a.positions; ++p) {
    for (int c = p < full ? quads : 0; c < a.channels; ++c) {
      a.to[a.place[p] + c] = a.from[c * stride + p];
    }
  }
}

// [mask]: the byte order that brings the 16-bit elements whose bits are set to the front.
struct Fronts {
  alignas(16) std::uint8_t order[256][16] = {};
  constexpr Fronts() {
    for (int mask = 0; mask < 256; ++mask) {
      int next = 0;
      for (int i = 0; i < 8; ++i) {
        if (!(mask >> i & 1)) continue;
        order[mask][next++] = static_cast<std::uint8_t>(2 * i);
        order[mask][next++] = static_cast<std::uint8_t>(2 * i + 1);
      }
    }
  }
};
constexpr Fronts kFronts;

int compact(const std::uint8_t* codes, int count, int size, int pitch, std::uint16_t* list) {
  using Bytes8 = std::uint8_t __attribute__((vector_size(8)));
  constexpr std::uint64_t kOnes = 0x0101010101010101u;
  Halves8 taps = {0, 1, 2, 3, 4, 5, 6, 7};
  taps *= static_cast<std::uint16_t>(pitch);
  const std::uint64_t used = kOnes * static_cast<unsigned>(size - 1);
  int n = 0;
  for (int i = 0; i < count; i += 8, taps += static_cast<std::uint16_t>(8 * pitch)) {
    std::uint64_t eight = 0;
    if (count - i >= 8) {
      std::memcpy(&eight, codes + i, 8);
    } else {
      std::memcpy(&eight, codes + i, count - i);
    }
    eight &= used;
    // The top bit of every byte that is not 0, gathered by a multiplication.
    const std::uint64_t set = (((eight & 0x7f * kOnes) + 0x7f * kOnes) | eight) & 0x80 * kOnes;
    const auto mask = static_cast<unsigned>((set >> 7) * 0x0102040810204080u >> 56);
    Bytes8 bytes;
    std::memcpy(&bytes, &eight, 8);
    const Halves8 entries = __builtin_convertvector(bytes, Halves8) + taps;
    save(list + n, __builtin_shuffle((Bytes16)entries, load<Bytes16>(kFronts.order[mask])));
    n += __builtin_popcount(mask);
  }
  return n;
}

void widen(const std::uint8_t* codes, std::size_t stride, long positions, int channels,
           Range* ranges) {
  constexpr int kBlock = 64;
  for (int first = 0; first < channels; first += kBlock) {
    const int n = channels - first < kBlock ? channels - first : kBlock;
    std::int8_t low[kBlock] = {}, high[kBlock] = {};
    for (long p = 0; p < positions; ++p) {
      const auto* from = reinterpret_cast<const std::int8_t*>(codes + p * stride + first);
      if (n == kBlock) {
        for (int c = 0; c < kBlock; ++c) {
          low[c] = from[c] < low[c] ? from[c] : low[c];
          high[c] = from[c] > high[c] ? from[c] : high[c];
        }
      } else {
        for (int c = 0; c < n; ++c) {
          low[c] = from[c] < low[c] ? from[c] : low[c];
          high[c] = from[c] > high[c] ? from[c] : high[c];
        }
      }
    }
    for (int c = 0; c < n; ++c) {
      Range& range = ranges[first + c];
      range.low = low[c] < range.low ? low[c] : range.low;
      range.high = high[c] > range.high ? high[c] : range.high;
    }
  }
}

// ---- Rows --------------------------------------------------------------------------------------

// Eight codes of 8 * kPieces columns, transposed to eight rows.
// Floor: 24 shuffles for 8 codes of 8, 16 or 32 lanes.
inline void build_eight(const std::uint16_t* const* column, int code, std::uint16_t* rows) {
  Words r[8], s[8];
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) {
    const void* from[kPieces];
    for (int p = 0; p < kPieces; ++p) from[p] = column[i + 8 * p] + code;
    r[i] = join(from);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 8; i += 2) {
    s[i / 2] = low16(r[i], r[i + 1]);
    s[i / 2 + 4] = high16(r[i], r[i + 1]);
  }
#pragma GCC unroll 2
  for (int h = 0; h < 8; h += 4) {  // codes 0 to 3, codes 4 to 7
    const Words a = low32(s[h], s[h + 1]), b = low32(s[h + 2], s[h + 3]);
    const Words c = high32(s[h], s[h + 1]), d = high32(s[h + 2], s[h + 3]);
    save(rows + (code + h) * kLanes, low64(a, b));
    save(rows + (code + h + 1) * kLanes, high64(a, b));
    save(rows + (code + h + 2) * kLanes, low64(c, d));
    save(rows + (code + h + 3) * kLanes, high64(c, d));
  }
}

void build(const BuildArgs& a) {
  for (int t = 0; t < a.taps; ++t) {
    std::uint16_t* rows = a.rows + static_cast<std::size_t>(t) * a.pitch * kLanes;
    for (int first = 0; first < kLanes; first += 8 * kPieces) {
      const std::uint16_t* column[8 * kPieces];
      for (int i = 0; i < 8 * kPieces; ++i) {
        column[i] = a.columns + a.weights[t * kLanes + first + i] * a.size;
      }
      const Range range = a.range[t];
      for (int code = 0; code <= range.high && code < a.size; code += 8) {
        build_eight(column, code, rows + first);
      }
      for (int code = range.low + a.size > 0 ? (range.low + a.size) / 8 * 8 : 0; code < a.size;
           code += 8) {
        build_eight(column, code, rows + first);
      }
    }
  }
}

// Sums of unsigned 16-bit entries, without separating even from odd lanes: `word` adds the pairs
// as 32-bit words (even + 65536 odd, modulo 2^32), `odd` their upper halves. The even sum is
// word - 65536 odd. In memory: words of `word`, then of `odd`.
//
// Floor: a row of 32 products is 2 loads and 6 operations on AVX2 (4 where two rows are added as 16
// bits first), 1 and 3 (2) on AVX-512, and 64 bytes of L2; an item's list costs 256 bytes of sums
// besides, read and written.
struct Sums {
  Words word[kRow], odd[kRow];

  // `count` rows will be added, each short of `offset`.
  Sums(const std::uint32_t* acc, bool overwrite, std::uint32_t offset, int count) {
    const std::uint32_t lacking = offset * static_cast<std::uint32_t>(count);
#pragma GCC unroll 4
    for (int j = 0; j < kRow; ++j) {
      word[j] = Words{} + lacking * 65537u;
      odd[j] = Words{} + lacking;
      if (overwrite) continue;
      word[j] += load<Words>(acc + j * kWords);
      odd[j] += load<Words>(acc + kHalf + j * kWords);
    }
  }

  // Rows 0 to count - 1 of `row`, two at a time where a pair's sum has room in 16 bits.
  template <Entries kEntries, class Row>
  void add(int count, Row row) {
    int i = 0;
    if constexpr (kEntries == Entries::kSmall) {
      for (; i + 1 < count; i += 2) {
        const std::uint16_t *one = row(i), *other = row(i + 1);
#pragma GCC unroll 4
        for (int j = 0; j < kRow; ++j) {
          const int at = j * 2 * kWords;
          add_vector<kEntries>(j, (Words)(load<Halves>(one + at) + load<Halves>(other + at)));
        }
      }
    }
    for (; i < count; ++i) {
      const std::uint16_t* one = row(i);
#pragma GCC unroll 4
      for (int j = 0; j < kRow; ++j) add_vector<kEntries>(j, load<Words>(one + j * 2 * kWords));
    }
  }

  template <Entries kEntries>
  void add_vector(int j, Words v) {
    if constexpr (kEntries == Entries::kUpper) {
      word[j] += v << 16;
      odd[j] += v & 0xffff0000u;
    } else {
      word[j] += v;
      odd[j] += v >> 16;
    }
  }

  void save_to(std::uint32_t* acc) const {
#pragma GCC unroll 4
    for (int j = 0; j < kRow; ++j) {
      save(acc + j * kWords, word[j]);
      save(acc + kHalf + j * kWords, odd[j]);
    }
  }
};

template <Entries kEntries>
void add_lists(const AddArgs& a) {
  std::uint32_t* acc = a.acc;
  for (int i = 0; i < a.items; ++i, acc += kLanes) {
    const std::uint16_t* list = a.lists + a.item[i] * a.stride;
    const int count = a.counts[a.item[i]];
    // Lists are short, and the gaps between them stop hardware prefetchers.
    const std::uint16_t* ahead = a.lists + a.item[i + 4 < a.items ? i + 4 : i] * a.stride;
    __builtin_prefetch(ahead);
    __builtin_prefetch(ahead + 32);
    Sums sums(acc, a.overwrite, a.offset, count);
    const std::uint16_t* rows = a.rows;
    sums.add<kEntries>(count, [&](int e) { return rows + std::size_t{list[e]} * kLanes; });
    sums.save_to(acc);
  }
}

// How entries are added, known to the compiler.
template <class Args>
using Adder = void (*)(const Args&);
template <class Args>
inline Adder<Args> choose(Entries entries, Adder<Args> small, Adder<Args> whole, Adder<Args> upper) {
  return entries == Entries::kSmall ? small : entries == Entries::kWhole ? whole : upper;
}

void add(const AddArgs& a) {
  choose<AddArgs>(a.entries, add_lists<Entries::kSmall>, add_lists<Entries::kWhole>,
                  add_lists<Entries::kUpper>)(a);
}

template <Entries kEntries>
void add_taps(const AddAllArgs& a) {
  std::uint32_t* acc = a.acc;
  for (int i = 0; i < a.items; ++i, acc += kLanes) {
    const std::uint8_t* codes = a.codes + (a.item ? a.item[i] : i) * a.stride;
    const int ahead = i + 8 < a.items ? i + 8 : i;
    __builtin_prefetch(a.codes + (a.item ? a.item[ahead] : ahead) * a.stride);
    Sums sums(acc, a.overwrite, a.offset, a.taps);
    const std::uint16_t* rows = a.rows;
    const std::size_t pitch = a.pitch;
    sums.add<kEntries>(a.taps, [&](int t) { return rows + (t * pitch + codes[t]) * kLanes; });
    sums.save_to(acc);
  }
}

void add_all(const AddAllArgs& a) {
  choose<AddAllArgs>(a.entries, add_taps<Entries::kSmall>, add_taps<Entries::kWhole>,
                     add_taps<Entries::kUpper>)(a);
}

template <Entries kEntries>
void add_codes(const AddWindowsArgs& a) {
  std::uint32_t* acc = a.acc;
  const unsigned mask = a.size - 1;
  for (int i = 0; i < a.items; ++i, acc += kLanes) {
    const std::uint8_t* codes = a.codes + a.item[i] * a.stride;
    Sums sums(acc, a.overwrite, a.offset, a.taps);
    const std::uint16_t* rows = a.rows;
    const std::uint32_t* offset_of = a.offset_of;
    const std::size_t pitch = a.pitch;
    sums.add<kEntries>(a.taps, [&](int t) {
      return rows + (t * pitch + (codes[offset_of[t]] & mask)) * kLanes;
    });
    sums.save_to(acc);
  }
}

void add_windows(const AddWindowsArgs& a) {
  choose<AddWindowsArgs>(a.entries, add_codes<Entries::kSmall>, add_codes<Entries::kWhole>,
                         add_codes<Entries::kUpper>)(a);
}

// ---- Products ----------------------------------------------------------------------------------

// acc + the dot products of the units of x and w.
#if AXHIL_VECTOR_BYTES == 64
constexpr int kUnit = 4, kStep = 12;
inline Words dot(Words acc, Words x, Words w) {
  return reinterpret_cast<Words>(_mm512_dpbusd_epi32(
      reinterpret_cast<__m512i>(acc), reinterpret_cast<__m512i>(x), reinterpret_cast<__m512i>(w)));
}
#elif AXHIL_VECTOR_BYTES == 32
constexpr int kUnit = 2, kStep = 3;
inline Words dot(Words acc, Words x, Words w) {
  return acc + reinterpret_cast<Words>(_mm256_madd_epi16(reinterpret_cast<__m256i>(x),
                                                         reinterpret_cast<__m256i>(w)));
}
#elif defined(__SSE2__)
constexpr int kUnit = 2, kStep = 1;
inline Words dot(Words acc, Words x, Words w) {
  return acc + reinterpret_cast<Words>(_mm_madd_epi16(reinterpret_cast<__m128i>(x),
                                                      reinterpret_cast<__m128i>(w)));
}
#else
constexpr int kUnit = 2, kStep = 2;
inline Words dot(Words acc, Words x, Words w) {
  return acc + (Words)(((Ints)x << 16 >> 16) * ((Ints)w << 16 >> 16) +
                       ((Ints)x >> 16) * ((Ints)w >> 16));
}
#endif

// kPixels pixels of 32 channels: sums stay in registers, a vector of weights serves every pixel.
// Floor: 32 products a load on AVX2 (3 pixels x 4 vectors: 7 loads, 12 multiplications of 16
// products, 12 additions), on AVX-512 768 products for 14 loads and 24 dot products of 64.
template <int kPixels>
inline void product_step(const ProductArgs& a, int p) {
  constexpr int kVectors = kLanes / kWords;
  const std::uint8_t* x[kPixels];
  Words sum[kPixels][kVectors];
  std::uint32_t* acc = a.acc + static_cast<std::size_t>(p) * kLanes;
#pragma GCC unroll 12
  for (int i = 0; i < kPixels; ++i) {
    x[i] = a.x + a.item[p + i] * a.stride;
#pragma GCC unroll 8
    for (int j = 0; j < kVectors; ++j) {
      sum[i][j] = a.overwrite ? Words{} : load<Words>(acc + i * kLanes + j * kWords);
    }
  }
  const std::uint8_t* w = a.weights;
  for (int u = 0; u < a.units; ++u, w += 4 * kLanes) {
    Words weights[kVectors];
#pragma GCC unroll 8
    for (int j = 0; j < kVectors; ++j) weights[j] = load<Words>(w + j * kBytes);
#pragma GCC unroll 12
    for (int i = 0; i < kPixels; ++i) {
      std::uint32_t unit;
      std::memcpy(&unit, x[i] + a.offset_of[u], 4);
      const Words pixel = Words{} + unit;
#pragma GCC unroll 8
      for (int j = 0; j < kVectors; ++j) sum[i][j] = dot(sum[i][j], pixel, weights[j]);
    }
  }
#pragma GCC unroll 12
  for (int i = 0; i < kPixels; ++i) {
#pragma GCC unroll 8
    for (int j = 0; j < kVectors; ++j) save(acc + i * kLanes + j * kWords, sum[i][j]);
  }
}

void product(const ProductArgs& a) {
  int p = 0;
  for (; p + kStep <= a.pixels; p += kStep) product_step<kStep>(a, p);
  for (; p < a.pixels; ++p) product_step<1>(a, p);
}

// ---- Gradients ---------------------------------------------------------------------------------

// Floor: a load, a multiplication and an addition for a vector of positions and a tap.
void correlate(const CorrelateArgs& a) {
  constexpr int kVectors = 8;  // enough sums to hide the latency of additions
  static_assert(kVectors * kWords <= kCorrelated);
  for (int p = 0; p < a.positions; p += kVectors * kWords) {
    Floats sum[kVectors] = {};
    const float* w = a.weights;
    for (int o = 0; o < a.outputs; ++o) {
      for (int i = 0; i < a.kh; ++i) {
        const float* from = a.planes + o * a.plane + static_cast<std::size_t>(i) * a.pitch + p;
        for (int j = 0; j < a.kw; ++j, ++w) {
          const Floats weight = *w - Floats{};
#pragma GCC unroll 8
          for (int v = 0; v < kVectors; ++v) {
            sum[v] += weight * load<Floats>(from + j + v * kWords);
          }
        }
      }
    }
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) save(a.sums + p + v * kWords, sum[v]);
  }
}

// ---- Outputs -----------------------------------------------------------------------------------

// Where kWords consecutive pixels, or the first `count` of them, go: a run per image.
struct Place {
  int runs = 0;
  struct {
    std::size_t at;  // in channel 0
    int count;
  } run[kWords];
  bool whole = false;  // one full run
};

inline void place(const Target& t, long pixel, int count, Place& to) {
  to.runs = 0;
  while (count > 0) {
    const long run = pixel / t.run, at = pixel % t.run;
    const int now = static_cast<int>(count < t.run - at ? count : t.run - at);
    to.run[to.runs++] = {run % t.images * t.image_stride + run / t.images * t.run + at, now};
    pixel += now;
    count -= now;
  }
  to.whole = to.runs > 0 && to.run[0].count == kWords;
}

// As torch.relu: -0.0 and NaN stay.
inline Words finish(const Target& t, Words sum, Floats scale, Floats bias) {
  Floats y = __builtin_convertvector((Ints)sum, Floats) * scale;
  y = y + bias;
  if (t.relu) y = y < 0.0f ? Floats{} : y;
  return (Words)y;
}

inline void emit(const Target& t, int channel, const Place& to, Words sum) {
  sum += static_cast<std::uint32_t>(t.add[channel]);
  if (t.scale) sum = finish(t, sum, Floats{} + t.scale[channel], Floats{} + t.bias[channel]);
  auto* out = static_cast<std::uint32_t*>(t.out) + static_cast<std::size_t>(channel) * t.area;
  if (to.whole) {
    save(out + to.run[0].at, sum);
    // Two lines on: no hardware prefetcher follows as many streams as there are channels.
    __builtin_prefetch(out + to.run[0].at + 32, 1);
    return;
  }
#if AXHIL_VECTOR_BYTES == 64
  unsigned lane = 0;
  for (int r = 0; r < to.runs; ++r) {
    const unsigned end = lane + to.run[r].count;
    _mm512_mask_storeu_epi32(out + to.run[r].at - lane, ((1u << end) - 1) >> lane << lane,
                             reinterpret_cast<__m512i>(sum));
    lane = end;
    // The image's next row: no hardware prefetcher follows as many streams as there are images.
    if (to.runs > 1) __builtin_prefetch(out + to.run[r].at + t.run, 1);
  }
#else
  std::uint32_t values[kWords];
  save(values, sum);
  const std::uint32_t* from = values;
  for (int r = 0; r < to.runs; ++r) {
    const int count = to.run[r].count;
    std::uint32_t* next = out + to.run[r].at;
    if (count == 4) {
      std::memcpy(next, from, 16);
    } else {
      for (int i = 0; i < count; ++i) next[i] = from[i];
    }
    from += count;
  }
#endif
}

// Images of one pixel: channels are in a row.
inline void store_flat(const Target& t, const std::uint32_t* acc, int lanes, long first,
                       int pixels) {
  for (int p = 0; p < pixels; ++p, acc += lanes) {
    auto* out = static_cast<std::uint32_t*>(t.out) + (first + p) * t.image_stride;
    for (int c = 0; c < t.channels; c += kWords) {
      const int count = t.channels - c < kWords ? t.channels - c : kWords;
      Words add{}, scale{}, bias{};
      std::memcpy(&add, t.add + c, 4 * count);
      Words sum = load<Words>(acc + c) + add;
      if (t.scale) {
        std::memcpy(&scale, t.scale + c, 4 * count);
        std::memcpy(&bias, t.bias + c, 4 * count);
        sum = finish(t, sum, (Floats)scale, (Floats)bias);
      }
      std::memcpy(out + c, &sum, 4 * count);
    }
  }
}

// Sums to one word per lane, in place.
void separate(std::uint32_t* acc, long items) {
  for (long i = 0; i < items; ++i, acc += kLanes) {
#pragma GCC unroll 4
    for (int j = 0; j < kHalf; j += kWords) {
      save(acc + j, load<Words>(acc + j) - (load<Words>(acc + kHalf + j) << 16));
    }
  }
}

void store(const Target& t, const std::uint32_t* acc, int lanes, long first, int pixels) {
  if (t.area == 1) return store_flat(t, acc, lanes, first, pixels);
  constexpr int kSpan = 16;  // pixels of a cache line
  for (int p = 0; p < pixels; p += kSpan, acc += kSpan * lanes) {
    Place to[kSpan / kWords];
    const int count = pixels - p < kSpan ? pixels - p : kSpan;
    for (int v = 0; v < kSpan / kWords; ++v) {
      const int left = count - v * kWords;
      place(t, first + p + v * kWords, left < kWords ? left : kWords, to[v]);
    }
    for (int c = 0; c < t.channels; c += 4) {
      for (int v = 0; v * kWords < count; ++v) {
        Words r[4];
#pragma GCC unroll 4
        for (int i = 0; i < 4; ++i) {
          const void* from[kPieces];
          for (int piece = 0; piece < kPieces; ++piece) {
            from[piece] = acc + (v * kWords + i + 4 * piece) * lanes + c;
          }
          r[i] = join(from);
        }
        transpose4(r);
#pragma GCC unroll 4
        for (int i = 0; i < 4; ++i) {
          if (c + i < t.channels) emit(t, c + i, to[v], r[i]);
        }
      }
    }
  }
}

void store_lanes(const Target& t, const std::uint32_t* acc, long first, int pixels) {
  for (int p = 0; p < pixels; p += kWords) {
    Place to;
    place(t, first + p, pixels - p < kWords ? pixels - p : kWords, to);
    for (int m = 0; m < t.channels; ++m) {
      const std::uint32_t* sums = acc + static_cast<std::size_t>(m) * kLanes;
      emit(t, m, to, load<Words>(sums + p));
    }
  }
}

constexpr Ops make_ops(const char* name, decltype(Ops::spread) spread = nullptr,
                       decltype(Ops::add_planes) add_planes = nullptr) {
  return {name, kUnit, quantize, survey, remap, transpose, compact, widen, build, add, add_all,
          add_windows, spread, add_planes, separate, product, correlate, store, store_lanes};
}

}  // namespace
}  // namespace axhil
