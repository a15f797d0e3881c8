// Control registers and EFER: what may be set, and what a change invalidates (SDM
// 3A 2.5, 4.10.4.1, 9.8.5).
#include "accel/tcg/code_cache.h"
#include "accel/tcg/cpu.h"
#include "accel/x86/msr.h"
#include "accel/x86/paging.h"
#include "accel/x86/registers.h"

namespace kite::tcg {

bool Cpu::load_pdptes(u64 cr3_value, u64 cr0_value, u64 cr4_value) {
  if (!(cr0_value & cr0::kPg) || !(cr4_value & cr4::kPae) || (efer & efer::kLma)) return true;
  // Bits 2:1, 8:5 and those beyond the physical addresses are reserved (SDM 3A 4.4.1).
  const u64 reserved = 0x1e6 | ~(bit(model.physical_address_bits) - 1);
  std::array<u64, 4> loaded;
  memory.read(cr3_value & 0xffffffe0, {reinterpret_cast<u8*>(loaded.data()), sizeof loaded});
  for (u64 entry : loaded)
    if ((entry & pte::kPresent) && (entry & reserved)) return general_protection(), false;
  pdptes = loaded;
  return true;
}

Flow Cpu::write_cr0(u64 value) {
  serialize();
  value = (value & cr0::kDefined) | (value >> 32 << 32) | cr0::kEt;
  const bool paging = value & cr0::kPg;
  if (value >> 32 || (paging && !(value & cr0::kPe)) || ((value & cr0::kNw) && !(value & cr0::kCd)))
    return general_protection();
  const bool was_paging = cr0 & cr0::kPg;
  const u64 changed = cr0 ^ value;
  if (paging && !was_paging && (efer & efer::kLme)) {
    // Nor with a 64-bit CS or a 16-bit TSS (SDM 3A 9.8.5).
    if (!(cr4 & cr4::kPae) || segments[kCs].l || !(tr.type & 8)) return general_protection();
    efer |= efer::kLma;
  } else if (!paging && was_paging) {
    if (code64() || (cr4 & cr4::kPcide)) return general_protection();
    efer &= ~efer::kLma;
  } else if ((changed & (cr0::kPg | cr0::kCd | cr0::kNw)) && !load_pdptes(cr3, value, cr4)) {
    return Flow::kFault;
  }
  cr0 = value;
  if (changed & (cr0::kPg | cr0::kWp | cr0::kPe)) tlb.flush_all();
  if ((changed & cr0::kPe) && !(value & cr0::kPe)) cpl = 0;
  update_mode();
  return Flow::kNext;
}

Flow Cpu::write_cr3(u64 value) {
  serialize();
  const bool pcids = cr4 & cr4::kPcide;
  const bool keep = pcids && (value & cr3::kNoFlush);
  if (pcids) value &= ~cr3::kNoFlush;
  if (long_mode() && value >> model.physical_address_bits) return general_protection();
  if (!load_pdptes(value, cr0, cr4)) return Flow::kFault;
  cr3 = value;
  tlb.select(pcids ? static_cast<u16>(value & cr3::kPcid) : u16{0}, keep);
  select_tables();
  return Flow::kNext;
}

Flow Cpu::write_cr4(u64 value) {
  serialize();
  if (value & ~model.cr4_bits()) return general_protection();
  const u64 changed = cr4 ^ value;
  if (long_mode() && (!(value & cr4::kPae) || (changed & cr4::kLa57))) return general_protection();
  if ((changed & value & cr4::kPcide) && (!long_mode() || (cr3 & cr3::kPcid)))
    return general_protection();
  constexpr u64 kPaging =
      cr4::kPge | cr4::kPae | cr4::kPse | cr4::kPcide | cr4::kSmep | cr4::kSmap | cr4::kPke;
  constexpr u64 kReloads = cr4::kPge | cr4::kPae | cr4::kPse | cr4::kSmep;  // SDM 3A 4.4.1
  if ((changed & kReloads) && !load_pdptes(cr3, cr0, value)) return Flow::kFault;
  cr4 = value;
  if (changed & kPaging) tlb.flush_all();
  update_mode();
  return Flow::kNext;
}

Flow Cpu::write_efer(u64 value) {
  if (value & ~(model.efer_bits() | efer::kLma)) return general_protection();
  if (((value ^ efer) & efer::kLme) && (cr0 & cr0::kPg)) return general_protection();
  const u64 changed = efer ^ value;
  efer = (value & ~efer::kLma) | (efer & efer::kLma);
  if (changed & efer::kNxe) tlb.flush_all();
  return Flow::kNext;
}

}  // namespace kite::tcg
