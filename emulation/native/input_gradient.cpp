// SPDX-License-Identifier: Apache-2.0
#include "input_gradient.hpp"

#include <algorithm>
#include <cstring>

#include "layer.hpp"
#include "pool.hpp"

namespace axhil {
namespace {

constexpr int kImages = 8;  // of a task

}  // namespace

void run(const InputGradient& a, const Ops& ops, int threads) {
  // With zeros around them, rows of the output's gradient lie in a row: what wraps around comes out
  // between the rows of the input's.
  const int edge_h = a.kh - 1 - a.ph, edge_w = a.kw - 1 - a.pw;
  const int pitch = a.OW + 2 * edge_w;
  const std::size_t plane = static_cast<std::size_t>(a.OH + 2 * edge_h) * pitch;
  const int H = a.height(), W = a.width(), positions = H * pitch;
  parallel_for(threads, (a.images + kImages - 1) / kImages, [&](long item) {
    static thread_local Buffer plane_buffer, sum_buffer;
    const std::size_t room = a.O * plane + a.kw + kCorrelated;
    auto* planes = plane_buffer.get<float>(room);
    auto* sums = sum_buffer.get<float>(positions + kCorrelated);
    std::memset(planes, 0, room * sizeof(float));
    for (long n = item * kImages; n < std::min(a.images, (item + 1) * kImages); ++n) {
      for (int row = 0; row < a.O * a.OH; ++row) {
        std::memcpy(planes + row / a.OH * plane + (row % a.OH + edge_h) * pitch + edge_w,
                    a.grad + (n * a.O * a.OH + row) * a.OW, a.OW * sizeof(float));
      }
      for (int c = 0; c < a.C; ++c) {
        const float* weights = a.weights + static_cast<std::size_t>(c) * a.O * a.kh * a.kw;
        ops.correlate({planes, plane, pitch, weights, a.O, a.kh, a.kw, sums, positions});
        float* out = a.out + (n * a.C + c) * H * W;
        for (int h = 0; h < H; ++h) std::memcpy(out + h * W, sums + h * pitch, W * sizeof(float));
      }
    }
  });
}

}  // namespace axhil
