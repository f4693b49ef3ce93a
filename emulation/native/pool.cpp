// SPDX-License-Identifier: Apache-2.0
#include "pool.hpp"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#if defined(__unix__) || defined(__APPLE__)
#include <unistd.h>
#endif
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace axhil {
namespace {

long process_id() {
#if defined(__unix__) || defined(__APPLE__)
  return static_cast<long>(getpid());
#else
  return 0;
#endif
}

inline void relax() {
#if defined(__x86_64__)
  _mm_pause();
#endif
}

// Workers look for the next job this many times before they sleep: the layers of a network follow
// one another within microseconds, and a core given up for good costs more than that.
constexpr int kSpins = 2000;

class Pool {
 public:
  void run(int threads, long items, const std::function<void(long)>& work) {
    {
      const std::lock_guard<std::mutex> guard(lock_);
      while (workers_ < threads - 1) {
        std::thread(&Pool::serve, this).detach();
        ++workers_;
      }
      work_ = &work;
      items_ = items;
      next_.store(0, std::memory_order_relaxed);
      places_ = threads - 1;
      generation_.fetch_add(1, std::memory_order_release);
    }
    wake_.notify_all();
    take(work);
    {
      // Workers that have not come by now are not waited for: on a busy machine they may be long.
      const std::lock_guard<std::mutex> guard(lock_);
      places_ = 0;
    }
    for (int spin = 0; busy_.load(std::memory_order_acquire) != 0; ++spin) {
      if (spin < kSpins) {
        relax();
      } else {
        std::this_thread::yield();
      }
    }
  }

 private:
  void take(const std::function<void(long)>& work) {
    for (long item; (item = next_.fetch_add(1, std::memory_order_relaxed)) < items_;) work(item);
  }

  void serve() {
    long seen = 0;
    for (;;) {
      for (int spin = 0; spin < kSpins && generation_.load(std::memory_order_acquire) == seen;
           ++spin) {
        relax();
      }
      std::unique_lock<std::mutex> guard(lock_);
      wake_.wait(guard, [&] { return generation_.load(std::memory_order_relaxed) != seen; });
      seen = generation_.load(std::memory_order_relaxed);
      if (places_ == 0) continue;
      --places_;
      busy_.fetch_add(1, std::memory_order_relaxed);
      const auto* work = work_;
      guard.unlock();
      take(*work);
      busy_.fetch_sub(1, std::memory_order_release);
    }
  }

  std::mutex lock_;
  std::condition_variable wake_;
  const std::function<void(long)>* work_ = nullptr;
  long items_ = 0;
  int places_ = 0, workers_ = 0;
  std::atomic<long> next_{0}, generation_{0};
  std::atomic<int> busy_{0};
};

std::atomic<bool> in_use{false};

// Never destroyed: its detached threads may outlive static destruction, and after a fork the
// parent's threads don't exist in the child, so the child starts afresh.
Pool& pool() {
  static std::atomic<Pool*> current{nullptr};
  static std::atomic<long> owner{0};
  const long id = process_id();
  if (current.load() == nullptr || owner.load() != id) {
    current.store(new Pool);
    owner.store(id);
  }
  return *current.load();
}

}  // namespace

void parallel_for(int threads, long items, const std::function<void(long)>& work) {
  if (threads > items) threads = static_cast<int>(items);
  static std::atomic<long> holder{0};
  const long id = process_id();
  bool expected = false;
  // A child forked while the parent ran a job inherits the flag, but not the job.
  if (threads > 1 && in_use.load() && holder.load() != id) in_use.store(false);
  if (threads <= 1 || !in_use.compare_exchange_strong(expected, true)) {
    for (long item = 0; item < items; ++item) work(item);
    return;
  }
  holder.store(id);
  pool().run(threads, items, work);
  in_use.store(false);
}

}  // namespace axhil
