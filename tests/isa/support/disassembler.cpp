#include "tests/isa/support/disassembler.h"

#include <array>
#include <string_view>

namespace kite::isa {

Disassembler::Disassembler(unsigned code_width) {
  constexpr cs_mode kModes[] = {CS_MODE_16, CS_MODE_16, CS_MODE_32, CS_MODE_64};
  cs_open(CS_ARCH_X86, kModes[code_width & 3], &handle_);
  cs_option(handle_, CS_OPT_DETAIL, CS_OPT_ON);
  insn_ = cs_malloc(handle_);
}

Disassembler::~Disassembler() {
  cs_free(insn_, 1);
  cs_close(&handle_);
}

const cs_insn* Disassembler::decode(std::span<const u8> bytes, u64 address) {
  const u8* code = bytes.data();
  std::size_t size = bytes.size();
  return cs_disasm_iter(handle_, &code, &size, &address, insn_) ? insn_ : nullptr;
}

std::string bare_mnemonic(const cs_insn& insn) {
  std::string_view text = insn.mnemonic;
  for (std::string_view prefix : {"lock ", "repne ", "repe ", "repz ", "repnz ", "rep ",
                                  "xacquire ", "xrelease ", "bnd ", "notrack "}) {
    if (text.starts_with(prefix)) text.remove_prefix(prefix.size());
  }
  return std::string(text);
}

}  // namespace kite::isa
