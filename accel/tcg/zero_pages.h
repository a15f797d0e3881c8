// Memory that is zero, and costs address space rather than memory until it is written to.
#pragma once

#include <cstddef>

namespace kite::tcg::zero_pages {

// Null, with errno, where the host has no room for it.
void* map(std::size_t bytes);
void unmap(void* at, std::size_t bytes);

}  // namespace kite::tcg::zero_pages
