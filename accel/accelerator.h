// The contract between the machine and what executes guest code: Accelerator makes Vcpus, a Vcpu
// runs.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "accel/translator_figures.h"
#include "accel/x86/cpu_model.h"
#include "accel/x86/state.h"
#include "base/chip_state.h"
#include "base/clock.h"
#include "base/notifier.h"
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
    // The engine cannot execute the instruction at RIP, of which nothing has happened. Another one
    // may (Vcpu::execute); where there is none, Vcpu::why_unable() is the user's sentence.
    kUnable,
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

// What Vcpu::execute may do besides the one instruction.
struct BurstLimits {
  u64 instructions = 1;  // in all, about
  // May the instructions behind it store while CPL is below 3? Not if the processor's own engine
  // must see every store to a page table (Accelerator::shadows_page_tables()).
  bool supervisor_stores = true;
  // The processor's model offers instructions of which this engine knows nothing: one that it does
  // not know may be one of them, and is not executed. Else it is undefined, and raises #UD.
  bool unknown_is_defined = false;
};

// What Vcpu::execute did.
struct Burst {
  u64 instructions = 0;     // 0: it does not know the first one
  std::optional<Exit> end;  // a triple fault
  // The guest may have asked for translations to be forgotten that its own engine still has.
  bool translations_changed = false;
  // The first instruction. The name is a mnemonic, empty for one that is undefined.
  std::string_view name;
  std::array<u8, 15> bytes = {};
  u8 length = 0;
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

  // Instruction fall-back: after kUnable this vCPU lends its state to another one, which changes it
  // by execute(), and takes it back. lend() may leave out what no instruction but RDMSR and WRMSR
  // reaches. `flush`: translations that are cached here may be stale.
  virtual X86State lend() { return state(); }
  virtual Result<> take_back(const X86State& lent, const X86State& now, bool flush);
  // After kUnable.
  virtual Error why_unable();

  // Executes the instruction at RIP of a processor that another engine runs, whatever it does, and
  // then as many as `limits` allow, up to one that reaches what is that engine's: ports and
  // registers of devices, chips, MSRs, clocks, CPUID, caches of translations. Exceptions are
  // delivered; interrupts, NMI, INIT and SIPI are left to that engine. Nothing that this vCPU is
  // told (kick, signal) counts meanwhile. On the vCPU's own thread, with every other vCPU of this
  // accelerator created. `state` is changed in place.
  virtual Result<Burst> execute(X86State& state, const BurstLimits& limits);

  // Guest instructions executed so far, where the engine knows. Any thread.
  virtual std::optional<u64> instructions() const { return std::nullopt; }
};

// Interrupts that come by descriptor to an accelerator's own interrupt controllers, from whatever
// thread or process signals it, without a thread of Kite's. Any thread may call.
class InterruptEvents {
 public:
  virtual ~InterruptEvents() = default;
  // Each signal of `event` is an edge at `number`: a wire of InterruptChips, or a message. With
  // `resample` (wires only) a signal raises the wire until the guest's end of interrupt, which
  // lowers it and signals `resample`. Both outlive the attachment. A signal that waits already
  // counts.
  virtual Result<> attach(unsigned number, const Notifier& event, const Notifier* resample) = 0;
  // From the return on, signals stay in `event`.
  virtual void detach(unsigned number, const Notifier& event) = 0;

  // A number that stands for the message of an MSI (SDM 3A 11.11). An error where there are no
  // more.
  virtual Result<unsigned> add_message(u64 address, u32 data) = 0;
  virtual Result<> change_message(unsigned number, u64 address, u32 data) = 0;
  virtual void remove_message(unsigned number) = 0;
};

// Interrupt controllers and 8254 that an accelerator has within itself, so that interrupts reach a
// vCPU without its coming out: 8259 pair, I/O APIC, local APICs (as part of each vCPU), 8254 with
// port 61h. The guest's accesses to them never reach the machine's ports and address space.
//
// Interrupts have the numbers of the ISA wires and, from 16 on, of the I/O APIC's inputs. ISA wire
// 0 leads to IR 0 and input 2, wire 2 nowhere, every other to the IR and the input of its number.
class InterruptChips {
 public:
  static constexpr unsigned kInterrupts = 24;

