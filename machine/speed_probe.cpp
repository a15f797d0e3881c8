#include "machine/speed_probe.h"

#include <algorithm>
#include <optional>

#include "accel/x86/cpu_model.h"
#include "accel/x86/feature.h"
#include "base/bits.h"
#include "memory/backend.h"

namespace kite {
namespace {

// A guest in 64-bit mode: four pages.
constexpr u64 kGuestMemory = 4 * kPageSize;
constexpr Gpa kPml4 = 0x0000, kPdpt = 0x1000, kDirectory = 0x2000, kCode = 0x3000;
constexpr u64 kPresentWritable = 3, kLargePage = 0x80;

// dec ecx; jnz to it; hlt
constexpr u8 kProgram[] = {0xff, 0xc9, 0x75, 0xfc, 0xf4};
// Rounds of two instructions. The first trial lasts 1.3 ms at 1.5 million instructions per second,
// and is repeated with more of them while it is too short to be told from going in and out: by
// steps that take less than kTrialLimit in all.
constexpr u32 kFirstRounds = 1'000, kMoreRounds = 8, kMostRounds = 4'096'000;
constexpr Nanos kLongEnough = 300 * kMicrosecond;
constexpr int kTries = 2;  // the best counts: others suffer from page faults and the scheduler
constexpr u64 kMillion = 1'000'000;

void write_guest(u8* ram) {
  std::fill_n(ram, kGuestMemory, u8{0});
  store<u64>(ram + kPml4, kPdpt | kPresentWritable);
  store<u64>(ram + kPdpt, kDirectory | kPresentWritable);
  store<u64>(ram + kDirectory, kPresentWritable | kLargePage);
  std::copy(std::begin(kProgram), std::end(kProgram), ram + kCode);
}

X86State entry_state(u32 rounds) {
  constexpr u64 kProtected = 1, kExtensionType = 0x10, kPaging = u64{1} << 31;
  constexpr u64 kPae = 0x20, kLongModeEnable = 0x100, kLongModeActive = 0x400;
  X86State state = X86State::after_reset();
  Segment data{.selector = 16, .limit = 0xffffffff, .type = 3, .db = true, .g = true};
  for (Segment& segment : state.segments) segment = data;
  state.segments[kCs] = {
      .selector = 8, .limit = 0xffffffff, .type = 11, .l = true, .db = false, .g = true};
  state.cr0 = kPaging | kExtensionType | kProtected;
  state.cr3 = kPml4;
  state.cr4 = kPae;
  state.efer = kLongModeEnable | kLongModeActive;
  state.rip = kCode;
  state.gpr[kRcx] = rounds;
  return state;
}

// What 64-bit mode needs and nothing more: an accelerator that cannot give the guest some feature
// says so, and here nobody wants to hear it.
Result<CpuModel> plainest_model() {
  CpuModel model = KITE_TRY(find_cpu_model(cpu_model_names().front()));
  for (const FeatureName& known : feature_names()) {
    const bool needed = known.feature == Feature::kTsc || known.feature == Feature::kLm ||
                        known.feature == Feature::kPae || known.feature == Feature::kPse ||
                        known.feature == Feature::kMsr;
    if (!needed) model.set(known.feature, false);
  }
  return model;
}

class Trial {
 public:
  Trial(Vcpu& vcpu, Clock& clock) : vcpu_(vcpu), clock_(clock), end_(clock.now() + kTrialLimit) {}

  // The best of some tries; nothing when time has run out before the first has come to its end.
  Result<std::optional<Nanos>> best_time(u32 rounds);
  bool over() const { return clock_.now() >= end_; }

 private:
  Result<std::optional<Nanos>> time_loop(u32 rounds);

  Vcpu& vcpu_;
  Clock& clock_;
  const Nanos end_;
};

Result<std::optional<Nanos>> Trial::time_loop(u32 rounds) {
  KITE_CHECK(vcpu_.set_state(entry_state(rounds)));
  const Nanos start = clock_.now();
  for (;;) {
    const Exit exit = KITE_TRY(vcpu_.run(end_));
    if (exit.kind == Exit::Kind::kHalted) return std::max<Nanos>(clock_.now() - start, 1);
    if (exit.kind != Exit::Kind::kDeadline)
      return fail(ErrorKind::kUnavailable, "a trial program did not run to its end");
    if (over()) return std::nullopt;
  }
}

Result<std::optional<Nanos>> Trial::best_time(u32 rounds) {
  std::optional<Nanos> best;
  for (int i = 0; i < kTries && !over(); i++) {
    const std::optional<Nanos> time = KITE_TRY(time_loop(rounds));
    if (time) best = std::min(best.value_or(kNever), *time);
  }
  return best;
}

u64 speed_of(u32 rounds, Nanos time) {
  return static_cast<u64>(u128{2} * rounds * kSecond / static_cast<u64>(std::max<Nanos>(time, 1)));
}

// Going in and out of the guest takes tens of microseconds where hypervisors are nested; that says
// nothing about what happens inside.
Result<u64> measure(Vcpu& vcpu, Clock& clock) {
  Trial trial(vcpu, clock);
  const std::optional<Nanos> overhead = KITE_TRY(trial.best_time(1));
  u64 speed = speed_of(kFirstRounds, kTrialLimit);
  if (!overhead) return speed;
  for (u32 rounds = kFirstRounds; rounds <= kMostRounds; rounds *= kMoreRounds) {
    const std::optional<Nanos> whole = KITE_TRY(trial.best_time(rounds));
    if (!whole) break;
    const Nanos inside = std::max<Nanos>(*whole - *overhead, 1);
    speed = speed_of(rounds, inside);
    if (inside >= kLongEnough) break;
  }
  return speed;
}

}  // namespace

Result<u64> measure_speed(const AcceleratorKind& kind, Clock* given_clock) {
  BackendConfig backend;
  backend.kind = "ram";
  backend.size = kGuestMemory;
  HostMemory ram = KITE_TRY(allocate(backend));
  write_guest(ram.data());
  RealClock real_clock;
  Clock& clock = given_clock ? *given_clock : real_clock;
  AddressSpace memory;
  PortSpace ports;
  CpuModel model = KITE_TRY(plainest_model());
  AddressSpace::Edit(memory).map({.size = kGuestMemory, .region = Region::ram("trial", ram)});
  AcceleratorConfig config{.memory = memory, .ports = ports, .clock = clock, .model = model};
  config.options.kernel_irqchip = false;  // HLT shall come out
  auto accelerator = KITE_TRY(kind.create(config));
  auto vcpu = KITE_TRY(accelerator->create_vcpu({}));
  return measure(*vcpu, clock);
}

std::string in_millions(u64 instructions_per_second) {
  const u64 tenths = instructions_per_second / (kMillion / 10);
  if (tenths == 0) return "less than 0.1 million";
  if (tenths < 100) return fmt::format("about {}.{} million", tenths / 10, tenths % 10);
  return fmt::format("about {} million", tenths / 10);
}

}  // namespace kite
