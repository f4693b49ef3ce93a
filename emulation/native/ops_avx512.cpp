// SPDX-License-Identifier: Apache-2.0
#include "ops.hpp"

#ifdef AXHIL_AVX512
#define AXHIL_VECTOR_BYTES 64
#include "loops.hpp"
#include "look_ups.hpp"

namespace axhil {

const Ops* ops_avx512vbmi() {
  static constexpr Ops kOps = make_ops("avx512vbmi", spread, add_planes);
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                 __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
                 __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vnni")
             ? &kOps
             : nullptr;
}

}  // namespace axhil

#else

namespace axhil {

const Ops* ops_avx512vbmi() { return nullptr; }

}  // namespace axhil
#endif
