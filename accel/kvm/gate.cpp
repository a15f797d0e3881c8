#include "accel/kvm/gate.h"

#include <signal.h>

#include <algorithm>

namespace kite::kvm {
namespace {

// The shared page of the vCPU that runs on this thread: for the handler.
thread_local std::atomic<kvm_run*> current_run{nullptr};

void on_poke(int) {
  if (kvm_run* run = current_run.load(std::memory_order_relaxed)) {
    std::atomic_ref<u8>(run->immediate_exit).store(1, std::memory_order_relaxed);
  }
}

void install_handler() {
  static std::once_flag once;
  std::call_once(once, [] {
    struct sigaction action {};
    action.sa_handler = on_poke;
    action.sa_flags = SA_RESTART;  // KVM_RUN ends with EINTR all the same
    sigaction(poke_signal(), &action, nullptr);
  });
}

}  // namespace

int poke_signal() {
  return SIGRTMIN;
}

Entrance::Entrance(Gate& gate, kvm_run& run) : gate_(gate), run_(run) {
  install_handler();
  std::lock_guard lock(gate_.mutex_);
  gate_.entrances_.push_back(this);
}

Entrance::~Entrance() {
  std::lock_guard lock(gate_.mutex_);
  std::erase(gate_.entrances_, this);
}

void Entrance::begin() {
  if (current_run.exchange(&run_, std::memory_order_relaxed) != &run_) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, poke_signal());
    pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
  }
  std::lock_guard lock(mutex_);
  thread_ = pthread_self();
}

void Entrance::end() {
  current_run.store(nullptr, std::memory_order_relaxed);
  std::lock_guard lock(mutex_);
  thread_.reset();
}

void Entrance::clear() {
  immediate().store(0);
}

bool Entrance::enter() {
  inside_.store(true);
  if (!gate_.closed_.load()) return true;
  leave();  // who closes it may have seen this vCPU inside already
  gate_.closed_.wait(true);
  return false;
}

void Entrance::leave() {
  inside_.store(false);
  if (gate_.closed_.load()) inside_.notify_all();
}

void Entrance::poke() {
  immediate().store(1);
  if (!inside_.load()) return;
  std::lock_guard lock(mutex_);
  if (thread_) pthread_kill(*thread_, poke_signal());
}

void Gate::close() {
  closed_.store(true);
  std::lock_guard lock(mutex_);
  for (Entrance* entrance : entrances_) {
    if (entrance->inside_.load()) entrance->poke();
    entrance->inside_.wait(true);
  }
}

void Gate::open() {
  closed_.store(false);
  closed_.notify_all();
}

}  // namespace kite::kvm
