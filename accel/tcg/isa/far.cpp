// Far JMP and CALL: to a code segment, through a call gate, to another task.
#include "accel/tcg/isa/far.h"

#include "accel/tcg/isa/row.h"
#include "accel/x86/descriptor.h"
#include "accel/x86/registers.h"
#include "accel/x86/vectors.h"

namespace kite::tcg {
namespace {

bool push_sized(Cpu& cpu, unsigned width, u64 value) {
  return width == 3   ? cpu.push<u64>(value)
         : width == 2 ? cpu.push<u32>(static_cast<u32>(value))
                      : cpu.push<u16>(static_cast<u16>(value));
}

// The code segment of a far JMP or CALL without a gate (SDM 3A 5.8.1).
bool check_code(Cpu& cpu, u16 selector, const Segment& target) {
  const u32 code = selector & 0xfffc;
  const u8 rpl = selector & selector::kRpl;
  const bool conforming = target.type & segment_type::kConforming;
  const bool bad = conforming ? target.dpl > cpu.cpl : rpl > cpu.cpl || target.dpl != cpu.cpl;
  if (bad || (cpu.long_mode() && target.l && target.db)) {
    cpu.general_protection(code);
    return false;
  }
  if (!target.present) {
    cpu.raise_with_code(kSegmentNotPresent, code);
    return false;
  }
  return true;
}

// A call gate that this CPL and RPL may use. False: `fault` is set.
bool read_gate(Cpu& cpu, u16 selector, Gate& gate) {
  const u32 code = selector & 0xfffc;
  std::array<u64, 2> raw;
  if (!cpu.read_descriptor(selector, raw, kGeneralProtection, cpu.long_mode())) return false;
  gate = unpack_gate(raw[0], raw[1]);
  const bool is_16 = gate.type == system_type::kCallGate16;
  if (is_16) gate.offset &= 0xffff;
  // The type field of a 64-bit gate's upper half is zero (SDM 3A 5.8.3.1).
  if ((cpu.long_mode() && (is_16 || bits(raw[1], 44, 40))) || gate.dpl < cpu.cpl ||
      gate.dpl < (selector & selector::kRpl))
    return cpu.general_protection(code), false;
  return gate.present || (cpu.raise_with_code(kSegmentNotPresent, code), false);
}

// The code segment behind a call gate and the level it runs at (SDM 3A 5.8.4).
bool read_gate_target(Cpu& cpu, const Gate& gate, bool is_call, u64& raw, Segment& target,
                      u8& level) {
  const u32 code = gate.selector & 0xfffc;
  if (!code) return cpu.general_protection(), false;
  std::array<u64, 2> descriptor;
  if (!cpu.read_descriptor(gate.selector, descriptor)) return false;
  raw = descriptor[0];
  target = unpack_descriptor(gate.selector, raw);
  const bool is_code = target.s && (target.type & segment_type::kCode);
  const bool conforming = target.type & segment_type::kConforming;
  if (!is_code || target.dpl > cpu.cpl || (cpu.long_mode() && (!target.l || target.db)) ||
      (!is_call && !conforming && target.dpl != cpu.cpl))
    return cpu.general_protection(code), false;
  if (!target.present) return cpu.raise_with_code(kSegmentNotPresent, code), false;
  level = conforming ? cpu.cpl : target.dpl;
  const bool inside = cpu.long_mode() ? cpu.canonical(gate.offset) : gate.offset <= target.limit;
  return inside || (cpu.general_protection(), false);
}

// A far call or jump through a call gate (SDM 3A 5.8.3 - 5.8.5).
Flow through_gate(Cpu& cpu, const Insn& insn, u16 selector, bool is_call) {
  Gate gate;
  u64 raw;
  Segment target;
  u8 level;
  if (!read_gate(cpu, selector, gate) ||
      !read_gate_target(cpu, gate, is_call, raw, target, level) ||
      !cpu.mark_accessed(gate.selector, raw))
    return Flow::kFault;
  if (!is_call) return cpu.enter_code(gate.selector, raw, level, gate.offset);
  const unsigned width = cpu.long_mode() ? 3 : gate.type == system_type::kCallGate ? 2 : 1;
  NewStack stack = cpu.current_stack();
  stack.is_64 = cpu.long_mode();
  // From the lowest address up: RIP, CS, and on an inner stack the parameters, RSP, SS.
  std::array<u64, 36> words = {cpu.next_rip(insn), cpu.segments[kCs].selector};
  unsigned count = 2;
  const bool inner = level < cpu.cpl;
  if (inner) {
    if (!cpu.inner_stack(level, stack)) return Flow::kFault;
    const unsigned parameters = cpu.long_mode() ? 0 : gate.parameters;
    for (unsigned i = 0; i < parameters; ++i)
      if (!peek_sized(cpu, width, i * bytes_of(width), words[count++])) return Flow::kFault;
    words[count++] = cpu.gpr[kRsp];
    words[count++] = cpu.segments[kSs].selector;
  }
  if (!cpu.push_frame(stack, {words.data(), count}, bytes_of(width),
                      inner ? stack.ss.selector & 0xfffc : 0))
    return Flow::kFault;
  const Flow flow = cpu.enter_code(gate.selector, raw, level, gate.offset);
  if (flow != Flow::kFault) cpu.take_stack(stack);
  return flow;
}

// A TSS or a task gate (SDM 3A 7.3).
Flow to_task(Cpu& cpu, const Insn& insn, u16 selector, const Segment& target, u64 raw,
             bool is_call) {
  const u32 code = selector & 0xfffc;
  const bool is_gate = target.type == system_type::kTaskGate;
  const bool is_tss = target.type == system_type::kTss || target.type == system_type::kTss16;
  if (cpu.long_mode() || (!is_gate && !is_tss) || target.dpl < cpu.cpl ||
      target.dpl < (selector & selector::kRpl))
    return cpu.general_protection(code);
  if (!target.present) return cpu.raise_with_code(kSegmentNotPresent, code);
  return cpu.switch_task_and_leave(is_gate ? unpack_gate(raw).selector : selector,
                                   is_call ? TaskCause::kCall : TaskCause::kJump,
                                   cpu.next_rip(insn));
}

Flow far_transfer(Cpu& cpu, const Insn& insn, u16 selector, u64 offset, bool is_call) {
  const u64 rsp = cpu.gpr[kRsp];
  const auto push_return = [&] {
    if (!is_call || (push_sized(cpu, insn.width, cpu.segments[kCs].selector) &&
                     push_sized(cpu, insn.width, cpu.next_rip(insn))))
      return true;
    cpu.gpr[kRsp] = rsp;
    return false;
  };
  if (real_or_v86(cpu)) {
    if (offset > cpu.segments[kCs].limit) return cpu.general_protection();
    return push_return() ? enter_real(cpu, selector, offset) : Flow::kFault;
  }
  if (!(selector & 0xfffc)) return cpu.general_protection();
  std::array<u64, 2> raw;
  if (!cpu.read_descriptor(selector, raw)) return Flow::kFault;
  const Segment target = unpack_descriptor(selector, raw[0]);
  if (!target.s) {
    if (target.type == system_type::kCallGate || target.type == system_type::kCallGate16)
      return through_gate(cpu, insn, selector, is_call);
    return to_task(cpu, insn, selector, target, raw[0], is_call);
  }
  if (!(target.type & segment_type::kCode)) return cpu.general_protection(selector & 0xfffc);
  if (!check_code(cpu, selector, target)) return Flow::kFault;
  // Ahead of the pushes, which a fault must not show (SDM 2A "CALL").
  const bool to_64 = cpu.long_mode() && target.l;
  if (to_64 ? !cpu.canonical(offset) : offset > target.limit) return cpu.general_protection();
  if (!push_return()) return Flow::kFault;
  const Flow flow = cpu.enter_code(selector, raw[0], cpu.cpl, offset);
  if (flow == Flow::kFault) cpu.gpr[kRsp] = rsp;
  return flow;
}

// m16:16, m16:32, m16:64.
bool load_far_pointer(Cpu& cpu, const Insn& insn, u16& selector, u64& offset) {
  const unsigned size = bytes_of(insn.width);
  u64 linear;
  if (!cpu.linear_address(insn, size + 2, Access::kRead, linear)) return false;
  const bool stack = Cpu::is_stack(insn.segment);
  offset = 0;
  u32 dword = 0;
  u16 word = 0;
  const bool ok = size == 8   ? cpu.load_at(linear, offset, stack)
                  : size == 4 ? cpu.load_at(linear, dword, stack)
                              : cpu.load_at(linear, word, stack);
  if (size != 8) offset = size == 4 ? dword : word;
  return ok && cpu.load_at(linear + size, selector, stack);
}

template <bool IsCall>
constexpr auto far_direct = [](Cpu& cpu, const Insn& insn, u64 pointer) {
  return far_transfer(cpu, insn, static_cast<u16>(pointer >> 32), pointer & 0xffffffff, IsCall);
};

template <bool IsCall>
constexpr auto far_indirect = [](Cpu& cpu, const Insn& insn, u64) {
  u16 selector;
  u64 offset;
  if (!load_far_pointer(cpu, insn, selector, offset)) return Flow::kFault;
  return far_transfer(cpu, insn, selector, offset, IsCall);
};

constexpr Row kRows[] = {
    row("EA cp", "jmp far", r(Ap), "      ", not64, ends_block, far_direct<false>),
    row("9A cp", "call far", r(Ap), "      ", not64, ends_block, far_direct<true>),
    row("FF /5", "jmp far", r(Mp), "      ", ends_block, far_indirect<false>),
    row("FF /3", "call far", r(Mp), "      ", ends_block, far_indirect<true>),
};

}  // namespace

std::span<const Row> far_rows() {
  return kRows;
}

}  // namespace kite::tcg
