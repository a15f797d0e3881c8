#include "accel/tcg/exclusive.h"

namespace kite::tcg {

void ExclusiveGate::join(Attention& attention, u32 bit) {
  std::lock_guard lock(mutex_);
  members_.push_back({&attention, bit});
  count_.store(static_cast<unsigned>(members_.size()), std::memory_order_relaxed);
}

void ExclusiveGate::depart(Attention& attention) {
  std::lock_guard lock(mutex_);
  std::erase_if(members_, [&](const Member& member) { return member.attention == &attention; });
  count_.store(static_cast<unsigned>(members_.size()), std::memory_order_relaxed);
}

void ExclusiveGate::enter() {
  if (alone()) return;
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return !taken_; });
  ++inside_;
}

void ExclusiveGate::leave() {
  if (alone()) return;
  std::lock_guard lock(mutex_);
  --inside_;
  if (taken_) changed_.notify_all();
}

void ExclusiveGate::safe_point() {
  std::unique_lock lock(mutex_);
  if (!taken_) return;
  --inside_;
  changed_.notify_all();
  changed_.wait(lock, [this] { return !taken_; });
  ++inside_;
}

void ExclusiveGate::begin() {
  if (alone()) return;
  std::unique_lock lock(mutex_);
  --inside_;
  changed_.notify_all();
  changed_.wait(lock, [this] { return !taken_; });
  taken_ = true;
  for (const Member& member : members_) *member.attention |= member.bit;
  changed_.wait(lock, [this] { return inside_ == 0; });
}

void ExclusiveGate::end() {
  if (alone()) return;
  std::lock_guard lock(mutex_);
  taken_ = false;
  ++inside_;
  changed_.notify_all();
}

}  // namespace kite::tcg
