#include "tests/isa/support/aliases.h"

#include <algorithm>

namespace kite::isa {
namespace {

constexpr std::string_view kSize = "one row, named for one operand size; Capstone names each size";
constexpr std::string_view kSame = "another name of the same instruction";

constexpr Alias kAliases[] = {
    {"cbw", "cwde", kSize},
    {"cbw", "cdqe", kSize},
    {"cwd", "cdq", kSize},
    {"cwd", "cqo", kSize},
    {"mov", "movabs", "Capstone's name for 64-bit immediates and offsets"},
    {"xchg", "nop", "90h exchanges rAX with itself"},
    {"shl", "sal", kSame},
};

constexpr Exception kExceptions[] = {
    {Aspect::kFlags, "none", "placeholder"},
};

bool matches(std::string_view pattern, std::string_view name) {
  if (pattern.ends_with('*')) return name.starts_with(pattern.substr(0, pattern.size() - 1));
  return pattern == name;
}

}  // namespace

std::span<const Alias> aliases() {
  return kAliases;
}

std::span<const Exception> exceptions() {
  return kExceptions;
}

bool is_excepted(const tcg::Row& row, Aspect aspect) {
  return std::ranges::any_of(kExceptions, [&](const Exception& exception) {
    return (exception.aspect == aspect || exception.aspect == Aspect::kEverything) &&
           matches(exception.kite, row.name);
  });
}

bool is_alias(std::string_view kite, std::string_view capstone) {
  return std::ranges::any_of(kAliases, [&](const Alias& alias) {
    return matches(alias.kite, kite) && matches(alias.capstone, capstone);
  });
}

}  // namespace kite::isa
