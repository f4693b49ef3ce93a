// SPDX-License-Identifier: Apache-2.0
// Edges of every net with inertial gate delays, many transitions side by side: a bit of a word is
// the step from one value of all sources to the next. What callers mean is checked in Python.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <new>
#include <stdexcept>
#include <vector>

#include "../../netlist/native/gates.hpp"

namespace nb = nanobind;
using axhil::gates::Gate;

namespace {

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__APPLE__)
#define AXHIL_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define AXHIL_CLONES
#endif

constexpr int kWords = 4, kLanes = 64 * kWords;
typedef std::uint64_t Lanes __attribute__((vector_size(8 * kWords)));

template <class T, int N>
using Array = nb::ndarray<T, nb::ndim<N>, nb::c_contig, nb::device::cpu>;
using Nets = Array<const std::int32_t, 1>;

void require(bool condition, const char* sentence) {
  if (!condition) throw std::invalid_argument(sentence);
}

// The values of a net at times first - 1 to last; it has its old value before, its new one after.
struct Wave {
  std::int32_t first = 0, last = -1;  // no time: the net never changes
  std::size_t at = 0;                 // of its first value
  std::int32_t count() const { return last - first + 2; }
};

// A vector of vectors would forget how they are aligned.
struct Storage {
  explicit Storage(std::size_t count)
      : values(static_cast<Lanes*>(
            ::operator new(count * sizeof(Lanes), std::align_val_t(sizeof(Lanes))))) {}
  ~Storage() { ::operator delete(values, std::align_val_t(sizeof(Lanes))); }
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;
  Lanes* values;
};

struct Circuit {
  const Gate* gates;
  std::size_t count;
  const std::int32_t* delay;  // by net, in steps
  std::vector<Wave> waves;
  std::size_t values = 0;

  void place(Wave& wave) {
    wave.at = values;
    values += wave.count();
  }
};

Circuit timed(const Gate* gates, std::size_t count, std::int32_t nets, const std::int32_t* delay,
              const Nets& sources) {
  Circuit circuit{gates, count, delay, std::vector<Wave>(nets)};
  auto& waves = circuit.waves;
  for (std::size_t i = 0; i < sources.size(); ++i) waves[sources.data()[i]].last = 0;
  for (const Gate* gate = gates; gate != gates + count; ++gate) {
    Wave& out = waves[gate->out];
    bool changes = false;
    for (const std::int32_t source : {gate->x, gate->y, gate->z}) {
      const Wave& in = waves[source];
      if (in.last < in.first) continue;
      const std::int32_t d = delay[gate->out];
      out.first = changes ? std::min(out.first, in.first + d) : in.first + d;
      out.last = changes ? std::max(out.last, in.last + d) : in.last + d;
      changes = true;
    }
  }
  for (Wave& wave : waves) circuit.place(wave);
  return circuit;
}

// By reference and inlined: a clone must not call what passes vectors in another way.
#define AXHIL_INLINE inline __attribute__((always_inline))

AXHIL_INLINE void compute(std::int32_t kind, const Lanes& x, const Lanes& y, const Lanes& z,
                          Lanes& out) {
  using namespace axhil::gates;
  switch (kind) {
    case kNot: out = ~x; break;
    case kAnd: out = x & y; break;
    case kOr: out = x | y; break;
    case kXor: out = x ^ y; break;
    case kMux: out = x ^ ((x ^ y) & z); break;
    case kNand: out = ~(x & y); break;
    case kNor: out = ~(x | y); break;
    case kXnor: out = ~(x ^ y); break;
    case kAndNot: out = x & ~y; break;
    default: out = x | ~y;
  }
}

AXHIL_INLINE const Lanes& at(const Lanes* values, const Wave& wave, std::int32_t time) {
  return values[std::clamp(time - wave.first + 1, 0, wave.count() - 1)];
}

AXHIL_INLINE std::uint64_t edges_between(const Lanes& before, const Lanes& after,
                                         const Lanes& mask) {
  std::uint64_t sum = 0;
  for (int i = 0; i < kWords; ++i) {
    sum += __builtin_popcountll((before[i] ^ after[i]) & mask[i]);
  }
  return sum;
}

