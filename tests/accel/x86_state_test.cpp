#include <gtest/gtest.h>

#include "accel/x86/descriptor.h"
#include "accel/x86/msr.h"
#include "accel/x86/paging.h"
#include "accel/x86/state.h"
#include "accel/x86/vectors.h"

namespace kite {
namespace {

TEST(X86State, ResetFetchesFromSixteenBytesBelow4GiB) {
  X86State state = X86State::after_reset();
  EXPECT_EQ(state.segments[kCs].base + state.rip, 0xfffffff0u);
  EXPECT_EQ(state.segments[kCs].type, 11);
  EXPECT_EQ(state.segments[kSs].type, 3);
  EXPECT_EQ(state.cr0, 0x60000010u);
  EXPECT_EQ(state.rflags, 2u);
  EXPECT_EQ(state.gpr[kRdx] >> 8 & 15, 15u);
}

TEST(X86State, InitKeepsWhatIsNotTheIntegerCore) {
  X86State state = X86State::after_reset();
  state.cr0 = 0x80000011;
  state.gpr[kRbx] = 1;
  state.tsc = 77;
  state.fpu.mxcsr = 0x1fa0;
  state.efer = 0xd01;
  state.init(true);
  EXPECT_EQ(state.cr0, 0x10u);  // CD and NW were clear, and stay so
  EXPECT_EQ(state.gpr[kRbx], 0u);
  EXPECT_EQ(state.tsc, 77u);
  EXPECT_EQ(state.fpu.mxcsr, 0x1fa0u);
  EXPECT_EQ(state.efer, 0u);
  EXPECT_EQ(state.mp_state, MpState::kRunning);
}

TEST(X86State, SipiStartsOnlyAProcessorThatWaits) {
  X86State state = X86State::after_reset();
  state.start_up(0x9a);
  EXPECT_EQ(state.segments[kCs].selector, 0xf000);
  state.init(false);
  state.start_up(0x9a);
  EXPECT_EQ(state.segments[kCs].selector, 0x9a00);
  EXPECT_EQ(state.segments[kCs].base, 0x9a000u);
  EXPECT_EQ(state.rip, 0u);
  EXPECT_EQ(state.mp_state, MpState::kRunning);
}

TEST(Descriptor, AFlat64BitCodeSegmentUnpacks) {
  Segment code = unpack_descriptor(8, 0x00af9b000000ffff);
  EXPECT_EQ(
      code,
      (Segment{.selector = 8, .base = 0, .limit = 0xffffffff, .type = 11, .l = true, .g = true}));
  EXPECT_EQ(pack_descriptor(code), 0x00af9b000000ffffu);
}

TEST(Descriptor, ASystemDescriptorHasABaseOf64Bits) {
  Segment tss = unpack_descriptor(0x40, 0x12008934567800ab, 0xffff8000);
  EXPECT_EQ(tss.base, 0xffff800012345678u);
  EXPECT_EQ(tss.limit, 0xabu);
  EXPECT_FALSE(tss.s);
  EXPECT_EQ(tss.type, system_type::kTss);
}

TEST(Descriptor, GatesKeepEveryField) {
  Gate gate{.selector = 0x10,
            .offset = 0xffffffff81a02345,
            .type = system_type::kInterruptGate,
            .dpl = 3,
            .present = true,
            .ist = 5};
  auto [low, high] = pack_gate(gate);
  EXPECT_EQ(unpack_gate(low, high), gate);
}

TEST(Vectors, ExactlyTheManualsExceptionsPushAnErrorCode) {
  u32 with = 0;
  for (unsigned vector = 0; vector < 256; ++vector) {
    if (pushes_error_code(static_cast<u8>(vector))) with |= 1u << vector;
  }
  EXPECT_EQ(with, 0x00227d00u);
}

TEST(Vectors, TwoFaultsCombineAsTable6x5Says) {
  EXPECT_EQ(combine(kGeneralProtection, kGeneralProtection), Combination::kDoubleFault);
  EXPECT_EQ(combine(kGeneralProtection, kPageFault), Combination::kSerial);
  EXPECT_EQ(combine(kPageFault, kPageFault), Combination::kDoubleFault);
  EXPECT_EQ(combine(kPageFault, kGeneralProtection), Combination::kDoubleFault);
  EXPECT_EQ(combine(kDebugException, kGeneralProtection), Combination::kSerial);
  EXPECT_EQ(combine(kDoubleFault, kPageFault), Combination::kShutdown);
}

TEST(Paging, CanonicalAddressesRepeatBit47) {
  EXPECT_TRUE(is_canonical(0x00007fffffffffff));
  EXPECT_TRUE(is_canonical(0xffff800000000000));
  EXPECT_FALSE(is_canonical(0x0000800000000000));
}

TEST(Msr, TheApicOwnsItsRange) {
  EXPECT_TRUE(msr::belongs_to_apic(0x1b));
  EXPECT_TRUE(msr::belongs_to_apic(0x808));
  EXPECT_FALSE(msr::belongs_to_apic(0x900));
}

}  // namespace
}  // namespace kite
