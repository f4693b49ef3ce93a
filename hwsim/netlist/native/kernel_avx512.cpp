// SPDX-License-Identifier: Apache-2.0
// Vectors of 64 bytes.
#include "gates.hpp"

#ifdef AXHIL_AVX512
#define AXHIL_BYTES 64
#include "kernel.hpp"
#endif

namespace axhil::gates {

const Kernels* kernels_avx512() {
#ifdef AXHIL_AVX512
  static const Kernels kernels{"avx512vbmi", products, measure, matmul, kBlock};
  __builtin_cpu_init();
  static const bool here = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
                           __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vnni");
  return here ? &kernels : nullptr;
#else
  return nullptr;
#endif
}

}  // namespace axhil::gates
