// Accesses that share a check, and instructions on two pages.
#include <sys/mman.h>

#include <algorithm>

#include "tests/accel/tcg/translator/translated_modes.h"
#include "tests/sanitizer.h"

namespace kite {
namespace {

constexpr u64 kPage = 0x70000, kNextPage = kPage + kPageSize;  // linear
constexpr Gpa kFirst = 0x8000, kBehind = 0x9000, kApart = 0xb000;
constexpr Gpa kTable = 0x53000;  // of map_small()

class TranslatedReuse : public TranslatedModes {
 protected:
  TranslatedReuse() { enter_long_mode(); }

  // Pushes three registers across the two pages and pops them in another order, many times.
  // Answers how many blocks have been translated.
  u64 push_and_pop(Gpa first, Gpa second) {
    map_small(kPage, first | 7);
    map_small(kNextPage, second | 7);
    gpr(kRsp) = kNextPage + 8;
    gpr(kRax) = 1, gpr(kRbx) = 2, gpr(kRdx) = 3, gpr(kRcx) = 999;
    const X86State after = run({0x50, 0x53, 0x52,          // push rax; push rbx; push rdx
                                0x58, 0x5b, 0x5a,          // pop rax; pop rbx; pop rdx
                                0xff, 0xc9, 0x75, 0xf6});  // dec ecx; jnz -10
    EXPECT_EQ(after.gpr[kRax], 3u);
    EXPECT_EQ(after.gpr[kRbx], 2u);
    EXPECT_EQ(after.gpr[kRdx], 1u);
    EXPECT_EQ(after.gpr[kRsp], kNextPage + 8);
    EXPECT_EQ(get64(second), 1u);
    EXPECT_EQ(get64(first + 0xff8), 2u);
    EXPECT_EQ(get64(first + 0xff0), 3u);
    return accelerator_->translator_figures()->blocks;
  }

