// SPDX-License-Identifier: Apache-2.0
// What one instruction set contributes: four loops over vectors of 64 lanes. A lane is one output
// pixel; the driver (lut_layer.cpp) decides which. Everything is exact integer arithmetic, except
// the float32 steps of quantisation and dequantisation, each rounded once as NumPy does.
#pragma once

#include <cstddef>
#include <cstdint>

namespace axhil {

constexpr int kLanes = 64;       // pixels in a vector
constexpr int kPanel = 4;        // vectors that share one load of a weight's table
constexpr int kBlock = 128;      // taps in a block of K: kBlock * kPanel * kLanes bytes stay in L1
constexpr int kRadices = 4;      // low plane of 5, 6, 7 or 8 bits

// How the two-plane taps of a list are added up. Bytes of several taps are added as bytes while
// no lane can exceed 255, and only then widened to 16 bits; a narrower low plane makes room for
// more taps per widening.
enum Form : std::uint8_t {
  kEightByOne,    // 8 low bits, every tap widened
  kEightByTwo,    // 8 low bits, high planes of 2 taps widened together
  kSevenByTwo,    // 7 low bits, both planes of 2 taps widened together
  kSixByFour,     // 6 low bits, both planes of 4 taps
  kFiveByEight,   // 5 low bits, both planes of 8 taps
};
constexpr int kForms = 5;
constexpr int kFormRadix[kForms] = {8, 8, 7, 6, 5};
constexpr int kFormGroup[kForms] = {1, 2, 2, 4, 8};

// A tap of a list: its number in the block, and where its column's planes are, in bytes for planes
// of 128 entries.
struct Entry {
  std::uint16_t tap, planes;
};

// The taps of one output channel in one block of K. Taps whose column is constant are not in it:
// they are part of `bias`.
struct TapList {
  std::uint32_t first = 0;        // first entry
  std::uint16_t singles = 0;      // entries whose column spans at most 256 values: low plane only
  std::uint16_t doubles = 0;      // the entries after them: low and high plane
  std::uint8_t single_group = 1;  // 1, 2, 4 or 8 singles are added as bytes
  std::uint8_t form = kEightByOne;
  std::int32_t bias = 0;          // sum of the taps' column minima, constant columns included
};

struct BlockArgs {
  std::int32_t* acc;                     // [vector][kLanes], lanes in the ops' own order
  bool overwrite;                        // first block: store instead of add
  int vectors;                           // 1..kPanel
  const std::uint8_t* base;              // activation bit patterns
  const std::uint32_t* tap_offset;       // of the block's taps, bytes from base
  const std::ptrdiff_t* vector_offset;   // of the vectors, bytes
  // Where the ops look up byte planes:
  TapList list;
  const Entry* entries;
  const std::uint8_t* const* tables;     // per radix - 5: [slot][low plane, high plane]
  bool full;                             // 256-entry planes; else 128, activations below 128
  int shift;                             // of the sum before it is added to acc
  // Elsewhere:
  const std::uint8_t* weights;           // column of every tap of the block
  int taps;
  const std::int32_t* columns;           // [column][256]
};

struct QuantizeArgs {
  const float* x;                        // one channel of the first image
  const std::uint8_t* codes;             // or its codes
  std::size_t image_stride;              // elements between images
  int images;                            // lanes that hold an image; the others become 0
  std::size_t positions;                 // H * W
  float inv_scale, qmin, qmax;
  std::uint8_t* plane;                   // [line][kLanes]
  const std::uint32_t* line;             // of every position
  std::uint8_t* mask;                    // where not null: 1 where the clamp did nothing
};

struct StoreArgs {
  const std::int32_t* acc;               // [channel][position][kLanes], the ops' lane order
  int channels, positions;
  const std::int32_t* add;               // [channel], added to acc first
  const float* scale;                    // [channel]; null: int32 output
  const float* bias;                     // [channel]
  bool relu;
  void* out;                             // element (image 0, first channel, first position)
  std::size_t image_stride, channel_stride;
  int images;
  bool stream;                           // past the caches, where whole lines are written
};

// One image's consecutive outputs of one channel, for lanes that are pixels.
struct GatherArgs {
  const std::int32_t* acc;
  const std::int32_t* at;                // of every output in acc
  int count;
  std::int32_t add;
  bool dequantize, relu;
  float scale, bias;
  void* out;
};

// u8 x s8 products summed over quads of channels, for tables that factorise.
struct ProductArgs {
  std::int32_t* acc;                     // [channel][vector][kLanes], lanes as they are in base
  bool overwrite;
  std::size_t channel_stride;            // of acc, elements
  int channels, vectors;
  const std::uint8_t* base;              // lines of [kLanes][4] activations
  const std::uint32_t* tap_offset;       // per quad, bytes from base
  int quads;
  const std::ptrdiff_t* vector_offset;
  const std::int8_t* weights;            // [channel][quad][4]
  std::size_t weight_stride;             // between channels, bytes
};

struct Ops {
  const char* name;
  bool half_planes, full_planes;         // whether block looks up byte planes, of 128 and 256
                                         // entries; else columns
  int products_per_microsecond;          // roughly: what is too short to share among threads
  void (*block)(const BlockArgs&);
  // Returns the bitwise or of all codes written.
  std::uint8_t (*quantize)(const QuantizeArgs&);
  void (*product)(const ProductArgs&);
  // out[4 slot + i] = map[from[i * stride + n]] for i < count, else `rest`; n < lanes. The slot is
  // lane_slot(n) in a full vector, n in a shorter one.
  void (*interleave)(const std::uint8_t* from, std::size_t stride, int count, int lanes,
                     const std::uint8_t* map, std::uint8_t rest, std::uint8_t* out);
  void (*store)(const StoreArgs&);
  void (*gather)(const GatherArgs&);
  int (*lane_slot)(int lane);            // where a lane stands in acc
};

const Ops* ops_scalar();
const Ops* ops_avx2();         // null where not compiled in or not supported by this CPU
const Ops* ops_avx512vbmi();

}  // namespace axhil
