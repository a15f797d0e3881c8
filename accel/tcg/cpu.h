// Cpu: the state of one interpreted x86-64 processor, and what every instruction may do with it.
#pragma once

#include <array>
#include <atomic>
#include <span>

#include "accel/accelerator.h"
#include "accel/tcg/attention.h"
#include "accel/tcg/event.h"
#include "accel/tcg/flags.h"
#include "accel/tcg/insn.h"
#include "accel/tcg/mode.h"
#include "accel/tcg/processors.h"
#include "accel/tcg/tlb.h"
#include "accel/x86/paging.h"
#include "accel/x86/state.h"
#include "base/bits.h"
#include "memory/guest_access.h"

namespace kite::tcg {

class CodeCache;
class Lockstep;

struct Cpu {
  // Without `shared` it is the only processor there is.
  Cpu(const AcceleratorConfig& config, const VcpuConfig& vcpu, Processors* shared = nullptr);
  ~Cpu();
  Cpu(const Cpu&) = delete;

  // --- registers
  std::array<u64, 18> gpr = {};  // the sixteen, kNoRegister, kBlockRip
  Flags flags;
  u64 system_flags = 2;  // RFLAGS without the arithmetic bits
  u64 rip = 0xfff0;      // of the next block; inside a block see next_rip()
  std::array<u64, 8> segment_base =
      {};  // of ES…GS, kFlat, kFlatStack; kept equal to segments[].base
  std::array<Segment, 6> segments = {};
  Segment ldtr, tr;
  DescriptorTable gdtr, idtr;
  u64 cr0 = 0, cr2 = 0, cr3 = 0, cr4 = 0, efer = 0;
  std::array<u64, 4> pdptes = {};  // of PAE paging: loaded with CR3 (SDM 3A 4.4.1)
  std::array<u64, 4> dr = {};
  u64 dr6 = 0, dr7 = 0;
  u8 cpl = 0;
  Mode mode;     // follows from the above: update_mode()
  FpuState fpu;  // in the engine st[] is in physical order: ST(i) is st[(TOP + i) & 7]
  // Of the state that was loaded: its MSR fields are the engine's, some others are only kept.
  X86State msr;

  // Sized access to a general register by the byte offset in Insn::reg and Insn::rm. A 32-bit write
  // clears the upper half.
  template <class T>
  T get(u8 offset) const {
    return load<T>(reinterpret_cast<const u8*>(gpr.data()) + offset);
  }
  template <class T>
  void put(u8 offset, std::type_identity_t<T> value) {
    if constexpr (sizeof(T) == 4)
      kite::store<u64>(reinterpret_cast<u8*>(gpr.data()) + offset, value);
    else
      kite::store<T>(reinterpret_cast<u8*>(gpr.data()) + offset, value);
  }

  u64 next_rip(const Insn& insn) const { return gpr[kBlockRip] + insn.next_offset; }
  u64 this_rip(const Insn& insn) const { return next_rip(insn) - insn.length; }

  u64 rflags() const { return system_flags | flags.get(); }
  void set_rflags(u64 value);  // every bit as given; the caller has applied the rules
  bool long_mode() const { return efer & 0x400; }  // EFER.LMA
  bool code64() const { return mode.code_width == 3; }
  unsigned iopl() const { return bits(system_flags, 13, 12); }
  // Recomputes `mode` and what else is derived after a change of CS, SS, CR0, CR4, EFER, CPL,
  // RFLAGS.TF or DR7.
  void update_mode();
  void select_tables();  // after a change of address space, CPL or RFLAGS.AC

  // Holds interrupts off for the next instruction (STI, MOV SS). The caller leaves the block. One
  // instruction exactly where an interrupt waits already; else one block, because an interrupt that
  // is not there yet may come a little later.
  void shadow_interrupts();

