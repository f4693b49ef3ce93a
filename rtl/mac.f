// SPDX-License-Identifier: Apache-2.0
// The MAC and the array of MACs, with the multipliers that they are built from.
-f multipliers.f
mac.v
mac_array.v
