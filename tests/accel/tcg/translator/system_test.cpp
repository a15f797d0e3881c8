// PUSHF, CLI, STI, STAC, CLAC and SWAPGS, which translated code does itself at CPL 0.
#include <atomic>
#include <thread>

#include "tests/accel/tcg/translator/translated_modes.h"

namespace kite {
namespace {

class TranslatedSystem : public TranslatedModes {
 protected:
  static constexpr u64 kSet = rflags::kFixed | rflags::kIf | rflags::kIopl | rflags::kAc |
                              rflags::kNt | rflags::kId | rflags::kCf | rflags::kSf | rflags::kOf;
  static constexpr u64 kPage = 0x70000;  // linear

  // Only kPage is for programs, and a kernel is kept out of it.
  void enter_with_smap() {
    enter_long_mode();
    map_small(kPage, kPage | 7);
    for (u64 page = 0; page < 0x200000; page += 0x1000)
      if (page != kPage) map_small(page, page | 3);
    state_.cr4 |= cr4::kSmap;
    gpr(kRbx) = kPage + 8;
    put64(kPage + 8, 0x1234'5678'9abc'def0);
  }
};

TEST_F(TranslatedSystem, PushfStoresAllOfThemAndChangesNone) {
  enter_long_mode();
  state_.rflags = kSet | rflags::kRf;
  const X86State after = run({0x9c, 0x9c});
  EXPECT_EQ(after.gpr[kRsp], kStack - 16);
  EXPECT_EQ(get64(kStack - 8), kSet);
  EXPECT_EQ(get64(kStack - 16), kSet);
  EXPECT_EQ(after.rflags & ~u64{rflags::kRf}, kSet);
}

TEST_F(TranslatedSystem, CliClearsIfAndNothingElse) {
  enter_long_mode();
  state_.rflags = kSet;
  const X86State after = run({0x9c, 0xfa, 0x9c});  // pushf; cli; pushf
  EXPECT_EQ(get64(kStack - 8), kSet);
  EXPECT_EQ(get64(kStack - 16), kSet & ~u64{rflags::kIf});
  EXPECT_EQ(after.rflags, kSet & ~u64{rflags::kIf});
}

TEST_F(TranslatedSystem, AFaultBehindCliHasItsFlags) {
  enter_long_mode();
  map_small(kPage, 0);
  gpr(kRbx) = kPage;
  state_.rflags = kSet;
  const X86State after = run({0xfa, 0x8b, 0x03});  // cli; mov eax, [rbx]
  EXPECT_EQ(vector_of(after), kPageFault);
  EXPECT_EQ(quad(after, 3), (kSet & ~u64{rflags::kIf}) | rflags::kRf);
}

// Where the slow way is taken, once the host's flags have been looked at.
TEST_F(TranslatedSystem, APushfOntoAPageWithCodeIsTheSame) {
  enter_long_mode();
  state_.rflags = kSet;
  gpr(kRsp) = kCode + 0x800;
  run({0xfa, 0x9c});
  EXPECT_EQ(get64(kCode + 0x7f8), kSet & ~u64{rflags::kIf});
}

TEST_F(TranslatedSystem, In32BitCodePushfIsOfFourBytes) {
  state_.rflags = kSet;
  const X86State after = run({0x9c, 0xfa, 0x9c});
  EXPECT_EQ(after.gpr[kRsp], kStack - 8);
  EXPECT_EQ(get32(kStack - 4), kSet);
  EXPECT_EQ(get32(kStack - 8), kSet & ~u64{rflags::kIf});
}

TEST_F(TranslatedSystem, AProgramMayNot) {
  enter_long_mode();
  enter_level3(kCode64User);
  state_.rflags = rflags::kFixed | rflags::kIf;
  for (const Bytes& code : {Bytes{0xfa}, Bytes{0xfb}, Bytes{0x0f, 0x01, 0xf8}}) {
    const X86State after = run(code);
    EXPECT_EQ(vector_of(after), kGeneralProtection);
    EXPECT_EQ(quad(after, 3) & rflags::kIf, u64{rflags::kIf});
  }
  for (u8 which : {0xca, 0xcb}) {  // clac, stac
    EXPECT_EQ(vector_of(run({0x0f, 0x01, which})), kInvalidOpcode);
  }
}

TEST_F(TranslatedSystem, StiSetsIfAndNothingElse) {
  enter_long_mode();
  state_.rflags = kSet & ~u64{rflags::kIf};
  const X86State after = run({0x9c, 0xfb, 0x90, 0x9c});  // pushf; sti; nop; pushf
  EXPECT_EQ(get64(kStack - 8), kSet & ~u64{rflags::kIf});
  EXPECT_EQ(get64(kStack - 16), kSet);
  EXPECT_EQ(after.rflags, kSet);
}

TEST_F(TranslatedSystem, BetweenStacAndClacAKernelReachesAProgramsPage) {
  enter_with_smap();
  state_.rflags = kSet & ~u64{rflags::kAc};
  // pushf; stac; mov rax, [rbx]; inc rax; mov [rbx], rax; pushf; clac; pushf
  const X86State after = run({0x9c, 0x0f, 0x01, 0xcb, 0x48, 0x8b, 0x03, 0x48, 0xff, 0xc0, 0x48,
                              0x89, 0x03, 0x9c, 0x0f, 0x01, 0xca, 0x9c});
  EXPECT_EQ(get64(kPage + 8), 0x1234'5678'9abc'def1u);
  EXPECT_EQ(after.gpr[kRax], 0x1234'5678'9abc'def1u);
  EXPECT_FALSE(get64(kStack - 8) & rflags::kAc);
  EXPECT_EQ(get64(kStack - 16) & rflags::kAc, u64{rflags::kAc});
  EXPECT_FALSE(get64(kStack - 24) & rflags::kAc);
  EXPECT_FALSE(after.rflags & rflags::kAc);
}

// The check that it could share was made while access was allowed.
TEST_F(TranslatedSystem, BehindClacItIsKeptOutAgain) {
  enter_with_smap();
  for (bool again : {false, true}) {  // with the page in the tables
    // stac; mov rax, [rbx]; mov rcx, [rbx + 8]; clac; mov rdx, [rbx + 16]
    const X86State after = run({0x0f, 0x01, 0xcb, 0x48, 0x8b, 0x03, 0x48, 0x8b, 0x4b, 0x08, 0x0f,
                                0x01, 0xca, 0x48, 0x8b, 0x53, 0x10});
    EXPECT_EQ(vector_of(after), kPageFault) << again;
    EXPECT_EQ(quad(after, 1), kCode + 13) << again;
    EXPECT_EQ(after.cr2, kPage + 24) << again;
    EXPECT_FALSE(quad(after, 3) & rflags::kAc) << again;
  }
}

TEST_F(TranslatedSystem, AFaultBehindStacHasItsFlags) {
  enter_with_smap();
  map_small(kPage, 0);
  const X86State after = run({0x0f, 0x01, 0xcb, 0x8b, 0x03});  // stac; mov eax, [rbx]
  EXPECT_EQ(vector_of(after), kPageFault);
  EXPECT_EQ(quad(after, 3) & rflags::kAc, u64{rflags::kAc});
}

TEST_F(TranslatedSystem, SwapgsExchangesTheBases) {
  enter_long_mode();
  state_.segments[kGs].base = kPage;
  state_.kernel_gs_base = kPage + 0x100;
  put64(kPage, 1);
  put64(kPage + 0x100, 2);
  const Bytes read_rax = {0x65, 0x48, 0x8b, 0x04, 0x25, 0, 0, 0, 0};  // mov rax, gs:[0]
  Bytes once = {0x0f, 0x01, 0xf8};
  once.insert(once.end(), read_rax.begin(), read_rax.end());
  X86State after = run(once);
  EXPECT_EQ(after.gpr[kRax], 2u);
  EXPECT_EQ(after.segments[kGs].base, kPage + 0x100);
  EXPECT_EQ(after.kernel_gs_base, kPage);
  Bytes twice = {0x0f, 0x01, 0xf8};
  twice.insert(twice.end(), once.begin(), once.end());
  after = run(twice);
  EXPECT_EQ(after.gpr[kRax], 1u);
  EXPECT_EQ(after.segments[kGs].base, kPage);
  EXPECT_EQ(after.kernel_gs_base, kPage + 0x100);
}

// Another thread's, again and again.
class Interrupter final : public InterruptPort {
 public:
  static constexpr u8 kVector = 0x30;
  bool pending() override { return raised; }
  std::optional<u8> acknowledge() override {
    if (!raised.exchange(false)) return std::nullopt;
    ++taken;
    return kVector;
  }
  u8 cr8() override { return 0; }
  void set_cr8(u8) override {}
  bool read_msr(u32, u64&) override { return false; }
  bool write_msr(u32, u64) override { return false; }
  std::atomic<bool> raised{false};
  std::atomic<unsigned> taken{0};
};

class TranslatedInterrupts : public TranslatedSystem {
 protected:
  TranslatedInterrupts() { connect(interrupter_); }
  ~TranslatedInterrupts() override { vcpu_.reset(); }
  Interrupter interrupter_;
};

// Each time round the code behind STI is stored to, so that its block has to be found anew: where
// an interrupt would be taken.
TEST_F(TranslatedInterrupts, NoneIsTakenBetweenStiAndTheNextInstruction) {
  constexpr u8 kSti = 0x7f, kBehind = 0x80;
  // cmp dword [esp], kCode + kBehind; jne +1; inc edi; iret
  gate(Interrupter::kVector, 0xee,
       {0x81, 0x3c, 0x24, kBehind, kCode >> 8, 0, 0, 0x75, 0x01, 0x47, 0xcf});
  // mov byte [kCode + kBehind], 43h; jmp kSti
  Bytes code = {0xc6, 0x05, kBehind, kCode >> 8, 0, 0, 0x43, 0xeb, kSti - 9};
  code.resize(kSti, 0x90);
  // sti; inc ebx; cli; dec ecx; jne kCode
  for (u8 byte : {0xfb, 0x43, 0xfa, 0x49, 0x0f, 0x85, 0x77, 0xff, 0xff, 0xff}) code.push_back(byte);
  constexpr u64 kRounds = 1'000;
  gpr(kRbx) = gpr(kRdi) = 0;
  gpr(kRcx) = kRounds;
  std::atomic<bool> done{false};
  std::thread other([&] {
    while (!done) {
      interrupter_.raised = true;
      vcpu_->signal(Signal::kInterrupt, 0);
      std::this_thread::yield();
    }
  });
  u64 rounds = 0, between = 0, runs = 0;
  // The other thread may not have begun.
  for (; interrupter_.taken < 1000 && !HasFailure(); ++runs) {
    const X86State after = run(code);
    rounds += after.gpr[kRbx];
    between += after.gpr[kRdi];
  }
  done = true;
  other.join();
  EXPECT_EQ(rounds, runs * kRounds);
  EXPECT_EQ(between, 0u) << "of " << interrupter_.taken;
}

}  // namespace
}  // namespace kite
