#include "accel/tcg/store_log.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <span>

#include "memory/guest_access.h"

namespace kite::tcg {

void StoreLog::begin() {
  recording_ = repeatable_ = true;
  stores_.clear();
  before_.clear();
}

void StoreLog::note(const u8* host, unsigned size) {
  if (!recording_) return;
  const auto offset = static_cast<u32>(before_.size());
  before_.resize(offset + size);
  guest_read(&before_[offset], host, size);
  // A string instruction's stores are one.
  if (!stores_.empty() && stores_.back().host + stores_.back().size == host)
    stores_.back().size += size;
  else
    stores_.push_back({const_cast<u8*>(host), size, offset});
}

void StoreLog::note_walk(const u8* host, unsigned size) {
  if (!recording_) return;
  for (const Store& store : stores_)
    if (host < store.host + store.size && store.host < host + size) cannot_repeat();
}

void StoreLog::keep() {
  kept_.resize(before_.size());
  for (const Store& store : stores_) guest_read(&kept_[store.offset], store.host, store.size);
}

void StoreLog::undo() const {
  for (std::size_t i = stores_.size(); i-- > 0;)
    guest_write(stores_[i].host, &before_[stores_[i].offset], stores_[i].size);
}

void StoreLog::redo() const {
  for (const Store& store : stores_) guest_write(store.host, &kept_[store.offset], store.size);
}

bool StoreLog::matches() {
  now_.resize(kept_.size());
  for (const Store& store : stores_) guest_read(&now_[store.offset], store.host, store.size);
  return now_ == kept_;
}

std::string StoreLog::differences() const {
  std::string text;
  for (const Store& store : stores_) {
    const auto part = [&store](const std::vector<u8>& bytes) {
      return std::span(bytes).subspan(store.offset, store.size);
    };
    if (std::ranges::equal(part(kept_), part(now_))) continue;
    constexpr std::size_t kShown = 64;
    const auto shown = [&](const std::vector<u8>& bytes) {
      return fmt::format(
          "{:02x}", fmt::join(part(bytes).first(std::min<std::size_t>(store.size, kShown)), " "));
    };
    text += fmt::format("  memory, {} bytes: before {}\n    handlers   {}\n    translated {}\n",
                        store.size, shown(before_), shown(kept_), shown(now_));
  }
  return text;
}

}  // namespace kite::tcg
