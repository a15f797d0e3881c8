// Archive: a device's state as named fields in a fixed order; the same transfer() saves and loads.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/result.h"
#include "base/types.h"

namespace kite {

// The stream is a sequence of (length of the name, name, length of the value, value). Loading
// checks every name and length; after the first mismatch the archive is failed, further fields keep
// their values, and error() names the field.
class Archive {
 public:
  static Archive saving() { return Archive(true, {}); }
  static Archive loading(std::vector<u8> bytes) { return Archive(false, std::move(bytes)); }

  bool is_saving() const { return saving_; }

  template <class T>
  requires std::is_trivially_copyable_v<T>
  void field(std::string_view name, T& value) {
    raw(name, {reinterpret_cast<u8*>(&value), sizeof value});
  }

  // A stream may hold any byte where a bool was.
  void field(std::string_view name, bool& value) {
    u8 byte = value ? 1 : 0;
    raw(name, {&byte, 1});
    value = byte != 0;
  }

  // A byte string whose length is part of the state; at most `limit` bytes are accepted on loading.
  void bytes(std::string_view name, std::vector<u8>& value, std::size_t limit);

  const std::vector<u8>& stream() const { return stream_; }
  Result<> finish() const;

 private:
  Archive(bool saving, std::vector<u8> stream) : saving_(saving), stream_(std::move(stream)) {}
  void raw(std::string_view name, std::span<u8> value);
  bool expect_name(std::string_view name);
  bool take(void* to, std::size_t size);
  void put(const void* from, std::size_t size);

  bool saving_;
  std::vector<u8> stream_;
  std::size_t position_ = 0;
  std::string error_;
};

}  // namespace kite
