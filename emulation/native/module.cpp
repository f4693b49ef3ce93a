// SPDX-License-Identifier: Apache-2.0
// Python bindings. Shapes and ranges are checked in __init__.py; here only what would be unsafe.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include <algorithm>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "baseline.hpp"
#include "input_gradient.hpp"
#include "lut_layer.hpp"
#include "pool.hpp"
#include "pooling.hpp"
#include "product_layer.hpp"

namespace nb = nanobind;
using axhil::Geometry;
using axhil::Input;
using axhil::Layer;
using axhil::Ops;
using axhil::Output;

namespace {

template <class T, int N>
using Array = nb::ndarray<T, nb::ndim<N>, nb::c_contig, nb::device::cpu>;

std::vector<const Ops*> supported() {
  std::vector<const Ops*> all;
  for (const Ops* ops : {axhil::ops_avx512vbmi(), axhil::ops_avx2(), axhil::ops_portable()}) {
    if (ops) all.push_back(ops);
  }
  return all;
}

const Ops* find_ops(const std::string& isa) {
  for (const Ops* ops : supported()) {
    if (isa == ops->name) return ops;
  }
  throw std::invalid_argument("this build or CPU has no instruction set '" + isa + "'");
}

void require(bool condition, const char* sentence) {
  if (!condition) throw std::invalid_argument(sentence);
}

template <class Codes>
Input codes_input(const Layer& layer, const Codes& codes) {
  Input in;
  in.codes = reinterpret_cast<const std::uint8_t*>(codes.data());
  in.N = static_cast<int>(codes.shape(0));
  in.H = static_cast<int>(codes.shape(2));
  in.W = static_cast<int>(codes.shape(3));
  const Geometry& g = layer.geometry();
  require(codes.shape(1) == static_cast<std::size_t>(g.C) * g.groups, "channels differ");
  return in;
}

template <class Out>
void check_output(const Layer& layer, const Input& in, const Out& out) {
  const Geometry& g = layer.geometry();
  require(in.H + 2 * g.ph > g.dh * (g.kh - 1) && in.W + 2 * g.pw > g.dw * (g.kw - 1),
          "the kernel is larger than the padded input");
  require(static_cast<int>(out.shape(0)) == in.N && static_cast<int>(out.shape(1)) == g.O &&
              static_cast<int>(out.shape(2)) == layer.out_height(in.H) &&
              static_cast<int>(out.shape(3)) == layer.out_width(in.W),
          "the output's shape differs");
}

void accumulate(const Layer& layer, const Array<const std::uint8_t, 4>& codes,
                const Array<std::int32_t, 4>& out, int threads) {
  const Input in = codes_input(layer, codes);
  check_output(layer, in, out);
  const Output to{out.data()};
  const nb::gil_scoped_release release;
  layer.run(in, to, threads);
}

void forward(const Layer& layer, const Array<const float, 4>& x, float inv_scale, float qmin,
             float qmax, const Array<const float, 1>& scale, const Array<const float, 1>& bias,
             bool relu, const std::optional<Array<std::uint8_t, 4>>& mask,
             const Array<float, 4>& out, int threads) {
  Input in = codes_input(layer, x);
  in.codes = nullptr;
  in.x = x.data();
  in.inv_scale = inv_scale;
  in.qmin = qmin;
  in.qmax = qmax;
  if (mask) {
    for (int i = 0; i < 4; ++i) require(mask->shape(i) == x.shape(i), "the mask's shape differs");
    in.mask = mask->data();
  }
  check_output(layer, in, out);
  const auto O = static_cast<std::size_t>(layer.geometry().O);
  require(scale.shape(0) == O && bias.shape(0) == O, "the scale's or bias's length differs");
  const Output to{out.data(), scale.data(), bias.data(), relu};
  const nb::gil_scoped_release release;
  layer.run(in, to, threads);
}

Geometry geometry(const Array<const std::uint8_t, 4>& weights, const int* stride,
                  const int* padding, const int* dilation, int groups) {
  return {static_cast<int>(weights.shape(0)), static_cast<int>(weights.shape(1)),
          static_cast<int>(weights.shape(2)), static_cast<int>(weights.shape(3)),
          stride[0], stride[1], padding[0], padding[1], dilation[0], dilation[1], groups};
}

}  // namespace

