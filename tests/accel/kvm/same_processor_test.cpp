// What a guest finds out about its processor is the same on KVM and in the interpreter, but for
// what this host's KVM cannot give.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <thread>

#include "accel/kvm/cpuid.h"
#include "accel/tcg/tcg.h"
#include "base/log.h"
#include "tests/accel/kvm/guest.h"

namespace kite {
namespace {

// A guest of a few instructions in real mode on either accelerator.
class Guest {
 public:
  Guest(const AcceleratorKind& kind, const CpuModel& model, const VcpuConfig& vcpu)
      : ram_(anonymous_memory(kRamSize)), model_(model) {
    AddressSpace::Edit(memory_).map(
        {.start = 0, .size = kRamSize, .region = Region::ram("ram", ram_)});
    AcceleratorConfig config{
        .memory = memory_, .ports = ports_, .clock = clock_, .model = model_, .cpus = vcpu.cpus};
    config.options.kernel_irqchip = false;  // so that HLT comes out
    auto accelerator = kind.create(config);
    EXPECT_TRUE(accelerator) << accelerator.error().message;
    if (!accelerator) return;
    accelerator_ = *std::move(accelerator);
    auto created = accelerator_->create_vcpu(vcpu);
    EXPECT_TRUE(created) << created.error().message;
    if (created) vcpu_ = *std::move(created);
  }

  u8* at(u64 address) { return ram_.data() + address; }

  void run(std::initializer_list<int> program, X86State state) {
    if (!vcpu_) return;
    u64 to = kProgram;
    for (int byte : program) *at(to++) = static_cast<u8>(byte);
    for (Segment& segment : state.segments) segment.selector = 0, segment.base = 0;
    state.rip = kProgram;
    state.gpr[kRsp] = kStack;
    auto set = vcpu_->set_state(state);
    ASSERT_TRUE(set) << set.error().message;
    auto exit = vcpu_->run(clock_.now() + 60 * kSecond);
    ASSERT_TRUE(exit) << exit.error().message;
    ASSERT_EQ(exit->kind, Exit::Kind::kHalted);
  }

