// VcpuThread: the thread of one vCPU: runs it, sleeps while it is halted, parks it when asked.
//
// Words. *Parked*: the thread has left Vcpu::run and waits for resume(); the vCPU's state may be
// read and written by whoever parked it. *Halted*: the vCPU executed HLT; the thread sleeps until a
// signal. *Dead*: halted with interrupts off, so that no interrupt will ever end it.
//
// Invariants. Vcpu::run is called only on the thread itself and never with mutex_ held. A signal
// that arrives between the return of run() and the sleep is not lost: it sets `woken_`, which is
// cleared before run() and looked at after it, both under mutex_. Timers of clock() run on the
// thread, while it sleeps and after each run(), but not while it is parked.
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "accel/accelerator.h"
#include "base/bell.h"
#include "machine/cpu_affinity.h"
#include "machine/thread_time.h"
#include "machine/vcpu_clock.h"

namespace kite {

class VcpuThread {
 public:
  // Told on the vCPU's own thread.
  class Owner {
   public:
    virtual ~Owner() = default;
    // First of all; an error ends the thread and is told to vcpu_failed().
    virtual Result<> vcpu_starts(VcpuThread&) { return {}; }
    virtual void vcpu_shut_down(VcpuThread& vcpu) = 0;  // triple fault
    virtual void vcpu_asks_for_reset(VcpuThread& vcpu) = 0;
    virtual void vcpu_is_dead(VcpuThread& vcpu) = 0;
    virtual void vcpu_failed(VcpuThread& vcpu, const Error& error) = 0;
  };

  // `clock` is the machine's. `name` is what traces call the thread; empty where there is only one.
  VcpuThread(unsigned index, Owner& owner, Clock& clock, std::string name = {})
      : index_(index),
        name_(std::move(name)),
        owner_(owner),
        clock_(clock, [this] { vcpu_->kick(); }) {}
  ~VcpuThread() { stop(); }
  VcpuThread(const VcpuThread&) = delete;
  VcpuThread& operator=(const VcpuThread&) = delete;

  // Before start(). `interrupts` may be null; both outlive the thread's run.
  void attach(Vcpu& vcpu, InterruptPort* interrupts);
  // Before start(): the thread runs on these host processors only.
  void run_on(HostCpuSet cpus) { host_cpus_ = std::move(cpus); }
  void start();
  // Stops; signals vanish from now on.
  void detach();

  // Returns when the thread is parked. Not on a vCPU's thread.
  void park();
  // The same, but gives up after `limit`, and leaves alone what is parked already: false.
  bool park_within(Nanos limit);
  // While parked.
  X86State parked_state() { return vcpu_->state(); }
  // Goes on; a vCPU that was given a new state is no longer halted.
  void resume(bool new_state);
  // On the thread itself, within Vcpu::run: it executes nothing more until resume(true).
  void fall_asleep();
  // Ends the thread and waits for it. Not on a vCPU's thread.
  void stop();

  // Any thread, also before attach().
  void signal(Signal signal, u32 argument = 0);

  unsigned index() const { return index_; }
  // For the timers of what belongs to this processor alone.
  Clock& clock() { return clock_; }
  // Processor time, since start(); nothing where the host does not tell.
  std::optional<Nanos> time_used() { return thread_time(thread_.native_handle()); }
  // Sleeps in HLT. Any thread.
  bool is_halted() const;
  bool is_dead() const { return dead_.load(); }
  // How often a signal came that ends even a dead halt.
  u64 revivals() const { return revivals_.load(); }
  // Where it stood when it stopped.
  std::optional<u64> final_rip() const { return final_rip_; }

  // The vCPU whose thread this is, or null.
  static VcpuThread* current();

 private:
  Result<> prepare_thread();
  void loop();
  bool wait_until_runnable();
  void sleep(std::unique_lock<std::mutex>& lock);
  bool runnable() const;
  void handle(const Exit& exit);
  void halt(bool interrupts_enabled);
  bool interrupt_pending();

  const unsigned index_;
  const std::string name_;
  Owner& owner_;
  HostCpuSet host_cpus_;  // empty: any
  Vcpu* vcpu_ = nullptr;
  InterruptPort* interrupts_ = nullptr;
  VcpuClock clock_;
  std::thread thread_;
  std::atomic<bool> dead_{false};
  std::atomic<u64> revivals_{0};
  std::optional<u64> final_rip_;  // written by the thread, read after it has ended

  Bell bell_;  // rung whenever what the thread sleeps for may have come

  mutable std::mutex mutex_;         // guards everything below
  std::condition_variable changed_;  // parked_ or ended_ has
  bool park_requested_ = false;
  bool parked_ = false;
  bool stopping_ = false;
  bool ended_ = false;
  bool halted_ = false;
  bool asleep_ = false;         // by fall_asleep()
  bool interruptible_ = false;  // while halted: an interrupt ends it
  bool woken_ = false;          // a signal has come since run() was last called
  bool hard_woken_ = false;     // … and it was not just an interrupt: NMI, INIT, start-up
};

}  // namespace kite
