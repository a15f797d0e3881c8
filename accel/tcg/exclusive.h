// ExclusiveGate: lets one vCPU run an instruction while no other executes guest code.
//
// What it is for: locked accesses that the host cannot make atomic in one go: misaligned ones,
// those that cross pages, and sixteen bytes on hosts without such an exchange. They must be atomic
// towards the other processors' plain stores too, so a lock around the locked accesses alone would
// not do.
//
// Words. *Inside*: in TcgVcpu::run, where guest code may run at any time. *Safe point*: between two
// blocks. A vCPU that wants the gate counts as outside while it waits, so two that want it at once
// take turns.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <vector>

#include "accel/tcg/attention.h"
#include "base/types.h"

namespace kite::tcg {

class ExclusiveGate {
 public:
  // `attention` gets `bit` set when the vCPU is wanted at a safe point. Before any vCPU runs.
  void join(Attention& attention, u32 bit);
  void depart(Attention& attention);

  // A vCPU's run() begins and ends.
  void enter();
  void leave();
  // Between blocks, when the attention bit was set (and has been cleared).
  void safe_point();

  // From inside: returns when every other vCPU is outside or at a safe point, and keeps them there
  // until end().
  void begin();
  void end();

 private:
  bool alone() const { return count_.load(std::memory_order_relaxed) < 2; }

  struct Member {
    Attention* attention;
    u32 bit;
  };
  std::atomic<unsigned> count_{0};  // of members
  std::mutex mutex_;                // guards everything below
  std::condition_variable changed_;
  std::vector<Member> members_;
  unsigned inside_ = 0;  // vCPUs that may be executing guest code
  bool taken_ = false;
};

class ExclusiveSection {
 public:
  explicit ExclusiveSection(ExclusiveGate& gate) : gate_(gate) { gate_.begin(); }
  ~ExclusiveSection() { gate_.end(); }
  ExclusiveSection(const ExclusiveSection&) = delete;

 private:
  ExclusiveGate& gate_;
};

}  // namespace kite::tcg
