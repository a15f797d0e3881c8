// The rules of the house, read from the sources themselves.
#include <gtest/gtest.h>

#include <filesystem>
#include <regex>
#include <set>

#include "tests/paths.h"
#include "tests/tree/source_tree.h"

namespace kite::tree {
namespace {

// Pure tables are exempt: the instruction rows, one line per instruction.
bool is_table(const SourceFile& file) {
  return file.path.rfind("accel/tcg/isa/", 0) == 0 || file.path.find("_table") != std::string::npos;
}

bool is_platform_file(const SourceFile& file) {
  for (const char* suffix : {"_linux.cpp", "_bsd.cpp", "_posix.cpp"})
    if (file.path.ends_with(suffix)) return true;
  return false;
}

template <class Offends>
void expect_no_line(Offends offends, const char* rule) {
  for (const SourceFile& file : source_files())
    for (std::size_t i = 0; i < file.lines.size(); ++i)
      EXPECT_FALSE(offends(file, file.lines[i]))
          << file.path << ":" << i + 1 << ": " << rule << ": " << file.lines[i];
}

TEST(Tree, TheSourcesAreFound) {
  EXPECT_GT(source_files().size(), 50u);
}

TEST(Tree, RoomsIncludeOnlyWhatStandsBelowThem) {
  for (const SourceFile& file : source_files())
    for (const Include& include : quoted_includes(file))
      EXPECT_TRUE(may_include(file.path, include.target))
          << file.path << ":" << include.line << " may not include " << include.target;
}

TEST(Tree, TheIncludeRuleIsTheOneOfTheDesign) {
  EXPECT_TRUE(may_include("cli/main.cpp", "machine/machine.h"));
  EXPECT_TRUE(may_include("machine/machine.cpp", "devices/device.h"));
  EXPECT_TRUE(may_include("devices/time/hpet.cpp", "memory/region.h"));
  EXPECT_TRUE(may_include("accel/kvm/vcpu.cpp", "accel/x86/state.h"));
  EXPECT_TRUE(may_include("accel/tcg/tlb.cpp", "accel/accelerator.h"));
  EXPECT_TRUE(may_include("tests/accel/a_test.cpp", "machine/machine.h"));
  EXPECT_FALSE(may_include("base/log.cpp", "memory/region.h"));
  EXPECT_FALSE(may_include("memory/region.cpp", "devices/device.h"));
  EXPECT_FALSE(may_include("devices/device.h", "accel/accelerator.h"));
  EXPECT_FALSE(may_include("accel/accelerator.h", "devices/device.h"));
  EXPECT_FALSE(may_include("firmware/acpi.cpp", "devices/device.h"));
  EXPECT_FALSE(may_include("accel/kvm/vcpu.cpp", "accel/tcg/tlb.h"));
  EXPECT_FALSE(may_include("accel/tcg/tlb.cpp", "accel/kvm/vcpu.h"));
  EXPECT_FALSE(may_include("accel/x86/state.cpp", "accel/tcg/tlb.h"));
  EXPECT_FALSE(may_include("machine/machine.cpp", "cli/options.h"));
  EXPECT_FALSE(may_include("machine/machine.cpp", "tests/memory/process.h"));
}

TEST(Tree, FilesAreShortEnoughToRead) {
  constexpr std::size_t kLongest = 600;
  for (const SourceFile& file : source_files()) {
    if (is_table(file)) continue;
    EXPECT_LE(file.lines.size(), kLongest) << file.path;
  }
}

TEST(Tree, HeadersBeginByWhatTheyAreAndAreIncludedOnce) {
  for (const SourceFile& file : source_files()) {
    if (!file.is_header()) continue;
    ASSERT_FALSE(file.lines.empty()) << file.path;
    EXPECT_EQ(file.lines[0].rfind("// ", 0), 0u) << file.path << ": " << file.lines[0];
    EXPECT_NE(std::find(file.lines.begin(), file.lines.end(), "#pragma once"), file.lines.end())
        << file.path;
  }
}

TEST(Tree, NothingIsLeftToBeDoneInAComment) {
  // Put together here, or this file would break the rule.
  const std::regex marker(std::string("\\b(TO") + "DO|FIX" + "ME|XX" + "X)\\b");
  expect_no_line(
      [&](const SourceFile&, const std::string& line) { return std::regex_search(line, marker); },
      "an issue, not a comment, says what is to be done");
}

TEST(Tree, EverySkippedTestSaysWhy) {
  const std::regex silent(std::string("GTEST_") + "SKIP\\(\\)\\s*;");
  expect_no_line(
      [&](const SourceFile&, const std::string& line) { return std::regex_search(line, silent); },
      "a skipped test gives its reason");
}

TEST(Tree, PlatformsAreChosenByFileAndNotByThePreprocessor) {
  const std::regex condition(
      "^\\s*#\\s*(if|ifdef|ifndef|elif)\\b.*__(linux|linux_|FreeBSD|NetBSD|OpenBSD|APPLE)__");
  expect_no_line(
      [&](const SourceFile& file, const std::string& line) {
        return file.room() != "tests" && !is_platform_file(file) &&
               std::regex_search(line, condition);
      },
      "platform code stands in *_linux.cpp, *_bsd.cpp, *_posix.cpp");
}

// A sandboxed machine that is moved to KVM dies of a request that is not in its lists.
TEST(Tree, EveryRequestToKvmIsInTheSandboxsLists) {
  const std::regex request(
      "\\bKVM_((GET|SET|CREATE|HAS|CHECK|CLEAR|RESET|ENABLE|SIGNAL|REINJECT|X86_SET|X86_SETUP)_"
      "[A-Z0-9_]+|RUN|NMI|INTERRUPT|TRANSLATE|IRQFD|IOEVENTFD|IRQ_LINE|KVMCLOCK_CTRL)\\b");
  std::set<std::string> listed, used;
  for (const SourceFile& file : source_files()) {
    if (file.path.rfind("accel/kvm/", 0) != 0 || file.path.find(".cpp") == file.path.npos) continue;
    for (const std::string& line : file.lines) {
      const std::sregex_iterator end;
      for (std::sregex_iterator found(line.begin(), line.end(), request); found != end; ++found)
        (file.path == "accel/kvm/requests.cpp" ? listed : used).insert(found->str());
    }
  }
  EXPECT_GT(used.size(), 20u);
  for (const std::string& name : used) EXPECT_TRUE(listed.count(name)) << name;
}

TEST(Tree, EveryRoomHasItsPage) {
  for (const char* room :
       {"base", "memory", "accel", "devices", "firmware", "machine", "cli", "tests"})
    EXPECT_TRUE(
        std::filesystem::exists(std::filesystem::path(paths::kSource) / room / "README.md"))
        << room << "/README.md";
}

}  // namespace
}  // namespace kite::tree
