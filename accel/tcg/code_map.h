// CodeMap: which guest memory any vCPU holds decoded blocks of, and how a store by one reaches the
// others' code caches.
//
// Purpose. Every vCPU has a code cache of its own. A processor sees other processors' stores to
// code it is about to execute (SDM 3A 8.1.3); so a block must be gone before the next block of its
// vCPU once a store to its bytes is visible, whoever stored: another vCPU, or the host.
//
// Words. *Granule*: 64 bytes. *Mask*: one vCPU's granules of one page, a bit each: where it may
// have blocks. *Writer*: who stored. *Sequence*: numbers the moments at which a page that had no
// code of a vCPU got some. *Acknowledged*: every other vCPU has since looked through its TLB, so
// none has a cached store permission for the page any more, and stores to it come to written().
//
// The two races and why they are none.
//   1. A store against the decoding of the same bytes. The decoder sets the mask, then reads; the
//      writer stores, then reads the mask; each with a full fence between. So one of them sees what
//      the other did: either the reader has the new bytes, or the writer finds the bit and tells.
//   2. A cached store permission against a new mask. The writer's TLB is its own, so it is asked to
//      look through it (attention) and meanwhile the decoder keeps nothing: blocks of a page that
//      is not acknowledged are decoded afresh each time they are reached. Nobody waits for anybody.
// Clearing a bit and telling its vCPU is one step of the writer (an atomic exchange, then an entry
// in the vCPU's list and its attention bit), and the list is read before the vCPU's next block.
// A mask may have too many bits, never too few.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <unordered_map>
#include <vector>

#include "accel/tcg/attention.h"
#include "base/types.h"

namespace kite::tcg {

// The granules that [offset, offset + size) of a page touches.
u64 granules_of(unsigned offset, unsigned size);

class CodeMap {
 public:
  // The masks of a page, by the vCPU's number. Lives as long as the map.
  struct Page {
    explicit Page(unsigned vcpus) : masks(vcpus) {}
    std::vector<std::atomic<u64>> masks;
  };
  struct Stale {
    Gpa page;
    u64 granules;
  };
  // What a vCPU has to do before it goes on.
  struct News {
    u64 sequence = 0;         // to be given to acknowledge() afterwards
    bool protect = false;     // withdraw store permission from every page that has_code()
    bool everything = false;  // forget all blocks
    std::vector<Stale> stale;
  };
  static constexpr unsigned kNobody = ~0u;  // a writer that is no vCPU

  explicit CodeMap(unsigned vcpus) : capacity_(vcpus), maybe_(kHashes) {}

  // The number of a new vCPU, whose `attention` gets `bit` set when there is news. At most as many
  // as the constructor was told; before any of them runs.
  unsigned join(Attention& attention, u32 bit);
  void depart(unsigned vcpu);
  bool shared() const { return count_.load(std::memory_order_relaxed) > 1; }

  Page& page(Gpa gpa);
  // The code cache of `vcpu` is about to read these granules.
  struct Marked {
    bool first = false;  // the vCPU had none in this page
    u64 sequence = 0;    // then: when this is acknowledged, blocks may be kept; 0: at once
  };
  Marked mark(Page& page, Gpa gpa, u64 granules, unsigned vcpu);
  bool acknowledged(u64 sequence, unsigned vcpu) const;

  // May any vCPU have blocks in the page? Then the caller caches no store permission for it.
  bool has_code(Gpa page) const;
  // [gpa, gpa + size) has been stored to. The writer's own code cache is not told.
  void written(Gpa gpa, u64 size, unsigned writer);

  // A vCPU's run() begins (`entering`), or its attention bit was set.
  News news(unsigned vcpu, bool entering);
  void acknowledge(unsigned vcpu, u64 sequence);
  // Its run() ends: it stores nothing until news(vcpu, true).
  void leave(unsigned vcpu);

 private:
  static constexpr unsigned kHashes = 65536;
  static constexpr u64 kOutside = ~u64{0};
  static constexpr std::size_t kMostStale = 256;

  struct Member {
    Attention* attention = nullptr;
    u32 bit = 0;
    std::atomic<u64> seen{kOutside};  // the last sequence acknowledged
    u64 processed = 0;                // the same, also while outside
    bool everything = false;
    std::vector<Stale> stale;
  };

  static unsigned hash(Gpa page) { return static_cast<unsigned>(page / kPageSize % kHashes); }
  Page* find(Gpa page) const;
  void tell(unsigned vcpu, Gpa page, u64 granules);

  const unsigned capacity_;
  std::vector<std::atomic<u8>> maybe_;  // by hash: some page there has, or had, code
  std::atomic<unsigned> count_{0};
  std::array<std::unique_ptr<Member>, 256> members_;  // complete before any vCPU runs

  mutable std::shared_mutex pages_mutex_;  // guards pages_, not what its entries point at
  std::unordered_map<Gpa, std::unique_ptr<Page>> pages_;

  std::mutex mutex_;  // guards sequence_ and the members' plain fields
  u64 sequence_ = 0;
};

}  // namespace kite::tcg
