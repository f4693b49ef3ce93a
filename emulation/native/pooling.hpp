// SPDX-License-Identifier: Apache-2.0
// Max-pooling of squares of 2 x 2. Bound by memory, so that SSE2 does as well as wider vectors.
#pragma once

#include <cstdint>

namespace axhil {

struct Pooling {
  long planes;
  int height, width;    // a last odd row or column is left out
  float* large;         // [plane][height][width], or its gradient
  float* small;         // [plane][height / 2][width / 2]
  std::uint8_t* which;  // [plane][height / 2][width / 2], of the square; null: not wanted
};

void pool(const Pooling&);    // large to small: the first largest, or the first NaN
void unpool(const Pooling&);  // small to large: to where it came from, 0 elsewhere

}  // namespace axhil
