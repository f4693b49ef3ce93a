// SPDX-License-Identifier: Apache-2.0
#include "ops.hpp"

#ifdef AXHIL_AVX2
#define AXHIL_VECTOR_BYTES 32
#include "loops.hpp"

namespace axhil {

const Ops* ops_avx2() {
  static constexpr Ops kOps = make_ops("avx2");
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx2") ? &kOps : nullptr;
}

}  // namespace axhil

#else

namespace axhil {

const Ops* ops_avx2() { return nullptr; }

}  // namespace axhil
#endif
