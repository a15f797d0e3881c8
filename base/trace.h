// Tracing: what the machine does, category by category, to a file or stderr (`--trace
// WHAT[=FILE]`).
#pragma once

#include <fmt/format.h>

#include <atomic>
#include <span>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "base/types.h"

namespace kite::trace {

enum class Category : u32 { kCpu, kInt, kMmio, kPio, kMsr, kBlock, kIrq, kTranslator, kLockstep };

struct CategoryName {
  Category category;
  std::string_view name;         // as after --trace
  std::string_view description;  // for --help
};
std::span<const CategoryName> categories();

// Switches on the categories of "cpu,int=FILE" ("all" is every category). Errors name the word and
// the nearest one.
Result<> enable(std::string_view text);

// What this thread's lines begin with, after the category; empty: nothing.
void name_thread(std::string_view name);

namespace detail {
extern std::atomic<u32> enabled_mask;
void write(Category category, std::string_view line);
}  // namespace detail

inline bool enabled(Category category) {
  return (detail::enabled_mask.load(std::memory_order_relaxed) >> static_cast<u32>(category)) & 1;
}

template <class... Args>
void write(Category category, fmt::format_string<Args...> text, Args&&... args) {
  if (enabled(category)) detail::write(category, fmt::format(text, std::forward<Args>(args)...));
}

}  // namespace kite::trace
