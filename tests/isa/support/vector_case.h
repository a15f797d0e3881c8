// One vector instruction in a random state, to be run on the host's silicon and in the interpreter
// (x86-64 hosts).
#pragma once

#if defined(__x86_64__)

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "accel/tcg/code_cache.h"
#include "accel/tcg/cpu.h"
#include "accel/tcg/decode.h"
#include "accel/tcg/isa/row.h"
#include "accel/x86/registers.h"
#include "memory/backend.h"
#include "tests/isa/float_operands.h"
#include "tests/isa/native_state.h"
#include "tests/isa/support/host_features.h"

namespace kite::isa::vector {

using namespace tcg;

inline constexpr u64 kData = 0x1000;  // where the memory operand stands in the guest
inline constexpr std::size_t kDataSize = 640;

// A processor in flat 64-bit mode without paging: a state no guest can reach, in which linear
// addresses are physical ones.
class Guest {
 public:
  Guest() : ram_(*allocate(ram_config())), model_(isa::model_with_everything()), decoder_(model_) {
    AddressSpace::Edit(memory_).map(
        {.start = 0, .size = ram_.size(), .region = Region::ram("ram", ram_)});
    cpu_ = std::make_unique<Cpu>(
        AcceleratorConfig{.memory = memory_, .ports = ports_, .clock = clock_, .model = model_},
        VcpuConfig{});
    cpu_->code = std::make_unique<CodeCache>(*cpu_, decoder_);
    cpu_->cr0 = cr0::kPe | cr0::kNe | cr0::kMp;
    cpu_->cr4 = cr4::kOsfxsr | cr4::kOsxmmexcpt | cr4::kOsxsave;
    cpu_->efer = efer::kLma | efer::kLme;
    cpu_->fpu.xcr0 = xcr0::kX87 | xcr0::kSse | xcr0::kAvx;
    cpu_->segments[kCs].l = true;
    cpu_->update_mode();
  }

  Cpu& cpu() { return *cpu_; }
  u8* data() { return ram_.data() + kData; }
  Flow run(std::span<const u8> bytes) {
    Insn insn{};
    if (decoder_.decode(bytes, cpu_->mode, insn) != DecodeStatus::kOk) return Flow::kFault;
    return insn.handler(*cpu_, insn);
  }

 private:
  static BackendConfig ram_config() {
    BackendConfig config;
    config.kind = "ram";
    config.size = 64 * KiB;
    return config;
  }

  HostMemory ram_;
  AddressSpace memory_;
  PortSpace ports_;
  ManualClock clock_;
  CpuModel model_;
  Decoder decoder_;
  std::unique_ptr<Cpu> cpu_;
};

struct State {
  test::NativeState native;
  std::array<u8, kDataSize> data;
};

// No exception is unmasked. `encode`'s memory operand is `data`, in the guest at kData.
State random_state(test::Operands& operands);
void load_guest(Guest& guest, const State& s);
// The guest's state in the form the host gives; what a test does not compare is as in `host`.
State save_guest(Guest& guest, const State& host);
// One line for each register, flag or memory that differs; empty where none does.
std::string differences(const State& ours, const State& host);
// A random encoding of the row: memory is [RSI], general registers are those the host test has.
std::vector<u8> encode(const Row& row, test::Operands& operands);

}  // namespace kite::isa::vector

#endif
