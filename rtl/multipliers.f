// SPDX-License-Identifier: Apache-2.0
// Every multiplier: -F multipliers.f of Verilator, axhil lut multipliers.f --top mul_drum
leading_one.v
mul_exact.v
mul_drum.v
mul_scaletrim.v
mul_signed.v
