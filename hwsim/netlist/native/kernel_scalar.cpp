// SPDX-License-Identifier: Apache-2.0
// Any CPU: vectors of 16 bytes, which the compiler takes apart where there are none.
#define AXHIL_BYTES 16
#include "kernel.hpp"

namespace axhil::gates {

const Kernels* kernels_scalar() {
  static const Kernels kernels{"scalar", products, measure, matmul, kBlock};
  return &kernels;
}

}  // namespace axhil::gates
