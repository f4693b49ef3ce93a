// SPDX-License-Identifier: Apache-2.0
// Vectors of 32 bytes.
#include "gates.hpp"

#ifdef AXHIL_AVX2
#define AXHIL_BYTES 32
#include "kernel.hpp"
#endif

namespace axhil::gates {

const Kernels* kernels_avx2() {
#ifdef AXHIL_AVX2
  static const Kernels kernels{"avx2", products, measure, matmul, kBlock};
  __builtin_cpu_init();
  static const bool here = __builtin_cpu_supports("avx2");
  return here ? &kernels : nullptr;
#else
  return nullptr;
#endif
}

}  // namespace axhil::gates
