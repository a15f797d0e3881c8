// CodeCache: decoded blocks of guest code, found by physical address and mode, forgotten when the
// guest writes to them.
#pragma once

#include <algorithm>
#include <array>
#include <memory>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "accel/tcg/block_runner.h"
#include "accel/tcg/cpu.h"
#include "accel/tcg/decode.h"
#include "accel/tcg/insn.h"
#include "accel/x86/registers.h"

namespace kite::tcg {

// A straight run of instructions with one entry, inside one page unless it is a single instruction
// that crosses into the next. Identity: the physical address of its first byte and the mode it was
// decoded for; so it serves every linear address and every address space that shows the page.
//
// Life: built when first reached; running; stale once the guest writes to its bytes. A stale block
// may still be running (it may have written to itself), so each of its instructions gets a handler
// that leaves for a fresh lookup, and the memory is freed at the next lookup.
struct Block {
  Gpa gpa = 0;
  Gpa second_page = 0;  // of an instruction that crosses pages; else 0
  Mode mode;
  u16 bytes = 0;      // of the guest's code
  u16 count = 0;      // instructions, without the terminator
  bool kept = false;  // found again; else run once and buried
  bool stale = false;
  u8 runs = 0;                // by handlers, up to when it is translated
  const u8* code = nullptr;   // translated: where it begins
  u32 incoming = 0;           // the translator's: who jumps here directly, …
  u32 way_in = 0;             // … and to where in its code memory;
  bool asks_vectors = false;  // … where it first asks whether the vector registers are there;
  bool shares = true;         // … accesses share checks;
  u8 unshared = 0;            // … how often in a row that soon did not work,
  u32 last_unshared = 0;      // … and when that was
  Block* next = nullptr;      // in its hash chain
  Insn insns[1];              // count + 1: the last is the terminator; then `bytes` guest bytes

  const u8* guest_bytes() const { return reinterpret_cast<const u8*>(&insns[count + 1]); }

  static constexpr unsigned kMaxInsns = 48;
};

// A page with blocks on it. The data TLB holds no write permission for it: stores come to
// written().
struct CodePage {
  Gpa gpa = 0;
  const u8* host = nullptr;
  u64 granules = 0;  // bit n: a block has bytes in the n-th 64-byte granule
  CodeMap::Page* shared = nullptr;
  u64 sequence = 0;  // blocks are kept once the other vCPUs have acknowledged this (CodeMap)
  std::vector<Block*> blocks;
};

class CodeCache {
 public:
  CodeCache(Cpu& cpu, const Decoder& decoder);
  ~CodeCache();

  // The block at Cpu::rip. Null: fetching raised a fault, which is in Cpu::fault.
  Block* lookup() {
    const u64 linear = cpu_.rip + cpu_.segment_base[kCs];
    const Jump& jump = jumps_[jump_index(linear)];
    if (jump.linear == linear && jump.context == context()) [[likely]]
      return jump.block;
    return lookup_slow(linear);
  }

  // Does the page hold code? Then the caller keeps write permission out of the TLB.
  bool has_code(Gpa page) const {
    if (!maybe_code_[page_hash(page)]) [[likely]]
      return false;
    const auto found = pages_.find(page);
    return found != pages_.end() && found->second->granules != 0;
  }
  // The guest stores to [gpa, gpa + size), inside one page that may hold code.
  void written(Gpa gpa, unsigned size);

  // What the other vCPUs and the host have stored to, by CodeMap. Between blocks.
  void hear_news(bool entering);
  // The vCPU's number in CodeMap.
  unsigned number() const { return number_; }

  void forget_page(u64 linear);  // cached jumps into a linear page
  void flush();                  // everything

  u64 blocks_built() const { return built_; }

  // What a cached jump is good for, besides the mode: an address space between two flushes; or, for
  // a kernel that is on global pages, all of them.
  u64 space() const {
    const bool global = kernel_is_global_ && cpu_.cpl != 3 && (cpu_.cr4 & cr4::kPge);
    return global ? cpu_.tlb.global_context() : cpu_.tlb.current().context;
  }
  // May a jump to this linear address be cached? It has just been looked up.
  bool may_cache(u64 linear);

