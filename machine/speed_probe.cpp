#include "machine/speed_probe.h"

#include <algorithm>

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
constexpr u32 kRounds = 1'000;  // two instructions each: 1.3 ms at 1.5 million per second
constexpr int kMostRuns = 10;   // the best counts: others suffer from page faults and the scheduler
constexpr Nanos kEnough = 2 * kMillisecond;

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

// How long it takes, or an error when the guest does not come to its HLT.
Result<Nanos> time_loop(Vcpu& vcpu, Clock& clock, u32 rounds) {
  KITE_CHECK(vcpu.set_state(entry_state(rounds)));
  Nanos start = clock.now();
  Exit exit = KITE_TRY(vcpu.run(start + kSecond));
  if (exit.kind != Exit::Kind::kHalted) {
    return fail(ErrorKind::kUnavailable, "a trial program did not run to its end");
  }
  return std::max<Nanos>(clock.now() - start, 1);
}

Result<Nanos> best_time(Vcpu& vcpu, Clock& clock, u32 rounds, Nanos enough) {
  Nanos best = kNever, spent = 0;
  for (int run = 0; run < kMostRuns && spent < enough; run++) {
    Nanos time = KITE_TRY(time_loop(vcpu, clock, rounds));
    best = std::min(best, time);
    spent += time;
  }
  return best;
}

}  // namespace

Result<u64> measure_speed(const AcceleratorKind& kind) {
  BackendConfig backend;
  backend.kind = "ram";
  backend.size = kGuestMemory;
  HostMemory ram = KITE_TRY(allocate(backend));
  write_guest(ram.data());
  RealClock clock;
  AddressSpace memory;
  PortSpace ports;
  CpuModel model = KITE_TRY(plainest_model());
  AddressSpace::Edit(memory).map({.size = kGuestMemory, .region = Region::ram("trial", ram)});
  AcceleratorConfig config{.memory = memory, .ports = ports, .clock = clock, .model = model};
  config.options.kernel_irqchip = false;  // HLT shall come out
  auto accelerator = KITE_TRY(kind.create(config));
  auto vcpu = KITE_TRY(accelerator->create_vcpu({}));
  // Going in and out of the guest takes tens of microseconds where hypervisors are nested; that
  // says nothing about what happens inside.
  const Nanos overhead = KITE_TRY(best_time(*vcpu, clock, 1, kNever));
  const Nanos whole = KITE_TRY(best_time(*vcpu, clock, kRounds, kEnough));
  const Nanos time = std::max<Nanos>(whole - overhead, 1);
  return static_cast<u64>(u128{2} * kRounds * kSecond / static_cast<u64>(time));
}

}  // namespace kite
