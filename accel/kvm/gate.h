// Gate: who is inside KVM_RUN, how it is called out, and how memory slots are changed meanwhile.
//
// Purpose. Two things must reach a vCPU that executes guest code: a request to come out (a kick,
// an interrupt, a deadline), which must never be lost, and a change of the memory slots, during
// which a page may for a moment have no slot, and which the guest must not see.
//
// Coming out. KVM_RUN returns at once while kvm_run::immediate_exit is set, and returns when a
// signal arrives. Who wants a vCPU out first stores its request where the vCPU looks before it
// enters, then calls Entrance::poke(), which sets immediate_exit and, if the vCPU is inside, sends
// the signal. The vCPU clears immediate_exit first, then looks for requests, then enters. So a
// request made before the look is seen by it, and one made after it finds immediate_exit cleared
// and sets it again: whichever way the two interleave, KVM_RUN comes back.
//
// Changing slots. Gate::close() makes every vCPU wait outside, and pokes those inside until they
// are out; Gate::open() lets them in. A vCPU that serves I/O is outside, hence a device's handler
// may edit the address space.
//
// Nothing here is locked on the way in or out: inside_ and closed_ are ordered by sequentially
// consistent stores and loads, as in Dekker's algorithm. Entrance::mutex_ is held by poke() and
// by the beginning and end of Vcpu::run, so that no signal is sent to a thread that has ended.
#pragma once

#include <pthread.h>

#include <atomic>
#include <mutex>
#include <optional>
#include <vector>

#include "accel/kvm/abi.h"
#include "base/types.h"

namespace kite::kvm {

class Gate;

// A vCPU's way into KVM_RUN.
class Entrance {
 public:
  Entrance(Gate& gate, kvm_run& run);
  ~Entrance();
  Entrance(const Entrance&) = delete;
  Entrance& operator=(const Entrance&) = delete;

  // At the beginning and end of Vcpu::run, on its thread.
  void begin();
  void end();

  // Before looking for requests.
  void clear();
  // Around KVM_RUN; false: the gate was closed, look for requests again.
  bool enter();
  void leave();

  // Makes KVM_RUN come back. Any thread.
  void poke();
  // KVM_RUN shall only complete what it has begun.
  void set_immediate() { immediate().store(1); }

 private:
  friend class Gate;
  std::atomic_ref<u8> immediate() { return std::atomic_ref<u8>(run_.immediate_exit); }

  Gate& gate_;
  kvm_run& run_;
  std::atomic<bool> inside_{false};
  std::mutex mutex_;  // guards thread_
  std::optional<pthread_t> thread_;
};

class Gate {
 public:
  void close();
  void open();

 private:
  friend class Entrance;
  std::atomic<bool> closed_{false};
  std::mutex mutex_;  // guards entrances_
  std::vector<Entrance*> entrances_;
};

// The signal that ends KVM_RUN; its handler does no more than set immediate_exit of the vCPU that
// runs on the thread.
int poke_signal();

}  // namespace kite::kvm
