// Where translated code goes on: targets that are no addresses, code that is somewhere else by now,
// code that was forgotten.
#include <chrono>
#include <thread>

#include "tests/accel/tcg/translator/translated_modes.h"

namespace kite {
namespace {

constexpr u64 kNowhere = 0x800000000000;  // not canonical

class TranslatedBranches : public TranslatedModes {
 protected:
  TranslatedBranches() { enter_long_mode(); }

  // The last page below the hole of addresses that are not canonical is kOther.
  static constexpr u64 kLastPage = kNowhere - kPageSize;
  void map_last_page() {
    put64(0x50000 + 255 * 8, 0x54000 | 7);
    put64(0x54000 + 511 * 8, 0x55000 | 7);
    put64(0x55000 + 511 * 8, 0x56000 | 7);
    put64(0x56000 + 511 * 8, kOther | 7);
  }
  X86State run_at_last_page(const Bytes& code) {
    map_last_page();
    space_.write(kOther, code);
    state_.rip = kLastPage;
    return resume();
  }
};

TEST_F(TranslatedBranches, AJumpToNowhereFaultsAtTheJump) {
  gpr(kRax) = kNowhere;
  expect_general_protection_at(run({0xff, 0xe0}), kCode);  // jmp rax
}

TEST_F(TranslatedBranches, ACallToNowhereLeavesRsp) {
  gpr(kRax) = kNowhere;
  expect_general_protection_at(run({0xff, 0xd0}), kCode);  // call rax
  put64(kData, kNowhere);
  gpr(kRbx) = kData;
  expect_general_protection_at(run({0xff, 0x13}), kCode);  // call [rbx]
}

TEST_F(TranslatedBranches, AReturnToNowhereLeavesRsp) {
  put64(kStack, kNowhere);
  expect_general_protection_at(run({0xc3}), kCode);
  expect_general_protection_at(run({0xc2, 0x10, 0x00}), kCode);
}

TEST_F(TranslatedBranches, ADirectJumpOverTheCanonicalBoundaryFaultsAtTheJump) {
  expect_general_protection_at(run_at_last_page({0xe9, 0x00, 0x10, 0, 0}), kLastPage);
}

TEST_F(TranslatedBranches, ADirectCallOverTheCanonicalBoundaryLeavesRsp) {
  expect_general_protection_at(run_at_last_page({0xe8, 0x00, 0x10, 0, 0}), kLastPage);
}

TEST_F(TranslatedBranches, ATakenBranchOverTheCanonicalBoundaryFaultsAtTheBranch) {
  state_.rflags |= rflags::kZf;
  expect_general_protection_at(run_at_last_page({0x0f, 0x84, 0x00, 0x10, 0, 0}), kLastPage);
}

// The target is read before the return address is stored where it stood.
TEST_F(TranslatedBranches, ACallThroughTheWordItsReturnAddressReplaces) {
  put64(kStack - 8, kOther);
  put8(kOther, kHlt);
  const X86State after = run({0xff, 0x54, 0x24, 0xf8});  // call [rsp - 8]
  EXPECT_EQ(after.rip, kOther + 1);
  EXPECT_EQ(after.gpr[kRsp], kStack - 8);
  EXPECT_EQ(get64(kStack - 8), kCode + 4);
}

TEST_F(TranslatedBranches, ACallThroughRspAndAPushOfRspTakeTheOldOne) {
  put8(kStack, kHlt);
  X86State after = run({0xff, 0xd4});  // call rsp
  EXPECT_EQ(after.rip, kStack + 1);
  after = run({0x54, 0x5c, 0x54, 0xff, 0x34, 0x24});  // push rsp; pop rsp; push rsp; push [rsp]
  EXPECT_EQ(after.gpr[kRsp], kStack - 16);
  EXPECT_EQ(get64(kStack - 16), kStack);
}

TEST_F(TranslatedBranches, ABlockKnowsByWhichOfItsPagesItWasReached) {
  map_small(0x70000, kOther | 7);
  map_small(0x71000, kOther | 7);
  space_.write(kOther, Bytes{0x48, 0x8d, 0x05, 0, 0, 0, 0, 0xc3});  // lea rax, [rip]; ret
  gpr(kRbx) = 0x70000;
  gpr(kRdi) = 0x71000;
  gpr(kRcx) = 3;
  const X86State after = run({0xff, 0xd3, 0x48, 0x89, 0xc6,  // call rbx; mov rsi, rax
                              0xff, 0xd7, 0x49, 0x89, 0xc0,  // call rdi; mov r8, rax
                              0xff, 0xc9, 0x75, 0xf2});      // dec ecx; jnz -14
  EXPECT_EQ(after.gpr[kRsi], 0x70007u);
  EXPECT_EQ(after.gpr[kR8], 0x71007u);
}

TEST_F(TranslatedBranches, CodeWhosePageMovesIsNotFoundAgainBehindInvlpg) {
  constexpr u64 kPage = 0x70000;
  map_small(kPage, kOther | 7);
  space_.write(kOther, Bytes{0xff, 0xc0, 0xc3});       // inc eax; ret
  space_.write(kData, Bytes{0x83, 0xc0, 0x10, 0xc3});  // add eax, 10h; ret
  gpr(kRbx) = kPage;
  gpr(kRsi) = 0x53000 + kPage / 0x1000 * 8;
  gpr(kRdi) = kData | 7;
  const X86State after = run({
      0xff,
      0xd3,
      0xff,
      0xd3,
      0xff,
      0xd3,  // call rbx, three times
      0x48,
      0x89,
      0x3e,  // mov [rsi], rdi
      0x0f,
      0x01,
      0x3b,  // invlpg [rbx]
      0xff,
      0xd3,
  });
  EXPECT_EQ(after.gpr[kRax], 0x13u);
}

// A jump to the next page, which is linked behind a guard; pages are global, or not.
class TranslatedGuards : public TranslatedBranches, public ::testing::WithParamInterface<bool> {
 protected:
  static constexpr u64 kFrom = 0x70000, kTo = kFrom + kPageSize;  // linear
  static constexpr Gpa kJump = 0x8000, kOne = 0x9000, kTen = 0xb000;
  static constexpr Gpa kTable = 0x53000;  // of map_small()

