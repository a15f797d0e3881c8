// What the manual leaves open: instructions, flags and registers that two processors may treat
// differently, each with the reason.
#pragma once

#include <string_view>

#include "tests/isa/oracle/generate.h"

namespace kite::oracle {

// Why the row is not compared at all; empty if it is.
std::string_view excluded(const tcg::Row& row);

// Why this case of a row that is compared is not; empty if it is.
std::string_view undefined(const Origin& origin, const Case& test);

// The arithmetic flags that the manual defines after this case.
u64 defined_flags(const Origin& origin, const Case& test);

// Whose silicon the outcomes are from. Where makers differ Kite does as Intel's processors, and
// only theirs are held to it.
enum class Maker { kIntel, kOther };
Maker host_maker();

// Takes what is open out of `ours`: sets it to what the silicon did.
void forgive(const Origin& origin, const Case& test, Maker maker, const Outcome& silicon,
             Outcome& ours);

// Does the row read or write x87, MMX, SSE or AVX state?
bool uses_vectors(const tcg::Row& row);

// Does the row read or write a selector, a descriptor or the base of FS or GS?
bool uses_selectors(const tcg::Row& row);

// Does the row store or load an image of x87 or extended state?
bool is_saved_state(const tcg::Row& row);

bool is_named(const tcg::Row& row, std::initializer_list<std::string_view> names);

}  // namespace kite::oracle
