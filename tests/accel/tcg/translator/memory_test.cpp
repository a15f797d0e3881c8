// What translated code believes of memory, and for how long.
#include <thread>

#include "tests/accel/tcg/translator/translated_modes.h"

namespace kite {
namespace {

class TranslatedMemory : public TranslatedModes {
 protected:
  TranslatedMemory() { enter_long_mode(); }

  // Five rounds of `ahead` and of an ADD to EAX, whose immediate each round makes one more.
  u64 sum_of_rounds(Bytes ahead) {
    const auto back = static_cast<u8>(-14 - static_cast<int>(ahead.size()));
    ahead.insert(ahead.end(), {0x83, 0xc0, 0x01,                          // add eax, 1
                               0x80, 0x05, 0xf8, 0xff, 0xff, 0xff, 0x01,  // add byte [rip - 8], 1
                               0xff, 0xc9,                                // dec ecx
                               0x75, back});                              // jnz to the beginning
    gpr(kRcx) = 5;
    return run(ahead).gpr[kRax];
  }
};

TEST_F(TranslatedMemory, AStoreIntoItsOwnBlockIsSeenByTheNextInstruction) {
  const X86State after = run({0xc6, 0x05, 0x01, 0, 0, 0, 7,    // mov byte [rip + 1], 7
                              0xb8, 0x01, 0x00, 0x00, 0x00});  // mov eax, 1
  EXPECT_EQ(after.gpr[kRax], 7u);
}

// The block has run often, and its page's store permission has been asked for before.
TEST_F(TranslatedMemory, ALoopThatRewritesItselfRunsWhatItWrote) {
  EXPECT_EQ(sum_of_rounds({}), 1u + 2 + 3 + 4 + 5);
}

// As above, but another block jumps to the one that changes, and was linked to it.
TEST_F(TranslatedMemory, AJumpGoesToWhatItsTargetHasBecome) {
  EXPECT_EQ(sum_of_rounds({0xeb, 0x00}), 1u + 2 + 3 + 4 + 5);  // jmp $ + 2
}

TEST_F(TranslatedMemory, ABranchGoesToWhatItsTargetHasBecomeTakenOrNot) {
  EXPECT_EQ(sum_of_rounds({0xf6, 0xc1, 0x01, 0x75, 0x00}),  // test cl, 1; jnz $ + 2
            1u + 2 + 3 + 4 + 5);
}

TEST_F(TranslatedMemory, AnotherProcessorsStoreReachesALoopThatRuns) {
  vcpu_.reset();
  accelerator_.reset();
  AcceleratorConfig config{space_, ports_, clock_, model_};
  config.cpus = 2;
  accelerator_ = *tcg_kind().create(config);
  vcpu_ = *accelerator_->create_vcpu({.cpus = 2});
  const auto other = *accelerator_->create_vcpu({.index = 1, .apic_id = 1, .cpus = 2});
  // mov eax, 1; cmp eax, 7; jnz; hlt
  space_.write(kCode, Bytes{0xb8, 1, 0, 0, 0, 0x83, 0xf8, 0x07, 0x75, 0xf6, kHlt});
  ASSERT_TRUE(vcpu_->set_state(state_));
  std::optional<Exit> exit;
  std::thread thread([&] {
    if (auto ended = vcpu_->run(kNever)) exit = *ended;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  space_.write(kOther, Bytes{0xc6, 0x07, 0x07, kHlt});  // mov byte [rdi], 7
  X86State state = state_;
  state.rip = kOther;
  state.gpr[kRdi] = kCode + 1;
  EXPECT_TRUE(other->set_state(state));
  EXPECT_TRUE(other->run(kNever));
  thread.join();
  ASSERT_TRUE(exit);
  EXPECT_EQ(exit->kind, Exit::Kind::kHalted);
  EXPECT_EQ(vcpu_->state().gpr[kRax], 7u);
}

TEST_F(TranslatedMemory, ATranslationIsNotUsedBehindInvlpg) {
  constexpr u64 kPage = 0x70000;
  map_small(kPage, kData | 7);
  put64(kData, 0x11);
  put64(kOther, 0x22);
  gpr(kRbx) = kPage;
  gpr(kRsi) = 0x53000 + kPage / 0x1000 * 8;
  gpr(kRdi) = kOther | 5;  // and not to be stored to
  state_.cr0 |= cr0::kWp;
  const X86State after = run({
      0x48, 0x8b, 0x03, 0x48, 0x89, 0x43, 0x08,  // mov rax, [rbx]; mov [rbx + 8], rax
      0x48, 0x8b, 0x0b, 0x48, 0x89, 0x4b, 0x08,  // mov rcx, [rbx]; mov [rbx + 8], rcx
      0x48, 0x89, 0x3e, 0x0f, 0x01, 0x3b,        // mov [rsi], rdi; invlpg [rbx]
      0x48, 0x8b, 0x13, 0x48, 0x89, 0x53, 0x08,  // mov rdx, [rbx]; mov [rbx + 8], rdx
  });
  EXPECT_EQ(after.gpr[kRcx], 0x11u);
  EXPECT_EQ(after.gpr[kRdx], 0x22u);
  EXPECT_EQ(get64(kData + 8), 0x11u);
  EXPECT_EQ(vector_of(after), kPageFault);
  EXPECT_EQ(after.cr2, kPage + 8);
  EXPECT_EQ(quad(after, 1), kCode + 23);
}

TEST_F(TranslatedMemory, AnAddress8TibAwayIsAnotherPage) {
  put64(kData, 0x11);
  gpr(kRbx) = kData;
  gpr(kRsi) = kData + (u64{1} << 43);
  X86State after = run({0x48, 0x8b, 0x03, 0x48, 0x8b, 0x0b, 0x48, 0x8b, 0x16});
  EXPECT_EQ(vector_of(after), kPageFault);
  EXPECT_EQ(after.cr2, kData + (u64{1} << 43));
  EXPECT_EQ(quad(after, 1), kCode + 6);
  put64(0x50000 + 16 * 8, 0x54000 | 7);
  put64(0x54000, 0x55000 | 7);
  put64(0x55000, 0x56000 | 7);
  put64(0x56000 + kData / 0x1000 * 8, kOther | 7);
  put64(kOther, 0x22);
  after = run({0x48, 0x8b, 0x03, 0x48, 0x8b, 0x0b, 0x48, 0x8b, 0x16, 0x48, 0x8b, 0x3e, 0x48, 0x8b,
               0x2b});  // … mov rdi, [rsi]; mov rbp, [rbx]
  EXPECT_EQ(after.gpr[kRcx], 0x11u);
  EXPECT_EQ(after.gpr[kRdx], 0x22u);
  EXPECT_EQ(after.gpr[kRdi], 0x22u);
  EXPECT_EQ(after.gpr[kRbp], 0x11u);
}

TEST_F(TranslatedMemory, AStoreAcrossPagesOfWhichOneFaultsStoresNothing) {
  map_small(kOther, 0);
  put64(kOther - 8, 0x1122334455667788);
  gpr(kRbx) = kOther - 4;
  gpr(kRsi) = kOther - 8;
  const X86State after = run({0x48, 0x8b, 0x06, 0x48, 0x89, 0x06,  // mov rax, [rsi]; mov [rsi], rax
                              0x48, 0xf7, 0x13});                  // not qword [rbx]
  EXPECT_EQ(vector_of(after), kPageFault);
  EXPECT_EQ(after.cr2, kOther);
  EXPECT_EQ(get64(kOther - 8), 0x1122334455667788u);
}

TEST_F(TranslatedMemory, ASingleStepBeginsBehindThePopfThatAsksForIt) {
  const X86State after = run({0x9c, 0x80, 0x4c, 0x24, 0x01, 0x01,  // pushfq; or byte [rsp + 1], 1
                              0x9d, 0xff, 0xc0, 0xff, 0xc0});      // popfq; inc eax; inc eax
  EXPECT_EQ(vector_of(after), kDebugException);
  EXPECT_EQ(quad(after, 0), kCode + 9);
  EXPECT_EQ(after.gpr[kRax], 1u);
}

}  // namespace
}  // namespace kite
