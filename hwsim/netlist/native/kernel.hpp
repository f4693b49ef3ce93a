// SPDX-License-Identifier: Apache-2.0
// The kernels, written once over vectors of AXHIL_BYTES bytes. Each instruction set's translation
// unit compiles its own copy with its own flags.
//
// 512 lanes are a unit of 64 bytes a slot: lane 16 i + j is bit i of word j. After a transposition
// of 32 x 32 bits word j of row i holds the whole number of that lane. Sums of floating point are
// kept by j, so that they are the same whatever the size of a vector.
#pragma once

#include <cstring>
#include <vector>

#include "gates.hpp"

#if defined(__SSE2__)
#include <immintrin.h>
#endif

namespace axhil::gates {
namespace {  // per translation unit, so that no AVX copy is linked into the scalar one

constexpr int kBytes = AXHIL_BYTES;
constexpr int kBlockBits = 11;
constexpr int kBlock = 1 << kBlockBits;  // lanes
constexpr int kUnits = kBlock / 512;
constexpr int kUnitVectors = 64 / kBytes;
constexpr int kVectors = kUnits * kUnitVectors;  // of a slot
constexpr int kLanes = kBytes / 4;               // numbers in a vector

using U32 = std::uint32_t __attribute__((vector_size(kBytes), may_alias));
using I32 = std::int32_t __attribute__((vector_size(kBytes), may_alias));
using U64 = std::uint64_t __attribute__((vector_size(kBytes), may_alias));
using F64 = double __attribute__((vector_size(kBytes), may_alias));

constexpr U64 kNone = {};
constexpr U64 kAll = ~kNone;
constexpr U64 kLow = kNone + 0xFFFFFFFFull;

struct Vectors {  // on addresses that are multiples of their size
  explicit Vectors(std::size_t count) : memory(count + 1) {
    auto address = reinterpret_cast<std::uintptr_t>(memory.data());
    at = reinterpret_cast<U64*>((address + kBytes - 1) / kBytes * kBytes);
  }
  struct Cell {
    unsigned char bytes[kBytes];
  };
  std::vector<Cell> memory;
  U64* at;
};

struct Slots {
  explicit Slots(const Program& program) : vectors(program.slots * kVectors) {
    fill(0, kNone);
    fill(1, kAll);
  }
  void fill(std::int32_t slot, U64 value) const {
    for (int v = 0; v < kVectors; ++v) (*this)[slot][v] = value;
  }
  U64* operator[](std::int32_t slot) const { return vectors.at + slot * kVectors; }

