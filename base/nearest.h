// The word that was probably meant: for errors about a name that does not exist.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace kite {

// The candidate with the smallest edit distance to `word`, or empty if none is near enough to be
// worth suggesting (more than a third of the word's letters wrong, and more than two).
std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates);

// "; did you mean 'X'?", or nothing.
std::string suggestion(std::string_view word, std::span<const std::string_view> candidates);

}  // namespace kite
