// Address space at a place of one's own choice, kept empty; each host asks for it differently.
#pragma once

#include "base/types.h"

namespace kite::tcg::reservation {

// What a program can have: from lowest() up to end().
u64 lowest();
u64 end();

// Makes [start, start + size), whole pages, inaccessible and nobody else's, at no cost but address
// space. 0; EEXIST: something is mapped there, at least in a part; or another errno.
int reserve(u64 start, u64 size);
void release(u64 start, u64 size);

}  // namespace kite::tcg::reservation
