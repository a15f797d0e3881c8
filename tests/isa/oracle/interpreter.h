// Interpreter: one instruction of a case in ring 3 of Kite's processor, without a run loop around
// it: decoded once, its handler called, faults read where the handler leaves them.
#pragma once

#include <memory>

#include "accel/accelerator.h"
#include "accel/tcg/cpu.h"
#include "accel/tcg/decode.h"
#include "memory/backend.h"
#include "tests/isa/oracle/generate.h"

namespace kite::oracle {

class Interpreter {
 public:
  // The limit of the segment whose limit is the processor's number on Linux: no number of one.
  static constexpr u16 kNumberLimit = 0xa5c3;
  static constexpr u64 kCodePages = 0x40000;  // guest physical, of kCodeBase

  // In 64-bit mode, or as 32-bit code of compatibility mode.
  explicit Interpreter(bool code64 = true);
  ~Interpreter();

  const tcg::Decoder& decoder() const { return decoder_; }
  // Lays out the memory of a batch. `pool` must live as long as the batch.
  void begin(const Pool& pool, std::span<const Case> cases);
  void run(const Case& test, const tcg::Insn& insn, Outcome& outcome);

 protected:
  tcg::Cpu& cpu() { return *cpu_; }
  AddressSpace& memory() { return memory_; }
  u8* at(u64 physical) { return ram_.data() + physical; }
  // Writes page-table entries with `rights`.
  void map(u64 linear, u64 physical, u64 size, u64 rights);
  void start(const Case& test);
  // What is left where the instruction said `flow` and RIP is Cpu::rip.
  void finish(const Case& test, tcg::Flow flow, Outcome& outcome);

 private:
  void write_tables();
  void set_up_processor();
  void set_up_segments();
  void save_segments(Selectors& selectors);
  void load_image(const Image& image);
  void save_image(Image& image) const;

  HostMemory ram_;
  AddressSpace memory_;
  PortSpace ports_;
  ManualClock clock_;
  const bool code64_;
  CpuModel model_;
  tcg::Decoder decoder_;
  std::unique_ptr<tcg::Cpu> cpu_;
  const Pool* pool_ = nullptr;
  u64 tables_used_ = 0;
};

// The bytes of a slot: the instruction, the way back, INT3.
void write_slot(u8* slot, const Case& test);
// Where the way back leads: far from what a bit more or less in an address reaches.
inline constexpr u64 kWayBack = 0x16a10000;

}  // namespace kite::oracle