NB_MODULE(_kernel, m) {
  m.doc() = "Native kernels of the emulator; use emulation.native.";
  m.def("supported", [] {
    nb::list names;
    for (const Ops* ops : supported()) names.append(ops->name);
    return names;
  });
  nb::class_<Layer>(m, "Layer")
      .def_prop_ro("isa", [](const Layer& l) { return std::string(l.ops()->name); })
      .def("accumulate", &accumulate)
      .def("forward", &forward, nb::arg(), nb::arg(), nb::arg(), nb::arg(), nb::arg(), nb::arg(),
           nb::arg(), nb::arg().none(), nb::arg(), nb::arg());
  nb::class_<axhil::LutLayer, Layer>(m, "LutLayer")
      .def("__init__", [](axhil::LutLayer* self, const std::string& isa,
                          const Array<const std::int32_t, 2>& table, int width,
                          const Array<const std::uint8_t, 4>& weights, int sh, int sw, int ph,
                          int pw, int dh, int dw, int groups) {
        const int stride[] = {sh, sw}, padding[] = {ph, pw}, dilation[] = {dh, dw};
        const std::size_t size = std::size_t{1} << width;
        require(width >= 1 && width <= 8 && table.shape(0) == size && table.shape(1) == size,
                "the table's shape differs from its width");
        for (std::size_t i = 0; i < weights.size(); ++i) {
          require(weights.data()[i] < size, "a weight is beyond the table");
        }
        new (self) axhil::LutLayer(geometry(weights, stride, padding, dilation, groups),
                                   find_ops(isa), table.data(), width, weights.data());
      });
  nb::class_<axhil::ProductLayer, Layer>(m, "ProductLayer")
      .def("__init__", [](axhil::ProductLayer* self, const std::string& isa,
                          const Array<const std::int32_t, 1>& u,
                          const Array<const std::int32_t, 1>& v, int width,
                          const Array<const std::uint8_t, 4>& weights, int sh, int sw, int ph,
                          int pw, int dh, int dw, int groups) {
        const int stride[] = {sh, sw}, padding[] = {ph, pw}, dilation[] = {dh, dw};
        const std::size_t size = std::size_t{1} << width;
        require(width >= 1 && width <= 8 && u.shape(0) == size && v.shape(0) == size,
                "a factor's length differs from the width");
        for (std::size_t i = 0; i < weights.size(); ++i) {
          require(weights.data()[i] < size, "a weight is beyond the factor");
        }
        new (self) axhil::ProductLayer(geometry(weights, stride, padding, dilation, groups),
                                       find_ops(isa), u.data(), v.data(), width, weights.data());
      });
  const auto pooling = [](void (*loop)(const axhil::Pooling&)) {
    return [loop](const Array<float, 4>& large, const Array<float, 4>& small,
                  const std::optional<Array<std::uint8_t, 4>>& which, int threads) {
      const auto planes = static_cast<long>(large.shape(0) * large.shape(1));
      const auto height = static_cast<int>(large.shape(2)), width = static_cast<int>(large.shape(3));
      const std::size_t area = std::size_t(height) * width, squares = height / 2 * (width / 2);
      require(small.size() == planes * squares && (!which || which->size() == small.size()),
              "the pooled shape differs");
      const nb::gil_scoped_release release;
      // A task is some 64 KiB.
      const long run = std::max<long>(1, 16384 / std::max<long>(1, area));
      axhil::parallel_for(threads, (planes + run - 1) / run, [&](long item) {
        const long first = item * run;
        loop({std::min(run, planes - first), height, width, large.data() + first * area,
                      small.data() + first * squares,
                      which ? which->data() + first * squares : nullptr});
      });
    };
  };
  m.def("pool", pooling(axhil::pool), nb::arg(), nb::arg(), nb::arg().none(), nb::arg());
  m.def("unpool", pooling(axhil::unpool), nb::arg(), nb::arg(), nb::arg(), nb::arg());
  m.def("input_gradient", [](const std::string& isa, const Array<const float, 4>& grad,
                             const Array<const float, 4>& weights, int ph, int pw,
                             const Array<float, 4>& out, int threads) {
    const auto size = [](const auto& array, int axis) {
      return static_cast<int>(array.shape(axis));
    };
    const axhil::InputGradient a{grad.data(), static_cast<long>(grad.shape(0)),
                                 size(grad, 1), size(grad, 2), size(grad, 3),
                                 weights.data(), size(weights, 0), size(weights, 2),
                                 size(weights, 3), ph, pw, out.data()};
    require(size(weights, 1) == a.O && ph >= 0 && pw >= 0 && ph < a.kh && pw < a.kw &&
                out.shape(0) == grad.shape(0) && size(out, 1) == a.C &&
                size(out, 2) == a.height() && size(out, 3) == a.width(),
            "the gradients' shapes differ");
    const Ops* ops = find_ops(isa);
    const nb::gil_scoped_release release;
    axhil::run(a, *ops, threads);
  });
  m.def("gather_baseline", [](const Array<const std::int32_t, 2>& table,
                              const Array<const std::uint8_t, 2>& activations,
                              const Array<const std::uint8_t, 2>& weights,
                              const Array<std::int32_t, 2>& out) {
    require(table.shape(0) == 256 && table.shape(1) == 256 &&
                activations.shape(0) == weights.shape(1) && out.shape(0) == weights.shape(0) &&
                out.shape(1) == activations.shape(1),
            "expected (256, 256), (K, P), (O, K) and (O, P)");
    const nb::gil_scoped_release release;
    axhil::gather_baseline(table.data(), activations.data(), weights.data(), out.data(),
                           weights.shape(0), weights.shape(1), activations.shape(1));
  });
}