  // MOV EAX, imm32 at the end of kPage, whose last three bytes are on the next page with a RET:
  // called by `entry` before and behind a change of what the next page is.
  void call_before_and_behind_a_move(u64 entry) {
    map_small(kPage, kFirst | 7);
    map_small(kNextPage, kBehind | 7);
    space_.write(kFirst + 0xffe, Bytes{0xb8, 0x11});
    space_.write(kBehind, Bytes{0, 0, 0, 0xc3});
    space_.write(kApart, Bytes{1, 0, 0, 0xc3});
    gpr(kR8) = entry;
    gpr(kRbx) = kNextPage;
    gpr(kRsi) = kTable + kNextPage / kPageSize * 8;
    gpr(kRdi) = kApart | 7;
    const X86State after = run({
        0x41, 0xff, 0xd0, 0x41, 0xff, 0xd0, 0x89, 0xc5,  // call r8; call r8; mov ebp, eax
        0x48, 0x89, 0x3e, 0x0f, 0x01, 0x3b,              // mov [rsi], rdi; invlpg [rbx]
        0x41, 0xff, 0xd0,                                // call r8
    });
    EXPECT_EQ(after.gpr[kRbp], 0x11u);
    EXPECT_EQ(after.gpr[kRax], 0x111u);
  }
};

TEST_F(TranslatedReuse, AStretchAcrossPagesThatFollowEachOtherIsOneCheck) {
  if (test::kSanitizer || !tcg::FastTables::flat_ones_fit(1, 1))
    GTEST_SKIP() << "hashed tables tell pages apart";
  EXPECT_LE(push_and_pop(kFirst, kBehind), 3u);
}

TEST_F(TranslatedReuse, AStretchAcrossPagesThatLieApartIsGivenUp) {
  EXPECT_GT(push_and_pop(kFirst, kApart), 3u);
}

// The first access takes the slow way, and the constant that is added stands between it and the
// second. What the host has at the guest's address is none of the guest's business.
TEST_F(TranslatedReuse, AStretchThatIsMovedAlongIsLookedUpBehindItsFirstSlowWay) {
  constexpr u64 kPoison = 0x6666'6666'6666'6666;
  void* const there = reinterpret_cast<void*>(kPage);
  void* const at = mmap(there, kPageSize, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  if (at != there) GTEST_SKIP() << "the host gives no memory at " << there;
  std::fill_n(static_cast<u64*>(at), kPageSize / 8, kPoison);
  map_small(kPage, kFirst | 7);
  put64(kFirst, 1);
  put64(kFirst + 8, 2);
  put64(kFirst + 16, 3);
  gpr(kRbx) = kPage;
  const X86State after = run({
      0x48, 0x8b, 0x03,        // mov rax, [rbx]
      0x48, 0x83, 0xc3, 0x08,  // add rbx, 8
      0x48, 0x8b, 0x13,        // mov rdx, [rbx]
      0x48, 0xff, 0xc3,        // inc rbx
      0x48, 0x8b, 0x73, 0x07,  // mov rsi, [rbx + 7]
  });
  munmap(at, kPageSize);
  EXPECT_EQ(after.gpr[kRax], 1u);
  EXPECT_EQ(after.gpr[kRdx], 2u);
  EXPECT_EQ(after.gpr[kRsi], 3u);
}

// The ends of a page, a word across its end, and another page: each from RIP, twice, so that both
// the slow way and what it leaves behind are gone.
TEST_F(TranslatedReuse, WhatRipAddressesOnOnePageIsOneCheck) {
  map_small(kPage, kFirst | 7);
  map_small(kNextPage, kApart | 7);
  put64(kFirst, 1);
  put64(kFirst + 0xff8, 0x2222'2222'0000'0000);
  put64(kApart, 0x3333'3333);
  gpr(kRcx) = 2;
  Bytes code;
  const auto by_rip = [&](u8 opcode, u8 modrm, u64 linear) {
    const auto disp = static_cast<u32>(linear - (kCode + code.size() + 7));
    code.insert(code.end(), {0x48, opcode, modrm});
    for (unsigned shift = 0; shift < 32; shift += 8) code.push_back(static_cast<u8>(disp >> shift));
  };
  by_rip(0x8b, 0x05, kPage);          // mov rax, [kPage]
  by_rip(0x8b, 0x15, kPage + 0xff8);  // mov rdx, …
  by_rip(0x8b, 0x1d, kPage + 0xffc);  // mov rbx, …
  by_rip(0x8b, 0x35, kNextPage);      // mov rsi, …
  by_rip(0xff, 0x05, kPage);          // inc qword …
  by_rip(0x8b, 0x3d, kPage);          // mov rdi, …
  const auto back = static_cast<u8>(-static_cast<int>(code.size() + 4));
  code.insert(code.end(), {0xff, 0xc9, 0x75, back});  // dec ecx; jnz
  const X86State after = run(code);
  EXPECT_EQ(after.gpr[kRax], 2u);
  EXPECT_EQ(after.gpr[kRdx], 0x2222'2222'0000'0000u);
  EXPECT_EQ(after.gpr[kRbx], 0x3333'3333'2222'2222u);
  EXPECT_EQ(after.gpr[kRsi], 0x3333'3333u);
  EXPECT_EQ(after.gpr[kRdi], 3u);
  EXPECT_EQ(get64(kFirst), 3u);
}

TEST_F(TranslatedReuse, AnInstructionOnTwoPagesIsThatOfItsSecondPage) {
  call_before_and_behind_a_move(kPage + 0xffe);
}

// The same by a jump from its own page, which is linked for good as long as it is not across pages.
TEST_F(TranslatedReuse, AJumpToAnInstructionOnTwoPagesFindsItsSecondPage) {
  space_.write(kFirst + 0xff0, Bytes{0xeb, 0x0c});  // jmp to what crosses
  call_before_and_behind_a_move(kPage + 0xff0);
}

// FLDCW that unmasks an exception leaves behind a check that another access made.
TEST_F(TranslatedReuse, AControlWordThatSharesACheckIsLeftToItsHandler) {
  gpr(kRbx) = kData;
  put64(kData, 0x37f);      // FCW: all masked
  put64(kData + 8, 0x37b);  // #Z is not
  const X86State after = run({
      0xd9, 0x2b,        // fldcw [rbx]
      0xd9, 0x6b, 0x08,  // fldcw [rbx + 8]
      0xd9, 0x7b, 0x10,  // fnstcw [rbx + 16]
  });
  EXPECT_EQ(get16(kData + 16), 0x37bu);
  EXPECT_EQ(after.fpu.fcw, 0x37bu);
}

}  // namespace
}  // namespace kite