  Vectors vectors;
};

template <class F>
inline void each(U64* out, F function) {
  for (int v = 0; v < kVectors; ++v) out[v] = function(v);
}

void run(const Program& program, const Slots& slots) {
  for (const Gate* g = program.gates; g != program.gates + program.count; ++g) {
    U64* out = slots[g->out];
    const U64 *x = slots[g->x], *y = slots[g->y], *z = slots[g->z];
    switch (g->kind) {
      case kNot: each(out, [=](int v) { return ~x[v]; }); break;
      case kAnd: each(out, [=](int v) { return x[v] & y[v]; }); break;
      case kOr: each(out, [=](int v) { return x[v] | y[v]; }); break;
      case kXor: each(out, [=](int v) { return x[v] ^ y[v]; }); break;
      case kMux: each(out, [=](int v) { return x[v] ^ ((x[v] ^ y[v]) & z[v]); }); break;
      case kNand: each(out, [=](int v) { return ~(x[v] & y[v]); }); break;
      case kNor: each(out, [=](int v) { return ~(x[v] | y[v]); }); break;
      case kXnor: each(out, [=](int v) { return ~(x[v] ^ y[v]); }); break;
      case kAndNot: each(out, [=](int v) { return x[v] & ~y[v]; }); break;
      case kOrNot: each(out, [=](int v) { return x[v] | ~y[v]; }); break;
    }
  }
}

// Bit k of word j of row i becomes bit i of word j of row k.
inline void transpose(U32* rows) {
  std::uint32_t mask = 0x0000FFFF;
  for (int step = 16; step; step >>= 1, mask ^= mask << step) {
    for (int pair = 0; pair < 16; ++pair) {
      const int k = (pair & ~(step - 1)) * 2 + (pair & (step - 1));
      const U32 moved = ((rows[k] >> step) ^ rows[k + step]) & mask;
      rows[k + step] ^= moved;
      rows[k] ^= moved << step;
    }
  }
}

// Numbers of the lanes of part `v` of a slot, from 32 slots.
inline void numbers(const Slots& slots, const std::int32_t* bits, int v, U32* rows) {
  for (int k = 0; k < 32; ++k) rows[k] = reinterpret_cast<const U32&>(slots[bits[k]][v]);
  transpose(rows);
}

// Where row `i` of part `v` lies in a block; its words follow one another.
inline int lane(int v, int i) { return v / kUnitVectors * 512 + 16 * i + v % kUnitVectors * kLanes; }

inline void load(int v, const std::uint32_t* values, U32* rows) {
  for (int i = 0; i < 32; ++i) std::memcpy(rows + i, values + lane(v, i), kBytes);
}

// Bits of numbers, the lowest first, from bit `first` of each on.
inline void set_bits(const Slots& slots, const std::int32_t* bits, int count, int v, const U32* rows,
                     int first = 0) {
  for (int k = 0; k < count; ++k) {
    slots[bits[k]][v] = reinterpret_cast<const U64&>(rows[first + k]);
  }
}

void set_numbers(const Slots& slots, const std::int32_t* bits, int count, const std::uint32_t* values) {
  for (int v = 0; v < kVectors; ++v) {
    U32 rows[32];
    load(v, values, rows);
    transpose(rows);
    set_bits(slots, bits, count, v, rows);
  }
}

// Numbers of part `v` of a block of which only some lanes are in use.
inline void write(int v, const U32* low, const U32* high, std::uint64_t* out, std::size_t lanes) {
  for (int i = 0; i < 32; ++i) {
    for (int j = 0; j < kLanes; ++j) {
      const std::size_t at = lane(v, i) + j;
      if (at < lanes) out[at] = low[i][j] | std::uint64_t{high[i][j]} << 32;
    }
  }
}

void products(const Program& program, const std::uint32_t* a, const std::uint32_t* b,
              std::uint64_t* out, std::size_t count) {
  const Slots slots(program);
  std::vector<std::uint32_t> last_a(kBlock), last_b(kBlock);
  std::int32_t bits[64] = {};  // slot 0 above the product
  std::memcpy(bits, program.p, sizeof(std::int32_t) * program.p_bits);
  for (std::size_t first = 0; first < count; first += kBlock) {
    const std::size_t lanes = count - first < kBlock ? count - first : kBlock;
    const std::uint32_t *block_a = a + first, *block_b = b + first;
    if (lanes < kBlock) {
      std::memcpy(last_a.data(), block_a, 4 * lanes);
      std::memcpy(last_b.data(), block_b, 4 * lanes);
      block_a = last_a.data();
      block_b = last_b.data();
    }
    set_numbers(slots, program.a, program.a_bits, block_a);
    set_numbers(slots, program.b, program.b_bits, block_b);
    run(program, slots);
    for (int v = 0; v < kVectors && lane(v, 0) < static_cast<long>(lanes); ++v) {
      U32 low[32], high[32] = {};
      numbers(slots, bits, v, low);
      if (program.p_bits > 32) numbers(slots, bits + 32, v, high);
      write(v, low, high, out + first, lanes);
    }
  }
}

// Adds the product, whose bits stand in slots, to the lanes' sums of `bits` bits.
inline void accumulate(const Slots& slots, const std::int32_t* p, U64* sums, int bits) {
  for (int v = 0; v < kVectors; ++v) {
    U64 carry = kNone;
    for (int k = 0; k < bits; ++k) {
      const U64 x = sums[k * kVectors + v], y = slots[p[k]][v], half = x ^ y;
      sums[k * kVectors + v] = half ^ carry;
      carry = (x & y) | (half & carry);
    }
  }
}

// How many products of lanes, of operand `words`, are not those of a table.
inline std::uint64_t unlike(const Matmul& m, const Slots& slots, const std::uint32_t* words,
                            std::size_t lanes) {
  std::uint64_t wrong = 0;
  for (int v = 0; v < kVectors; ++v) {
    U32 products[32];
    numbers(slots, m.program.p, v, products);
    for (int i = 0; i < 32; ++i) {
      for (int j = 0; j < kLanes; ++j) {
        const std::size_t at = lane(v, i) + j;
        const std::size_t row = words[at] & 0xFFFF, column = words[at] >> 16;
        wrong += products[i][j] != m.table[row << m.program.b_bits | column] && at < lanes;
      }
    }
  }
  return wrong;
}

std::uint64_t matmul(const Matmul& m) {
  const Program& program = m.program;
  const Slots slots(program);
  const Vectors memory(64 * kVectors);
  U64* sums = memory.at;
  std::vector<std::uint32_t> words(kBlock);
  std::uint64_t wrong = 0;
  for (std::size_t first = 0; first < m.lanes; first += kBlock) {
    const std::size_t lanes = m.lanes - first < kBlock ? m.lanes - first : kBlock;
    for (int i = 0; i < m.bits * kVectors; ++i) sums[i] = kNone;
    for (std::size_t tap = 0; tap < m.taps; ++tap) {
      for (std::size_t at = 0; at < lanes;) {  // of one output at a time
        const std::size_t output = (m.first + first + at) / m.rows;
        const std::size_t row = (m.first + first + at) % m.rows;
        const std::size_t end = at + m.rows - row < lanes ? at + m.rows - row : lanes;
        const std::uint16_t* x = m.x + tap * m.rows + row;
        const std::uint32_t weight = std::uint32_t{m.w[tap * m.outputs + output]} << 16;
        for (; at < end; ++at) words[at] = *x++ | weight;
      }
      for (int v = 0; v < kVectors; ++v) {
        U32 rows[32];
        load(v, words.data(), rows);
        transpose(rows);
        set_bits(slots, program.a, program.a_bits, v, rows);
        set_bits(slots, program.b, program.b_bits, v, rows, 16);
      }
      run(program, slots);
      accumulate(slots, program.p, sums, m.bits);
      if (m.table) wrong += unlike(m, slots, words.data(), lanes);
    }
    for (int v = 0; v < kVectors && lane(v, 0) < static_cast<long>(lanes); ++v) {
      U32 low[32], high[32];
      for (int k = 0; k < 32; ++k) {
        const auto bit = [&](int place) {
          return reinterpret_cast<const U32&>(sums[(place < m.bits ? place : m.bits - 1) * kVectors + v]);
        };
        low[k] = bit(k);
        high[k] = bit(32 + k);
      }
      transpose(low);
      transpose(high);
      write(v, low, high, reinterpret_cast<std::uint64_t*>(m.out) + first, lanes);
    }
  }
  return wrong;
}

// Products of the even and of the odd 32-bit numbers.
inline U64 squares(U64 x) {
#if defined(__AVX512F__) && AXHIL_BYTES == 64
  return (U64)_mm512_mul_epu32((__m512i)x, (__m512i)x);
#elif defined(__AVX2__) && AXHIL_BYTES == 32
  return (U64)_mm256_mul_epu32((__m256i)x, (__m256i)x);
#elif defined(__SSE2__) && AXHIL_BYTES == 16
  return (U64)_mm_mul_epu32((__m128i)x, (__m128i)x);
#else
  return (x & kLow) * (x & kLow);
#endif
}

// A number below 2^32 as double: below the exponent of 2^52.
inline F64 real(U64 x) {
  return (F64)(x | 0x4330000000000000ull) - 4503599627370496.0;
}

// Sums of one part of a unit; what is 64 bits wide has the even words apart from the odd ones.
struct Sums {
  U32 wrong = {}, worst = {};
  U64 sum = {}, above = {}, square_low = {}, square_high = {};
  F64 relative[2] = {}, relative_worst[2] = {};

