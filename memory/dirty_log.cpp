#include "memory/dirty_log.h"

#include <algorithm>
#include <bit>

namespace kite {

namespace {

constexpr u64 kBitsPerWord = 64;

u64 words_for(u64 pages) {
  return (pages + kBitsPerWord - 1) / kBitsPerWord;
}

}  // namespace

void DirtyLog::start(const u8* base, u64 size) {
  const u64 pages = size / kPageSize + (size % kPageSize != 0);
  auto bitmap = std::make_unique<std::atomic<u64>[]>(words_for(pages));
  std::lock_guard control(mutex_);
  const bool was_active = active();
  {
    std::unique_lock lock(bitmap_mutex_);
    base_ = base;
    pages_ = pages;
    bitmap_ = std::move(bitmap);
    active_.store(true, std::memory_order_release);
    epoch_.fetch_add(1);
  }
  for (DirtySource* source : sources_) {
    if (was_active) source->dirty_log_stopped();
    source->dirty_log_started();
  }
}

void DirtyLog::stop() {
  std::lock_guard control(mutex_);
  if (!active()) return;
  {
    std::unique_lock lock(bitmap_mutex_);
    active_.store(false, std::memory_order_release);
    base_ = nullptr;
    pages_ = 0;
    bitmap_.reset();
    epoch_.fetch_add(1);
  }
  for (DirtySource* source : sources_) source->dirty_log_stopped();
}

void DirtyLog::add_source(DirtySource& source) {
  std::lock_guard control(mutex_);
  sources_.push_back(&source);
  if (active()) source.dirty_log_started();
}

void DirtyLog::remove_source(DirtySource& source) {
  std::lock_guard control(mutex_);
  if (std::erase(sources_, &source) == 0 || !active()) return;
  source.collect_dirty(*this);
  source.dirty_log_stopped();
}

void DirtyLog::mark(const u8* host, u64 size) {
  if (!active() || size == 0) return;
  std::shared_lock lock(bitmap_mutex_);
  // Compared as numbers, since the addresses may belong to different objects.
  const auto block = reinterpret_cast<std::uintptr_t>(base_);
  const auto first = reinterpret_cast<std::uintptr_t>(host);
  const auto last = first + size - 1;
  if (!bitmap_ || last < block) return;
  const u64 from = first <= block ? 0 : (first - block) / kPageSize;
  const u64 to = std::min<u64>((last - block) / kPageSize + 1, pages_);
  for (u64 page = from; page < to; ++page) {
    auto& word = bitmap_[page / kBitsPerWord];
    const u64 mask = u64{1} << (page % kBitsPerWord);
    // Most pages are dirty already: a load keeps the cache line shared between the vCPUs.
    if (!(word.load(std::memory_order_relaxed) & mask))
      word.fetch_or(mask, std::memory_order_release);
  }
}

std::vector<u64> DirtyLog::collect() {
  std::lock_guard control(mutex_);
  std::vector<u64> dirty;
  if (!active()) return dirty;
  // First, so that an engine stops trusting its cached permissions before the bits are cleared.
  epoch_.fetch_add(1);
  for (DirtySource* source : sources_) source->collect_dirty(*this);
  for (u64 index = 0; index < words_for(pages_); ++index) {
    u64 word = bitmap_[index].exchange(0, std::memory_order_acq_rel);
    for (; word != 0; word &= word - 1)
      dirty.push_back(index * kBitsPerWord + static_cast<u64>(std::countr_zero(word)));
  }
  return dirty;
}

}  // namespace kite
