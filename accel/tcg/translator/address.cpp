// Memory operands: the linear address, and whether it can be reached without asking.
#include "accel/tcg/translator/block_writer.h"

namespace kite::tcg {

bool BlockWriter::can_address(const Insn& insn) const {
  if (insn.address_width == 1) return false;
  // The others are flat, or nothing here is run; but CS cannot be written to, nor always be read.
  if (!code64_) return insn.segment < kFs && insn.segment != kCs;
  if (insn.base == kBlockRip) {
    const i64 from_page = i64{insn.disp} + offset_;
    return insn.address_kind == AddressKind::kSimple && from_page == static_cast<i32>(from_page);
  }
  return true;
}

void BlockWriter::load_guest(Host to, unsigned guest) {
  if (is_spilled(guest))
    code_.mov(to, spill_place(guest));
  else
    code_.mov(to, kHostOf[guest]);
}

void BlockWriter::store_guest(unsigned guest, Host from) {
  if (is_spilled(guest))
    code_.mov(spill_place(guest), from);
  else
    code_.mov(kHostOf[guest], from);
}

// Where the linear address is: kAddress, or a guest register that holds it already. Uses kValue.
Host BlockWriter::address(const Insn& insn, bool based) {
  const bool wide = insn.address_kind == AddressKind::kSimple;
  based = based && (insn.segment == kFs || insn.segment == kGs);
  const auto lea = [&](const HostOperand& from) {
    wide ? code_.lea(kAddress, from) : code_.lea32(kAddress, from);
  };
  const bool has_index = insn.index != kNoRegister;
  if (insn.base == kBlockRip) {
    code_.mov(kAddress, KITE_FRAME(page));
    code_.lea(kAddress, {kAddress, Host::kRsp, 0, insn.disp + offset_});
  } else if (insn.base == kNoRegister && !has_index) {
    code_.op(true, 0xc7, 0, kAddress);  // MOV kAddress, sign-extended
    code_.put(insn.disp);
    if (!wide) code_.mov32(kAddress, kAddress);
  } else {
    Host base = kAddress, index = Host::kRsp;
    if (has_index) {
      index = kHostOf[insn.index];
      if (is_spilled(insn.index)) code_.mov(index = kValue, spill_place(insn.index));
    }
    if (insn.base == kNoRegister)
      code_.mov32(kAddress, 0);
    else if (is_spilled(insn.base))
      code_.mov(kAddress, spill_place(insn.base));
    else
      base = kHostOf[insn.base];
    if (wide && !has_index && insn.disp == 0 && !based && base != kAddress) return base;
    if (!(base == kAddress && wide && !has_index && insn.disp == 0))
      lea({base, index, static_cast<u8>(has_index ? insn.scale : 0), insn.disp});
  }
  if (based) {
    held_ = kNothingHeld;
    code_.mov(kScratch, insn.segment == kFs ? KITE_FRAME(fs_base) : KITE_FRAME(gs_base));
    code_.lea(kAddress, {kAddress, kScratch});
  }
  return kAddress;
}

void BlockWriter::leave_without_word(u32 site) {
  code_.mov32(kValue, site);
  to_island(code_.jrcxz());
}

void BlockWriter::to_island(u8* displacement) {
  if (Emitter::reaches(displacement, island_))
    Emitter::bind8(displacement, island_);
  else if (waiting_ == to_be_bound_.size())
    __builtin_trap();
  else
    to_be_bound_[waiting_++] = displacement;
}

// Between two parts of what is written, of which the longest just fits into a JRCXZ's reach.
void BlockWriter::island_if_needed() {
  if (waiting_ == 0) return;
  code_.byte(0xeb);  // JMP over the island
  code_.byte(5);
  to_slow();
}

void BlockWriter::to_slow() {
  island_ = code_.at();
  code_.jmp(common_.slow);
  while (waiting_ > 0) Emitter::bind8(to_be_bound_[--waiting_], island_);
}

// kScratch becomes the word that is 0 when polls are to count.
void BlockWriter::load_calm() {
  held_ = kNothingHeld;
  code_.mov(kScratch, KITE_FRAME(calm));
  code_.mov(kScratch, HostOperand{kScratch});
}

}  // namespace kite::tcg
