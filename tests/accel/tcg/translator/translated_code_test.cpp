// Bytes that translated code once executed otherwise than the interpreter does.
#include <gtest/gtest.h>

#include "accel/tcg/tcg.h"
#include "accel/x86/registers.h"
#include "accel/x86/vectors.h"
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

  void put(Gpa at, u64 value) { space_.write_value(at, value, 8); }
  void put(Gpa at, const std::vector<u8>& bytes) { space_.write(at, bytes); }

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
  EXPECT_EQ(Machine("x86-64-v2", true).run(code, state).gpr[kRax], 0x1234u);
  EXPECT_EQ(Machine("max", true).run(code, state).gpr[kRax], 64u);
}

TEST(TranslatedCode, CodeSegmentsCannotBeWrittenTo) {
  constexpr Gpa kGdt = 0x6000, kIdt = 0x7000, kHandler = 0x8000;
  Machine machine("max", true);
  machine.put(kGdt + 8, 0x00cf9b000000ffff);
  machine.put(kGdt + 16, 0x00cf93000000ffff);
  machine.put(kIdt + kGeneralProtection * 8, kHandler | 8u << 16 | u64{0x8e00} << 32);
  // INC EDX; POP EAX; ADD DWORD PTR [ESP], 3; IRET
  machine.put(kHandler, std::vector<u8>{0x42, 0x58, 0x83, 0x04, 0x24, 0x03, 0xcf});
  X86State state = X86State::after_reset();
  state.cr0 = cr0::kPe | cr0::kEt;
  for (Segment& segment : state.segments)
    segment = {.selector = 16, .limit = 0xffffffff, .type = 3, .db = true, .g = true};
  state.segments[kCs].selector = 8;
  state.segments[kCs].type = 11;
  state.gdtr = {kGdt, 23};
  state.idtr = {kIdt, 0x7ff};
  state.gpr[kRsp] = 0x9000;
  state.gpr[kRbx] = 0x5000;
  state.gpr[kRdx] = 0;
  state.rip = kCode;
  // MOV [EBX], EAX; MOV CS:[EBX], EAX
  EXPECT_EQ(machine.run({0x89, 0x03, 0x2e, 0x89, 0x03}, state).gpr[kRdx], 4u);
}

}  // namespace
}  // namespace kite
