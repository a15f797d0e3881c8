#include "accel/tcg/code_map.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "base/bits.h"

namespace kite::tcg {

u64 granules_of(unsigned offset, unsigned size) {
  const unsigned first = offset / 64, last = (offset + size - 1) / 64;
  return bits(~u64{0}, 63, first) << first & (last == 63 ? ~u64{0} : bit(last + 1) - 1);
}

unsigned CodeMap::join(Attention& attention, u32 bit) {
  std::lock_guard lock(mutex_);
  const unsigned number = count_.load(std::memory_order_relaxed);
  assert(number < capacity_ && number < members_.size());
  members_[number] = std::make_unique<Member>();
  members_[number]->attention = &attention;
  members_[number]->bit = bit;
  count_.store(number + 1, std::memory_order_release);
  return number;
}

// The vCPU is gone for good: nobody is to touch its attention any more.
void CodeMap::depart(unsigned vcpu) {
  std::lock_guard lock(mutex_);
  members_[vcpu]->attention = nullptr;
  members_[vcpu]->seen.store(kOutside, std::memory_order_release);
}

CodeMap::Page* CodeMap::find(Gpa page) const {
  std::shared_lock lock(pages_mutex_);
  const auto found = pages_.find(page);
  return found == pages_.end() ? nullptr : found->second.get();
}

CodeMap::Page& CodeMap::page(Gpa gpa) {
  if (Page* known = find(gpa)) return *known;
  std::unique_lock lock(pages_mutex_);
  auto& page = pages_[gpa];
  if (!page) page = std::make_unique<Page>(capacity_);
  return *page;
}

CodeMap::Marked CodeMap::mark(Page& page, Gpa gpa, u64 granules, unsigned vcpu) {
  maybe_[hash(gpa)].store(1, std::memory_order_relaxed);
  const u64 before = page.masks[vcpu].fetch_or(granules, std::memory_order_seq_cst);
  std::atomic_thread_fence(std::memory_order_seq_cst);  // race 1: mark, then read
  if (before != 0 || !shared()) return {before == 0, 0};
  std::lock_guard lock(mutex_);
  Member& self = *members_[vcpu];
  const bool up_to_date = self.processed == sequence_;
  ++sequence_;
  for (unsigned i = 0; i < count_.load(std::memory_order_relaxed); ++i) {
    Member& other = *members_[i];
    if (i != vcpu && other.attention && other.seen.load(std::memory_order_relaxed) != kOutside)
      *other.attention |= other.bit;
  }
  // The caller looks after its own TLB.
  if (up_to_date) {
    self.processed = sequence_;
    if (self.seen.load(std::memory_order_relaxed) != kOutside)
      self.seen.store(sequence_, std::memory_order_release);
  }
  return {true, sequence_};
}

bool CodeMap::acknowledged(u64 sequence, unsigned vcpu) const {
  for (unsigned i = 0; i < count_.load(std::memory_order_relaxed); ++i)
    if (i != vcpu && members_[i]->seen.load(std::memory_order_acquire) < sequence) return false;
  return true;
}

bool CodeMap::has_code(Gpa page) const {
  if (!maybe_[hash(page)].load(std::memory_order_relaxed)) [[likely]]
    return false;
  const Page* known = find(page);
  return known && std::ranges::any_of(known->masks, [](const std::atomic<u64>& mask) {
           return mask.load(std::memory_order_relaxed) != 0;
         });
}

void CodeMap::written(Gpa gpa, u64 size, unsigned writer) {
  std::atomic_thread_fence(std::memory_order_seq_cst);  // race 1: store, then look
  for (u64 done = 0; done < size;) {
    const Gpa at = gpa + done, base = align_down(at, kPageSize);
    const auto offset = static_cast<unsigned>(at - base);
    const auto length = static_cast<unsigned>(std::min<u64>(size - done, kPageSize - offset));
    done += length;
    if (!maybe_[hash(base)].load(std::memory_order_relaxed)) [[likely]]
      continue;
    Page* page = find(base);
    if (!page) continue;
    const u64 granules = granules_of(offset, length);
    for (unsigned i = 0; i < count_.load(std::memory_order_relaxed); ++i) {
      if (i == writer || !(page->masks[i].load(std::memory_order_relaxed) & granules)) continue;
      const u64 before = page->masks[i].fetch_and(~granules, std::memory_order_seq_cst);
      if (before & granules) tell(i, base, before & granules);
    }
  }
}

void CodeMap::tell(unsigned vcpu, Gpa page, u64 granules) {
  std::lock_guard lock(mutex_);
  Member& member = *members_[vcpu];
  if (!member.attention) return;
  if (!member.stale.empty() && member.stale.back().page == page) {
    member.stale.back().granules |= granules;
  } else if (member.stale.size() < kMostStale) {
    member.stale.push_back({page, granules});
  } else {
    member.everything = true;
  }
  *member.attention |= member.bit;
}

CodeMap::News CodeMap::news(unsigned vcpu, bool entering) {
  std::lock_guard lock(mutex_);
  Member& self = *members_[vcpu];
  // From here on the vCPU is asked; what it has not processed yet is in this answer.
  if (entering) self.seen.store(self.processed, std::memory_order_release);
  News news;
  news.sequence = sequence_;
  news.protect = self.processed != sequence_;
  news.everything = std::exchange(self.everything, false);
  news.stale = std::exchange(self.stale, {});
  return news;
}

void CodeMap::acknowledge(unsigned vcpu, u64 sequence) {
  std::lock_guard lock(mutex_);
  Member& self = *members_[vcpu];
  self.processed = sequence;
  self.seen.store(sequence, std::memory_order_release);
}

void CodeMap::leave(unsigned vcpu) {
  members_[vcpu]->seen.store(kOutside, std::memory_order_release);
}

}  // namespace kite::tcg
