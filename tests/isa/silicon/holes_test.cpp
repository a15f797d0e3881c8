// Encodings without a row raise #UD on silicon too, unless they are instructions that no model of
// Kite's announces: those are listed. VEX maps by prefix, length, W and ModRM; the maps behind 0Fh
// by prefix and ModRM.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "accel/tcg/decode.h"
#include "accel/x86/registers.h"
#include "accel/x86/vectors.h"
#include "tests/isa/oracle/generate.h"
#include "tests/isa/silicon/native.h"
#include "tests/isa/support/encodings.h"
#include "tests/isa/support/host_features.h"
#include "tests/sanitizer.h"

namespace kite::oracle {
namespace {

using Bytes = std::vector<u8>;

// Instructions without a row that some processor has.
struct Known {
  unsigned map, first, last;  // of opcodes
  const char* name;
};

constexpr Known kVex[] = {
    {1, 0x41, 0x4b, "KAND to KUNPCK (AVX-512)"},
    {1, 0x90, 0x93, "KMOV (AVX-512)"},
    {1, 0x98, 0x99, "KORTEST, KTEST (AVX-512)"},
    {3, 0x00, 0x01, "VPERMQ, VPERMPD with W clear: AMD's processors ignore it"},
    {3, 0x30, 0x33, "KSHIFTR, KSHIFTL (AVX-512)"},
    {2, 0x48, 0x4b, "LDTILECFG, STTILECFG, TILEZERO, TILELOADD, TILESTORED (AMX)"},
    {2, 0x5c, 0x5f, "TDPBF16PS, TDPFP16PS, TDPBUUD and its like (AMX)"},
    {2, 0x6b, 0x6f, "TCMMIMFP16PS and its like (AMX)"},
    {2, 0x50, 0x53, "VPDPBUSD, VPDPWSSD and their like (AVX-VNNI, AVX-VNNI-INT8)"},
    {2, 0xd2, 0xd3, "VPDPWUUD and its like (AVX-VNNI-INT16)"},
    {2, 0x72, 0x72, "VCVTNEPS2BF16 (AVX-NE-CONVERT)"},
    {2, 0xb0, 0xb1, "VCVTNEEBF162PS, VBCSTNESH2PS and their like (AVX-NE-CONVERT)"},
    {2, 0xb4, 0xb5, "VPMADD52LUQ, VPMADD52HUQ (AVX-IFMA)"},
    {2, 0xcb, 0xcd, "VSHA512RNDS2, VSHA512MSG1, VSHA512MSG2 (SHA512)"},
    {2, 0xda, 0xda, "VSM3MSG1, VSM4KEY4 and their like (SM3, SM4)"},
    {3, 0xde, 0xde, "VSM3RNDS2 (SM3)"},
    {2, 0xe0, 0xef, "CMPccXADD"},
};

constexpr Known kLegacy[] = {
    {1, 0x01, 0x01, "VMX, SGX, SERIALIZE, XSUSLDTRK, UINTR, CET: by ModRM"},
    {1, 0xae, 0xae, "PTWRITE, TPAUSE, UMONITOR, UMWAIT, INCSSP, CLDEMOTE: by ModRM"},
    {1, 0xc7, 0xc7, "SENDUIPI, VMX: by ModRM"},
    {1, 0x2b, 0x2b, "MOVNTSS, MOVNTSD (SSE4A)"},
    {1, 0x37, 0x37, "GETSEC"},
    {1, 0x78, 0x79, "VMREAD, VMWRITE; EXTRQ, INSERTQ (SSE4A)"},
    {1, 0x0d, 0x0d, "PREFETCHW of a register: no operation to Intel's processors"},
    {1, 0x0e, 0x0f, "3DNow!"},
    {1, 0xa6, 0xa7, "PadLock"},
    {2, 0x80, 0x82, "INVEPT, INVVPID"},
    {2, 0xd8, 0xdf, "Key Locker"},
    {2, 0xf5, 0xf6, "WRUSS, WRSS (CET)"},
    {2, 0xf8, 0xf9, "MOVDIR64B, ENQCMD, ENQCMDS, MOVDIRI"},
    {2, 0xfa, 0xfc, "Key Locker, AADD and its like (RAO-INT)"},
    {3, 0xf0, 0xf0, "HRESET"},
};

bool is_known(std::span<const Known> list, unsigned map, unsigned opcode) {
  return std::ranges::any_of(
      list, [&](const Known& k) { return k.map == map && k.first <= opcode && opcode <= k.last; });
}

class Holes : public ::testing::Test {
 protected:
  void SetUp() override {
    if (test::kSanitizer)
      GTEST_SKIP() << "the sanitizer's shadow memory lies where the cases expect nothing";
    if (!host_has(Feature::kAvx2)) GTEST_SKIP() << "this host has no AVX2";
    auto started = native_.start();
    if (!started) GTEST_SKIP() << started.error().message;
    fill_pool(native_.pool(), 1);
  }