  // `code_bytes`: of the runner's memory for what it makes of blocks, which then end no earlier.
  void set_runner(std::unique_ptr<BlockRunner> runner, std::size_t code_bytes) {
    runner_ = std::move(runner);
    most_bytes_ = std::max(kFewestBytes, code_bytes);
  }
  // Null: handlers run the blocks.
  BlockRunner* runner() const { return runner_.get(); }

 private:
  struct Jump {
    u64 linear = 1;
    u64 context = 0;
    Block* block = nullptr;
  };
  static constexpr unsigned kJumpPages = 32, kJumpsPerPage = 128;
  static constexpr unsigned kBuckets = 1 << 16;
  static constexpr std::size_t kFewestBytes = 6 * MiB;

  static unsigned jump_set(u64 linear) {
    const u64 page = linear / kPageSize;
    return static_cast<unsigned>((page ^ page >> 5 ^ page >> 10) % kJumpPages);
  }
  static unsigned jump_index(u64 linear) {
    return jump_set(linear) * kJumpsPerPage +
           static_cast<unsigned>((linear ^ linear >> 7) % kJumpsPerPage);
  }
  static unsigned page_hash(Gpa page) { return static_cast<unsigned>((page / kPageSize) % 65536); }
  static unsigned bucket(Gpa gpa, u16 mode) {
    return static_cast<unsigned>((gpa ^ gpa >> 16 ^ mode * 0x9e3u) % kBuckets);
  }
  u64 context() const { return space() << 16 | cpu_.mode.key(); }

  Block* lookup_slow(u64 linear);
  CodePage* code_page(
      u64 linear);  // of the linear page, by the execute TLB; null: fault or no memory
  CodePage* make_page(Gpa gpa, const u8* host);
  // `room`: bytes that CS still has; a block must lie inside.
  void run_once(Block* block);
  Block* find(Gpa gpa, u64 room) const;
  bool second_page_matches(const Block& block, u64 linear);
  Block* build(CodePage& page, u64 linear, u64 room);
  Block* build_crossing(CodePage& page, u64 linear, u64 room);
  Block* build_uncached(u64 linear, u64 room);
  Block* beyond_limit();  // null, with #GP(0)
  // `code`: the guest's bytes, as many as were decoded.
  Block* finish(Gpa gpa, std::vector<Insn>& insns, std::span<const u8> code);
  void add(CodePage& page, Block* block);
  void mark(CodePage& page, Block* block, unsigned offset, unsigned size);
  // The page's bytes from `offset` on, as many as an instruction can have or the page holds.
  std::span<const u8> window(CodePage& page, unsigned offset);
  // Tells CodeMap, before bytes are read. May a block of bytes read from now on be kept?
  bool share(CodePage& page, unsigned offset, unsigned size);
  // The part of the page that a block has bytes in.
  static std::pair<unsigned, unsigned> extent(const CodePage& page, const Block& block);
  template <class Hit>
  void drop_blocks(CodePage& page, Hit hit);
  void retire(Block* block);
  void unlink(Block* block);
  void bury();

  // The copy of the guest's bytes that a block is decoded from: they may change meanwhile.
  struct Window {
    unsigned end = 0;  // up to where in the page it has been filled
    bool keep = true;  // no store to the bytes that were copied can have gone unnoticed
    std::array<u8, kPageSize> bytes;
  };

  Cpu& cpu_;
  const Decoder& decoder_;
  std::unique_ptr<BlockRunner> runner_;
  const unsigned number_;
  Window window_;
  std::vector<Jump> jumps_;
  std::vector<Block*> buckets_;
  std::vector<bool> maybe_code_;
  std::unordered_map<Gpa, std::unique_ptr<CodePage>> pages_;
  std::vector<Block*> graveyard_;  // stale, perhaps running
  std::vector<Insn> scratch_;
  std::size_t bytes_ = 0;                  // of kept blocks
  std::size_t most_bytes_ = kFewestBytes;  // beyond that everything is flushed
  u64 built_ = 0;
  bool kernel_is_global_ = true;  // with CR4.PGE; until too many of its pages are not
  unsigned not_global_ = 0;       // jumps that could not be cached
};

}  // namespace kite::tcg
