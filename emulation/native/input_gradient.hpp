// SPDX-License-Identifier: Apache-2.0
// The gradient of a convolution's input where its channels are few, as in the first layer, which
// an attack differentiates at every step. Libraries compute 8 or 16 channels side by side.
#pragma once

#include "ops.hpp"

namespace axhil {

struct InputGradient {
  const float* grad;     // [image][O][OH][OW], of a convolution of stride 1
  long images;
  int O, OH, OW;
  const float* weights;  // [C][O][kh][kw], turned by half a turn
  int C, kh, kw;
  int ph, pw;            // padding, less than the kernel
  float* out;            // [image][C][height()][width()]

  int height() const { return OH + kh - 1 - 2 * ph; }
  int width() const { return OW + kw - 1 - 2 * pw; }
};

// Products are added up in the order of outputs and taps, each rounded, whatever the instruction
// set and the threads.
void run(const InputGradient&, const Ops&, int threads);

}  // namespace axhil
