#include "base/archive.h"

#include <cstring>

namespace kite {

void Archive::put(const void* from, std::size_t size) {
  const auto* bytes = static_cast<const u8*>(from);
  stream_.insert(stream_.end(), bytes, bytes + size);
}

bool Archive::take(void* to, std::size_t size) {
  if (stream_.size() - position_ < size) return false;
  if (size != 0) std::memcpy(to, stream_.data() + position_, size);
  position_ += size;
  return true;
}

bool Archive::expect_name(std::string_view name) {
  if (!error_.empty()) return false;
  u32 length = 0;
  std::string found;
  bool ok = take(&length, sizeof length) && length <= stream_.size() - position_;
  if (ok) {
    found.resize(length);
    ok = take(found.data(), length);
  }
  if (ok && found == name) return true;
  error_ = fmt::format("state field '{}' expected, '{}' found", name, ok ? found : "end of data");
  return false;
}

void Archive::raw(std::string_view name, std::span<u8> value) {
  const u32 length = static_cast<u32>(value.size());
  if (saving_) {
    const u32 name_length = static_cast<u32>(name.size());
    put(&name_length, sizeof name_length);
    put(name.data(), name.size());
    put(&length, sizeof length);
    put(value.data(), value.size());
    return;
  }
  if (!expect_name(name)) return;
  u32 stored = 0;
  if (!take(&stored, sizeof stored) || stored != length || !take(value.data(), length))
    error_ = fmt::format("state field '{}' has {} bytes, {} expected", name, stored, length);
}

void Archive::bytes(std::string_view name, std::vector<u8>& value, std::size_t limit) {
  u64 size = value.size();
  raw(name, {reinterpret_cast<u8*>(&size), sizeof size});
  if (!error_.empty()) return;
  if (size > limit) {
    error_ = fmt::format("state field '{}' has {} bytes, at most {} expected", name, size, limit);
    return;
  }
  value.resize(size);
  raw(name, value);
}

Result<> Archive::finish() const {
  if (!error_.empty()) return fail(ErrorKind::kData, "{}", error_);
  if (!saving_ && position_ != stream_.size())
    return fail(ErrorKind::kData, "{} bytes of state are left over", stream_.size() - position_);
  return {};
}

}  // namespace kite
