#include "accel/tcg/tlb.h"

#include <algorithm>

#include "base/bits.h"

namespace kite::tcg {

namespace {

// The top bits of a product (Knuth, TAOCP 3 6.4): neighbours, and the same place in the lower and
// the upper half of the address space, come apart.
unsigned large_hash(u64 linear, unsigned shift) {
  constexpr u64 kGoldenRatio = 0x9e37'79b9'7f4a'7c15;
  return static_cast<unsigned>((linear >> shift) * kGoldenRatio >> (64 - kLargeHashBits));
}

}  // namespace

void TlbSlot::note_large(u64 linear, unsigned shift) {
  for (std::size_t i = 0; i < kLargeShifts.size(); ++i) {
    const unsigned n = large_hash(linear, shift);
    if (kLargeShifts[i] == shift) large[i][n / 64] |= bit(n % 64);
  }
}

namespace {

template <class Tables, class Entry>
void empty(Tables& tables, FilledEntries<Entry>& filled) {
  if (filled.few()) {
    for (unsigned i = 0; i < filled.count; ++i) *filled.noted[i] = {};
  } else {
    for (auto& table : tables) table.fill({});
  }
  filled.count = 0;
}

}  // namespace

void TlbSlot::flush() {
  if (filled.count == 0 && fetched.count == 0) return;
  large = {};
  keys = 0;
  empty(data, filled);
  empty(exec, fetched);
  if (fast) fast->flush();
}

void TlbSlot::flush_non_global() {
  if (filled.count == 0 && fetched.count == 0) return;
  for (auto& table : data)
    for (auto& entry : table)
      if (!(entry.page & TlbEntry::kGlobal)) entry = {};
  for (auto& table : exec)
    for (auto& entry : table)
      if (!entry.global) entry = {};
  if (fast) fast->flush_if([](u64, u64 tag) { return !(tag & TlbEntry::kGlobal); });
}

bool TlbSlot::flush_page(u64 page) {
  for (auto& table : data) {
    TlbEntry& entry = table[(page / kPageSize) % kTlbEntries];
    if (entry.read == page || entry.write == page) entry = {};
  }
  for (auto& table : exec) {
    ExecEntry& entry = table[(page / kPageSize) % kExecEntries];
    if (entry.page == page) entry = {};
  }
  if (fast) fast->flush_page(page);
  bool was_large = false;
  for (std::size_t i = 0; i < kLargeShifts.size(); ++i) {
    const unsigned shift = kLargeShifts[i], n = large_hash(page, shift);
    if (!(large[i][n / 64] & bit(n % 64))) continue;
    was_large = true;
    for (auto& table : data)
      for (auto& entry : table)
        if (entry.read >> shift == page >> shift) entry = {};
    for (auto& table : exec)
      for (auto& entry : table)
        if (entry.page >> shift == page >> shift) entry = {};
    if (fast) fast->flush_if([=](u64 linear, u64) { return linear >> shift == page >> shift; });
  }
  return was_large;
}

void TlbSlot::flush_keys(u16 mask) {
  if (!(keys & mask)) return;
  for (auto& table : data)
    for (auto& entry : table)
      if (mask >> entry.key() & 1) entry = {};
  if (fast)
    fast->flush_if([=](u64, u64 tag) { return mask >> (tag >> TlbEntry::kKeyShift & 15) & 1; });
  keys &= static_cast<u16>(~mask);
}

void TlbSlot::protect(u64 physical_page) {
  for (auto& table : data)
    for (auto& entry : table)
      if (align_down(entry.page, kPageSize) == physical_page) entry.write = TlbEntry::kNoPage;
  if (fast)
    fast->protect_if([=](u64, u64 tag) { return align_down(tag, kPageSize) == physical_page; });
}

void TlbSlot::protect_all() {
  for (auto& table : data)
    for (auto& entry : table) entry.write = TlbEntry::kNoPage;
  if (fast) fast->protect_if([](u64, u64) { return true; });
}

std::unique_ptr<TlbSlot> Tlb::make_slot() const {
  auto slot = std::make_unique<TlbSlot>();
  if (!fast_) return slot;
  // Without, translated code asks for each access: slow, but right.
  if (auto tables = FastTables::create(*fast_))
    slot->fast = std::make_unique<FastTables>(std::move(*tables));
  return slot;
}

void Tlb::make_fast(TableKind kind) {
  fast_ = kind;
  for (auto& slot : slots_)
    if (slot) slot->fast = std::move(make_slot()->fast);
}

Tlb::Tlb() {
  slots_[0] = make_slot();
  current_ = slots_[0].get();
  current_->in_use = true;
  renew(*current_);
}

void Tlb::renew(TlbSlot& slot) {
  slot.context = next_context_++;
}

void Tlb::select(u16 pcid, bool keep) {
  ++invalidations_;
  auto found = std::find_if(slots_.begin(), slots_.end(),
                            [&](auto& slot) { return slot && slot->in_use && slot->pcid == pcid; });
  if (found == slots_.end()) {
    const auto age = [](const auto& slot) { return slot ? slot->last_used : 0; };
    found = std::min_element(slots_.begin(), slots_.end(),
                             [&](auto& a, auto& b) { return age(a) < age(b); });
    if (!*found) *found = make_slot();
    (*found)->flush();
    renew(**found);
  } else if (!keep) {
    (*found)->flush_non_global();
    renew(**found);
  }
  current_ = found->get();
  current_->pcid = pcid;
  current_->in_use = true;
  current_->last_used = ++uses_;
}

void Tlb::flush_all() {
  ++invalidations_;
  global_context_ = next_context_++;
  for (auto& slot : slots_) {
    if (!slot || !slot->in_use) continue;
    slot->flush();
    renew(*slot);
    slot->in_use = slot.get() == current_;
    if (!slot->in_use) slot->last_used = 0;
  }
}

void Tlb::flush_all_non_global() {
  ++invalidations_;
  for (auto& slot : slots_) {
    if (!slot || !slot->in_use) continue;
    slot->flush_non_global();
    renew(*slot);
  }
}

void Tlb::flush_pcid(u16 pcid) {
  ++invalidations_;
  for (auto& slot : slots_) {
    if (!slot || !slot->in_use || slot->pcid != pcid) continue;
    slot->flush_non_global();
    renew(*slot);
  }
}

void Tlb::flush_page(TlbSlot& slot, u64 page) {
  if (!slot.flush_page(page)) return;
  renew(slot);  // cached jumps into the rest of the large page
  global_context_ = next_context_++;
}

void Tlb::flush_page(u64 page) {
  ++invalidations_;
  for (auto& slot : slots_)
    if (slot && slot->in_use) flush_page(*slot, page);
}

void Tlb::flush_page_of(u16 pcid, u64 page) {
  ++invalidations_;
  for (auto& slot : slots_)
    if (slot && slot->in_use && slot->pcid == pcid) flush_page(*slot, page);
}

void Tlb::flush_keys(u16 keys) {
  for (auto& slot : slots_)
    if (slot && slot->in_use) slot->flush_keys(keys);
}

void Tlb::protect(u64 physical_page) {
  for (auto& slot : slots_)
    if (slot && slot->in_use) slot->protect(physical_page);
}

void Tlb::protect_all() {
  for (auto& slot : slots_)
    if (slot) slot->protect_all();
}

}  // namespace kite::tcg
