// Page tables of 32-bit kernels, and what control registers refuse.
#include "accel/x86/msr.h"
#include "accel/x86/paging.h"
#include "tests/accel/tcg/modes.h"

namespace kite {
namespace {

class TcgPagingModes : public ModesTest {
 protected:
  static constexpr Gpa kRoot = 0x40000, kDirectory = 0x41000, kTable = 0x42000;
  // PAE paging, the low 4 MiB as they are; not switched on yet.
  void prepare_pae() {
    put64(kRoot, kDirectory | 1);
    for (unsigned i = 1; i < 4; ++i) put64(kRoot + 8 * i, 0);
    put64(kDirectory, 0x83);
    put64(kDirectory + 8, 0x200083);
    state_.cr3 = kRoot;
    state_.cr4 = cr4::kPae;
  }
  void prepare_32_bit() {
    put32(kRoot, kTable | 7);
    for (unsigned i = 0; i < 1024; ++i) put32(kTable + 4 * i, i * 0x1000 | 7);
    state_.cr3 = kRoot;
    state_.cr4 = cr4::kPse;
    state_.cr0 |= cr0::kPg;
  }
  const Bytes kPagingOn = {0x0f, 0x20, 0xc0, 0x0d, 0, 0, 0, 0x80, 0x0f, 0x22, 0xc0};
};

TEST_F(TcgPagingModes, AReservedBitOfAPdpteRefusesCr0Cr3AndCr4) {
  prepare_pae();
  EXPECT_EQ(run(kPagingOn).rip, kCode + 12);
  for (u64 reserved : {u64{2}, u64{0x20}, bit(50)}) {
    put64(kRoot + 16, reserved | 1);
    const X86State after = run(kPagingOn);
    EXPECT_EQ(vector_of(after), kGeneralProtection) << reserved;
    EXPECT_EQ(after.cr0 & cr0::kPg, 0u);
    put64(kRoot + 16, reserved);  // not present: it does not matter
    EXPECT_EQ(run(kPagingOn).rip, kCode + 12);
  }
  put64(kRoot + 16, 0);
  state_.cr0 |= cr0::kPg;
  put64(kRoot + 0x1000 + 0xfe0, 2 | 1);  // a root at the end of the directory's page
  state_.gpr[kRax] = kRoot + 0x1fe0;
  EXPECT_EQ(vector_of(run({0x0f, 0x22, 0xd8})), kGeneralProtection);
}

TEST_F(TcgPagingModes, PdptesAreRegistersThatCr3Loads) {
  prepare_pae();
  state_.cr0 |= cr0::kPg;
  // The first entry goes from memory; the processor keeps it until CR3 is written.
  const Bytes clear = {0xc7, 0x05, 0,    0, 4,    0, 0, 0, 0, 0,  // MOV DWORD [kRoot], 0
                       0x0f, 0x01, 0x3d, 0, 0x60, 0, 0,           // INVLPG [6000h]
                       0xa1, 0,    0x60, 0, 0};                   // MOV EAX, [6000h]
  EXPECT_EQ(run(clear).rip, kCode + clear.size() + 1);
}

TEST_F(TcgPagingModes, AReservedBitIsAPageFaultThatSaysSo) {
  prepare_32_bit();
  state_.idtr.base = kIdt;
  put32(kRoot + 4, 0x83 | 1u << 21);  // 4 MiB: bit 21 is reserved
  X86State after = run({0xa1, 0, 0, 0x40, 0});
  EXPECT_EQ(vector_of(after), kPageFault);
  EXPECT_EQ(word(after, 0), page_fault::kPresent | page_fault::kReserved);
  EXPECT_EQ(after.cr2, 0x400000u);
  put32(kRoot + 4, 0x83 | 1u << 13);  // PSE-36: bit 32 of the address, where nothing is
  after = run({0xa1, 0, 0, 0x40, 0});
  EXPECT_EQ(after.rip, kCode + 6);
  EXPECT_EQ(after.gpr[kRax], 0xffffffffu);
}

// Five levels of tables, the low 2 MiB at 0 and again at kHigh.
class TcgFiveLevels : public TcgPagingModes {
 protected:
  static constexpr Gpa kPml5 = 0x58000;
  void enter_five_levels() {
    enter_long_mode();
    put64(kPml5, state_.cr3 | 7);
    put64(kPml5 + 8 * 0x55, state_.cr3 | 7);
    state_.cr3 = kPml5;
    state_.cr4 |= cr4::kLa57;
  }
  static constexpr u64 kHigh = u64{0x55} << 48;
};

TEST_F(TcgFiveLevels, AnAddressHas57Bits) {
  enter_five_levels();
  put64(kData, 0x1122334455667788);
  state_.gpr[kRbx] = kHigh | kData;
  EXPECT_EQ(run({0x48, 0x8b, 0x03}).gpr[kRax], 0x1122334455667788u);  // MOV RAX, [RBX]
  EXPECT_EQ(get64(kPml5 + 8 * 0x55) & pte::kAccessed, pte::kAccessed);
  // Code runs there too: JMP RBX.
  state_.gpr[kRbx] = kHigh | kOther;
  put8(kOther, kHlt);
  EXPECT_EQ(run({0xff, 0xe3}).rip, (kHigh | kOther) + 1);
  state_.gpr[kRbx] = u64{1} << 56;
  EXPECT_EQ(vector_of(run({0x48, 0x8b, 0x03})), kGeneralProtection);
  EXPECT_EQ(vector_of(run({0xff, 0xe3})), kGeneralProtection);
}

TEST_F(TcgFiveLevels, WithFourTheSameAddressIsNotCanonicalButABaseMayHoldIt) {
  enter_long_mode();
  state_.gpr[kRbx] = state_.gpr[kRax] = kHigh;
  EXPECT_EQ(vector_of(run({0x48, 0x8b, 0x03})), kGeneralProtection);
  state_.gpr[kRdx] = kHigh >> 32;
  state_.gpr[kRcx] = msr::kLstar;
  const X86State after = run({0x0f, 0x30});  // WRMSR
  EXPECT_EQ(after.rip, kCode + 3);
  EXPECT_EQ(after.lstar, kHigh);
  state_.cr4 |= cr4::kFsgsbase;
  EXPECT_EQ(vector_of(run({0xf3, 0x48, 0x0f, 0xae, 0xd0})), kGeneralProtection);  // WRFSBASE RAX
  state_.gpr[kRdx] = 0x01000000;
  EXPECT_EQ(vector_of(run({0x0f, 0x30})), kGeneralProtection);
}

TEST_F(TcgFiveLevels, NothingIsLargeAboveAPdpteAndTheRightsOfAPml5eCount) {
  enter_five_levels();
  state_.gpr[kRbx] = kHigh | kData;
  put64(kPml5 + 8 * 0x55, 0x50000 | 7 | pte::kLarge);
  X86State after = run({0x48, 0x8b, 0x03});
  EXPECT_EQ(vector_of(after), kPageFault);
  EXPECT_EQ(quad(after, 0), page_fault::kPresent | page_fault::kReserved);
  put64(kPml5 + 8 * 0x55, 0x50000 | pte::kPresent);  // read-only
  state_.cr0 |= cr0::kWp;
  after = run({0x48, 0x89, 0x03});
  EXPECT_EQ(quad(after, 0), page_fault::kPresent | page_fault::kWrite);
  EXPECT_EQ(after.cr2, kHigh | kData);
}

TEST_F(TcgFiveLevels, TheNumberOfLevelsDoesNotChangeInLongMode) {
  enter_long_mode();
  state_.gpr[kRax] = cr4::kPae | cr4::kLa57;
  EXPECT_EQ(vector_of(run({0x0f, 0x22, 0xe0})), kGeneralProtection);  // MOV CR4, RAX
  enter_five_levels();
  state_.gpr[kRax] = cr4::kPae;
  EXPECT_EQ(vector_of(run({0x0f, 0x22, 0xe0})), kGeneralProtection);
}

TEST_F(TcgPagingModes, LongModeIsNotEnteredWithA16BitTss) {
  prepare_pae();
  state_.efer = efer::kLme;
  state_.tr.type = system_type::kTss16Busy;
  EXPECT_EQ(vector_of(run(kPagingOn)), kGeneralProtection);
}

}  // namespace
}  // namespace kite