  TranslatedGuards() {
    if (GetParam()) state_.cr4 |= cr4::kPge;
    map_small(kFrom, entry(kJump));
    map_small(kTo, entry(kOne));
    space_.write(kJump, Bytes{0xe9, 0xfb, 0x0f, 0, 0});  // jmp to the next page
    space_.write(kOne, Bytes{0x83, 0xc0, 0x01, 0xc3});   // add eax, 1; ret
    space_.write(kTen, Bytes{0x83, 0xc0, 0x10, 0xc3});   // add eax, 10h; ret
    gpr(kRbx) = kFrom;
  }
  u64 entry(Gpa page) const { return page | (GetParam() ? 0x107 : 7); }
  // CALL RBX three times, `between`, and the same again.
  u64 call_and_call(const Bytes& between) {
    const Bytes calls = {0xff, 0xd3, 0xff, 0xd3, 0xff, 0xd3};
    Bytes code = calls;
    code.insert(code.end(), between.begin(), between.end());
    code.insert(code.end(), calls.begin(), calls.end());
    return run(code).gpr[kRax];
  }
};

TEST_P(TranslatedGuards, ThePageBehindMoves) {
  gpr(kRsi) = kTable + kTo / kPageSize * 8;
  gpr(kRdi) = entry(kTen);
  gpr(kRdx) = kTo;
  EXPECT_EQ(call_and_call({0x48, 0x89, 0x3e, 0x0f, 0x01, 0x3a}),  // mov [rsi], rdi; invlpg [rdx]
            0x33u);
}

TEST_P(TranslatedGuards, TheCodeBehindChanges) {
  gpr(kRsi) = kOne + 2;
  EXPECT_EQ(call_and_call({0xc6, 0x06, 0x20}), 0x63u);  // mov byte [rsi], 20h
}

// The same jump on another linear page, with another one behind it.
TEST_P(TranslatedGuards, TheJumpIsOnTwoPages) {
  constexpr u64 kElsewhere = 0x80000;
  map_small(kElsewhere, entry(kJump));
  map_small(kElsewhere + kPageSize, entry(kTen));
  gpr(kRbp) = kElsewhere;
  EXPECT_EQ(call_and_call({0xff, 0xd5, 0xff, 0xd3, 0xff, 0xd5}), 0x27u);  // call rbp; rbx; rbp
}

// Of two address spaces, which are changed between calls.
TEST_P(TranslatedGuards, AnotherAddressSpaceHasAnotherPageBehind) {
  constexpr Gpa kPml4 = 0x58000, kPdpt = 0x59000, kDirectory = 0x5a000, kOtherTable = 0x5b000;
  for (unsigned i = 0; i < 512; ++i) put64(kOtherTable + i * 8, get64(kTable + i * 8));
  put64(kPml4, kPdpt | 7);
  put64(kPdpt, kDirectory | 7);
  put64(kDirectory, kOtherTable | 7);
  for (Gpa table : {kTable, kOtherTable}) put64(table + kTo / kPageSize * 8, kOne | 7);
  put64(kOtherTable + kTo / kPageSize * 8, kTen | 7);  // not global: each has its own
  gpr(kRsi) = kPml4;
  gpr(kRdi) = state_.cr3;
  EXPECT_EQ(call_and_call({0x0f, 0x22, 0xde, 0xff, 0xd3, 0xff, 0xd3,  // mov cr3, rsi; call; call
                           0x0f, 0x22, 0xdf, 0xff, 0xd3, 0x0f, 0x22, 0xde}),  // rdi; call; rsi
            4u + 5 * 0x10);
}

INSTANTIATE_TEST_SUITE_P(Pages, TranslatedGuards, ::testing::Bool(),
                         [](const auto& info) { return info.param ? "Global" : "OfTheirOwn"; });

// A loop over many blocks, of which each round counts each.
class TranslatedProgram : public TranslatedBranches {
 protected:
  static constexpr unsigned kRounds = 3;
  u64 run_blocks(unsigned count, u64 code_cache_bytes) {
    constexpr Gpa kProgram = 0x100000;
    vcpu_.reset();
    accelerator_.reset();
    AcceleratorConfig config{space_, ports_, clock_, model_};
    config.options.code_cache_bytes = code_cache_bytes;
    accelerator_ = *tcg_kind().create(config);
    vcpu_ = *accelerator_->create_vcpu({});
    Bytes code;
    for (unsigned i = 0; i < count; ++i)
      for (u8 byte : {0xff, 0xc0, 0xeb, 0x00}) code.push_back(byte);  // inc eax; jmp $ + 2
    for (u8 byte : {0xff, 0xc9, 0x74, 0x02, 0xff, 0xe3, 0xf4})        // dec ecx; jz; jmp rbx; hlt
      code.push_back(byte);
    space_.write(kProgram, code);
    gpr(kRcx) = kRounds;
    gpr(kRbx) = state_.rip = kProgram;
    return resume().gpr[kRax];
  }
  u64 translated() const { return accelerator_->translator_figures()->blocks; }
};

TEST_F(TranslatedProgram, LargerThanTheCodeCacheIsTranslatedAgainEachRound) {
  constexpr unsigned kBlocks = 40'000;
  EXPECT_EQ(run_blocks(kBlocks, MiB), kRounds * kBlocks);
  EXPECT_GT(translated(), 2 * kBlocks);
}

// What the blocks were decoded to is some 9 MiB.
TEST_F(TranslatedProgram, ThatFitsIntoTheCodeCacheIsTranslatedOnce) {
  constexpr unsigned kBlocks = 60'000, kFew = 10;
  EXPECT_EQ(run_blocks(kBlocks, 16 * MiB), kRounds * kBlocks);
  EXPECT_LT(translated(), kBlocks + kFew);
}

class TranslatedLoops : public TranslatedBranches {
 protected:
  TranslatedLoops() {
    put64(kStack, kCode);
    put64(kStack - 8, kCode);
    gpr(kRax) = kCode;
  }
  void start(const Bytes& loop) {
    space_.write(kCode, loop);
    EXPECT_TRUE(vcpu_->set_state(state_));
  }
  void expect_end(Nanos deadline, Exit::Kind kind) {
    auto exit = vcpu_->run(deadline);
    ASSERT_TRUE(exit);
    EXPECT_EQ(exit->kind, kind);
  }