  // --- faults: each returns Flow::kFault, so that `return cpu.general_protection();` reads well
  // -------------------
  Fault fault;
  Flow raise(u8 vector, Fault::Kind kind = Fault::Kind::kFault);
  Flow raise_with_code(u8 vector, u32 error_code);
  Flow undefined_opcode() { return raise(6); }
  Flow device_not_available() { return raise(7); }
  Flow general_protection(u32 error_code = 0) { return raise_with_code(13, error_code); }
  // Whose processor this is, and what its instructions may reach (TcgVcpu::execute).
  enum class Lease : u8 {
    kNone,       // this engine's own
    kFirst,      // another engine's, for the instruction that engine cannot execute
    kFollowing,  // … and for those behind it, which must leave alone what is that engine's: the
                 // registers of devices and chips, its caches of translations, its clocks
  };
  Lease lease = Lease::kNone;
  bool barred() const { return lease == Lease::kFollowing; }
  // Of a lease: what follows must not store at CPL < 3 (BurstLimits::supervisor_stores).
  bool supervisor_stores_barred = false;
  // Leaves the instruction to the other engine; nothing of it has happened.
  Flow bar() {
    fault = {0xfe, Fault::Kind::kBarred, false, 0};
    return Flow::kFault;
  }

  // --- control flow
  // Goes to `target`, cut to the code segment's width by the caller. #GP if outside the limit or
  // not canonical.
  Flow jump(u64 target) {
    if (code64() ? !canonical(target) : target > segments[kCs].limit) [[unlikely]]
      return general_protection();
    rip = target;
    return Flow::kLeave;
  }
  Flow leave(const Insn& insn) {  // ends the block behind this instruction
    rip = next_rip(insn);
    return Flow::kLeave;
  }

  // --- memory
  // The linear address of the instruction's memory operand, segment checks done for an access of
  // `size` bytes.
  u64 effective_address(
      const Insn& insn) const {  // the offset, before it is cut to the address size
    return gpr[insn.base] + (gpr[insn.index] << insn.scale) + static_cast<u64>(i64{insn.disp});
  }
  [[gnu::always_inline]] bool linear_address(const Insn& insn, unsigned size, Access access,
                                             u64& linear) {
    if (insn.address_kind == AddressKind::kSimple) [[likely]] {
      linear = effective_address(insn) + segment_base[insn.segment];
      return true;
    }
    return linear_address_slow(insn.segment, effective_address(insn) & insn.address_mask(), size,
                               access, linear);
  }
  // The same for an explicit offset in a segment: strings, stacks, XLAT, moffs. In 64-bit mode pass
  // the mapped number (kFlat, kFlatStack, FS, GS), as Insn::segment has it.
  bool linear_address_slow(u8 segment, u64 offset, unsigned size, Access access, u64& linear);