  // Adds the instruction if it has no row.
  void add(Bytes bytes, unsigned map, unsigned opcode) {
    bytes.resize(tcg::kMaxInsnLength + 1);
    tcg::Insn insn;
    const auto status = decoder_.decode(bytes, user_mode(), insn);
    if (status == tcg::DecodeStatus::kOk && tcg::Decoder::row_of(insn)) return;
    Case& test = native_.cases()[count_];
    test = {};
    test.length = 12;  // more than any of them has: what follows the instruction is not reached
    std::copy_n(bytes.begin(), test.length, test.code.begin());
    test.rip = kCodeBase + count_ * kSlotSize;
    test.rflags = rflags::kFixed;
    test.gpr.fill(kDataBase + 0x400);
    names_[count_++] =
        fmt::format("map {} opcode {:02x}: {}", map, opcode, isa::hex({bytes.data(), 8}));
    opcodes_.insert(map * 256 + opcode);
    if (count_ == kSlots) flush();
  }

  void flush() {
    if (count_ == 0) return;
    auto run = native_.run(count_);
    ASSERT_TRUE(run) << run.error().message;
    for (u32 i = 0; i < count_; ++i) {
      const Outcome& outcome = native_.outcomes()[i];
      if (outcome.vector == kInvalidOpcode || ++failures_ > 40) continue;
      ADD_FAILURE() << names_[i] << ": vector " << int(outcome.vector);
    }
    total_ += count_;
    count_ = 0;
  }

  void TearDown() override {
    if (IsSkipped()) return;
    std::printf("%u encodings of %zu opcodes\n", total_, opcodes_.size());
    EXPECT_GT(total_, 10'000u);
  }

  const tcg::Decoder decoder_{isa::model_with_everything()};
  NativeRunner native_;
  std::vector<std::string> names_ = std::vector<std::string>(kSlots);
  std::set<unsigned> opcodes_;
  u32 count_ = 0, total_ = 0, failures_ = 0;
};

// Registers, and memory at RBX, with each value of the reg field.
constexpr u8 modrm_of(unsigned n) {
  return static_cast<u8>(n < 8 ? 0xc1 | n << 3 : 0x03 | (n - 8) << 3);
}

TEST_F(Holes, OfTheVexMapsAreUndefinedOnSilicon) {
  for (unsigned map = 1; map <= 3; ++map)
    for (unsigned opcode = 0; opcode < 256; ++opcode) {
      if (is_known(kVex, map, opcode)) continue;
      for (unsigned fields = 0; fields < 16; ++fields)  // W, L, pp
        for (unsigned n = 0; n < 16; ++n) {
          const u8 last = static_cast<u8>(0x78 | (fields & 8) << 4 | (fields & 7));
          add({0xc4, static_cast<u8>(0xe0 | map), last, static_cast<u8>(opcode), modrm_of(n)}, map,
              opcode);
        }
    }
  flush();
}

TEST_F(Holes, OfOtherVexMapsAreEverything) {
  for (unsigned map = 0; map < 32; ++map) {
    if (map >= 1 && map <= 3) continue;
    for (unsigned opcode = 0; opcode < 256; ++opcode)
      for (unsigned pp = 0; pp < 4; ++pp)
        add({0xc4, static_cast<u8>(0xe0 | map), static_cast<u8>(0x78 | pp), static_cast<u8>(opcode),
             0xc1},
            map, opcode);
  }
  flush();
}

TEST_F(Holes, OfTheMapsBehind0FAreUndefinedOnSilicon) {
  constexpr u8 kPrefixes[] = {0x3e, 0x66, 0xf3, 0xf2};  // the first means nothing
  for (unsigned map = 1; map <= 3; ++map)
    for (unsigned opcode = 0; opcode < 256; ++opcode) {
      if (is_known(kLegacy, map, opcode) || (map == 1 && (opcode == 0x38 || opcode == 0x3a)))
        continue;
      for (u8 prefix : kPrefixes)
        for (unsigned n = 0; n < 16; ++n) {
          Bytes bytes = {prefix, 0x0f};
          if (map > 1) bytes.push_back(map == 2 ? 0x38 : 0x3a);
          bytes.push_back(static_cast<u8>(opcode));
          bytes.push_back(modrm_of(n));
          add(bytes, map, opcode);
        }
    }
  flush();
}

}  // namespace
}  // namespace kite::oracle
