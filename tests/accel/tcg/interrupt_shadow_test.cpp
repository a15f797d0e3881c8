// Interrupts around STI (SDM 2B "STI"): which instruction is the first they are taken behind.
#include "tests/accel/tcg/modes.h"

namespace kite {
namespace {

constexpr u8 kSti = 0xfb, kCli = 0xfa, kNop = 0x90, kVector = 0x30;
constexpr Gpa kDevice = 0x800000;

// One interrupt, which a store to the device raises.
class Raiser final : public InterruptPort, public IoHandler {
 public:
  bool pending() override { return raised; }
  std::optional<u8> acknowledge() override {
    if (!std::exchange(raised, false)) return std::nullopt;
    return kVector;
  }
  u8 cr8() override { return 0; }
  void set_cr8(u8) override {}
  bool read_msr(u32, u64&) override { return false; }
  bool write_msr(u32, u64) override { return false; }
  u64 read(u64, unsigned) override { return 0; }
  void write(u64, u64, unsigned) override {
    raised = true;
    vcpu->signal(Signal::kInterrupt, 0);
  }
  bool raised = false;
  Vcpu* vcpu = nullptr;
};

class TcgInterruptShadow : public ModesTest {
 protected:
  TcgInterruptShadow() {
    AddressSpace::Edit(space_).map(
        {kDevice, kPageSize, Region::mmio("raiser", kPageSize, raiser_)});
    connect(raiser_);
    raiser_.vcpu = vcpu_.get();
  }
  ~TcgInterruptShadow() override { vcpu_.reset(); }
  Raiser raiser_;
};

// It had been signalled in the block of STI, and the block behind it was taken for its shadow: a
// self-test that lets waiting interrupts in by STI, PAUSE, CLI met one of the test before.
TEST_F(TcgInterruptShadow, OneThatWasRaisedInTheBlockOfStiIsTakenBehindOneInstruction) {
  Bytes code = {kSti, kNop, kCli};                 // nothing waits
  for (int byte : {0xa3, 0x00, 0x00, 0x80, 0x00})  // mov [kDevice], eax
    code.push_back(static_cast<u8>(byte));
  for (u8 byte : {kSti, kNop, kCli, kNop}) code.push_back(byte);
  const X86State state = run(code);
  EXPECT_EQ(vector_of(state), kVector);
  EXPECT_EQ(get32(state.gpr[kRsp]), kCode + 10);  // behind the NOP
}

}  // namespace
}  // namespace kite
