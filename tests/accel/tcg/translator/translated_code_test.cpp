// Bytes that translated code once executed otherwise than the interpreter does.
#include <gtest/gtest.h>

#include "accel/tcg/tcg.h"
#include "accel/x86/registers.h"
#include "memory/backend.h"

namespace kite {
namespace {

constexpr Gpa kCode = 0x3000, kPml4 = 0x10000, kPdpt = 0x11000, kPageDirectory = 0x12000;
constexpr u64 kLargePage = 0x87;  // present, writable, user, 2 MiB

// A machine of one processor in 64-bit mode at CPL 0, with 2 MiB of memory at 0.
class Machine {
 public:
  Machine(std::string_view model, bool translator) : model_(*find_cpu_model(model)) {
    memory_ = std::move(*allocate(*parse_backend("ram,size=2M")));
    AddressSpace::Edit(space_).map({0, memory_.size(), Region::ram("ram", memory_)});
    AcceleratorConfig config{space_, ports_, clock_, model_};
    config.options.translator = translator;
    accelerator_ = *tcg_kind().create(config);
    vcpu_ = *accelerator_->create_vcpu({});
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

  // Runs `code` from `state` to the HLT behind it, often enough to be translated.
  X86State run(std::vector<u8> code, const X86State& state) {
    code.push_back(0xf4);
    space_.write(kCode, code);
    for (int i = 0; i < 3; ++i) {
      EXPECT_TRUE(vcpu_->set_state(state));
      const auto exit = vcpu_->run(kNever);
      EXPECT_TRUE(exit && exit->kind == Exit::Kind::kHalted);
    }
    return vcpu_->state();
  }

 private:
  AddressSpace space_;
  PortSpace ports_;
  ManualClock clock_;
  HostMemory memory_;
  CpuModel model_;
  std::unique_ptr<Accelerator> accelerator_;
  std::unique_ptr<Vcpu> vcpu_;
};

TEST(TranslatedCode, F3BeforeBsfIsIgnoredByAModelWithoutTzcnt) {
  X86State state = Machine::start();
  state.gpr[kRbx] = 0;
  state.gpr[kRax] = 0x1234;
  const std::vector<u8> code = {0xf3, 0x48, 0x0f, 0xbc, 0xc3};  // TZCNT RAX, RBX: here BSF
  const X86State after = Machine("x86-64-v2", true).run(code, state);
  EXPECT_EQ(after.gpr[kRax], 0x1234u);
  EXPECT_TRUE(after.rflags & 0x40);
  EXPECT_EQ(Machine("max", true).run(code, state).gpr[kRax], 64u);
}

}  // namespace
}  // namespace kite
