// SPDX-License-Identifier: Apache-2.0
// What every processor of the architecture has: SSE2, NEON, or what the compiler makes of vectors.
#define AXHIL_VECTOR_BYTES 16
#include "loops.hpp"

namespace axhil {

const Ops* ops_portable() {
#ifdef __ARM_NEON
  static constexpr Ops kOps = make_ops("neon");
#else
  static constexpr Ops kOps = make_ops("scalar");
#endif
  return &kOps;
}

}  // namespace axhil