// The steps from `start` on of every source; a row of bytes is one's values.
void load(const Circuit& circuit, const Nets& sources, const std::uint8_t* bits, std::size_t steps,
          int count, Lanes* values, const Lanes& mask, std::uint64_t* edges) {
  for (std::size_t i = 0; i < sources.size(); ++i, bits += steps) {
    const std::int32_t net = sources.data()[i];
    Lanes* const w = values + circuit.waves[net].at;
    std::uint64_t words[2][kWords] = {};
    for (int lane = 0; lane < count; ++lane) {
      for (int next = 0; next < 2; ++next) {
        words[next][lane / 64] |= std::uint64_t{bits[lane + next]} << lane % 64;
      }
    }
    for (int next = 0; next < 2; ++next) std::memcpy(&w[next], words[next], sizeof(Lanes));
    edges[net] += edges_between(w[0], w[1], mask);
  }
}

}  // namespace

// Outside of the namespace: clones of what a file keeps to itself are not resolved.
// Adds the edges of one block; the waves of the operands are there.
AXHIL_CLONES void add_edges(const Circuit& circuit, Lanes* values, const Lanes& mask,
                            std::uint64_t* edges) {
  for (const Gate* gate = circuit.gates; gate != circuit.gates + circuit.count; ++gate) {
    const Wave out = circuit.waves[gate->out], x = circuit.waves[gate->x],
               y = circuit.waves[gate->y], z = circuit.waves[gate->z];
    const Lanes *xs = values + x.at, *ys = values + y.at, *zs = values + z.at;
    Lanes* const w = values + out.at;
    const std::int32_t d = circuit.delay[gate->out], n = out.count(), kind = gate->kind;
    compute(kind, xs[0], ys[0], zs[0], w[0]);
    for (std::int32_t k = 1; k < n; ++k) {
      const std::int32_t t = out.first - 1 + k - d;
      compute(kind, at(xs, x, t), at(ys, y, t), at(zs, z, t), w[k]);
    }
    std::uint64_t sum = 0;
    for (std::int32_t k = 1; k < n; ++k) {
      // The output follows where the new value then stays for the delay.
      Lanes up = w[k], down = w[k];
      for (std::int32_t i = k + 1; i < std::min(k + d, n); ++i) up &= w[i], down |= w[i];
      w[k] = up | (w[k - 1] & down);
      sum += edges_between(w[k - 1], w[k], mask);
    }
    edges[gate->out] += sum;
  }
}

NB_MODULE(_switching, m) {
  m.doc() = "Native count of edges; use hwsim.cost.switching.";
  m.def("edges", [](const Array<const std::int32_t, 2>& gates, const Nets& delay,
                    const Nets& sources, const Array<const std::uint8_t, 2>& bits,
                    const Array<std::uint64_t, 1>& edges) {
    static_assert(sizeof(Gate) == 5 * sizeof(std::int32_t));
    const auto nets = static_cast<std::int32_t>(delay.size());
    require(nets >= 2 && gates.shape(1) == 5 && edges.size() == delay.size(),
            "expected two nets or more, gates of 5 numbers and a count for every net");
    const auto* gate = reinterpret_cast<const Gate*>(gates.data());
    for (std::size_t i = 0; i < gates.shape(0); ++i) {
      require(gate[i].kind >= 0 && gate[i].kind < axhil::gates::kKinds, "a gate is of no kind");
      for (const std::int32_t net : {gate[i].out, gate[i].x, gate[i].y, gate[i].z}) {
        require(net >= 0 && net < nets, "a net is beyond the circuit");
      }
    }
    for (std::size_t i = 0; i < sources.size(); ++i) {
      require(sources.data()[i] >= 2 && sources.data()[i] < nets, "a source is no net");
    }
    const std::size_t steps = bits.shape(1);
    require(bits.shape(0) == sources.size() && steps >= 2,
            "expected two values or more of every source");
    for (std::size_t i = 0; i < bits.size(); ++i) require(bits.data()[i] <= 1, "a value is no bit");
    const nb::gil_scoped_release release;
    const Circuit circuit = timed(gate, gates.shape(0), nets, delay.data(), sources);
    const Storage storage(circuit.values);
    Lanes* const values = storage.values;
    values[circuit.waves[0].at] = Lanes{};
    values[circuit.waves[1].at] = ~Lanes{};
    for (std::size_t start = 0; start + 1 < steps; start += kLanes) {
      const int count = static_cast<int>(std::min<std::size_t>(kLanes, steps - 1 - start));
      Lanes mask{};
      for (int lane = 0; lane < count; ++lane) mask[lane / 64] |= std::uint64_t{1} << lane % 64;
      load(circuit, sources, bits.data() + start, steps, count, values, mask, edges.data());
      add_edges(circuit, values, mask, edges.data());
    }
  });
}
