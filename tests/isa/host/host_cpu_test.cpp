// The interpreter against the host's processor, one instruction at a time: registers, flags, memory
// and faults. KITE_ISA_CASES sets how many cases, KITE_ISA_SEED which.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <utility>

#include "accel/tcg/tcg.h"
#include "accel/x86/paging.h"
#include "accel/x86/registers.h"
#include "accel/x86/vectors.h"
#include "tests/isa/host/generate.h"
#include "tests/isa/host/guest_runner.h"
#include "tests/isa/host/native.h"
#include "tests/isa/support/disassembler.h"
#include "tests/isa/support/host_features.h"
#include "tests/sanitizer.h"

namespace kite::isa {
namespace {

u64 from_environment(const char* name, u64 otherwise) {
  const char* text = std::getenv(name);
  return text ? std::strtoull(text, nullptr, 0) : otherwise;
}

// Two faults of one instruction: which comes first is the processor's choice.
bool is_open(const Origin& origin, const Outcome& host, const Outcome& guest) {
  const std::string_view name = origin.row->name;
  // A gather that faults behind the first element delivers the single step of those before it
  // instead (SDM 2C "VPGATHERDD"); Kite delivers the fault, and the step when the instruction is
  // complete.
  if (origin.row->attributes.has(tcg::vsib) && host.vector == kDebugException)
    return guest.vector != kDebugException;
  // A kernel that watches for locks across cache lines stops the thread for a while.
  const bool locks = origin.insn.lock || origin.row->attributes.has(tcg::always_locked);
  if (host.vector == NativeRunner::kDied && locks) return true;
  // F3 REX.B 90: AMD's processors exchange with R8, Intel's pause.
  if (origin.row->text == std::string_view("90+r") && origin.insn.rep == tcg::kRepE) return true;
  const auto among = [](u8 vector) {
    return vector == kGeneralProtection || vector == kPageFault || vector == kStackFault;
  };
  return (name.starts_with("call") || name.starts_with("cmps")) && among(host.vector) &&
         among(guest.vector);
}

// BSF and BSR of zero leave the destination undefined (SDM 2A).
bool is_undefined_register(const Origin& origin, const Outcome& host, unsigned number) {
  const std::string_view name = origin.row->name;
  return (name == "bsf" || name == "bsr") && (host.registers.rflags & rflags::kZf) &&
         origin.insn.reg / 8 == number;
}

// A CMPXCHG of 32 bits that finds another value leaves the upper half of its destination alone on
// some processors and clears it on others.
bool is_undefined_half(const Origin& origin, const Outcome& host, const Outcome& guest,
                       unsigned number) {
  return std::string_view(origin.row->name) == "cmpxchg" && origin.insn.width == 2 &&
         static_cast<u32>(host.registers.gpr[number]) ==
             static_cast<u32>(guest.registers.gpr[number]);
}

bool is_string(const Origin& origin) {
  return origin.row->attributes.has(tcg::string);
}

// A string instruction with 67h that did not move (a count of 0, a fault of the first element):
// Intel's processors clear the upper halves of its registers all the same, AMD's leave them.
bool is_half_of_string(const Origin& origin, const Outcome& host, const Outcome& guest,
                       unsigned number) {
  const bool counts = number == kRcx || number == kRsi || number == kRdi;
  return is_string(origin) && origin.insn.address_width == 2 && counts &&
         static_cast<u32>(host.registers.gpr[number]) ==
             static_cast<u32>(guest.registers.gpr[number]);
}

// A REP that was interrupted: Intel's processors bring the flags up to date at its end, AMD's after
// every element.
bool is_unfinished_string(const Origin& origin, const Case& test, const Outcome& host) {
  return is_string(origin) && host.registers.rip == test.registers.rip;
}

// Which of several NaNs a sum of products lets through differs between makers.
bool is_choice_of_nan(const Origin& origin, u64 ours, u64 theirs) {
  const auto is_nan = [](u32 lane) { return (lane & 0x7fffffff) > 0x7f800000; };
  const auto same = [&](u32 a, u32 b) { return a == b || (is_nan(a) && is_nan(b)); };
  const std::string_view name = origin.row->name;
  if (name.ends_with("dpps"))
    return same(static_cast<u32>(ours), static_cast<u32>(theirs)) &&
           same(static_cast<u32>(ours >> 32), static_cast<u32>(theirs >> 32));
  const auto is_wide_nan = [](u64 lane) { return lane << 1 > 0xffe0000000000000; };
  return name.ends_with("dppd") && is_wide_nan(ours) && is_wide_nan(theirs);
}

// Ten bytes (FSTP of 80 bits, FBSTP) across a page that may not be written: Intel's processors have
// stored the part before.
bool is_torn_store(const Origin& origin, const Outcome& host) {
  const std::string_view row = origin.row->text;
  return host.vector == kPageFault && (row == "DB /7" || row == "DF /6") && origin.insn.is_memory;
}

bool has_mmx_operand(const Origin& origin) {
  const tcg::Row& row = *origin.row;
  return std::any_of(row.operands.begin(), row.operands.begin() + row.operand_count,
                     [](const tcg::OperandSpec& operand) {
                       return std::string_view("PQN").find(operand.name[0]) != std::string::npos;
                     });
}

// Where others than Intel's processors decide otherwise (seen on a Zen 4).
bool is_makers_choice(const Origin& origin, const Outcome& host, const Outcome& guest) {
  if (isa::host_is_intel()) return false;
  const std::string_view name = origin.row->name;
  // They take operands of the SHA instructions that are not aligned.
  if (name.starts_with("sha1") || name.starts_with("sha256"))
    return guest.vector == kGeneralProtection && host.vector != kGeneralProtection;
  // With 32-bit addresses a lane beyond the last of them is at the first.
  if (name.find("maskmov") != std::string_view::npos) return origin.insn.address_width == 2;
  // What a gather leaves that faults, and the flags of a conversion whose store does.
  const bool faults = host.vector == kPageFault || host.vector == kGeneralProtection ||
                      host.vector == kStackFault;
  return faults && host.vector == guest.vector &&
         (origin.row->attributes.has(tcg::vsib) || name == "vcvtps2ph");
}

// What differs, or nothing.
std::string difference(const Origin& origin, const Case& test, const Outcome& host,
                       const Outcome& guest) {
  if (is_open(origin, host, guest) || is_makers_choice(origin, host, guest)) return {};
  if (host.vector != guest.vector) {
    return fmt::format("stops by {}, the host by {}", guest.vector, host.vector);
  }
  const bool page_fault = host.vector == kPageFault;
  // Linux shows faults beyond user space as rights violations, whatever was there.
  const u32 code_mask = page_fault && host.cr2 >> 47 ? ~page_fault::kPresent : ~0u;
  if (pushes_error_code(host.vector) && (host.error_code ^ guest.error_code) & code_mask) {
    return fmt::format("error code {:#x}, the host {:#x}", guest.error_code, host.error_code);
  }
  // Where a masked store of several lanes faults inside its page is the processor's choice.
  const bool masked = std::string_view(origin.row->name).find("maskmov") != std::string_view::npos;
  if (page_fault && host.cr2 != guest.cr2 && !(masked && host.cr2 >> 12 == guest.cr2 >> 12)) {
    return fmt::format("CR2 {:#x}, the host {:#x}", guest.cr2, host.cr2);
  }
  if (host.registers.rip != guest.registers.rip) {
    return fmt::format("RIP {:#x}, the host {:#x}", guest.registers.rip, host.registers.rip);
  }
  for (unsigned i = 0; i < 16; ++i) {
    if (host.registers.gpr[i] == guest.registers.gpr[i]) continue;
    if (is_undefined_register(origin, host, i)) continue;
    if (is_undefined_half(origin, host, guest, i)) continue;
    if (is_half_of_string(origin, host, guest, i)) continue;
    return fmt::format("register {} is {:#x}, the host's {:#x}", i, guest.registers.gpr[i],
                       host.registers.gpr[i]);
  }
  u64 mask = defined_flags(origin, test) | rflags::kDf;
  if (is_unfinished_string(origin, test, host)) mask &= ~rflags::kArithmetic;
  if ((host.registers.rflags ^ guest.registers.rflags) & mask) {
    return fmt::format("flags {:#x}, the host's {:#x}", guest.registers.rflags & mask,
                       host.registers.rflags & mask);
  }
  if (is_torn_store(origin, host)) return {};
  if (host.change_count != guest.change_count || host.changes != guest.changes) {
    return fmt::format("memory: {} words changed, the host {}; first at {:#x} to {:#x}, {:#x}",
                       guest.change_count, host.change_count, guest.changes[0].offset,
                       guest.changes[0].value, host.changes[0].value);
  }
  for (unsigned i = 0; i < 16; ++i) {
    const auto &ours = guest.vectors.xmm[i], &theirs = host.vectors.xmm[i];
    if (ours == theirs) continue;
    if (is_choice_of_nan(origin, ours[0], theirs[0]) &&
        is_choice_of_nan(origin, ours[1], theirs[1]))
      continue;
    return fmt::format("xmm{} is {:016x}{:016x}, the host's {:016x}{:016x}", i,
                       guest.vectors.xmm[i][1], guest.vectors.xmm[i][0], host.vectors.xmm[i][1],
                       host.vectors.xmm[i][0]);
  }
  if (host.vectors.mxcsr != guest.vectors.mxcsr) {
    return fmt::format("MXCSR {:#x}, the host's {:#x}", guest.vectors.mxcsr, host.vectors.mxcsr);
  }
  // An MMX instruction whose memory operand faults may have switched the x87 unit over already; the
  // instruction does so again when it is repeated.
  if (host.vector != kDebugException && host.vector != kBreakpoint && has_mmx_operand(origin)) {
    return {};
  }
  if (host.vectors.ftw != guest.vectors.ftw) {
    return fmt::format("tags {:#x}, the host's {:#x}", guest.vectors.ftw, host.vectors.ftw);
  }
  if (host.vectors.fsw != guest.vectors.fsw) {
    return fmt::format("x87 status {:#x}, the host's {:#x}", guest.vectors.fsw, host.vectors.fsw);
  }
  if (host.vectors.fcw != guest.vectors.fcw) {
    return fmt::format("x87 control {:#x}, the host's {:#x}", guest.vectors.fcw, host.vectors.fcw);
  }
  for (unsigned i = 0; i < 8; ++i) {
    const auto &ours = guest.vectors.st[i], &theirs = host.vectors.st[i];
    if (ours[0] == theirs[0] && (ours[1] & 0xffff) == (theirs[1] & 0xffff)) continue;
    return fmt::format("st{} is {:04x} {:016x}, the host's {:04x} {:016x}", i, ours[1] & 0xffff,
                       ours[0], theirs[1] & 0xffff, theirs[0]);
  }
  return {};
}

std::string describe(const Case& test) {
  static Disassembler disassembler(3);
  const cs_insn* insn = disassembler.decode(test.code, test.registers.rip);
  std::string text = hex({test.code.data(), test.length});
  if (insn) text += fmt::format(" = {} {}", insn->mnemonic, insn->op_str);
  text += fmt::format("{} rflags={:#x}", test.single_step ? " (step)" : "", test.registers.rflags);
  for (unsigned i = 0; i < 16; ++i) text += fmt::format(" r{}={:#x}", i, test.registers.gpr[i]);
  return text;
}

class HostCpu : public ::testing::Test {
 protected:
  static constexpr unsigned kShown = 60;

