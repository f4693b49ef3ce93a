// SPDX-License-Identifier: Apache-2.0
// What one instruction set contributes: the loops of loops.hpp, compiled for it. Everything is
// exact integer arithmetic, except the float32 steps of quantisation and dequantisation, each
// rounded once as NumPy does.
#pragma once

#include <cstddef>
#include <cstdint>

namespace axhil {

constexpr int kLanes = 32;  // lanes of a row: output channels, or pixels
constexpr int kLooked = 64;  // bytes of a vector of look-ups
constexpr int kPanel = 4;    // vectors that meet a tap together
constexpr int kCorrelated = 128;  // positions that meet a tap together, at most

// Where lane l of a row stands among its 32 channels: an even and an odd lane share a 32-bit word,
// and words in order hold channels 0 to 15 below and 16 to 31 above.
constexpr int lane_channel(int lane) { return lane / 2 + lane % 2 * (kLanes / 2); }

struct Range {
  int low = 0, high = 0;  // as signed bytes; 0 is always in it
};

struct Survey : Range {
  std::size_t used = 0;   // codes that are not 0
};

struct QuantizeArgs {
  const float* x;
  std::size_t count;
  float inv_scale, qmin, qmax;
  std::uint8_t* codes;
  std::uint8_t* mask;     // where not null: 1 where the clamp did nothing
};

// Channels of one image, each `positions` bytes in a row, to positions of channels in a row.
struct TransposeArgs {
  const std::uint8_t* from;
  int channels, positions;
  std::uint8_t* to;
  const std::uint32_t* place;  // of every position in `to`, bytes
};

// The rows of a block of taps: rows[tap][code][lane] = columns[weights[tap][lane]][code].
struct BuildArgs {
  const std::uint16_t* columns;  // [column][size]
  int size, pitch;               // codes, a multiple of 8; rows of a tap
  const Range* range;            // of every tap's codes, modulo size: no others get rows
  const std::uint8_t* weights;   // [tap][kLanes], lanes as in a row
  int taps;
  std::uint16_t* rows;
};

// What 16 bits of a row are: products less an offset, of which two have room in them or not; or the
// bits of products from the 16th on.
enum class Entries { kSmall, kWhole, kUpper };

// Adds the rows of a list to each item's sums. An item is a pixel, or an output channel.
struct AddArgs {
  std::uint32_t* acc;            // [item][kLanes]: Sums, see loops.hpp
  bool overwrite;                // first block: store instead of add
  int items;
  const std::uint32_t* item;     // of the lists and counts
  const std::uint16_t* lists;    // rows of an item's list
  std::size_t stride;            // between lists, elements
  const std::uint8_t* counts;
  const std::uint16_t* rows;
  std::uint32_t offset;          // what every entry of a row lacks
  Entries entries;
};

// Adds a row of every tap to each item's sums.
struct AddAllArgs {
  std::uint32_t* acc;            // as of AddArgs
  bool overwrite;
  int items;
  const std::uint32_t* item;     // of the codes; null: 0, 1, ...
  const std::uint8_t* codes;     // of an item's taps
  std::size_t stride;            // between items
  int taps, pitch;
  const std::uint16_t* rows;
  std::uint32_t offset;
  Entries entries;
};

// As AddAllArgs for windows of few channels, whose taps' codes lie apart.
struct AddWindowsArgs {
  std::uint32_t* acc;
  bool overwrite;
  int items;
  const std::uint32_t* item;     // first position of the window
  const std::uint8_t* codes;
  std::size_t stride;            // between positions
  const std::uint32_t* offset_of;  // every tap's, from the first position's codes
  int taps, size, pitch;         // size: a power of two
  const std::uint16_t* rows;
  std::uint32_t offset;
  Entries entries;
};

// One channel of one image, H rows of `width` codes, to the windows' columns: column i of `kernel`
// has, of every row, the `count` codes that tap i of a row of windows meets, padding left out.
struct SpreadArgs {
  const std::uint8_t* from;
  int height, width;
  std::uint8_t* to;                // of row 0, column 0
  std::size_t row, column;         // between rows, between columns
  int kernel, count, padding, dilation;
};

// A product to add up: of a tap's codes and a weight.
struct Tap {
  std::uint8_t tap, weight;
};

// Looks products up for the codes of a panel's pixels, byte by byte of the products, and adds them
// to the sums of one output channel. `group` products are added as bytes first; their lower
// `radix` bits and the others are a plane each.
struct PlaneArgs {
  std::uint32_t* acc;              // [kLanes]; the next pixels' `stride` further on
  std::size_t stride;
  bool overwrite;
  int vectors;                     // of kPanel at most
  const std::uint8_t* codes;       // of the first vector; the next's `pitch` further on
  std::size_t pitch;
  const std::uint32_t* offset_of;  // every tap's, from there
  const Tap* taps;
  int count, group, radix;         // 1, 8; 2, 7; 4, 6; 8, 5
  const std::uint8_t* planes;      // [weight][lower, upper][size]
  int size;                        // 128, where no code's top bit is set, or 256
};

// 32-bit units of activations (four bytes or two halves, of one position's channels) times units
// of weights.
struct ProductArgs {
  std::uint32_t* acc;            // [pixel][kLanes], channels in order
  bool overwrite;
  int pixels;
  const std::uint32_t* item;     // position of each pixel
  const std::uint8_t* x;         // units of position 0
  std::size_t stride;            // between positions, bytes
  const std::uint32_t* offset_of;  // every unit's, from its pixel's position, bytes
  int units;
  const std::uint8_t* weights;   // [unit][kLanes] units
};

// Where sums go. Pixels are counted through in runs: run r goes to image r % images, there to run
// r / images of each channel.
struct Target {
  void* out;                     // of the first image and channel
  std::size_t image_stride;      // elements
  int area;                      // of a channel
  int run;                       // pixels: the area, or a row of it
  long images;                   // beyond any image's number where runs are areas
  int channels;                  // of 32 at most
  const std::int32_t* add;       // [channel], added to the sums first
  const float* scale;            // [channel]; null: int32 output
  const float* bias;             // [channel]
  bool relu;
};

// sums[p] = sum over outputs and taps (i, j) of weights[output][i][j] * planes[output][p + i * pitch
// + j], of every position p; what lies kCorrelated beyond the last is read and written too.
struct CorrelateArgs {
  const float* planes;
  std::size_t plane;             // between outputs
  int pitch;                     // between rows
  const float* weights;
  int outputs, kh, kw;
  float* sums;
  int positions;
};

struct Ops {
  const char* name;
  int unit;                      // channels in a unit of the product loop: 4 (u8 x s8), 2 (s16)
  void (*quantize)(const QuantizeArgs&);
  Survey (*survey)(const std::uint8_t* codes, std::size_t count);
  void (*remap)(const std::uint8_t* map, std::uint8_t* codes, std::size_t count);  // in place
  void (*transpose)(const TransposeArgs&);
  // Writes pitch * tap + code of every code (modulo size, a power of two) that is not 0 to `list`,
  // in order, and returns their number; `list` has room for `count` rounded up to 8.
  int (*compact)(const std::uint8_t* codes, int count, int size, int pitch, std::uint16_t* list);
  // Widens the ranges of `channels` channels by their codes at `positions` positions.
  void (*widen)(const std::uint8_t* codes, std::size_t stride, long positions, int channels,
                Range* ranges);
  void (*build)(const BuildArgs&);
  void (*add)(const AddArgs&);
  void (*add_all)(const AddAllArgs&);
  void (*add_windows)(const AddWindowsArgs&);
  // Null where no instruction looks up the bytes of a vector at once.
  void (*spread)(const SpreadArgs&);
  void (*add_planes)(const PlaneArgs&);
  void (*separate)(std::uint32_t* acc, long items);  // Sums to a word per lane
  void (*product)(const ProductArgs&);
  void (*correlate)(const CorrelateArgs&);
  // acc[pixel][lanes] of pixels first ... first + pixels - 1; has room for 16 pixels more.
  void (*store)(const Target&, const std::uint32_t* acc, int lanes, long first, int pixels);
  // acc[channel][kLanes] of up to kLanes pixels from the first on.
  void (*store_lanes)(const Target&, const std::uint32_t* acc, long first, int pixels);
};

const Ops* ops_portable();     // vectors of 16 bytes: SSE2, NEON
const Ops* ops_avx2();         // null where not compiled in or not supported by this CPU
const Ops* ops_avx512vbmi();

}  // namespace axhil
