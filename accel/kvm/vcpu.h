// KvmVcpu: one vCPU of KVM: the loop around KVM_RUN, its exits, and its state.
#pragma once

#include <atomic>
#include <string>

#include "accel/accelerator.h"
#include "accel/kvm/abi.h"
#include "accel/kvm/deadline_timer.h"
#include "accel/kvm/gate.h"
#include "accel/kvm/state_transfer.h"
#include "base/unique_fd.h"

namespace kite::kvm {

class KvmAccelerator;

// The page a vCPU shares with KVM.
class RunPage {
 public:
  RunPage() = default;
  static Result<RunPage> map(int vcpu_fd, std::size_t size);
  RunPage(RunPage&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(other.size_) {}
  RunPage& operator=(RunPage&&) = delete;
  ~RunPage();
  kvm_run& run() const { return *static_cast<kvm_run*>(data_); }
  u8* at(u64 offset) const { return static_cast<u8*>(data_) + offset; }

 private:
  RunPage(void* data, std::size_t size) : data_(data), size_(size) {}
  void* data_ = nullptr;
  std::size_t size_ = 0;
};

class KvmVcpu : public Vcpu {
 public:
  static Result<std::unique_ptr<Vcpu>> create(KvmAccelerator& accelerator, const VcpuConfig& config,
                                              UniqueFd fd);

  Result<Exit> run(Nanos deadline) override;
  void kick() override;
  void signal(Signal signal, u32 argument) override;
  X86State state() override;
  Result<> set_state(const X86State& state) override;
  X86State lend() override;
  Result<> take_back(const X86State& lent, const X86State& now, bool flush) override;
  Error why_unable() override;

 private:
  KvmVcpu(KvmAccelerator& accelerator, const VcpuConfig& config, UniqueFd fd, RunPage page);
  Result<> set_up();
  u64 choose_tsc_khz();

  // vcpu_apic.cpp: where the local APICs are in the kernel.
  bool apic_in_kernel() const { return apic_in_kernel_; }
  void read_apic(X86State& state);
  ApicRegisters apic_registers(const X86State& state);
  Result<> write_apic(const X86State& state);
  // vcpu_state.cpp
  Result<> load_state(const X86State& state);
  Result<> write_tsc(const X86State& state);
  void renew_run_page(const X86State& state);

  // vcpu.cpp: the loop. An optional Exit that is set leaves run().
  using Step = Result<std::optional<Exit>>;
  Step turn(Nanos deadline);
  std::optional<Exit> reason_to_leave(Nanos deadline);
  Result<> take_signals();
  std::optional<Exit> wait_for_event();
  bool interrupt_waits_for_access();
  void offer_interrupt();
  Step enter(Nanos deadline);
  Step failed_to_run(int error_number, Nanos deadline);
  Result<> finish_access();

  // vcpu_exits.cpp: what KVM_RUN came back for.
  Step handle_exit();
  Step handle_halt();
  Step handle_system_event();
  void serve_port();
  void serve_memory();
  void serve_msr();
  bool read_apic_msr(u32 index, u64& value);
  bool write_apic_msr(u32 index, u64 value);
  u64 guest_tsc();
  Step handle_internal_error();
  std::string instruction_bytes(u64 linear);

  KvmAccelerator& accelerator_;
  const bool apic_in_kernel_;
  const VcpuConfig config_;  // without InterruptPort where the local APIC is in the kernel
  UniqueFd fd_;
  RunPage page_;
  kvm_run& run_;
  Entrance entrance_;
  DeadlineTimer timer_;
  StateTransfer transfer_;

  // Requests from other threads.
  std::atomic<bool> kicked_{false};
  std::atomic<bool> interrupt_{false};  // InterruptPort::pending() is worth asking
  std::atomic<bool> nmi_{false};
  std::atomic<bool> init_{false};
  std::atomic<u32> sipi_{0};  // the vector + 1

  // The vCPU's own thread.
  bool access_open_ = false;  // an access was served that KVM completes on the next KVM_RUN
  MpState mp_state_ = MpState::kRunning;
  u64 tsc_hz_ = 0;  // the guest's
};

}  // namespace kite::kvm