  void SetUp() override {
    if (test::kSanitizer)
      GTEST_SKIP() << "the sanitizer's shadow memory lies where the cases expect nothing";
    model_ = model_with_everything();
    decoder_ = std::make_unique<tcg::Decoder>(model_);
    auto started = native_.start();
    if (!started) GTEST_SKIP() << started.error().message;
    auto guest = GuestRunner::create(tcg_kind(), model_);
    ASSERT_TRUE(guest) << guest.error().message;
    guest_ = std::move(*guest);
    seed_ = from_environment("KITE_ISA_SEED", 1);
    random_.seed(seed_);
    budget_ = from_environment("KITE_ISA_CASES", 150'000);
    const std::string lacking = features_the_host_lacks();
    if (!lacking.empty()) std::printf("left out, for this host lacks it: %s\n", lacking.c_str());
    std::printf("seed %llu, %llu cases\n", static_cast<unsigned long long>(seed_),
                static_cast<unsigned long long>(budget_));
  }

  void TearDown() override {
    flush();
    for (const auto& [what, count] : differences_) {
      ADD_FAILURE() << count.first << " times " << what << "\n  " << count.second
                    << "\n  KITE_ISA_SEED=" << seed_;
    }
    std::printf("%llu cases run\n", static_cast<unsigned long long>(run_));
  }

  void add(const Bytes& bytes) {
    Origin origin;
    if (auto test = make_case(*decoder_, bytes, cases_.size(), random_, origin)) {
      cases_.push_back(*test);
      origins_.push_back(origin);
      if (cases_.size() == kSlots) flush();
    }
  }

  void flush() {
    if (cases_.empty()) return;
    const std::vector<Case> cases = std::exchange(cases_, {});
    const std::vector<Origin> origins = std::exchange(origins_, {});
    std::vector<Outcome> host(cases.size()), guest(cases.size());
    auto native = native_.run(cases, host);
    ASSERT_TRUE(native) << native.error().message;
    auto interpreted = guest_->run(cases, guest);
    ASSERT_TRUE(interpreted) << interpreted.error().message;
    for (std::size_t i = 0; i < cases.size(); ++i) {
      compare(origins[i], cases[i], host[i], guest[i]);
    }
    run_ += cases.size();
  }

  void compare(const Origin& origin, const Case& test, const Outcome& host, const Outcome& guest) {
    const std::string what = difference(origin, test, host, guest);
    if (what.empty()) return;
    const std::string kind = fmt::format("{} ({}) {}", origin.row->name, origin.row->text,
                                         what.substr(0, what.find_first_of("0123456789")));
    if (differences_.size() >= kShown && !differences_.contains(kind)) return;
    auto& entry = differences_[kind];
    if (++entry.first == 1) entry.second = what + ": " + describe(test);
  }

  CpuModel model_;
  std::unique_ptr<tcg::Decoder> decoder_;
  NativeRunner native_;
  std::unique_ptr<GuestRunner> guest_;
  Random random_;
  u64 seed_ = 0, budget_ = 0, run_ = 0;
  std::vector<Case> cases_;
  std::vector<Origin> origins_;
  std::map<std::string, std::pair<int, std::string>> differences_;
};

std::vector<Bytes> encodings_of(const tcg::Row& row) {
  std::vector<Bytes> list;
  for_each_encoding(row, 3, Depth::kFull, [&](const Bytes& bytes) { list.push_back(bytes); });
  return list;
}

void append_immediates(Bytes& bytes, Random& random) {
  const Bytes immediates = immediate_pattern(static_cast<unsigned>(random()));
  bytes.insert(bytes.end(), immediates.begin(), immediates.end());
}

TEST_F(HostCpu, AgreesOnEveryComparableRow) {
  std::vector<const tcg::Row*> rows;
  for (const tcg::Row& row : tcg::rows()) {
    if (incomparable(row).empty() && !row.attributes.has(tcg::not64)) rows.push_back(&row);
  }
  ASSERT_FALSE(rows.empty());
  const u64 share = std::max<u64>(budget_ / rows.size(), 16);
  for (const tcg::Row* row : rows) {
    // Half of the cases with registers only, which the many forms of memory would crowd out.
    std::vector<Bytes> encodings = encodings_of(*row);
    std::ranges::shuffle(encodings, random_);
    const auto memory = std::partition(encodings.begin(), encodings.end(), [](const Bytes& bytes) {
      return bytes.back() >= 0xc0 && bytes[0] != 0x67;
    });
    const u64 direct = static_cast<u64>(memory - encodings.begin());
    const u64 other = encodings.size() - direct;
    for (u64 i = 0; i < share && !encodings.empty(); ++i) {
      const bool from_direct = other == 0 || (direct != 0 && i % 2 == 0);
      Bytes bytes = encodings[from_direct ? i / 2 % direct : direct + i / 2 % other];
      append_immediates(bytes, random_);
      add(bytes);
    }
  }
}

TEST_F(HostCpu, AgreesOnMutatedInstructions) {
  const auto all = tcg::rows();
  std::vector<std::vector<Bytes>> encodings(all.size());
  for (u64 i = 0; i < budget_ / 4; ++i) {
    const std::size_t n = random_() % all.size();
    if (encodings[n].empty()) encodings[n] = encodings_of(all[n]);
    if (encodings[n].empty()) continue;
    Bytes bytes = encodings[n][random_() % encodings[n].size()];
    bytes[random_() % bytes.size()] ^= static_cast<u8>(1u << (random_() % 8));
    append_immediates(bytes, random_);
    add(bytes);
  }
}

// Found by the tests above.

TEST_F(HostCpu, AgreesOnXaddOfOneRegisterTwice) {
  for (int i = 0; i < 64; ++i) {
    add({0x0f, 0xc0, 0xc0});  // xadd al, al
    add({0x0f, 0xc1, 0xd2});  // xadd edx, edx
  }
}

TEST_F(HostCpu, AgreesOnCmpxchgOfTheAccumulatorItself) {
  for (int i = 0; i < 64; ++i) add({0x48, 0x0f, 0xb1, 0xd8});  // cmpxchg rax, rbx
}

TEST_F(HostCpu, KeepsGsBehindAPrefixThatMeansNothing) {
  for (int i = 0; i < 64; ++i) add({0x65, 0x2e, 0x8b, 0x03});  // mov eax, gs:[rbx]
}

TEST_F(HostCpu, NamesTheSecondPageOfAStoreThatCrossesIntoIt) {
  for (int i = 0; i < 256; ++i) add({0x48, 0x83, 0x03, 0x01});  // add qword [rbx], 1
}

TEST_F(HostCpu, FindsNoPrefetchOfARegister) {
  for (int i = 0; i < 16; ++i) add({0x0f, 0x0d, 0xc8});
}

}  // namespace
}  // namespace kite::isa
