// The source tree as text: what the tests of the house's rules read.
#pragma once

#include <string>
#include <vector>

namespace kite::tree {

struct SourceFile {
  std::string path;  // from the root, "memory/region.h"
  std::vector<std::string> lines;

  bool is_header() const { return path.ends_with(".h"); }
  // The first folder of the path: the room, or "tests".
  std::string room() const { return path.substr(0, path.find('/')); }
};

// Every C++ file of the rooms and the tests.
const std::vector<SourceFile>& source_files();

struct Include {
  std::string target;  // as written between the quotes
  std::size_t line;    // counted from 1
};

// The includes in quotes; those in angle brackets are the host's and the libraries'.
std::vector<Include> quoted_includes(const SourceFile& file);

// May `from` include `target` (DESIGN: cli -> machine -> {accel, devices, firmware} -> memory ->
// base; accel's kvm and tcg never see each other; nothing includes tests)?
bool may_include(const std::string& from, const std::string& target);

}  // namespace kite::tree
