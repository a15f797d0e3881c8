// The contract between the machine and what executes guest code: Accelerator makes Vcpus, a Vcpu
// runs.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "accel/x86/cpu_model.h"
#include "accel/x86/state.h"
#include "base/clock.h"
#include "base/result.h"
#include "memory/address_space.h"
#include "memory/port_space.h"

namespace kite {

// Why Vcpu::run came back. Port and memory-mapped I/O never shows here: it is served inside run().
struct Exit {
  enum class Kind {
    // HLT; `interrupts_enabled` tells whether an interrupt can end it. Also of a processor that
    // waits for SIPI: no interrupt ends that.
    kHalted,
    kDeadline,  // the deadline given to run() has passed
    kKicked,    // kick() was called
    kReset,     // reserved for accelerators that see a reset before the machine does
    kShutdown,  // triple fault
    kDebug,     // a breakpoint or single step of the debugger
  };
  Kind kind = Kind::kKicked;
  bool interrupts_enabled = false;
};

// A vCPU's view of its interrupt controller: the local APIC, with the 8259 behind it. Implemented
// by the machine, which binds it to the chips. Called on the vCPU's own thread, without any lock
// held.
class InterruptPort {
 public:
  virtual ~InterruptPort() = default;
  // Is an interrupt waiting that the task priority lets through? Cheap: asked at every block while
  // signalled.
  virtual bool pending() = 0;
  // INTA: takes the waiting interrupt. Nothing if it has gone meanwhile.
  virtual std::optional<u8> acknowledge() = 0;
  virtual u8 cr8() = 0;
  virtual void set_cr8(u8 value) = 0;
  // IA32_APIC_BASE, IA32_TSC_DEADLINE and the x2APIC range 800h–8FFh; false means #GP.
  virtual bool read_msr(u32 index, u64& value) = 0;
  virtual bool write_msr(u32 index, u64 value) = 0;
  // The TSC was moved (WRMSR to IA32_TSC or IA32_TSC_ADJUST, set_state): it is now
  // clock x tsc_hz + offset. TSC deadlines are measured against it.
  virtual void set_tsc_offset(i64 /*offset*/) {}
};

// What may be signalled to a vCPU from any thread.
enum class Signal {
  kInterrupt,  // InterruptPort::pending() may have become true
  kNmi,
  kInit,
  kSipi,  // with the vector in `argument`
};

struct VcpuConfig {
  u32 index = 0;  // 0 is the boot processor
  u32 apic_id = 0;
  InterruptPort* interrupts = nullptr;  // may be null: no interrupt controller
  u32 cpus = 1;                         // of the machine, as CPUID shows them
};

class Vcpu {
 public:
  virtual ~Vcpu() = default;

  // Runs guest code until something the machine must decide. Only on the vCPU's own thread.
  virtual Result<Exit> run(Nanos deadline) = 0;

  // Makes run() return soon, or the next run() at once. Any thread.
  virtual void kick() = 0;
  // Any thread. Does not wake a halted machine loop: whoever signals also wakes the thread.
  virtual void signal(Signal signal, u32 argument = 0) = 0;

  // Between runs only.
  virtual X86State state() = 0;
  virtual Result<> set_state(const X86State& state) = 0;

  // Guest instructions executed so far, where the engine knows. Any thread.
  virtual std::optional<u64> instructions() const { return std::nullopt; }
};

// What an accelerator needs to make a machine's processors.
struct AcceleratorConfig {
  AddressSpace& memory;
  PortSpace& ports;
  Clock& clock;
  const CpuModel& model;
  Nanos epoch = 0;    // Unix time when the clock stood at 0, for the guest's paravirtual clock
  unsigned cpus = 1;  // how many processors will be made
};

class Accelerator {
 public:
  virtual ~Accelerator() = default;
  virtual std::string_view name() const = 0;  // "tcg", "kvm"
  virtual Result<std::unique_ptr<Vcpu>> create_vcpu(const VcpuConfig& config) = 0;
};

// One kind of accelerator, as `kite list accels` shows it.
struct AcceleratorKind {
  std::string_view name;
  std::string_view description;
  Result<> (*probe)();  // success: usable on this host; else why not
  Result<std::unique_ptr<Accelerator>> (*create)(const AcceleratorConfig& config);
  unsigned max_cpus = 1;  // how many processors it can run
};

}  // namespace kite
