// Vcpu::execute: instructions for another engine, and where it stops.
#include "tests/accel/tcg/modes.h"

namespace kite {
namespace {

class Ports final : public IoHandler {
 public:
  u64 read(u64, unsigned) override {
    ++accesses;
    return 0x5a;
  }
  void write(u64, u64, unsigned) override { ++accesses; }
  int accesses = 0;
};

class BurstTest : public ModesTest {
 protected:
  static constexpr Gpa kRegisters = 0xd0000000;

  BurstTest() {
    EXPECT_TRUE(ports_.map("ports", 0x80, 4, handler_));
    AddressSpace::Edit edit(space_);
    edit.map({.start = kRegisters,
              .size = kPageSize,
              .region = Region::mmio("registers", kPageSize, handler_)});
  }

  // Executes at kCode; `state_` is then as the burst left it.
  Burst execute(Bytes code, u64 instructions, BurstLimits limits = {}) {
    space_.write(kCode, code);
    limits.instructions = instructions;
    state_.rip = kCode;
    Result<Burst> burst = vcpu_->execute(state_, limits);
    EXPECT_TRUE(burst);
    return *burst;
  }

  Ports handler_;
};

TEST_F(BurstTest, OneInstructionIsOne) {
  const Burst burst = execute({0x40, 0x40, 0x40, kHlt}, 1);  // INC EAX, thrice
  EXPECT_EQ(burst.instructions, 1u);
  EXPECT_EQ(burst.name, "inc");
  EXPECT_EQ(burst.length, 1u);
  EXPECT_EQ(burst.bytes[0], 0x40);
  EXPECT_EQ(state_.rip, kCode + 1);
  EXPECT_EQ(state_.gpr[kRax], 1u);
}

TEST_F(BurstTest, GoesOnUntilTheBudgetOrAnInstructionThatIsTheOtherEngines) {
  const Burst burst = execute({0x40, 0x40, 0x40, kHlt}, 100);
  EXPECT_EQ(burst.instructions, 3u);
  EXPECT_EQ(state_.rip, kCode + 3);  // before HLT
  EXPECT_EQ(state_.mp_state, MpState::kRunning);
  const Burst loop = execute({0x40, 0xeb, 0xfd}, 1000);  // INC EAX; JMP back
  EXPECT_GE(loop.instructions, 1000u);
  EXPECT_LT(loop.instructions, 1100u);
}

TEST_F(BurstTest, TheFirstInstructionReachesDevicesAndTheFollowingDoNot) {
  const Bytes in = {0xe4, 0x80, 0xe4, 0x80};  // IN AL, 80h, twice
  const Burst burst = execute(in, 100);
  EXPECT_EQ(burst.instructions, 1u);
  EXPECT_EQ(handler_.accesses, 1);
  EXPECT_EQ(state_.gpr[kRax] & 0xff, 0x5au);
  EXPECT_EQ(state_.rip, kCode + 2);
}

TEST_F(BurstTest, FollowingLoadsAndStoresOfRegistersAreLeft) {
  state_.gpr[kRbx] = kRegisters;
  state_.gpr[kRax] = 7;
  // NOP; MOV [EBX], EAX
  EXPECT_EQ(execute({0x90, 0x89, 0x03}, 100).instructions, 1u);
  EXPECT_EQ(state_.rip, kCode + 1);
  // NOP; MOV ECX, 1; ADD [EBX], EAX
  EXPECT_EQ(execute({0x90, 0xb9, 1, 0, 0, 0, 0x01, 0x03}, 100).instructions, 2u);
  EXPECT_EQ(state_.rip, kCode + 6);
  EXPECT_EQ(handler_.accesses, 0);
  // The first of them does.
  EXPECT_EQ(execute({0x89, 0x03}, 1).instructions, 1u);
  EXPECT_EQ(handler_.accesses, 1);
}

TEST_F(BurstTest, ARepeatedStoreIsConsistentWhereItIsLeft) {
  state_.gpr[kRdi] = kRegisters - 8;  // nobody is there either
  state_.gpr[kRcx] = 4;
  put32(kData, 0);
  // NOP; REP STOSD up to the edge of memory and beyond.
  state_.gpr[kRdi] = memory_.size() - 8;
  EXPECT_EQ(execute({0x90, 0xf3, 0xab}, 100).instructions, 1u);
  EXPECT_EQ(state_.rip, kCode + 1);
  EXPECT_EQ(state_.gpr[kRcx], 2u);
  EXPECT_EQ(state_.gpr[kRdi], memory_.size());
}

TEST_F(BurstTest, FollowingInstructionsThatReadClocksOrChangeTranslationAreLeft) {
  for (const Bytes& left : {Bytes{0x0f, 0x31}, Bytes{0x0f, 0xa2}, Bytes{0x0f, 0x22, 0xd8},
                            Bytes{0x0f, 0x32}, Bytes{0x0f, 0x30}, Bytes{0x0f, 0x01, 0x38}}) {
    Bytes code = {0x90};
    code.insert(code.end(), left.begin(), left.end());
    EXPECT_EQ(execute(code, 100).instructions, 1u);
    EXPECT_EQ(state_.rip, kCode + 1);
  }
}

TEST_F(BurstTest, AnExceptionOfTheFirstInstructionIsDelivered) {
  const Burst burst = execute({0x0f, 0x0b}, 1);  // UD2
  EXPECT_EQ(burst.instructions, 1u);
  EXPECT_EQ(state_.rip, handler(kInvalidOpcode));
  EXPECT_EQ(get32(kStack - 12), kCode);
}

TEST_F(BurstTest, ATripleFaultIsTheEnd) {
  state_.idtr = {0, 0};
  const Burst burst = execute({0x0f, 0x0b}, 1);
  ASSERT_TRUE(burst.end);
  EXPECT_EQ(burst.end->kind, Exit::Kind::kShutdown);
}

// 0F FFh is UD0; 62h in 32-bit mode with a register operand is an instruction of AVX-512.
TEST_F(BurstTest, AnUnknownInstructionIsUndefinedOnlyIfTheModelOffersNothingUnknown) {
  enter_long_mode();
  const Bytes evex = {0x62, 0xf1, 0x7c, 0x48, 0x28, 0xc1};  // VMOVAPS ZMM0, ZMM1
  const X86State before = state_;
  const Burst unknown = execute(evex, 1, {.unknown_is_defined = true});
  EXPECT_EQ(unknown.instructions, 0u);
  EXPECT_EQ(unknown.bytes[0], 0x62);
  EXPECT_EQ(state_.gpr, before.gpr);
  EXPECT_EQ(execute(evex, 1).instructions, 1u);
  EXPECT_EQ(state_.rip, handler(kInvalidOpcode));
  EXPECT_FALSE(has_unnamed_features(model_));
}

TEST_F(BurstTest, StoresAtCpl0AreLeftIfTheOtherEngineMustSeeThem) {
  state_.gpr[kRbx] = state_.gpr[kRdi] = kData;
  state_.gpr[kRax] = 7;
  state_.gpr[kRcx] = 4;
  state_.cr4 |= cr4::kOsfxsr;
  put32(kData, 0);
  const BurstLimits limits{.supervisor_stores = false};
  // MOV EDX, [EBX] fills the TLB; each of these stores, and none happens.
  for (const Bytes& store :
       {Bytes{0x89, 0x03}, Bytes{0xf0, 0x01, 0x03}, Bytes{0xf3, 0xab}, Bytes{0x0f, 0x11, 0x03},
        Bytes{0xff, 0x33}, Bytes{0xdb, 0x3b}, Bytes{0x0f, 0xae, 0x03}}) {
    Bytes code = {0x90, 0x8b, 0x13};
    code.insert(code.end(), store.begin(), store.end());
    EXPECT_EQ(execute(code, 100, limits).instructions, 2u) << std::hex << int{store[0]};
    EXPECT_EQ(state_.rip, kCode + 3);
    EXPECT_EQ(get32(kData), 0u);
  }
  // The first instruction may store, which is no leave for the next.
  EXPECT_EQ(execute({0x89, 0x03, 0x40, 0x89, 0x03}, 100, limits).instructions, 2u);
  EXPECT_EQ(get32(kData), 7u);
  // Without the limit all of them do.
  EXPECT_EQ(execute({0x90, 0x89, 0x03, kHlt}, 100).instructions, 2u);
  EXPECT_EQ(get32(kData), 8u);
}

TEST_F(BurstTest, ForgetsWhatItDecodedLastTime) {
  EXPECT_EQ(execute({0x40, kHlt}, 10).instructions, 1u);
  EXPECT_EQ(state_.gpr[kRax], 1u);
  // Stored behind the interpreter's back, as another engine's guest code does.
  memory_.data()[kCode] = 0x48;  // DEC EAX
  state_.rip = kCode;
  ASSERT_TRUE(vcpu_->execute(state_, {.instructions = 10}));
  EXPECT_EQ(state_.gpr[kRax], 0u);
}

TEST_F(BurstTest, AnInterruptShadowEndsWithTheFirstInstruction) {
  state_.pending.sti_shadow = true;
  execute({0x90, 0x90}, 1);
  EXPECT_FALSE(state_.pending.sti_shadow);
  execute({0x8e, 0xd0}, 1);  // MOV SS, AX: #GP or not, a null selector faults
  EXPECT_EQ(state_.rip, handler(kGeneralProtection));
}

TEST_F(BurstTest, AnInvalidationIsTold) {
  EXPECT_FALSE(execute({0x90}, 1).translations_changed);
  EXPECT_TRUE(execute({0x0f, 0x01, 0x38}, 1).translations_changed);  // INVLPG [EAX]
}

}  // namespace
}  // namespace kite
