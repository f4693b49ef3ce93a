// SPDX-License-Identifier: Apache-2.0
// A program of gates over bit-sliced lanes. The kernels of each instruction set fill in `Kernels`.
#pragma once

#include <cstddef>
#include <cstdint>

namespace axhil::gates {

// Order and meaning of `Kind` in netlist/netlist.py; of `mux`, z selects y.
enum Kind : std::int32_t { kNot, kAnd, kOr, kXor, kMux, kNand, kNor, kXnor, kAndNot, kOrNot, kKinds };

struct Gate {
  std::int32_t kind, out, x, y, z;
};

// Slots hold a bit of every lane. Slot 0 is 0, slot 1 is 1; those of operands are no gate's output,
// and no slot is a gate's output while its value is still to be read.
struct Program {
  const Gate* gates;
  std::size_t count;
  std::int32_t slots;
  const std::int32_t *a, *b, *p;  // slots by bit, the lowest first
  std::int32_t a_bits, b_bits, p_bits;
};

// What the products of a row are held against.
enum class Reference { exact, program, array };

// Sums over one half of a row, whose weights have one sign.
enum Count { kWrong, kSum, kAbove, kWorst, kSquareLow, kSquareHigh, kCounts };
enum Ratio { kRelativeSum, kRelativeWorst, kRatios };

struct Measure {
  Program program;             // 32 slots of the product: sign or 0 above its bits
  const std::int32_t* q;       // Reference::program: 32 more
  Reference reference;
  const std::uint32_t* array;  // Reference::array: 2^b_bits words a row, sign extended
  bool a_signed, b_signed, p_signed;
  std::uint32_t first, rows;
  std::uint64_t* counts;  // [rows][2][kCounts]
  double* ratios;         // [rows][2][kRatios]
};

// Sums of products. Lane `output * rows + row` sums over taps what the program makes of x and w.
struct Matmul {
  Program program;            // a slot of the product for every bit of a sum
  const std::uint16_t* x;     // [taps][rows] bit patterns
  const std::uint16_t* w;     // [taps][outputs]
  const std::uint32_t* table; // [2^a_bits][2^b_bits] that products are held against, or null
  std::size_t rows, outputs, taps;
  std::size_t first, lanes;   // of all
  std::int32_t bits;          // of a sum, two's complement
  std::int64_t* out;          // [lanes]
};

struct Kernels {
  const char* name;
  // out[i] = p of a[i] and b[i], as bit patterns; p_bits <= 64.
  void (*products)(const Program&, const std::uint32_t* a, const std::uint32_t* b,
                   std::uint64_t* out, std::size_t count);
  void (*measure)(const Measure&);
  std::uint64_t (*matmul)(const Matmul&);  // how many products are not the table's
  std::int32_t block;  // lanes that run together; half of a measured row is a multiple of it
};

const Kernels* kernels_scalar();
const Kernels* kernels_avx2();    // null where not built, or this CPU lacks it
const Kernels* kernels_avx512();  // likewise

}  // namespace axhil::gates