  // Loads and stores at a linear address at the current privilege. T is any trivially copyable type
  // of 1 to 64 bytes. False: `fault` is set and memory is unchanged. `stack` chooses #SS over #GP
  // for addresses that are not canonical.
  template <class T>
  bool load_at(u64 linear, T& to, bool stack = false) {
    const TlbEntry& entry = tlb_entry(linear);
    if (entry.read == page_of_last<T>(linear)) [[likely]] {
      to = guest_load<T>(reinterpret_cast<const void*>(linear + entry.addend));
      return true;
    }
    return load_slow(linear, &to, sizeof(T), stack);
  }
  template <class T>
  bool store_at(u64 linear, const T& value, bool stack = false) {
    if (T* host = writable<T>(linear)) [[likely]] {
      guest_store<T>(host, value);
      return true;
    }
    return store_slow(linear, &value, sizeof(T), stack);
  }
  // Where a store of T may go directly, or null.
  template <class T>
  T* writable(u64 linear) {
    const TlbEntry& entry = tlb_entry(linear);
    if (entry.write != page_of_last<T>(linear)) [[unlikely]]
      return nullptr;
    return reinterpret_cast<T*>(linear + entry.addend);
  }
  // Where a load of T may go directly, or null.
  template <class T>
  const T* readable(u64 linear) {
    const TlbEntry& entry = tlb_entry(linear);
    if (entry.read != page_of_last<T>(linear)) [[unlikely]]
      return nullptr;
    return reinterpret_cast<const T*>(linear + entry.addend);
  }
  // Faults as a store would, changes nothing: before a read-modify-write, or a store in several
  // parts.
  bool probe_write(u64 linear, unsigned size, bool stack = false);
  bool probe_read(u64 linear, unsigned size, bool stack = false);
  // Where a locked access is to be made, and how it becomes atomic.
  struct LockedPlace {
    enum class Way : u8 {
      kExchange,   // by the host's compare-exchange at `host`; then locked_stored()
      kExclusive,  // as a load and a store while no other processor runs (ExclusiveGate)
      kDevice,     // as a load and a store: not memory, or the only processor
    };
    Way way = Way::kDevice;
    bool noted = false;  // the store has to be told to others
    Gpa gpa = 0;
    u8* host = nullptr;
  };
  // False: `fault` is set. Faults as a store would.
  template <class T>
  bool locate_locked(u64 linear, LockedPlace& place, bool stack = false) {
    T* host = sizeof(T) <= kLargestGuestExchange ? writable<T>(linear) : nullptr;
    if (host && linear % sizeof(T) == 0) [[likely]] {
      place = {LockedPlace::Way::kExchange, false, 0, reinterpret_cast<u8*>(host)};
      return true;
    }
    return locate_locked_slow(linear, sizeof(T), place, stack);
  }
  bool locate_locked_slow(u64 linear, unsigned size, LockedPlace& place, bool stack);
  void locked_stored(const LockedPlace& place, u64 linear, unsigned size);
  bool load_slow(u64 linear, void* to, unsigned size, bool stack);
  bool store_slow(u64 linear, const void* from, unsigned size, bool stack);
  // Accesses of the processor itself (descriptor tables, TSS): supervisor privilege at any CPL.
  bool system_load(u64 linear, void* to, unsigned size);
  bool system_store(u64 linear, const void* from, unsigned size);
  // One byte, atomically from `expected` to `desired`; kChanged: it was something else already,
  // which `expected` then tells.
  enum class Exchange : u8 { kDone, kChanged, kFault };
  Exchange system_exchange(u64 linear, u8& expected, u8 desired);
  // Faults as one of these would, changes nothing.
  bool system_probe(u64 linear, unsigned size, Access access);

  // The memory operand of an instruction as a value of T.
  template <class T>
  bool load_operand(const Insn& insn, T& to) {
    u64 linear;
    return linear_address(insn, sizeof(T), Access::kRead, linear) &&
           load_at<T>(linear, to, is_stack(insn.segment));
  }
  template <class T>
  bool store_operand(const Insn& insn, const T& value) {
    u64 linear;
    return linear_address(insn, sizeof(T), Access::kWrite, linear) &&
           store_at<T>(linear, value, is_stack(insn.segment));
  }
  static bool is_stack(u8 segment) { return segment == kSs || segment == kFlatStack; }

  // --- stack
  u64 stack_mask() const { return code64() ? ~u64{0} : mode.stack32 ? 0xffffffffu : 0xffffu; }
  void set_rsp(u64 value) {
    const u64 mask = stack_mask();
    if (mask == 0xffffffffu)
      gpr[kRsp] = value & mask;
    else
      gpr[kRsp] = (gpr[kRsp] & ~mask) | (value & mask);
  }
  bool stack_address(u64 rsp, unsigned size, Access access, u64& linear) {
    if (code64()) [[likely]] {
      linear = rsp;
      return true;
    }
    return linear_address_slow(kSs, rsp & stack_mask(), size, access, linear);
  }
  template <class T>
  bool push(std::type_identity_t<T> value) {
    const u64 rsp = gpr[kRsp] - sizeof(T);
    u64 linear;
    if (!stack_address(rsp, sizeof(T), Access::kWrite, linear) || !store_at<T>(linear, value, true))
      return false;
    set_rsp(rsp);
    return true;
  }
  // Reads the top of the stack; the caller moves RSP when everything else has succeeded.
  template <class T>
  bool peek(u64 offset, T& to) {
    u64 linear;
    return stack_address(gpr[kRsp] + offset, sizeof(T), Access::kRead, linear) &&
           load_at<T>(linear, to, true);
  }
  template <class T>
  bool pop(T& to) {
    if (!peek<T>(0, to)) return false;
    set_rsp(gpr[kRsp] + sizeof(T));
    return true;
  }

