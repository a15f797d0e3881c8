// Attention: what is wanted of a processor, and the word by which translated code learns of it.
//
// Translated code looks at one word at each way back and indirect branch. While nothing is wanted
// that is a number of the translator's, and 0 else. Bits may come from any thread; only the
// processor's own takes them away.
#pragma once

#include <atomic>

#include "base/types.h"

namespace kite::tcg {

// Reasons to look up from guest code at the next block (Cpu::attention).
enum Wanted : u32 {
  kAttendKick = 1,       // run() is to return
  kAttendInterrupt = 2,  // the interrupt port may have something
  kAttendNmi = 4,
  kAttendInit = 8,
  kAttendSipi = 16,
  kAttendTrap =
      32,  // the guest's own doing: TF, interrupt shadow, breakpoints: blocks of one instruction
  kAttendHalt = 64,       // HLT was executed
  kAttendShutdown = 128,  // triple fault
  kAttendMemory = 256,    // the memory map has changed
  kAttendCode = 512,      // CodeMap has news
  kAttendGate = 1024,     // another processor wants to be alone
};

class Attention {
 public:
  Attention() = default;
  Attention(const Attention&) = delete;

  Attention& operator|=(u32 bits) {
    bits_.fetch_or(bits);
    word_.store(0);
    return *this;
  }
  u32 load(std::memory_order order = std::memory_order_seq_cst) const {
    return bits_.load(order) & ~kCounts;
  }
  operator u32() const { return load(); }

  // The processor's own thread, or while it is not run.
  Attention& operator&=(u32 bits) {
    bits_.fetch_and(bits | kCounts);
    renew();
    return *this;
  }
  // Takes all bits away, and answers which they were.
  u32 take() {
    const u32 taken = bits_.fetch_and(kCounts) & ~kCounts;
    renew();
    return taken;
  }
  // Translated code is to look up now and then, whether anything is wanted or not.
  void count(bool on) {
    if (on == counts()) return;
    on ? bits_.fetch_or(kCounts) : bits_.fetch_and(~kCounts);
    renew();
  }
  bool counts() const { return bits_.load(std::memory_order_relaxed) & kCounts; }
  // The word while nothing is wanted, from now on.
  void set_calm(u64 word) {
    calm_ = word;
    renew();
  }
  // Who has set a bit may clear the word when that bit has been seen to.
  void settle() {
    if (word_.load(std::memory_order_relaxed) == 0) renew();
  }
  const std::atomic<u64>& word() const { return word_; }

 private:
  static constexpr u32 kCounts = u32{1} << 31;

  // Who sets a bit clears the word behind it, and this looks for bits behind the word: one of the
  // two sees the other.
  void renew() {
    word_.store(bits_.load() ? 0 : calm_);
    if (bits_.load()) word_.store(0);
  }

  std::atomic<u32> bits_{0};
  std::atomic<u64> word_{0};
  u64 calm_ = 0;
};

}  // namespace kite::tcg
