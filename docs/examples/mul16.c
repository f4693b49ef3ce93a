// SPDX-License-Identifier: Apache-2.0
// DRUM(6) for 16-bit operands, as its paper describes it.
#include <stdint.h>

static uint32_t segment(uint16_t x) {
  int t = 15;
  while (t > 5 && !(x >> t & 1)) t--;
  return t < 6 ? x : (uint32_t)((x >> (t - 5)) | 1) << (t - 5);
}

uint32_t mul16(uint16_t a, uint16_t b) { return segment(a) * segment(b); }
