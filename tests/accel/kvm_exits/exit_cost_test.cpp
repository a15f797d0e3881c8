// What a port or register access that comes out of KVM_RUN costs on Kite's side: no allocation, and
// no system call but KVM_RUN.
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "accel/kvm/abi.h"
#include "tests/accel/kvm/guest.h"
#include "tests/accel/kvm_exits/allocations.h"
#include "tests/accel/kvm_exits/system_calls.h"

namespace kite {
namespace {

constexpr unsigned kExits = 1000;

// Calls `mark` at the first access and behind the last of kExits more.
class Meter : public IoHandler {
 public:
  u64 read(u64, unsigned) override {
    count();
    return 1;
  }
  void write(u64, u64, unsigned) override { count(); }
  void (*mark)() = nullptr;
  unsigned accesses = 0;

 private:
  void count() {
    if (accesses == 0 || accesses == kExits) mark();
    ++accesses;
  }
};

u64 at_mark[2];
unsigned marks;
void note_allocations() {
  if (marks < 2) at_mark[marks++] = test::allocations();
}

struct Kind {
  const char* name;
  std::initializer_list<int> instruction;
};
void PrintTo(const Kind& kind, std::ostream* out) {
  *out << kind.name;
}
constexpr u16 kMeterPort = 0x100;
constexpr u64 kMeterRegisters = 0xd0010000;
const Kind kKinds[] = {
    {"Out", {0xee}},          // out dx, al
    {"In", {0xec}},           // in al, dx
    {"Store", {0x89, 0x07}},  // mov [rdi], eax
    {"Load", {0x8b, 0x1f}},   // mov ebx, [rdi]
};

class KvmExit : public KvmGuest, public testing::WithParamInterface<Kind> {
 protected:
  void SetUp() override {
    if (auto usable = probe_kvm(); !usable) GTEST_SKIP() << usable.error().message;
  }
  // In the process that is to run it: KVM keeps a virtual machine to the one that made it.
  void prepare() {
    KvmGuest::SetUp();
    if (HasFatalFailure()) return;
    ASSERT_TRUE(ports.map("meter", kMeterPort, 4, meter));
    AddressSpace::Edit(memory).map({.start = kMeterRegisters,
                                    .size = kPageSize,
                                    .region = Region::mmio("meter", kPageSize, meter)});
    X86State state = long_mode();
    state.gpr[kRdx] = kMeterPort;
    state.gpr[kRdi] = kMeterRegisters;
    state.gpr[kRcx] = kExits + 1;
    put(kProgram, GetParam().instruction);
    const int length = static_cast<int>(GetParam().instruction.size());
    put(kProgram + static_cast<u64>(length),
        {0xff, 0xc9, 0x75, 0xfc - length, 0xf4});  // dec ecx; jnz kProgram; hlt
    ASSERT_TRUE(vcpu->set_state(state));
  }
  void TearDown() override {
    vcpu.reset();
    accelerator.reset();
  }
  Meter meter;
};

TEST_P(KvmExit, AllocatesNothing) {
  ASSERT_NO_FATAL_FAILURE(prepare());
  meter.mark = note_allocations;
  marks = 0;
  ASSERT_EQ(run().kind, Exit::Kind::kHalted);
  EXPECT_EQ(meter.accesses, kExits + 1);
  ASSERT_EQ(marks, 2u);
  EXPECT_EQ(at_mark[1] - at_mark[0], 0u);
}

std::string listing(const test::SystemCalls& calls) {
  std::string text;
  for (const auto& [call, times] : calls.counts)
    text += fmt::format("system call {} (request {:#x}): {}\n", call.first, call.second, times);
  return text;
}

TEST_P(KvmExit, TakesNoSystemCallButKvmRun) {
  meter.mark = test::mark;
  const auto calls = test::count_system_calls([&] {
    prepare();
    if (HasFatalFailure()) return 2;
    auto exit = vcpu->run(kNever);
    return exit && exit->kind == Exit::Kind::kHalted && meter.accesses == kExits + 1 ? 0 : 1;
  });
  if (!calls.refused.empty()) GTEST_SKIP() << calls.refused;
  EXPECT_EQ(calls.status, 0);
  const std::pair<long, u64> kvm_run{SYS_ioctl, KVM_RUN};
  ASSERT_EQ(calls.counts.size(), 1u) << listing(calls);
  ASSERT_TRUE(calls.counts.contains(kvm_run)) << listing(calls);
  // A host may end KVM_RUN early now and then, for a signal that is not Kite's.
  EXPECT_GE(calls.counts.at(kvm_run), kExits);
  EXPECT_LE(calls.counts.at(kvm_run), kExits + kExits / 10);
}

INSTANTIATE_TEST_SUITE_P(Every, KvmExit, testing::ValuesIn(kKinds),
                         [](const auto& info) { return info.param.name; });

TEST(Allocations, AreCounted) {
  const u64 before = test::allocations();
  auto one = std::make_unique<std::string>(100, 'x');
  EXPECT_GE(test::allocations() - before, 2u);
}

}  // namespace
}  // namespace kite
