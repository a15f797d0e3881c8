// AML: the few byte-code terms that tables written at run time are made of (ACPI 6.5 section 20.2).
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "base/types.h"

namespace kite::aml {

using Code = std::vector<u8>;

// `name` is a name segment of exactly four characters, or such with a leading backslash.
Code name_integer(std::string_view name, u32 value);
Code name_string(std::string_view name, std::string_view value);
Code name_buffer(std::string_view name, std::span<const u8> bytes);
Code scope(std::string_view name, std::span<const u8> body);
Code device(std::string_view name, std::span<const u8> body);

// Resource descriptors (ACPI 6.5 section 6.4), to be ended with end_tag().
Code memory32(u32 address, u32 size);
Code interrupt(u32 gsi);  // level-triggered, active high, not shared
Code end_tag();

void append(Code& to, std::span<const u8> what);

}  // namespace kite::aml
