// Tlb: the software translation look-aside buffer: linear page -> host address, by what the access
// is allowed to do.
#pragma once

#include <array>
#include <memory>
#include <optional>

#include "accel/tcg/fast_tables.h"
#include "base/bits.h"
#include "base/types.h"

namespace kite::tcg {

// An entry translates one 4 KiB page, whatever the size of the guest's. `read` and `write` are the
// page's linear address when such an access may go straight to memory, else kNoPage; so a hit is
// one compare, and MMIO, pages that hold translated code, pages not yet dirty and pages under a
// breakpoint simply never match.
struct TlbEntry {
  static constexpr u64 kNoPage = 1;  // not page-aligned: no address equals it
  u64 read = kNoPage;
  u64 write = kNoPage;
  u64 addend = 0;  // host address less linear address
  u64 page = 0;    // guest physical address | kGlobal | protection key
  static constexpr u64 kGlobal = 1;
  static constexpr unsigned kKeyShift = 1;
  unsigned key() const { return page >> kKeyShift & 15; }
};

struct CodePage;

// Where instructions come from.
struct ExecEntry {
  u64 page = TlbEntry::kNoPage;
  bool global = false;
  CodePage* code = nullptr;
};

// The entries that were filled since the last flush, while they are few: a processor that executes
// an instruction now and then for another engine has little to forget each time.
template <class Entry>
struct FilledEntries {
  static constexpr unsigned kMost = 96;
  std::array<Entry*, kMost> noted;
  unsigned count = 0;  // kMost + 1: too many

  void add(Entry& entry) {
    if (count < kMost) [[unlikely]]
      noted[count++] = &entry;
    else
      count = kMost + 1;
  }
  bool few() const { return count <= kMost; }
};

// Which privileges an access has: they never share entries.
enum class Privilege : u8 {
  kSupervisor,    // CPL < 3, or an implicit access (descriptor tables) at any CPL
  kUser,          // CPL 3
  kSupervisorAc,  // CPL < 3 with SMAP suspended by RFLAGS.AC
};
inline constexpr unsigned kPrivileges = 3;

inline constexpr unsigned kTlbEntries = 1024;  // per privilege
inline constexpr unsigned kExecEntries = 256;
inline constexpr unsigned kTlbSlots =
    6;  // address spaces kept at a time: Linux rotates through six PCIDs

// The sizes of pages beyond 4 KiB: 2 MiB, 4 MiB (PSE), 1 GiB.
inline constexpr std::array<unsigned, 3> kLargeShifts = {21, 22, 30};
inline constexpr unsigned kLargeHashBits = 12;  // of the places in TlbSlot::large

// The translations of one address space (CR3, PCID).
struct TlbSlot {
  std::array<std::array<TlbEntry, kTlbEntries>, kPrivileges> data;
  std::array<std::array<ExecEntry, kExecEntries>, 2> exec;  // supervisor, user
  u64 context = 0;  // unique among all slots and times between flushes: validates cached jumps
  u16 pcid = 0;
  bool in_use = false;
  u64 last_used = 0;
  // INVLPG of any address in a large page drops all of it (SDM 3A 4.10.4.1), and a large page is
  // many entries here. So each slot remembers, by a hash, where large pages were cached.
  std::array<std::array<u64, (1u << kLargeHashBits) / 64>, kLargeShifts.size()> large = {};
  u16 keys = 0;  // the protection keys of user pages among the data entries, and perhaps more
  FilledEntries<TlbEntry> filled;
  FilledEntries<ExecEntry> fetched;
  // The same data translations for translated code, or null. What `data` has, these have, as far as
  // it is memory that translated code may reach without asking.
  std::unique_ptr<FastTables> fast;

  // `privilege` is a Privilege; `entry` has been filled. What the fast tables forget for want of
  // room `data` forgets too: what it has would never be filled again.
  void fill(unsigned privilege, u64 linear, TlbEntry& entry) {
    if (!fast) return;
    if (fast->is_full()) {
      const TlbEntry kept = entry;
      forget_data();
      entry = kept;
    }
    fast->fill(privilege, linear, entry.page, entry.addend, entry.read == linear,
               entry.write == linear);
  }
  // Only `data`: each entry is filled again, and with it the fast tables.
  void forget_data() {
    for (auto& table : data) table.fill({});
  }
  void flush();
  void flush_non_global();
  // Answers whether `page` was part of a large one: then more than its own entries have gone.
  bool flush_page(u64 page);
  void note_large(u64 linear, unsigned shift);
  // Drops the data entries whose protection key is in the mask.
  void flush_keys(u16 keys);
  // Withdraws write permission from every entry of this guest physical page, or of all pages.
  void protect(u64 physical_page);
  void protect_all();
  template <class Test>
  void protect_if(const Test& test) {  // of the guest physical page
    for (auto& table : data)
      for (auto& entry : table)
        if (entry.write != TlbEntry::kNoPage && test(align_down(entry.page, kPageSize)))
          entry.write = TlbEntry::kNoPage;
    if (fast) fast->protect_if([&](u64, u64 tag) { return test(align_down(tag, kPageSize)); });
  }
};

// All slots of a vCPU.
class Tlb {
 public:
  Tlb();

  // From now on every slot has fast tables, as far as the host gives address space for them. While
  // nothing is filled.
  void make_fast(TableKind kind);
  // Nothing: not yet.
  std::optional<TableKind> fast() const { return fast_; }

  TlbSlot& current() { return *current_; }
  // As TlbSlot::context, for code on global pages: the same in every address space.
  u64 global_context() const { return global_context_; }
  // Grows whenever the guest may have asked to forget translations.
  u64 invalidations() const { return invalidations_; }

  // The slot of `pcid`, taken from the least recently used if it has none. `keep` leaves its
  // entries alone (CR3 bit 63).
  void select(u16 pcid, bool keep);
  void flush_all();  // global pages too
  void flush_all_non_global();
  void flush_pcid(u16 pcid);  // not global pages
  void flush_page(u64 page);  // current PCID, and global pages everywhere
  void flush_page_of(u16 pcid, u64 page);
  void flush_keys(u16 keys);
  void protect(u64 physical_page);
  void protect_all();
  template <class Test>
  void protect_if(const Test& test) {
    for (auto& slot : slots_)
      if (slot && slot->in_use) slot->protect_if(test);
  }

 private:
  void renew(TlbSlot& slot);
  std::unique_ptr<TlbSlot> make_slot() const;
  void flush_page(TlbSlot& slot, u64 page);
  std::array<std::unique_ptr<TlbSlot>, kTlbSlots> slots_;  // made when first needed
  TlbSlot* current_;
  u64 next_context_ = 1;
  u64 global_context_ = 0;
  u64 uses_ = 0;
  u64 invalidations_ = 0;
  std::optional<TableKind> fast_;
};

}  // namespace kite::tcg
