#include "tests/tree/source_tree.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <map>
#include <string_view>

#include "tests/paths.h"

namespace kite::tree {

namespace {

namespace fs = std::filesystem;

constexpr std::array kFolders = {"base",     "memory",  "accel", "devices",
                                 "firmware", "machine", "cli",   "tests"};

SourceFile read(const fs::path& root, const fs::path& path) {
  SourceFile file;
  file.path = fs::relative(path, root).generic_string();
  std::ifstream stream(path);
  for (std::string line; std::getline(stream, line);) file.lines.push_back(line);
  return file;
}

std::vector<SourceFile> read_all() {
  const fs::path root = paths::kSource;
  std::vector<SourceFile> files;
  for (const char* folder : kFolders)
    for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
      const auto extension = entry.path().extension();
      if (extension == ".h" || extension == ".cpp") files.push_back(read(root, entry.path()));
    }
  return files;
}

// What each room may include besides itself.
const std::map<std::string, std::vector<std::string>>& below() {
  static const std::map<std::string, std::vector<std::string>> rooms = {
      {"base", {}},
      {"memory", {"base"}},
      {"accel", {"memory", "base"}},
      {"devices", {"memory", "base"}},
      {"firmware", {"memory", "base"}},
      {"machine", {"accel", "devices", "firmware", "memory", "base"}},
      {"cli", {"machine", "accel", "devices", "firmware", "memory", "base"}},
  };
  return rooms;
}

std::string first_folder(const std::string& path) {
  return path.substr(0, path.find('/'));
}

// "kvm" of "accel/kvm/slots.h"; empty for files directly in accel.
std::string part_of_accel(const std::string& path) {
  constexpr std::string_view kAccel = "accel/";
  if (path.rfind(kAccel, 0) != 0) return {};
  const std::string rest = path.substr(kAccel.size());
  const auto slash = rest.find('/');
  return slash == std::string::npos ? std::string() : rest.substr(0, slash);
}

bool allowed_in_accel(const std::string& from, const std::string& target) {
  const std::string part = part_of_accel(target);
  return part == part_of_accel(from) || part == "x86" || part.empty();
}

}  // namespace

const std::vector<SourceFile>& source_files() {
  static const std::vector<SourceFile> files = read_all();
  return files;
}

std::vector<Include> quoted_includes(const SourceFile& file) {
  constexpr std::string_view kBegin = "#include \"";
  std::vector<Include> includes;
  for (std::size_t i = 0; i < file.lines.size(); ++i) {
    const std::string& line = file.lines[i];
    if (line.rfind(kBegin, 0) != 0) continue;
    const auto end = line.find('"', kBegin.size());
    includes.push_back({line.substr(kBegin.size(), end - kBegin.size()), i + 1});
  }
  return includes;
}

bool may_include(const std::string& from, const std::string& target) {
  const std::string room = first_folder(from);
  if (room == "tests") return true;
  if (target.find('/') == std::string::npos) return true;  // made by the build, or a neighbour
  const std::string other = first_folder(target);
  if (other == "accel" && room == "accel") return allowed_in_accel(from, target);
  if (other == room) return true;
  const auto known = below().find(room);
  if (known == below().end()) return false;
  return std::find(known->second.begin(), known->second.end(), other) != known->second.end();
}

}  // namespace kite::tree