  virtual ~InterruptChips() = default;
  // A wire's level. Any thread.
  virtual void set_irq(unsigned number, bool level) = 0;
  // A write of `data` to `address` by a bus master (SDM 3A 11.11). Any thread.
  virtual void send_msi(u64 address, u32 data) = 0;
  // The HPET takes the 8254's place on wire 0, or gives it back. Any thread.
  virtual void set_hpet_replaces(bool on) = 0;

  // Null: it takes no descriptors.
  virtual InterruptEvents* events() { return nullptr; }

  // While no vCPU runs. Before the vCPUs' state() is asked for, so that no interrupt falls between.
  virtual Result<ChipStates> save() = 0;
  // While no vCPU runs, after the vCPUs' set_state(). `levels`: of the wires, by number; those that
  // are up stay up without a new edge.
  virtual Result<> load(const ChipStates& states, u32 levels) = 0;
};

// What the user may choose about an accelerator, by `--accel NAME,property=value`.
struct AcceleratorOptions {
  // kvm, "kernel-irqchip": Accelerator::chips(). Unset: where the host has them.
  std::optional<bool> kernel_irqchip;
  // kvm, "dirty-ring-size": entries of each vCPU's ring of dirty pages, a power of two from 1024 to
  // 65536; 0: a bitmap per memory slot.
  u32 dirty_ring_size = 0;
  // tcg, "translator": guest code is translated for the host's processor. Unset: where the build
  // can do that.
  std::optional<bool> translator = {};
  // tcg, "flat-table": translated code finds memory by a table of the whole address space, which
  // takes some 200 GiB of the host's for each of the guest's; off: by a small hashed one, slower.
  // Unset: where the host has so much.
  std::optional<bool> flat_table = {};
  // tcg, `--code-cache`: room for translated code, which the machine's processors share. A multiple
  // of the host's page size.
  u64 code_cache_bytes = 64 * MiB;
  // tcg, not the user's: executes each instruction that it knows, also one that the model does not
  // offer, as a host's processor does under KVM.
  bool every_instruction = false;
};

// What an accelerator can have of the host only before a sandbox closes.
class Provision {
 public:
  virtual ~Provision() = default;
};

// What an accelerator needs to make a machine's processors.
struct AcceleratorConfig {
  AddressSpace& memory;
  PortSpace& ports;
  Clock& clock;
  const CpuModel& model;
  Nanos epoch = 0;    // Unix time when the clock stood at 0, for the guest's paravirtual clock
  unsigned cpus = 1;  // how many processors will be made
  AcceleratorOptions options = {};
  Provision* provision =
      nullptr;  // what AcceleratorKind::provide() made; null: no sandbox is closed
};

class Accelerator {
 public:
  virtual ~Accelerator() = default;
  virtual std::string_view name() const = 0;  // "tcg", "kvm"
  // What the guest's CPUID says: the model that was asked for, less what this one cannot give.
  // Null: that one exactly.
  virtual const CpuModel* model() const { return nullptr; }
  // Must it see every store to page tables, because it keeps copies of them?
  virtual bool shadows_page_tables() const { return false; }
  // Guest code has run elsewhere: what was derived from the guest's memory may be stale. While no
  // vCPU runs.
  virtual void forget_derived() {}
  virtual Result<std::unique_ptr<Vcpu>> create_vcpu(const VcpuConfig& config) = 0;
  // Null: the machine's own serve the guest, by InterruptPort. Else the vCPUs make no use of their
  // InterruptPort: HLT is waited for inside Vcpu::run, and INIT, SIPI and NMI between processors
  // are not the machine's business.
  virtual InterruptChips* chips() { return nullptr; }
  // Nothing: it has no translator, or that is switched off. While no vCPU runs.
  virtual std::optional<TranslatorFigures> translator_figures() const { return std::nullopt; }
};

// One kind of accelerator, as `kite list accels` shows it.
struct AcceleratorKind {
  std::string_view name;
  std::string_view description;
  Result<> (*probe)();  // success: usable on this host; else why not
  Result<std::unique_ptr<Accelerator>> (*create)(const AcceleratorConfig& config);
  // How many processors it can run on this host; asked only where it is usable.
  unsigned (*max_cpus)() = [] { return 1u; };
  // For a machine that may move to it later; its processors will be so many. May be null.
  std::unique_ptr<Provision> (*provide)(unsigned cpus, const AcceleratorOptions& options) = nullptr;
};

}  // namespace kite
