#include "machine/vcpu_thread.h"

#include <chrono>

#include "base/trace.h"

namespace kite {
namespace {

thread_local VcpuThread* current_vcpu = nullptr;

}  // namespace

VcpuThread* VcpuThread::current() {
  return current_vcpu;
}

void VcpuThread::attach(Vcpu& vcpu, InterruptPort* interrupts) {
  vcpu_ = &vcpu;
  interrupts_ = interrupts;
}

void VcpuThread::start() {
  thread_ = std::thread([this] { loop(); });
}

void VcpuThread::detach() {
  stop();
  clock_.silence();
  vcpu_ = nullptr;
}

void VcpuThread::park() {
  std::unique_lock lock(mutex_);
  park_requested_ = true;
  vcpu_->kick();
  bell_.ring();
  changed_.wait(lock, [this] { return parked_ || ended_; });
}

bool VcpuThread::park_within(Nanos limit) {
  std::unique_lock lock(mutex_);
  if (park_requested_ || ended_) return false;
  park_requested_ = true;
  vcpu_->kick();
  bell_.ring();
  changed_.wait_for(lock, std::chrono::nanoseconds(limit), [this] { return parked_ || ended_; });
  if (parked_) return true;
  park_requested_ = false;
  bell_.ring();
  return false;
}

void VcpuThread::resume(bool new_state) {
  std::lock_guard lock(mutex_);
  park_requested_ = false;
  if (new_state) {
    halted_ = woken_ = hard_woken_ = asleep_ = false;
    dead_.store(false);
  }
  bell_.ring();
}

void VcpuThread::fall_asleep() {
  std::lock_guard lock(mutex_);
  asleep_ = true;
  vcpu_->kick();
}

void VcpuThread::stop() {
  if (!thread_.joinable()) return;
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    vcpu_->kick();
    bell_.ring();
  }
  thread_.join();
}

void VcpuThread::signal(Signal signal, u32 argument) {
  if (vcpu_ == nullptr) return;  // a wire moved while the board was being built
  vcpu_->signal(signal, argument);
  {
    std::lock_guard lock(mutex_);
    woken_ = true;
    if (signal != Signal::kInterrupt) {
      hard_woken_ = true;
      revivals_.fetch_add(1);  // first: see FullMachine::vcpu_is_dead
      dead_.store(false);
    }
  }
  bell_.ring();  // without the lock, which the thread would have to wait for
}

bool VcpuThread::is_halted() const {
  std::lock_guard lock(mutex_);
  return halted_;
}

// What the owner does may take away the right to choose host processors.
Result<> VcpuThread::prepare_thread() {
  KITE_CHECK(pin_this_thread(host_cpus_));
  return owner_.vcpu_starts(*this);
}

void VcpuThread::loop() {
  current_vcpu = this;
  trace::name_thread(name_);
  const Result<> ready = prepare_thread();
  if (!ready) owner_.vcpu_failed(*this, ready.error());
  while (ready && wait_until_runnable()) {
    Result<Exit> exit = vcpu_->run(clock_.enter());
    clock_.leave(exit ? exit->kind : Exit::Kind::kUnable);
    if (!exit) {
      owner_.vcpu_failed(*this, exit.error());
      break;
    }
    if (exit->kind == Exit::Kind::kUnable) {
      owner_.vcpu_failed(*this, vcpu_->why_unable());
      break;
    }
    handle(*exit);
  }
  final_rip_ = vcpu_->state().rip;
  std::lock_guard lock(mutex_);
  ended_ = true;
  changed_.notify_all();
}

// False: the thread is to end.
bool VcpuThread::wait_until_runnable() {
  std::unique_lock lock(mutex_);
  for (;;) {
    parked_ = park_requested_;
    if (parked_) changed_.notify_all();
    sleep(lock);
    if (stopping_) return false;
    if (park_requested_) continue;
    parked_ = false;
    if (!runnable()) continue;
    const bool must_ask = halted_ && !hard_woken_;
    woken_ = false;
    if (must_ask) {
      // Most wake-ups of a halted vCPU are an interrupt, but a masked one must not end the HLT.
      lock.unlock();
      const bool pending = interrupt_pending();
      lock.lock();
      if (!pending) continue;
    }
    halted_ = hard_woken_ = false;
    return true;
  }
}

// Until somebody wants something of the thread, or its timers may have.
void VcpuThread::sleep(std::unique_lock<std::mutex>& lock) {
  while (!stopping_ && park_requested_ == parked_ && !runnable()) {
    const Nanos deadline = parked_ ? kNever : clock_.next_deadline();
    lock.unlock();
    (void)bell_.wait(deadline == kNever ? kNever : deadline - clock_.now());
    clock_.run_due();
    lock.lock();
  }
}

bool VcpuThread::runnable() const {
  if (park_requested_ || asleep_) return false;
  return !halted_ || hard_woken_ || (woken_ && interruptible_);
}

bool VcpuThread::interrupt_pending() {
  return interrupts_ != nullptr && interrupts_->pending();
}

void VcpuThread::handle(const Exit& exit) {
  switch (exit.kind) {
    case Exit::Kind::kHalted:
      // On a board without an interrupt controller no interrupt will ever come.
      return halt(exit.interrupts_enabled && interrupts_ != nullptr);
    case Exit::Kind::kReset:
      return owner_.vcpu_asks_for_reset(*this);
    case Exit::Kind::kShutdown:
      owner_.vcpu_shut_down(*this);
      return halt(false);
    case Exit::Kind::kDeadline:
    case Exit::Kind::kKicked:
    case Exit::Kind::kDebug:
    case Exit::Kind::kUnable:  // loop() has dealt with it
      return;
  }
}

void VcpuThread::halt(bool interrupts_enabled) {
  bool dead = false;
  {
    std::lock_guard lock(mutex_);
    halted_ = true;
    interruptible_ = interrupts_enabled;
    if (interrupts_enabled) {
      woken_ = true;  // ask once: the interrupt may have come before the HLT
    } else if (!hard_woken_) {
      dead = true;
      dead_.store(true);
    }
  }
  if (dead) owner_.vcpu_is_dead(*this);
}

}  // namespace kite