  static inline const std::initializer_list<Bytes> kLoops = {
      {0xeb, 0xfe},              // jmp $
      {0xff, 0xe0},              // jmp rax
      {0x85, 0xe4, 0x75, 0xfc},  // test esp, esp; jnz $ - 2
      {0xff, 0xd0},              // call rax
      {0x50, 0xc3},              // push rax; ret
  };
};

TEST_F(TranslatedLoops, EndAtTheDeadline) {
  for (const Bytes& loop : kLoops) {
    start(loop);
    expect_end(0, Exit::Kind::kDeadline);
  }
}

TEST_F(TranslatedLoops, EndAtAKickWithoutADeadline) {
  for (const Bytes& loop : kLoops) {
    start(loop);
    std::thread kicker([this] {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
      vcpu_->kick();
    });
    expect_end(kNever, Exit::Kind::kKicked);
    kicker.join();
  }
}

TEST_F(TranslatedLoops, GoOnWhileAnNmiWaitsForTheEndOfAnother) {
  state_.pending.nmi = state_.pending.nmi_blocked = true;
  gpr(kRcx) = 10'000;
  // call $ + 7; loop $ - 5; hlt; ret
  const X86State after = run({0xe8, 0x03, 0, 0, 0, 0xe2, 0xf9, kHlt, 0xc3});
  EXPECT_EQ(after.gpr[kRcx], 0u);
  EXPECT_TRUE(after.pending.nmi);
}

}  // namespace
}  // namespace kite
