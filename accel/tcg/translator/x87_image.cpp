// The image is FNSAVE's and FRSTOR's: 108 bytes, of protected mode and 32 bits (SDM 1 figures 8-9
// and 8-10). Its pointers are not used: the host's are to translated code, and some processors
// forget them.
#include "accel/tcg/translator/x87_image.h"

#include "accel/tcg/isa/x87.h"

namespace kite::tcg {

namespace {

constexpr unsigned kFcw = 0, kFsw = 4, kTags = 8, kPointers = 12, kStack = 28;
constexpr u16 kMasks = 0x3f;
constexpr u16 kEmpty = 3;  // of a register's two bits; FRSTOR finds out itself what others hold

unsigned physical(u16 fsw, unsigned i) {
  return ((fsw >> 11) + i) & 7;
}

}  // namespace

bool x87_to_host(const FpuState& fpu, Frame& frame) {
  if ((fpu.fcw & kMasks) != kMasks || (fpu.fsw & kErrorSummary)) return false;
  u8* const image = frame.x87_image.data();
  u16 tags = 0;
  for (unsigned n = 0; n < 8; ++n)
    if (!(fpu.ftw >> n & 1)) tags |= static_cast<u16>(kEmpty << (2 * n));
  store<u32>(image + kFcw, fpu.fcw);
  store<u32>(image + kFsw, fpu.fsw);
  store<u32>(image + kTags, tags);
  std::memset(image + kPointers, 0, kStack - kPointers);
  for (unsigned i = 0; i < 8; ++i)
    std::memcpy(image + kStack + 10 * i, fpu.st[physical(fpu.fsw, i)].data(), 10);
  frame.x87_instruction = Frame::kNothingNoted;
  frame.x87_operand_segment = Frame::kNoOperand;
  frame.x87_absent = 0;
  return true;
}

void x87_from_host(Cpu& cpu, Frame& frame) {
  FpuState& fpu = cpu.fpu;
  const u8* const image = frame.x87_image.data();
  fpu.fcw = load<u16>(image + kFcw);
  fpu.fsw = load<u16>(image + kFsw);
  const u16 tags = load<u16>(image + kTags);
  fpu.ftw = 0;
  for (unsigned n = 0; n < 8; ++n)
    if ((tags >> (2 * n) & 3) != kEmpty) fpu.ftw |= static_cast<u8>(1u << n);
  for (unsigned i = 0; i < 8; ++i)
    std::memcpy(fpu.st[physical(fpu.fsw, i)].data(), image + kStack + 10 * i, 10);
  frame.x87_absent = 1;
  if (frame.x87_instruction == Frame::kNothingNoted) return;
  fpu.fip = frame.x87_instruction;
  fpu.fcs = cpu.segments[kCs].selector;
  if (frame.x87_operand_segment == Frame::kNoOperand) return;
  const u32 segment = frame.x87_operand_segment;
  fpu.fdp = frame.x87_operand - (segment >= kFs ? cpu.segment_base[segment] : 0);
  fpu.fds = cpu.segments[segment].selector;
}

}  // namespace kite::tcg
