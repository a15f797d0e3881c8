// Delivery of exceptions and interrupts (SDM 3A chapter 6).
#include "accel/tcg/cpu.h"
#include "accel/x86/descriptor.h"
#include "accel/x86/registers.h"
#include "accel/x86/vectors.h"
#include "base/trace.h"

namespace kite::tcg {

namespace {

constexpr u64 kClearedByGate = rflags::kTf | rflags::kNt | rflags::kRf | rflags::kVm;

// The error code of a fault met while delivering `event`: EXT says that it was not the program's
// own INT (SDM 3A 6.13).
u32 external_bit(const Fault& event) {
  return event.kind == Fault::Kind::kSoftwareInterrupt ? 0 : selector_error::kExternal;
}

u32 idt_error(const Fault& event) {
  return static_cast<u32>(event.vector) * 8 | selector_error::kIdt | external_bit(event);
}

// A fault sets RF in the flags it saves, so that an instruction breakpoint is not taken again; so
// does what comes between two iterations of a string instruction (SDM 3B 17.3.1.1).
// Cpu::system_flags knows RF exactly where instructions run one at a time; elsewhere it may be
// stale.
u64 saved_flags(const Cpu& cpu, const Fault& event, u64 return_rip) {
  const bool resumes =
      event.kind == Fault::Kind::kFault ||
      (cpu.mode.single ? (cpu.system_flags & rflags::kRf) != 0 : return_rip == cpu.repeat_rip);
  return (cpu.rflags() & ~rflags::kRf) | (resumes ? rflags::kRf : 0);
}

u64 flags_after(const Cpu& cpu, bool interrupt_gate) {
  return cpu.rflags() & ~(kClearedByGate | (interrupt_gate ? rflags::kIf : 0));
}

}  // namespace

// What an exception's delivery touches belongs to the instruction that raised it, which has been
// begun.
void Cpu::deliver(u64 return_rip) {
  const Lease held = lease;
  if (barred()) lease = Lease::kFirst;
  deliver_unbarred(return_rip);
  lease = held;
}

void Cpu::deliver_unbarred(u64 return_rip) {
  Fault event = fault;
  for (;;) {
    // The handler of #DB may use the debug registers (SDM 3B 17.2.4).
    if (event.vector == kDebugException && event.kind != Fault::Kind::kSoftwareInterrupt)
      dr7 &= ~dr7::kGd;
    if (try_deliver(event, return_rip)) return;
    const Fault next = fault;
    // INT n that cannot be delivered is a fault of its own: it points at the INT.
    if (event.kind == Fault::Kind::kSoftwareInterrupt) return_rip = rip;
    const bool exception = event.kind == Fault::Kind::kFault || event.kind == Fault::Kind::kTrap;
    switch (exception ? combine(event.vector, next.vector) : Combination::kSerial) {
      case Combination::kSerial:
        event = next;
        break;
      case Combination::kDoubleFault:
        event = {kDoubleFault, Fault::Kind::kFault, true, 0};
        break;
      case Combination::kShutdown:
        rip = return_rip;
        attention |= kAttendShutdown;
        return;
    }
  }
}

bool Cpu::try_deliver(const Fault& event, u64& return_rip) {
  if (trace::enabled(trace::Category::kInt))
    trace::write(trace::Category::kInt,
                 "{} vector={:#x} error={:#x} rip={:#x} cs={:#x} rsp={:#x} cr2={:#x} cpl={}",
                 event.kind == Fault::Kind::kExternal ? "interrupt" : vector_name(event.vector),
                 event.vector, event.error_code, return_rip, segments[kCs].selector, gpr[kRsp], cr2,
                 cpl);
  if (!(cr0 & cr0::kPe)) return deliver_real(event, return_rip);
  return long_mode() ? deliver_long(event, return_rip) : deliver_protected(event, return_rip);
}

bool Cpu::deliver_real(const Fault& event, u64 return_rip) {
  if (event.vector * 4u + 3 > idtr.limit) {
    general_protection(idt_error(event));
    return false;
  }
  u32 target;
  if (!system_load(idtr.base + event.vector * 4u, &target, 4)) return false;
  const u64 rsp = gpr[kRsp];
  if (!push<u16>(static_cast<u16>(rflags())) || !push<u16>(segments[kCs].selector) ||
      !push<u16>(static_cast<u16>(return_rip))) {
    gpr[kRsp] = rsp;
    return false;
  }
  set_rflags(rflags() & ~(rflags::kIf | rflags::kTf | rflags::kAc | rflags::kRf));
  load_segment(kCs, static_cast<u16>(target >> 16));
  rip = target & 0xffff;
  return true;
}

bool Cpu::deliver_long(const Fault& event, u64 return_rip) {
  const u32 error = idt_error(event);
  const u32 ext = external_bit(event);
  std::array<u64, 2> raw;
  if (event.vector * 16u + 15 > idtr.limit) return general_protection(error), false;
  if (!system_load(idtr.base + event.vector * 16u, raw.data(), 16)) return false;
  const Gate gate = unpack_gate(raw[0], raw[1]);
  if (gate.type != system_type::kInterruptGate && gate.type != system_type::kTrapGate)
    return general_protection(error), false;
  if (event.kind == Fault::Kind::kSoftwareInterrupt && gate.dpl < cpl)
    return general_protection(error), false;
  if (!gate.present) return raise_with_code(kSegmentNotPresent, error), false;

  if (!(gate.selector & 0xfffc)) return general_protection(ext), false;
  const u32 code = (gate.selector & 0xfffc) | ext;
  if (!read_descriptor(gate.selector, raw)) {
    if (fault.vector == kGeneralProtection) fault.error_code |= ext;
    return false;
  }
  Segment target = unpack_descriptor(gate.selector, raw[0]);
  const bool is_code = target.s && (target.type & segment_type::kCode);
  if (!is_code || !target.l || target.db || target.dpl > cpl)
    return general_protection(code), false;
  if (!target.present) return raise_with_code(kSegmentNotPresent, code), false;
  const u8 new_cpl = target.type & segment_type::kConforming ? cpl : target.dpl;

  u64 rsp = gpr[kRsp];
  u16 unused_ss;
  if (gate.ist != 0) {
    if (0x1c + 8u * gate.ist + 7 > tr.limit)
      return raise_with_code(kInvalidTss, (tr.selector & 0xfffc) | ext), false;
    if (!system_load(tr.base + 0x1c + 8 * gate.ist, &rsp, 8)) return false;
  } else if (new_cpl != cpl && !inner_stack(new_cpl, rsp, unused_ss, ext)) {
    return false;
  }
  rsp = align_down(rsp, 16);
  if (!canonical(rsp - 48)) return raise_with_code(kStackFault, ext), false;
  if (!canonical(gate.offset)) return general_protection(ext), false;
  // In memory from the lowest address up: error code, RIP, CS, RFLAGS, RSP, SS.
  const u64 frame[6] = {event.error_code,
                        return_rip,
                        segments[kCs].selector,
                        saved_flags(*this, event, return_rip),
                        gpr[kRsp],
                        segments[kSs].selector};
  const unsigned skipped = event.has_error_code ? 0 : 1;
  const unsigned size = 8 * (6 - skipped);
  if (!system_store(rsp - size, frame + skipped, size)) return false;
  if (!mark_accessed(gate.selector, raw[0])) return false;

  if (new_cpl != cpl) {
    Segment stack;
    inner_stack_segment(0, new_cpl, stack);
    segments[kSs] = stack;
    segment_base[kSs] = 0;
  }
  gpr[kRsp] = rsp - size;
  target.type |= segment_type::kAccessed;
  target.selector = static_cast<u16>((gate.selector & ~selector::kRpl) | new_cpl);
  cpl = new_cpl;
  set_segment(kCs, target);
  set_rflags(flags_after(*this, gate.type == system_type::kInterruptGate));
  rip = gate.offset;
  return true;
}

namespace {

// The code segment of a gate outside long mode. False: `fault` is set.
bool gate_target(Cpu& cpu, const Gate& gate, u32 ext, u64& raw, Segment& target) {
  if (!(gate.selector & 0xfffc)) return cpu.general_protection(ext), false;
  const u32 code = (gate.selector & 0xfffc) | ext;
  std::array<u64, 2> descriptor;
  if (!cpu.read_descriptor(gate.selector, descriptor)) {
    if (cpu.fault.vector == kGeneralProtection) cpu.fault.error_code |= ext;
    return false;
  }
  raw = descriptor[0];
  target = unpack_descriptor(gate.selector, raw);
  if (!target.s || !(target.type & segment_type::kCode) || target.dpl > cpu.cpl)
    return cpu.general_protection(code), false;
  if (!target.present) return cpu.raise_with_code(kSegmentNotPresent, code), false;
  // From virtual-8086 mode only to level 0 (SDM 3B 20.3.1).
  const bool conforming = target.type & segment_type::kConforming;
  if (cpu.mode.v86 && (conforming || target.dpl != 0)) return cpu.general_protection(code), false;
  return true;
}

}  // namespace

bool Cpu::deliver_protected(const Fault& event, u64& return_rip) {
  const u32 error = idt_error(event);
  const u32 ext = external_bit(event);
  u64 raw = 0;
  if (event.vector * 8u + 7 > idtr.limit) return general_protection(error), false;
  if (!system_load(idtr.base + event.vector * 8u, &raw, 8)) return false;
  const Gate gate = unpack_gate(raw);
  const bool is_32 = gate.type & 8;
  const u8 kind = gate.type & 7;
  const bool is_task = gate.type == system_type::kTaskGate;
  if ((raw & descriptor::kS) ||
      (!is_task && kind != system_type::kInterruptGate16 && kind != system_type::kTrapGate16))
    return general_protection(error), false;
  if (event.kind == Fault::Kind::kSoftwareInterrupt && gate.dpl < cpl)
    return general_protection(error), false;
  if (!gate.present) return raise_with_code(kSegmentNotPresent, error), false;
  if (is_task)
    return switch_task(gate.selector, TaskCause::kEvent, return_rip, &event) == TaskSwitch::kDone;

  Segment target;
  if (!gate_target(*this, gate, ext, raw, target)) return false;
  const u8 new_cpl = target.type & segment_type::kConforming ? cpl : target.dpl;
  const bool inner = new_cpl < cpl;
  NewStack stack = current_stack();
  if (inner && !inner_stack(new_cpl, stack, ext)) return false;
  // From the lowest address up: error code, EIP, CS, EFLAGS, ESP, SS, and for virtual-8086 mode ES,
  // DS, FS, GS.
  const bool from_v86 = mode.v86;
  std::array<u64, 10> frame;
  unsigned words = 0;
  if (event.has_error_code) frame[words++] = event.error_code;
  for (u64 word : {return_rip, u64{segments[kCs].selector}, saved_flags(*this, event, return_rip)})
    frame[words++] = word;
  if (inner)
    for (u64 word : {gpr[kRsp], u64{segments[kSs].selector}}) frame[words++] = word;
  if (from_v86)
    for (SegmentRegister number : {kEs, kDs, kFs, kGs}) frame[words++] = segments[number].selector;
  const u64 offset = is_32 ? gate.offset : gate.offset & 0xffff;
  if (offset > target.limit) return general_protection(ext), false;
  if (!push_frame(stack, {frame.data(), words}, is_32 ? 4 : 2,
                  inner ? (stack.ss.selector & 0xfffc) | ext : ext) ||
      !mark_accessed(gate.selector, raw))
    return false;

  set_rflags(flags_after(*this, kind == system_type::kInterruptGate16));
  if (from_v86)
    for (SegmentRegister number : {kEs, kDs, kFs, kGs}) set_segment(number, null_segment(0, 0));
  target.type |= segment_type::kAccessed;
  target.selector = static_cast<u16>((gate.selector & ~selector::kRpl) | new_cpl);
  cpl = new_cpl;
  set_segment(kCs, target);
  take_stack(stack);
  rip = offset;
  return true;
}

}  // namespace kite::tcg
