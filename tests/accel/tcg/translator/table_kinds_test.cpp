// Translated code that finds memory by either kind of table.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cstdlib>

#include "accel/tcg/tcg.h"
#include "accel/x86/registers.h"
#include "memory/backend.h"
#include "tests/sanitizer.h"

namespace kite {
namespace {

constexpr Gpa kCode = 0x3000, kPml4 = 0x10000, kPdpt = 0x11000, kPageDirectory = 0x12000;
constexpr u64 kLargePage = 0x87;  // present, writable, user, 2 MiB

// A machine of one processor in 64-bit mode at CPL 0, with 2 MiB of memory at 0.
class Machine {
 public:
  explicit Machine(std::optional<bool> flat_table) : model_(*find_cpu_model("max")) {
    memory_ = std::move(*allocate(*parse_backend("ram,size=2M")));
    AddressSpace::Edit(space_).map({0, memory_.size(), Region::ram("ram", memory_)});
    AcceleratorConfig config{space_, ports_, clock_, model_};
    config.options.translator = true;
    config.options.flat_table = flat_table;
    accelerator_ = *tcg_kind().create(config);
    auto made = accelerator_->create_vcpu({});
    if (!made) {
      failure_ = made.error().message;
      return;
    }
    vcpu_ = std::move(*made);
    space_.write_value(kPml4, kPdpt | 7, 8);
    space_.write_value(kPdpt, kPageDirectory | 7, 8);
    space_.write_value(kPageDirectory, kLargePage, 8);
  }

  static X86State start() {
    X86State state = X86State::after_reset();
    state.cr0 = cr0::kPe | cr0::kPg | cr0::kEt;
    state.cr3 = kPml4;
    state.cr4 = cr4::kPae | cr4::kOsfxsr;
    state.efer = efer::kLme | efer::kLma;
    state.segments[kCs] = {.selector = 8, .type = 11, .l = true};
    state.rip = kCode;
    return state;
  }

  // Runs `code` four times from `state` on, so that it is translated. It keeps RDI.
  X86State run(std::vector<u8> code, X86State state) {
    state.gpr[kRdi] = 4;
    const auto back = static_cast<u8>(-static_cast<int>(code.size()) - 4);
    for (u8 byte : {0xff, 0xcf, 0x75, int{back}, 0xf4}) code.push_back(byte);  // DEC EDI; JNZ; HLT
    space_.write(kCode, code);
    EXPECT_TRUE(vcpu_->set_state(state));
    EXPECT_EQ(vcpu_->run(kNever)->kind, Exit::Kind::kHalted);
    return vcpu_->state();
  }

  // Why there is no processor; empty if there is one.
  const std::string& failure() const { return failure_; }
  u64 blocks_translated() const { return accelerator_->translator_figures()->blocks; }

 private:
  AddressSpace space_;
  PortSpace ports_;
  ManualClock clock_;
  HostMemory memory_;
  CpuModel model_;
  std::unique_ptr<Accelerator> accelerator_;
  std::unique_ptr<Vcpu> vcpu_;
  std::string failure_;
};

// INC EAX; MOV [RBX], EAX; ADD EAX, [RBX]
const std::vector<u8> kStores = {0xff, 0xc0, 0x89, 0x03, 0x03, 0x03};

TEST(TranslatedCode, FindsMemoryByHashedTablesToo) {
  X86State state = Machine::start();
  state.gpr[kRax] = 0;
  state.gpr[kRbx] = 0x5000;
  Machine machine(false);
  EXPECT_EQ(machine.run(kStores, state).gpr[kRax], 30u);
  EXPECT_GT(machine.blocks_translated(), 0u);
}

// A process of its own, with a limit that no flat table fits into.
TEST(TranslatedCode, IsThereWithLittleAddressSpaceUnlessFlatTablesAreAskedFor) {
  if (test::kSanitizer) GTEST_SKIP() << "the sanitizer owns the address space";
  const auto run = [] {
    constexpr rlimit kLimit{2 * GiB, 2 * GiB};
    if (::setrlimit(RLIMIT_AS, &kLimit) != 0) std::_Exit(2);
    const Machine refused(true);
    std::fprintf(stderr, "%s\n", refused.failure().c_str());
    X86State state = Machine::start();
    state.gpr[kRax] = 0;
    state.gpr[kRbx] = 0x5000;
    Machine machine(std::nullopt);
    const bool right = machine.run(kStores, state).gpr[kRax] == 30;
    std::_Exit(right && machine.blocks_translated() > 0 ? 0 : 1);
  };
  EXPECT_EXIT(run(), testing::ExitedWithCode(0), "flat-table=on: the host has not");
}

}  // namespace
}  // namespace kite
