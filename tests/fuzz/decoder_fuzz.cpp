// The instruction decoder: any bytes in any mode decode, raise, or ask for more; never more than they are.
#include <cstdlib>

#include "accel/tcg/decode.h"

namespace kite::tcg {
namespace {

const Decoder& decoder() {
  static const CpuModel model = *find_cpu_model("max");
  static const Decoder instance(model);
  return instance;
}

Mode mode_from(u8 low, u8 high) {
  Mode mode;
  mode.code_width = 1 + low % 3;
  mode.stack32 = low >> 2 & 1;
  mode.cpl = low >> 3 & 3;
  mode.protected_mode = mode.code_width == 3 || (low >> 5 & 1);
  mode.v86 = mode.code_width == 1 && (low >> 6 & 1);
  mode.x87_trap = high & 3;
  mode.sse_trap = high >> 2 & 3;
  mode.wait_trap = high >> 4 & 1;
  return mode;
}

void check(std::span<const u8> bytes, Mode mode) {
  Insn insn;
  const DecodeStatus status = decoder().decode(bytes, mode, insn);
  if (status == DecodeStatus::kNeedMore) {
    if (bytes.size() >= kMaxInsnLength) std::abort();
    return;
  }
  if (!insn.handler || insn.length == 0 || insn.length > bytes.size() ||
      insn.length > kMaxInsnLength)
    std::abort();
  if (insn.base > kBlockRip || insn.index > kNoRegister) std::abort();
  // The same instruction without what follows it is the same instruction.
  Insn again;
  if (decoder().decode(bytes.first(insn.length), mode, again) != DecodeStatus::kOk ||
      again.length != insn.length || again.handler != insn.handler)
    if (insn.length < kMaxInsnLength && insn.row != kNoRow) std::abort();
}

}  // namespace
}  // namespace kite::tcg

extern "C" int LLVMFuzzerTestOneInput(const kite::u8* data, std::size_t size) {
  if (size < 3) return 0;
  const auto mode = kite::tcg::mode_from(data[0], data[1]);
  for (std::size_t at = 2; at < size; ++at)
    kite::tcg::check({data + at, size - at}, mode);
  return 0;
}
