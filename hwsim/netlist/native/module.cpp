// SPDX-License-Identifier: Apache-2.0
// Python bindings. What callers mean is checked in Python; here only what would be unsafe.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include <optional>
#include <stdexcept>
#include <string>

#include "gates.hpp"

namespace nb = nanobind;
using namespace axhil::gates;

namespace {

template <class T, int N>
using Array = nb::ndarray<T, nb::ndim<N>, nb::c_contig, nb::device::cpu>;
using Slots = Array<const std::int32_t, 1>;

void require(bool condition, const char* sentence) {
  if (!condition) throw std::invalid_argument(sentence);
}

const Kernels& find(const std::string& isa) {
  for (const Kernels* kernels : {kernels_avx512(), kernels_avx2(), kernels_scalar()}) {
    if (kernels && isa == kernels->name) return *kernels;
  }
  throw std::invalid_argument("this build or CPU has no instruction set '" + isa + "'");
}

void require_slots(const Slots& slots, std::int32_t count) {
  for (std::size_t i = 0; i < slots.size(); ++i) {
    require(slots.data()[i] >= 0 && slots.data()[i] < count, "a slot is beyond the program");
  }
}

Program program(const Array<const std::int32_t, 2>& gates, std::int32_t slots, const Slots& a,
                const Slots& b, const Slots& p) {
  static_assert(sizeof(Gate) == 5 * sizeof(std::int32_t));
  require(slots >= 2 && gates.shape(1) == 5, "expected two slots or more and gates of 5 numbers");
  const auto* gate = reinterpret_cast<const Gate*>(gates.data());
  for (std::size_t i = 0; i < gates.shape(0); ++i) {
    require(gate[i].kind >= 0 && gate[i].kind < kKinds, "a gate is of no kind");
    for (const std::int32_t slot : {gate[i].out, gate[i].x, gate[i].y, gate[i].z}) {
      require(slot >= 0 && slot < slots, "a slot is beyond the program");
    }
  }
  for (const Slots& bits : {a, b, p}) require_slots(bits, slots);
  require(a.size() >= 1 && a.size() <= 32 && b.size() >= 1 && b.size() <= 32 && p.size() >= 1 &&
              p.size() <= 64,
          "expected operands of 1 to 32 bits and a product of 1 to 64");
  return {gate,
          gates.shape(0),
          slots,
          a.data(),
          b.data(),
          p.data(),
          static_cast<std::int32_t>(a.size()),
          static_cast<std::int32_t>(b.size()),
          static_cast<std::int32_t>(p.size())};
}

}  // namespace

NB_MODULE(_gates, m) {
  m.doc() = "Native evaluation of gates; use hwsim.netlist.evaluation.";
  m.def("supported", [] {
    nb::list names;
    for (const Kernels* kernels : {kernels_avx512(), kernels_avx2(), kernels_scalar()}) {
      if (kernels) names.append(kernels->name);
    }
    return names;
  });
  m.attr("BLOCK") = kernels_scalar()->block;
  m.def("products", [](const std::string& isa, const Array<const std::int32_t, 2>& gates,
                       std::int32_t slots, const Slots& a, const Slots& b, const Slots& p,
                       const Array<const std::uint32_t, 1>& x,
                       const Array<const std::uint32_t, 1>& y,
                       const Array<std::uint64_t, 1>& out) {
    const Kernels& kernels = find(isa);
    const Program gated = program(gates, slots, a, b, p);
    require(x.size() == y.size() && x.size() == out.size(), "expected as many products as pairs");
    const nb::gil_scoped_release release;
    kernels.products(gated, x.data(), y.data(), out.data(), out.size());
  });
  m.def(
      "matmul",
      [](const std::string& isa, const Array<const std::int32_t, 2>& gates, std::int32_t slots,
         const Slots& a, const Slots& b, const Slots& p, const Array<const std::uint16_t, 2>& x,
         const Array<const std::uint16_t, 2>& w, std::size_t first,
         const Array<std::int64_t, 1>& out,
         const std::optional<Array<const std::uint32_t, 2>>& table) {
        const Kernels& kernels = find(isa);
        const Program gated = program(gates, slots, a, b, p);
        require(a.size() <= 16 && b.size() <= 16, "expected operands of at most 16 bits");
        require(x.shape(0) == w.shape(0), "expected as many taps of activations as of weights");
        require(first + out.size() <= x.shape(1) * w.shape(1), "a lane is beyond the product");
        require(!table || (p.size() >= 32 && table->shape(0) == std::size_t{1} << a.size() &&
                           table->shape(1) == std::size_t{1} << b.size()),
                "the table is not that of the operands");
        const Matmul matmul{gated, x.data(), w.data(), table ? table->data() : nullptr,
                            x.shape(1), w.shape(1), x.shape(0), first, out.size(),
                            static_cast<std::int32_t>(p.size()), out.data()};
        const nb::gil_scoped_release release;
        return kernels.matmul(matmul);
      },
      nb::arg(), nb::arg(), nb::arg(), nb::arg(), nb::arg(), nb::arg(), nb::arg(), nb::arg(),
      nb::arg(), nb::arg(), nb::arg().none());
  m.def(
      "measure",
      [](const std::string& isa, const Array<const std::int32_t, 2>& gates, std::int32_t slots,
         const Slots& a, const Slots& b, const Slots& p, const std::optional<Slots>& q,
         const std::optional<Array<const std::uint32_t, 2>>& array, bool a_signed, bool b_signed,
         bool p_signed, std::uint32_t first, const Array<std::uint64_t, 3>& counts,
         const Array<double, 3>& ratios) {
        const Kernels& kernels = find(isa);
        const Program gated = program(gates, slots, a, b, p);
        const std::size_t rows = counts.shape(0), columns = std::size_t{1} << b.size();
        require(p.size() == 32 && b.size() < 32 && a.size() < 32 && columns / 2 >= 1 &&
                    columns / 2 % kernels.block == 0,
                "expected products of 32 slots and rows of whole blocks");
        require(first + rows <= std::size_t{1} << a.size(), "a row is beyond the operands");
        require(counts.shape(1) == 2 && counts.shape(2) == kCounts && ratios.shape(0) == rows &&
                    ratios.shape(1) == 2 && ratios.shape(2) == kRatios,
                "the shape of the results differs");
        require(!q || !array, "expected one reference");
        Measure measure{gated, nullptr, Reference::exact, nullptr, a_signed, b_signed, p_signed,
                        first, static_cast<std::uint32_t>(rows), counts.data(), ratios.data()};
        if (q) {
          require(q->size() == 32, "expected a reference of 32 slots");
          require_slots(*q, slots);
          measure.reference = Reference::program;
          measure.q = q->data();
        }
        if (array) {
          require(array->shape(0) == rows && array->shape(1) == columns,
                  "the shape of the reference differs");
          measure.reference = Reference::array;
          measure.array = array->data();
        }
        const nb::gil_scoped_release release;
        kernels.measure(measure);
      },
      nb::arg(), nb::arg(), nb::arg(), nb::arg(), nb::arg(), nb::arg(), nb::arg().none(),
      nb::arg().none(), nb::arg(), nb::arg(), nb::arg(), nb::arg(), nb::arg(), nb::arg());
}