  // --- segments, tables, events (segment.cpp, far.cpp, event.cpp)
  void set_segment(SegmentRegister number, const Segment& segment);
  Flow load_segment(SegmentRegister number, u16 selector);  // MOV Sreg, POP Sreg, LDS …
  // The eight bytes that `selector` names (wide: sixteen, as system descriptors in long mode have),
  // or a fault `vector` with the selector as error code.
  bool read_descriptor(u16 selector, std::array<u64, 2>& descriptor, u8 vector = 13,
                       bool wide = false);
  bool mark_accessed(u16 selector, u64 descriptor);  // sets the accessed bit in memory, if clear
  void set_cpl(u8 value);
  // Stack pointer (and, outside long mode, segment) of an inner privilege level, from the TSS.
  // `ext` is the EXT bit of error codes.
  bool inner_stack(u8 level, u64& rsp, u16& ss, u32 ext = 0);
  // SS for a switch to an inner level: #TS(selector) where load_segment would raise #GP.
  bool inner_stack_segment(u16 selector, u8 level, Segment& segment, u32 ext = 0);
  // Both of them.
  bool inner_stack(u8 level, NewStack& stack, u32 ext = 0);
  // Pushes `words` of `size` bytes, the last one first, and moves `stack.rsp`. False: #SS(error) or
  // a page fault; the processor's own registers have not changed.
  bool push_frame(NewStack& stack, std::span<const u64> words, unsigned size, u32 error);
  // The stack that SS:RSP are now.
  NewStack current_stack() const { return {segments[kSs], gpr[kRsp], cpl, code64()}; }
  // Makes `stack` the processor's.
  void take_stack(const NewStack& stack);
  // Delivers `fault` at `return_rip`; goes through double fault to shutdown as SDM 3A 6.15 has it.
  void deliver(u64 return_rip);
  // A hardware task switch to the TSS `selector` names (task.cpp). `return_rip` goes into the old
  // TSS, and once the switch is made it is the new task's. `event` is what is being delivered.
  TaskSwitch switch_task(u16 selector, TaskCause cause, u64& return_rip,
                         const Fault* event = nullptr);
  // The same for an instruction, faults in the new task included.
  Flow switch_task_and_leave(u16 selector, TaskCause cause, u64 next_rip);
  // Loads CS with an already checked descriptor and goes to `target`.
  Flow enter_code(u16 selector, u64 descriptor, u8 new_cpl, u64 target);

  // What a serializing instruction does for other processors: all earlier stores are visible before
  // any later access (SDM 3A 8.3).
  static void serialize() { std::atomic_thread_fence(std::memory_order_seq_cst); }

  // --- control registers, MSRs, time (control.cpp, msr.cpp)
  Flow write_cr0(u64 value);
  Flow write_cr3(u64 value);
  Flow write_cr4(u64 value);
  Flow write_efer(u64 value);
  // Reads the PDPTEs that `cr3` names, if paging is PAE paging. False: #GP(0), for reserved bits.
  bool load_pdptes(u64 cr3_value, u64 cr0_value, u64 cr4_value);
  Flow read_msr(u32 index, u64& value);
  Flow write_msr(u32 index, u64 value);
  u64 tsc() const;
  u64 tsc_at(Nanos time) const;  // of the clock
  void move_tsc(u64 change);     // WRMSR, or a state that is loaded
  void publish_system_time();    // the paravirtual clock, if the guest has switched it on
  CpuidLeaf cpuid(u32 leaf, u32 subleaf) const;

