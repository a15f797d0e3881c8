// Where Kite's table and Capstone differ, and why each difference is right.
#pragma once

#include <span>
#include <string_view>

#include "accel/tcg/isa/row.h"
#include "base/types.h"

namespace kite::isa {

// Two names of one instruction.
struct Alias {
  std::string_view kite;
  std::string_view capstone;
  std::string_view reason;
};
std::span<const Alias> aliases();

// A whole instruction, or one aspect of it, that Capstone is not asked about.
enum class Aspect { kEverything, kLength, kMnemonic, kOperands, kFlags };
struct Exception {
  Aspect aspect;
  std::string_view kite;  // the row's name, in which a * matches any text, or its encoding
  std::string_view reason;
};
std::span<const Exception> exceptions();

bool is_excepted(const tcg::Row& row, Aspect aspect);
bool is_alias(std::string_view kite, std::string_view capstone);

}  // namespace kite::isa
