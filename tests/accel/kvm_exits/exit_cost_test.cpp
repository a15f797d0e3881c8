// What a port or register access that comes out of KVM_RUN costs on Kite's side: no allocation, and
// no system call but KVM_RUN.
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "accel/kvm/abi.h"
#include "accel/kvm/device.h"
#include "tests/accel/kvm/guest.h"
#include "tests/accel/kvm_exits/allocations.h"
#include "tests/accel/kvm_exits/system_calls.h"

namespace kite {
namespace {

constexpr unsigned kExits = 1000;

// Calls `mark` at the first access and at the one that is `last` after it.
class Meter : public IoHandler {
 public:
  u64 read(u64, unsigned) override {
    count();
    return 1;
  }
  void write(u64, u64, unsigned) override { count(); }
  void (*mark)() = nullptr;
  unsigned accesses = 0;
  unsigned last = kExits;

 private:
  void count() {
    if (accesses == 0 || accesses == last) mark();
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
    AddressSpace::Edit(memory).map(
        {.start = kMeterRegisters, .size = kPageSize, .region = registers_region});
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
  std::shared_ptr<const Region> registers_region = Region::mmio("meter", kPageSize, meter);
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

class KvmDoorbellExit : public KvmExit {};

// Between two writes to the meter's port, a thousand that KVM tells a notifier of by itself.
TEST_P(KvmDoorbellExit, DoesNotTakePlace) {
  auto device = kvm::open_device("/dev/kvm");
  ASSERT_TRUE(device) << device.error().message;
  if (!device->capabilities.doorbells) GTEST_SKIP() << "this host's KVM has no KVM_IOEVENTFD";
  meter.mark = test::mark;
  meter.last = 1;
  const auto calls = test::count_system_calls([&] {
    prepare();
    if (HasFatalFailure()) return 2;
    auto bell = Notifier::create();
    if (!bell) return 3;
    auto notifier = std::make_shared<Notifier>(std::move(*bell));
    ports.add_doorbell({.offset = kMeterPort, .size = 1, .value = 1, .notifier = notifier});
    AddressSpace::Edit(memory).add_doorbell(registers_region,
                                            {.offset = 0, .size = 4, .notifier = notifier});
    put(kProgram, {0xb0, 0x00, 0xee, 0xb0, 0x01});  // mov al, 0; out dx, al; mov al, 1
    u64 end = kProgram + 5;
    for (int byte : GetParam().instruction) put(end++, {byte});
    const int length = static_cast<int>(GetParam().instruction.size());
    put(end, {0xff, 0xc9, 0x75, 0xfc - length, 0xb0, 0x00, 0xee, 0xf4});
    auto exit = vcpu->run(kNever);
    return exit && meter.accesses == 2 && notifier->take() == kExits + 1 ? 0 : 1;
  });
  if (!calls.refused.empty()) GTEST_SKIP() << calls.refused;
  EXPECT_EQ(calls.status, 0);
  u64 sum = 0;
  for (const auto& [call, times] : calls.counts) sum += times;
  EXPECT_LE(sum, kExits / 10) << listing(calls);
}

INSTANTIATE_TEST_SUITE_P(Every, KvmDoorbellExit, testing::Values(kKinds[0], kKinds[2]),
                         [](const auto& info) { return info.param.name; });

TEST(Allocations, AreCounted) {
  const u64 before = test::allocations();
  auto one = std::make_unique<std::string>(100, 'x');
  EXPECT_GE(test::allocations() - before, 2u);
}

}  // namespace
}  // namespace kite