  // p, e: products and what was expected; order: what makes their order that of signed numbers;
  // sign: all ones where e is signed.
  inline void add(U32 p, U32 e, U32 order, U32 sign) {
    const U32 above_e = (U32)((I32)(p ^ order) > (I32)(e ^ order));
    const U32 size = ((p - e) ^ ~above_e) - ~above_e;
    wrong -= (U32)(size != 0);
    worst = size > worst ? size : worst;
    const U64 even = (U64)size & kLow, odd = (U64)size >> 32;
    const U64 over = (U64)(size & above_e);
    sum += even + odd;
    above += (over & kLow) + (over >> 32);
    const U64 even_square = squares(even), odd_square = squares(odd);
    square_low += (even_square & kLow) + (odd_square & kLow);
    square_high += (even_square >> 32) + (odd_square >> 32);
    const U32 negative = (U32)((I32)e >> 31) & sign;
    const U32 magnitude = (e ^ negative) - negative;
    const U32 zero = (U32)(magnitude == 0);
    const U64 counted = (U64)(size & ~zero), divisor = (U64)(magnitude - zero);
    ratio(0, real(counted & kLow) / real(divisor & kLow));
    ratio(1, real(counted >> 32) / real(divisor >> 32));
  }
  inline void ratio(int odd, F64 value) {
    relative[odd] += value;
    relative_worst[odd] = value > relative_worst[odd] ? value : relative_worst[odd];
  }
};

void store(const Sums* parts, std::uint64_t* counts, double* ratios) {
  for (int v = 0; v < kUnitVectors; ++v) {
    const Sums& s = parts[v];
    for (int j = 0; j < kLanes; ++j) {
      counts[kWrong] += s.wrong[j];
      if (s.worst[j] > counts[kWorst]) counts[kWorst] = s.worst[j];
      const double worst = s.relative_worst[j % 2][j / 2];
      ratios[kRelativeSum] += s.relative[j % 2][j / 2];
      if (worst > ratios[kRelativeWorst]) ratios[kRelativeWorst] = worst;
    }
    for (int j = 0; j < kLanes / 2; ++j) {
      counts[kSum] += s.sum[j];
      counts[kAbove] += s.above[j];
      counts[kSquareLow] += s.square_low[j];
      counts[kSquareHigh] += s.square_high[j];
    }
  }
}

// The low bits of a weight count the lanes of a block and never change.
void count_lanes(const Slots& slots, const Program& program) {
  std::vector<std::uint32_t> lanes(kBlock);
  for (int i = 0; i < kBlock; ++i) lanes[i] = i;
  set_numbers(slots, program.b, program.b_bits, lanes.data());
}

template <Reference reference>
void measure_rows(const Measure& m) {
  const Program& program = m.program;
  const Slots slots(program);
  count_lanes(slots, program);
  const std::uint32_t half = 1u << (program.b_bits - 1);
  const U32 none = {}, order = none + (m.p_signed ? 0 : 0x80000000u);
  const U32 sign = none + (m.p_signed ? ~0u : 0u);
  U32 places = {};
  for (int j = 0; j < kLanes; ++j) places[j] = j;
  for (std::uint32_t row = 0; row < m.rows; ++row) {
    const std::uint32_t a = m.first + row;
    for (int k = 0; k < program.a_bits; ++k) slots.fill(program.a[k], a >> k & 1 ? kAll : kNone);
    const bool negative = m.a_signed && a >> (program.a_bits - 1) & 1;
    const std::uint32_t a_value = negative ? a - (1u << program.a_bits) : a;
    for (int side = 0; side < 2; ++side) {
      Sums sums[kUnitVectors];
      for (std::uint32_t b = side * half; b < (side + 1) * half; b += kBlock) {
        for (int k = kBlockBits; k < program.b_bits; ++k) slots.fill(program.b[k], b >> k & 1 ? kAll : kNone);
        run(program, slots);
        const std::uint32_t b_value = side && m.b_signed ? b - 2 * half : b;
        for (int v = 0; v < kVectors; ++v) {
          U32 p[32], e[32];
          numbers(slots, program.p, v, p);
          if constexpr (reference == Reference::program) numbers(slots, m.q, v, e);
          if constexpr (reference == Reference::array) {
            load(v, m.array + (std::size_t{row} * 2 * half + b), e);
          }
          U32 exact = (places + (b_value + lane(v, 0))) * a_value;
          Sums& part = sums[v % kUnitVectors];
          for (int i = 0; i < 32; ++i, exact += 16 * a_value) {
            part.add(p[i], reference == Reference::exact ? exact : e[i], order, sign);
          }
        }
      }
      const std::size_t at = 2 * std::size_t{row} + side;
      store(sums, m.counts + at * kCounts, m.ratios + at * kRatios);
    }
  }
}

void measure(const Measure& m) {
  switch (m.reference) {
    case Reference::exact: return measure_rows<Reference::exact>(m);
    case Reference::program: return measure_rows<Reference::program>(m);
    case Reference::array: return measure_rows<Reference::array>(m);
  }
}

}  // namespace
}  // namespace axhil::gates
