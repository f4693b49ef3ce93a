// SPDX-License-Identifier: Apache-2.0
// The kernels of the architecture that this is compiled for against plain loops, without Python:
// for processors that only an emulator has. Prints how many layers agreed; exits 1 at the first
// that does not.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <random>
#include <vector>

#include "input_gradient.hpp"
#include "lut_layer.hpp"
#include "product_layer.hpp"

namespace {

using axhil::Geometry;
using axhil::Input;
using axhil::Output;

std::mt19937 generator(1);

int draw(int low, int high) { return std::uniform_int_distribution<int>(low, high)(generator); }

struct Case {
  Geometry g;
  int N, H, W, width, least, span;
};

// Float32 in and out, each step rounded by itself.
bool agrees(const axhil::Layer& layer, const Case& c, const std::vector<std::int32_t>& table,
            const std::vector<std::uint8_t>& weights) {
  const Geometry& g = c.g;
  const int OH = layer.out_height(c.H), OW = layer.out_width(c.W), size = 1 << c.width;
  const int channels = g.C * g.groups, most = size / 2 - 1;
  std::vector<float> x(static_cast<std::size_t>(c.N) * channels * c.H * c.W);
  for (float& value : x) value = static_cast<float>(draw(3 * c.least - 3, 3 * most + 3)) * 0.25f;
  std::vector<float> scale(g.O), bias(g.O), out(static_cast<std::size_t>(c.N) * g.O * OH * OW);
  for (int m = 0; m < g.O; ++m) scale[m] = 0.001f * draw(1, 99), bias[m] = 0.3f * draw(-9, 9);
  std::vector<std::uint8_t> mask(x.size());
  Input in;
  in.x = x.data();
  in.N = c.N, in.H = c.H, in.W = c.W;
  in.inv_scale = 2.0f, in.qmin = static_cast<float>(c.least), in.qmax = static_cast<float>(most);
  in.mask = mask.data();
  layer.run(in, Output{out.data(), scale.data(), bias.data(), true}, 2);

  const auto code = [&](int n, int channel, int h, int w) {
    if (h < 0 || h >= c.H || w < 0 || w >= c.W) return 0;
    const std::size_t at = ((static_cast<std::size_t>(n) * channels + channel) * c.H + h) * c.W + w;
    const float rounded = std::nearbyint(x[at] * 2.0f);
    return static_cast<int>(std::clamp(rounded, in.qmin, in.qmax)) & (size - 1);
  };
  for (std::size_t i = 0; i < x.size(); ++i) {
    const float rounded = std::nearbyint(x[i] * 2.0f);
    if (mask[i] != (rounded >= in.qmin && rounded <= in.qmax)) return false;
  }
  const float* got = out.data();
  for (int n = 0; n < c.N; ++n) {
    for (int m = 0; m < g.O; ++m) {
      for (int p = 0; p < OH * OW; ++p, ++got) {
        std::int64_t sum = 0;
        for (int k = 0; k < g.C * g.kh * g.kw; ++k) {
          const int channel = k / (g.kh * g.kw), dy = k / g.kw % g.kh, dx = k % g.kw;
          const int a = code(n, m / (g.O / g.groups) * g.C + channel,
                             p / OW * g.sh + dy * g.dh - g.ph, p % OW * g.sw + dx * g.dw - g.pw);
          sum += table[a * size + weights[static_cast<std::size_t>(m) * g.C * g.kh * g.kw + k]];
        }
        const float product = static_cast<float>(static_cast<std::int32_t>(sum)) * scale[m];
        if (*got != std::max(product + bias[m], 0.0f)) return false;
      }
    }
  }
  return true;
}

// Products are added up in the order of outputs, rows and columns of taps.
bool gradient_agrees(const axhil::Ops& ops) {
  const auto floats = [](int count) {
    std::vector<float> values(count);
    for (float& value : values) value = 0.01f * static_cast<float>(draw(-999, 999));
    return values;
  };
  axhil::InputGradient a{};
  a.images = draw(1, 20), a.O = draw(1, 9), a.OH = draw(1, 30), a.OW = draw(1, 30);
  a.C = draw(1, 4), a.kh = draw(1, 5), a.kw = draw(1, 5);
  a.ph = draw(0, std::min(a.kh, a.OH / 2 + 1) - 1), a.pw = draw(0, std::min(a.kw, a.OW / 2 + 1) - 1);
  const int H = a.height(), W = a.width();
  const std::vector<float> grad = floats(static_cast<int>(a.images) * a.O * a.OH * a.OW);
  const std::vector<float> weights = floats(a.C * a.O * a.kh * a.kw);
  std::vector<float> out(a.images * a.C * H * W);
  a.grad = grad.data(), a.weights = weights.data(), a.out = out.data();
  run(a, ops, 2);
  const float* got = out.data();
  for (int plane = 0; plane < a.images * a.C; ++plane) {
    for (int p = 0; p < H * W; ++p, ++got) {
      float sum = 0;
      for (int k = 0; k < a.O * a.kh * a.kw; ++k) {
        const int o = k / (a.kh * a.kw);
        const int y = p / W + k / a.kw % a.kh - (a.kh - 1 - a.ph);
        const int x = p % W + k % a.kw - (a.kw - 1 - a.pw);
        const bool inside = y >= 0 && y < a.OH && x >= 0 && x < a.OW;
        const float value = inside ? grad[((plane / a.C * a.O + o) * a.OH + y) * a.OW + x] : 0.0f;
        sum += weights[plane % a.C * a.O * a.kh * a.kw + k] * value;
      }
      if (*got != sum) return false;
    }
  }
  return true;
}

// Whether all layers and gradients agree; prints how many.
bool check(const axhil::Ops* ops) {
  int layers = 0;
  for (int round = 0; round < 60; ++round) {
    Case c{};
    c.g = {draw(1, 3), draw(1, 3), draw(1, 3), draw(1, 3), draw(1, 2), draw(1, 2), draw(0, 2),
           draw(0, 2), draw(1, 2), draw(1, 2), draw(1, 2)};
    if (round % 3 == 0) c.g.O = draw(20, 80), c.g.C = draw(17, 40);
    c.g.O *= c.g.groups;
    c.N = round % 5 ? draw(1, 4) : 40;
    c.H = draw(6, 9), c.W = draw(6, 9);
    c.width = round % 4 ? 8 : draw(2, 7);
    const int size = 1 << c.width;
    c.least = round % 2 ? 0 : -size / 2;
    c.span = 1 << draw(2, 19);
    std::vector<std::int32_t> table(size * size), u(size), v(size);
    for (auto& entry : table) entry = draw(-c.span, c.span);
    for (auto& factor : u) factor = draw(-128, 127);
    for (auto& factor : v) factor = draw(-128, 127);
    std::vector<std::uint8_t> weights(static_cast<std::size_t>(c.g.O) * c.g.C * c.g.kh * c.g.kw);
    for (auto& w : weights) w = static_cast<std::uint8_t>(draw(0, size - 1));
    std::vector<std::int32_t> products(size * size);
    for (int i = 0; i < size * size; ++i) products[i] = u[i / size] * v[i % size];
    const axhil::LutLayer lut(c.g, ops, table.data(), c.width, weights.data());
    const axhil::ProductLayer product(c.g, ops, u.data(), v.data(), c.width, weights.data());
    if (!agrees(lut, c, table, weights) || !agrees(product, c, products, weights)) {
      std::printf("%s: layer %d differs\n", ops->name, layers);
      return false;
    }
    layers += 2;
  }
  for (int gradients = 0; gradients < 40; ++gradients) {
    if (!gradient_agrees(*ops)) {
      std::printf("%s: gradient %d differs\n", ops->name, gradients);
      return false;
    }
  }
  std::printf("%s: %d layers and 40 gradients agree\n", ops->name, layers);
  return true;
}

}  // namespace

int main() {
  for (const axhil::Ops* ops :
       {axhil::ops_portable(), axhil::ops_avx2(), axhil::ops_avx512vbmi()}) {
    if (ops && !check(ops)) return 1;
  }
}
