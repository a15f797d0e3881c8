// Memory for generated code: two views of it, and none that is both written and executed.
#include "accel/tcg/code_memory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cstring>
#include <fstream>
#include <iostream>
#include <stdexcept>
#include <string>
#include <type_traits>

#include "base/bits.h"
#include "tests/sanitizer.h"

namespace kite::tcg {
namespace {

using testing::HasSubstr;

CodeMemory make(std::size_t bytes) {
  Result<CodeMemory> memory = CodeMemory::create(bytes);
  if (!memory) throw std::runtime_error(memory.error().message);
  return std::move(*memory);
}

// mov eax, value; ret
void write_function(u8* to, u32 value) {
  *to = 0xb8;
  std::memcpy(to + 1, &value, sizeof value);
  to[5] = 0xc3;
}

int call(const u8* code) {
  return reinterpret_cast<int (*)()>(reinterpret_cast<std::uintptr_t>(code))();
}

// The protection of the mapping that `address` is in, as /proc/self/maps has it: "rw-s". Empty: no
// mapping, or no such file.
std::string protection(const u8* address) {
  const u64 wanted = reinterpret_cast<u64>(address);
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    std::size_t used = 0;
    const u64 start = std::stoull(line, &used, 16);
    const u64 end = std::stoull(line.substr(used + 1), nullptr, 16);
    if (start <= wanted && wanted < end) return line.substr(line.find(' ') + 1, 4);
  }
  return {};
}

bool has_maps() {
  return std::ifstream("/proc/self/maps").good();
}

static_assert(!std::is_copy_constructible_v<CodeMemory>);
static_assert(std::is_nothrow_move_constructible_v<CodeMemory>);

TEST(CodeMemory, WhatIsWrittenThroughOneViewRunsThroughTheOther) {
  const CodeMemory memory = make(4 * MiB);
  EXPECT_EQ(memory.size(), 4 * MiB);
  EXPECT_NE(memory.writable(), memory.executable());
  for (const std::size_t at : {std::size_t{0}, std::size_t{2 * MiB - 3}, 4 * MiB - 6}) {
    write_function(memory.writable() + at, 42);
    EXPECT_EQ(call(memory.executable() + at), 42) << at;
    write_function(memory.writable() + at, 43);
    EXPECT_EQ(call(memory.executable() + at), 43) << at << ", written again";
  }
}

TEST(CodeMemory, NoPageIsBothWrittenAndExecuted) {
  if (!has_maps()) GTEST_SKIP() << "this host shows no /proc/self/maps";
  const CodeMemory memory = make(MiB);
  EXPECT_EQ(protection(memory.writable()), "rw-s");
  EXPECT_EQ(protection(memory.writable() + MiB - 1), "rw-s");
  EXPECT_EQ(protection(memory.executable()), "r-xs");
  EXPECT_EQ(protection(memory.executable() + MiB - 1), "r-xs");
}

TEST(CodeMemory, BothViewsGoWithItsOwner) {
  if (!has_maps()) GTEST_SKIP() << "this host shows no /proc/self/maps";
  const u8 *writable = nullptr, *executable = nullptr;
  {
    CodeMemory first = make(MiB);
    writable = first.writable();
    executable = first.executable();
    CodeMemory second(std::move(first));
    EXPECT_EQ(second.writable(), writable);
    EXPECT_EQ(second.executable(), executable);
    CodeMemory third = make(64 * KiB);
    third = std::move(second);
    EXPECT_EQ(third.writable(), writable);
    EXPECT_EQ(third.size(), MiB);
    write_function(third.writable(), 42);
    EXPECT_EQ(call(third.executable()), 42);
  }
  EXPECT_EQ(protection(writable), "");
  EXPECT_EQ(protection(executable), "");
}

TEST(CodeMemory, ASizeThatIsNoneIsAnErrorThatNamesIt) {
  for (const std::size_t bytes : {std::size_t{0}, std::size_t{1}, MiB + 1, ~std::size_t{0},
                                  ~std::size_t{0} - 4095, std::size_t{1} << 62}) {
    const Result<CodeMemory> memory = CodeMemory::create(bytes);
    ASSERT_FALSE(memory) << bytes;
    EXPECT_THAT(memory.error().message, HasSubstr(fmt::format("code cache of {} bytes: ", bytes)));
    EXPECT_THAT(memory.error().message, testing::Not(HasSubstr("\n")));
  }
}

// In a process of its own: prints the error of 64 MiB within `limit` bytes of address space.
[[noreturn]] void fail_within(u64 limit) {
  const struct rlimit address_space { limit, limit };
  if (::setrlimit(RLIMIT_AS, &address_space) != 0) std::exit(2);
  const Result<CodeMemory> memory = CodeMemory::create(64 * MiB);
  std::cerr << (memory ? "it succeeded" : memory.error().message) << std::endl;
  std::_Exit(0);
}

u64 address_space_used() {
  u64 pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  return pages * kPageSize;
}

TEST(CodeMemory, ALimitOfAddressSpaceIsAnError) {
  if (test::kSanitizer) GTEST_SKIP() << "the sanitizer owns the address space";
  if (!has_maps()) GTEST_SKIP() << "this host does not say how much address space is used";
  EXPECT_EXIT(fail_within(address_space_used() + 32 * MiB), testing::ExitedWithCode(0),
              "code cache of 67108864 bytes: .*size=64M: cannot be mapped: ");
  EXPECT_EXIT(fail_within(address_space_used() + 100 * MiB), testing::ExitedWithCode(0),
              "code cache of 67108864 bytes: .*no memory that can be executed: ");
}

}  // namespace
}  // namespace kite::tcg