  // --- translation (mmu.cpp)
  struct Translation {
    Gpa gpa = 0;            // of the byte asked for
    u8* host = nullptr;     // the same byte, where it is memory
    bool writable = false;  // host may be stored to (RAM, not ROM)
  };
  // Walks the page tables for one byte and fills the TLB. False: `fault` is set (and CR2).
  bool translate(u64 linear, Access access, Privilege privilege, Translation& result,
                 bool stack = false);
  Privilege data_privilege() const { return privilege_; }
  // The running address space's tables for translated code: where it may load from and store to
  // without asking. `fast_nothing`, in which nothing is, where it must always ask.
  const FastBases* fast_tables = &fast_nothing;
  FastBases fast_nothing;
  // May translated code reach this host page, which is guest memory, without asking?
  bool may_be_fast(const u8* host) const {
    return tlb.fast() && (*tlb.fast() == TableKind::kHashed || processors.flat.contains(host));
  }
  bool canonical(u64 linear) const { return linear + canonical_half_ < 2 * canonical_half_; }
  // May a base register or an MSR hold it? What the processor could translate with CR4.LA57 counts,
  // whatever the bit is now (SDM 3A 4.5.2).
  bool may_hold(u64 linear) const { return is_canonical(linear, widest_linear_bits_); }
  u64 made_canonical(u64 linear) const {  // by the same width
    return static_cast<u64>(sign_extend(linear, widest_linear_bits_));
  }
  void write_pkru(u32 value);  // drops the translations it changes the rights of
  void invalidate_page(u64 linear);
  void invalidate_page_of(u16 pcid, u64 linear);
  // Stores inside one page at a translated address: memory with its code and dirty bookkeeping, or
  // a device.
  void store_physical(const Translation& where, const u8* from, unsigned size);
  // Tells code caches and the dirty log of bytes of RAM that have been stored to, inside one page.
  void note_store(Gpa gpa, u8* host, unsigned size);
  // Does any processor hold decoded code of the page? Then no store permission for it is cached.
  bool has_code(Gpa page) const;
  void watch(u64 linear, unsigned size, Access access);  // data breakpoints

  // --- the outside
  AddressSpace& memory;
  PortSpace& ports;
  Clock& clock;
  const CpuModel& model;
  InterruptPort* interrupts;
  const VcpuConfig config;
  ViewCache view;
  Tlb tlb;
  std::unique_ptr<Processors> own_processors;  // of a processor that is alone
  Processors& processors;
  std::unique_ptr<CodeCache> code;
  Lockstep* lockstep = nullptr;  // is told of all stores; then the TLB permits none

  Attention attention;
  std::atomic<u32> sipi_vector{0};
  bool interrupt_shadow = false;  // STI, MOV SS: the next instruction runs before an interrupt
  bool debug_shadow = false;      // MOV SS: nor is a debug trap taken before it
  bool stepping = false;          // blocks of one instruction, for the engine's own sake
  // SYSCALL and SYSRET: whether this instruction is a single step is told by TF behind it.
  bool step_by_new_flags = false;
  u64 repeat_rip = ~u64{0};  // of the string instruction last left between two iterations
  static constexpr u8 kNmiBlocked = 0x80;
  std::atomic<u8> nmi{0};  // how many are not taken yet, and kNmiBlocked
  bool halted = false;
  bool interrupt_waiting = false;  // signalled while RFLAGS.IF was 0
  u64 tsc_offset = 0;              // of the guest's TSC from the clock's ticks
  Nanos epoch = 0;                 // Unix time when the clock stood at 0
  u64 pending_debug = 0;           // DR6 bits of breakpoints hit by the running instruction
  u32 pauses = 0;                  // PAUSE instructions executed

 private:
  Flow set_system_time(u64 value);
  Flow set_wall_clock(u64 value);
  void deliver_unbarred(u64 return_rip);
  bool try_deliver(const Fault& event, u64& return_rip);
  bool deliver_real(const Fault& event, u64 return_rip);
  bool deliver_protected(const Fault& event, u64& return_rip);
  bool deliver_long(const Fault& event, u64 return_rip);

  template <class T>
  static u64 page_of_last(u64 linear) {
    return (linear + (sizeof(T) - 1)) & ~(kPageSize - 1);
  }
  const TlbEntry& tlb_entry(u64 linear) const {
    return data_table_[(linear / kPageSize) % kTlbEntries];
  }

  u64 canonical_half_ = bit(kLinearBits4Level - 1);  // follows CR4.LA57
  const unsigned widest_linear_bits_;                // of the model
  const TlbEntry* data_table_ = nullptr;             // of the current slot and privilege
  Privilege privilege_ = Privilege::kSupervisor;
  // CR0.AM, RFLAGS.AC and CPL 3: no access hits the TLB, and each is checked on its slow way.
  bool alignment_checked_ = false;
  bool aligned(u64 linear, unsigned size, bool stack);  // false: `fault` is set
};

}  // namespace kite::tcg