 private:
  HostMemory ram_;
  AddressSpace memory_;
  PortSpace ports_;
  RealClock clock_;
  CpuModel model_;
  std::unique_ptr<Accelerator> accelerator_;
  std::unique_ptr<Vcpu> vcpu_;
};

struct Question {
  u32 leaf, subleaf;
};

// Those that models have, with all subleaves, and others, which must be zero.
std::vector<Question> questions() {
  std::vector<Question> list;
  for (u32 leaf = 0; leaf <= 0x20; ++leaf) list.push_back({leaf, 0});
  for (u32 leaf : {4u, 7u, 11u})
    for (u32 subleaf : {1u, 2u, 3u, 200u}) list.push_back({leaf, subleaf});
  for (u32 subleaf = 1; subleaf < 33; ++subleaf) list.push_back({13, subleaf});
  for (u32 leaf = 0x40000000; leaf <= 0x40000012; ++leaf) list.push_back({leaf, 0});
  for (u32 leaf = 0x80000000; leaf <= 0x80000026; ++leaf) list.push_back({leaf, 0});
  for (u32 leaf : {0x21u, 0x12345u, 0x40000100u, 0xc0000000u, 0xffffffffu})
    list.push_back({leaf, 0});
  return list;
}

std::vector<CpuidLeaf> ask(const AcceleratorKind& kind, const CpuModel& model,
                           const VcpuConfig& vcpu) {
  constexpr u64 kQuestions = 0x4000, kAnswers = 0x9000;
  const std::vector<Question> list = questions();
  Guest guest(kind, model, vcpu);
  std::memcpy(guest.at(kQuestions), list.data(), list.size() * sizeof(Question));
  X86State state = X86State::after_reset();
  state.gpr[kRsi] = kQuestions;
  state.gpr[kRdi] = kAnswers;
  state.gpr[kRbp] = list.size();
  guest.run({0x66, 0x8b, 0x04,        // mov eax, [si]
             0x66, 0x8b, 0x4c, 0x04,  // mov ecx, [si + 4]
             0x0f, 0xa2,              // cpuid
             0x66, 0x89, 0x05,        // mov [di], eax
             0x66, 0x89, 0x5d, 0x04,  // mov [di + 4], ebx
             0x66, 0x89, 0x4d, 0x08,  // mov [di + 8], ecx
             0x66, 0x89, 0x55, 0x0c,  // mov [di + 12], edx
             0x83, 0xc6, 0x08,        // add si, 8
             0x83, 0xc7, 0x10,        // add di, 16
             0x4d, 0x75, 0xdf,        // dec bp; jnz to the beginning
             0xf4},
            state);
  std::vector<CpuidLeaf> answers(list.size());
  std::memcpy(answers.data(), guest.at(kAnswers), answers.size() * sizeof(CpuidLeaf));
  return answers;
}

// There are KVMs, software on hosts without virtualization, whose guests see the host's own bits in
// some leaves, whatever KVM_SET_CPUID2 said.
bool answers_as_it_was_told() {
  const CpuModel plain = *find_cpu_model("qemu64");
  const std::vector<CpuidLeaf> answers = ask(kvm_kind(), plain, {});
  return answers[7] == plain.leaf(7, 0);
}

class SameProcessor : public testing::Test {
 protected:
  void SetUp() override {
    if (auto usable = probe_kvm(); !usable) GTEST_SKIP() << usable.error().message;
  }
  static CpuModel filtered(const CpuModel& model) {
    std::vector<std::string_view> missing;
    return *kvm::usable_model(*kvm::open_device("/dev/kvm"), model, false, missing);
  }
};

// As KVM looks entries up (Linux arch/x86/kvm/cpuid.c, kvm_cpuid()): levels of topology that have
// no entry get that of level 1's APIC ID.
CpuidLeaf answer_in(const kvm::CpuidTable& table, const Question& question) {
  CpuidLeaf found;
  for (const kvm_cpuid_entry2& entry : table.entries()) {
    if (entry.function != question.leaf) continue;
    const bool indexed = entry.flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX;
    if (!indexed || entry.index == question.subleaf)
      return {entry.eax, entry.ebx, entry.ecx, entry.edx};
    if (question.leaf == 11 && entry.index == 1) found = {0, 0, question.subleaf & 0xff, entry.edx};
  }
  return found;
}

bool overrules() {
  if (answers_as_it_was_told()) return false;
  std::puts(
      "skipped: leaves 1, 7, 0Dh and 80000001h, which this host's KVM fills with its own bits");
  return true;
}

bool is_overruled(u32 leaf) {
  static const bool some_are = overrules();
  return some_are && (leaf == 1 || leaf == 7 || leaf == 13 || leaf == 0x80000001);
}

void expect_equal(const std::vector<CpuidLeaf>& kvm, const std::vector<CpuidLeaf>& tcg,
                  std::string_view model) {
  const std::vector<Question> list = questions();
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (is_overruled(list[i].leaf)) continue;
    CpuidLeaf expected = tcg[i];
    if (list[i].leaf == 0x40000010) expected.eax = kvm[i].eax;  // the TSC where KVM cannot scale it
    EXPECT_EQ(kvm[i], expected) << fmt::format(
        "{} leaf {:#x}, {}: kvm {:#x} {:#x} {:#x} {:#x}, tcg {:#x} {:#x} {:#x} {:#x}", model,
        list[i].leaf, list[i].subleaf, kvm[i].eax, kvm[i].ebx, kvm[i].ecx, kvm[i].edx, tcg[i].eax,
        tcg[i].ebx, tcg[i].ecx, tcg[i].edx);
  }
}

// The interpreter is given the model that KVM's filter leaves, so nothing at all may differ.
TEST_F(SameProcessor, CpuidSaysTheSameUnderBoth) {
  for (std::string_view name : cpu_model_names()) {
    if (name == "host") continue;  // the host's under KVM, everything in the interpreter
    const CpuModel model = *find_cpu_model(name);
    expect_equal(ask(kvm_kind(), model, {}), ask(tcg_kind(), filtered(model), {}), name);
  }
}

TEST_F(SameProcessor, AndOfSeveralProcessorsEachTheSame) {
  const CpuModel model = *find_cpu_model("x86-64-v2");
  for (u32 cpus : {2u, 3u, 5u, 8u, 12u}) {
    const VcpuConfig last{.index = cpus - 1, .apic_id = cpus - 1, .cpus = cpus};
    expect_equal(ask(kvm_kind(), model, last), ask(tcg_kind(), filtered(model), last),
                 fmt::format("processor {} of {}", last.index, cpus));
  }
}

// What KVM is told, without a guest: it must be what the interpreter answers, on every host.
TEST_F(SameProcessor, KvmIsToldWhatTheInterpreterAnswers) {
  for (std::string_view name : cpu_model_names()) {
    if (name == "host") continue;
    const CpuModel model = filtered(*find_cpu_model(name));
    for (u32 cpus : {1u, 2u, 3u, 7u, 16u, 255u}) {
      const CpuidContext vcpu{.apic_id = cpus - 1, .cpus = cpus};
      const kvm::CpuidTable table = kvm::cpuid_of(model, vcpu, model.tsc_hz / 1000);
      for (const Question& question : questions())
        EXPECT_EQ(answer_in(table, question), model.leaf(question.leaf, question.subleaf, vcpu))
            << name << ", " << cpus << ": leaf " << std::hex << question.leaf;
    }
  }
}

// The filter takes features and shortens addresses; nothing else changes.
TEST_F(SameProcessor, TheFilterOnlyTakesAway) {
  for (std::string_view name : cpu_model_names()) {
    if (name == "host") continue;
    const CpuModel asked = *find_cpu_model(name), given = filtered(asked);
    for (const FeatureName& known : feature_names())
      EXPECT_LE(given.has(known.feature), asked.has(known.feature)) << known.name;
    for (u32 leaf : {0u, 11u, 0x40000000u, 0x80000000u, 0x80000002u, 0x80000005u, 0x80000006u})
      EXPECT_EQ(given.leaf(leaf, 0), asked.leaf(leaf, 0)) << name << " leaf " << leaf;
    EXPECT_EQ(given.leaf(1, 0).eax, asked.leaf(1, 0).eax);
    EXPECT_LE(given.physical_address_bits, asked.physical_address_bits);
  }
}

// Interrupt table entry 13 leads to a handler that notes the fault and halts.
struct MsrAccess {
  bool faulted;
  u64 value;
};
MsrAccess touch_msr(const AcceleratorKind& kind, u32 index, bool write) {
  constexpr u64 kHandler = 0x2000, kFaulted = 0x3000, kGeneralProtection = 13;
  Guest guest(kind, *find_cpu_model("x86-64-v2"), {});
  const u8 handler[] = {0xc6,          0x06, kFaulted & 0xff,
                        kFaulted >> 8, 1,    0xf4};  // mov [3000h], 1; hlt
  std::memcpy(guest.at(kHandler), handler, sizeof handler);
  store<u32>(guest.at(4 * kGeneralProtection), kHandler);
  X86State state = X86State::after_reset();
  state.gpr[kRcx] = index;
  state.gpr[kRax] = state.gpr[kRdx] = 0;
  guest.run({0x0f, write ? 0x30 : 0x32,            // wrmsr or rdmsr
             0x66, 0xa3, 0x08, 0x30,               // mov [3008h], eax
             0x66, 0x89, 0x16, 0x0c, 0x30, 0xf4},  // mov [300ch], edx; hlt
            state);
  return {*guest.at(kFaulted) != 0, load<u64>(guest.at(kFaulted + 8))};
}

TEST_F(SameProcessor, AnMsrThatNobodyHasIsAGeneralProtectionFaultUnderBoth) {
  for (u32 index : {0x12345u, 0x4b564d80u, 0xc0018000u})
    for (bool write : {false, true})
      for (const AcceleratorKind* kind : {&kvm_kind(), &tcg_kind()})
        EXPECT_TRUE(touch_msr(*kind, index, write).faulted)
            << kind->name << (write ? " write " : " read ") << std::hex << index;
}

TEST_F(SameProcessor, AnMsrThatNobodyHasIsLoggedOnceUnderBoth) {
  if (!kvm::open_device("/dev/kvm")->capabilities.user_space_msr)
    GTEST_SKIP() << "this host's KVM keeps accesses to unknown MSRs to itself";
  for (const auto& [kind, index] : {std::pair{&kvm_kind(), 0x54321u}, {&tcg_kind(), 0x54322u}}) {
    testing::internal::CaptureStderr();
    log::set_level(log::Level::kDebug);
    for (bool write : {false, true, false}) EXPECT_TRUE(touch_msr(*kind, index, write).faulted);
    log::set_level(log::Level::kInfo);
    const std::string said = testing::internal::GetCapturedStderr();
    const std::string line = fmt::format("read of unknown MSR {:#x}: #GP", index);
    const auto first = said.find(line);
    ASSERT_NE(first, said.npos) << kind->name << ": " << said;
    EXPECT_EQ(said.find(fmt::format("MSR {:#x}", index), first + line.size()), said.npos) << said;
  }
}

TEST_F(SameProcessor, AnMsrThatKernelsTouchWithoutAskingReadsAsZeroUnderBoth) {
  for (u32 index : {msr::kNorthBridgeConfig, msr::kInterruptPending, msr::kBiosUpdateTrigger}) {
    for (const AcceleratorKind* kind : {&kvm_kind(), &tcg_kind()}) {
      const MsrAccess read = touch_msr(*kind, index, false);
      EXPECT_FALSE(read.faulted) << kind->name << " read " << std::hex << index;
      EXPECT_EQ(read.value, 0u) << kind->name << std::hex << index;
      EXPECT_FALSE(touch_msr(*kind, index, true).faulted)
          << kind->name << " write " << std::hex << index;
    }
  }
}

// KVM's own number is in the guest's paravirtual clock: nanoseconds are (TSC << shift) x multiplier
// / 2^32 (Linux Documentation/virt/kvm/x86/msr.rst).
TEST_F(SameProcessor, TheTscRunsAtTheFrequencyThatCpuidTells) {
  constexpr u64 kClock = 0x6000;
  Guest guest(kvm_kind(), *find_cpu_model("x86-64-v2"), {});
  X86State state = X86State::after_reset();
  state.kvm_system_time = kClock | 1;
  state.gpr[kRax] = 0x40000010;
  guest.run({0x0f, 0xa2, 0x66, 0xa3, 0x00, 0x30, 0xf4}, state);  // cpuid; mov [3000h], eax; hlt
  const double told = load<u32>(guest.at(0x3000)) * 1e3;
  const u32 multiplier = load<u32>(guest.at(kClock + 24));
  const i8 shift = static_cast<i8>(*guest.at(kClock + 28));
  if (multiplier == 0) GTEST_SKIP() << "this host's KVM has not filled in the clock";
  const double hz = 1e9 * 0x1p32 / multiplier / (shift < 0 ? 1.0 / (1u << -shift) : 1u << shift);
  EXPECT_NEAR(hz / told, 1.0, 1e-3) << hz << " and " << told;
}

u32 told_khz(const CpuModel& model) {
  const std::vector<Question> list = questions();
  const auto leaf = std::ranges::find(list, 0x40000010u, &Question::leaf);
  return ask(kvm_kind(), model, {})[static_cast<std::size_t>(leaf - list.begin())].eax;
}

// The model's where KVM can scale it, whatever the host's; elsewhere the host's, whatever the
// model's.
TEST_F(SameProcessor, TheTscHasTheModelsFrequencyWhereKvmCanScaleIt) {
  const bool scales = kvm::open_device("/dev/kvm")->capabilities.tsc_control;
  CpuModel model = *find_cpu_model("x86-64-v2");
  const u32 first = told_khz(model);
  EXPECT_NE(first, 0u);
  if (scales) {
    EXPECT_EQ(first, model.tsc_hz / 1000);
  }
  model.tsc_hz = u64{first} * 1000 / 4 * 3;
  EXPECT_EQ(told_khz(model), scales ? model.tsc_hz / 1000 : first);
}

// Against the host's clock: what the guest counts between two writes of a port, of which the host
// delays the first. The best of several, since the host may be busy.
TEST_F(KvmGuest, TheTscCountsAsFastAsCpuidTells) {
  struct Delay : IoHandler {
    explicit Delay(Clock& host_clock) : clock(host_clock) {}
    u64 read(u64, unsigned) override { return 0; }
    void write(u64, u64, unsigned) override {
      times.push_back(clock.now());
      if (times.size() % 2 == 1) std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    Clock& clock;
    std::vector<Nanos> times;
  } delay(clock);
  ASSERT_TRUE(ports.map("delay", 0x90, 1, delay));
  double best = 0;
  for (int i = 0; i < 20 && std::abs(best - 1) > 0.01; ++i) {
    put(kProgram, {0xb8, 0x10, 0x00, 0x00, 0x40, 0x0f, 0xa2, 0x89, 0xc6,  // cpuid 40000010h; esi
                   0x0f, 0x31, 0x89, 0xc3, 0x89, 0xd1,                    // rdtsc into ecx:ebx
                   0xe6, 0x90, 0xe6, 0x90,                                // out 90h, al, twice
                   0x0f, 0x31, 0xf4});                                    // rdtsc; hlt
    run_to_halt(long_mode());
    if (HasFatalFailure()) return;
    const auto gpr = vcpu->state().gpr;
    const u64 counted = (gpr[kRdx] << 32 | gpr[kRax]) - (gpr[kRcx] << 32 | gpr[kRbx]);
    const Nanos passed = delay.times.back() - delay.times[delay.times.size() - 2];
    const double ratio = counted / (gpr[kRsi] * 1e-6 * static_cast<double>(passed));
    if (std::abs(ratio - 1) < std::abs(best - 1)) best = ratio;
  }
  EXPECT_NEAR(best, 1, 0.01);
}

}  // namespace
}  // namespace kite
