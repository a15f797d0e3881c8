#include "tests/isa/silicon/native.h"

#include <cpuid.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <new>
#include <string>

#include "tests/isa/oracle/interpreter.h"
#include "tests/isa/silicon/native_child.h"

namespace kite::oracle {
namespace {

Result<> map_pages() {
  static bool mapped = false;
  if (mapped) return {};
  KITE_CHECK(isa::map_at(kCodeBase, kCodeSize, MAP_SHARED));
  KITE_CHECK(isa::map_at(kWayBack, kPageSize, MAP_PRIVATE));
  KITE_CHECK(isa::map_at(kDataBase, 2 * kPageSize, MAP_PRIVATE));
  KITE_CHECK(isa::map_at(kReadOnlyBase, kPageSize, MAP_PRIVATE));
  KITE_CHECK(isa::map_at(kLastBase, kPageSize, MAP_PRIVATE));
  mapped = true;
  return {};
}

bool host_has_xsave() {
  unsigned eax, ebx, ecx, edx;
  return __get_cpuid(1, &eax, &ebx, &ecx, &edx) && (ecx & bit_OSXSAVE);
}

}  // namespace

NativeRunner::~NativeRunner() {
  child_.stop();
  if (shared_) ::munmap(shared_, sizeof *shared_);
}

Pool& NativeRunner::pool() {
  return shared_->pool;
}
Case* NativeRunner::cases() {
  return shared_->cases.data();
}
const Outcome* NativeRunner::outcomes() const {
  return shared_->outcomes.data();
}

Result<> NativeRunner::start() {
  if (!host_has_xsave()) return fail(ErrorKind::kUnavailable, "this host has no XSAVE");
  KITE_CHECK(map_pages());
  void* data = ::mmap(nullptr, sizeof(NativeShared), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (data == MAP_FAILED) return fail_errno(ErrorKind::kUnavailable, errno, "shared memory");
  shared_ = new (data) NativeShared;
  note_own_memory();
  return start_child();
}

void NativeRunner::note_own_memory() {
  const auto belongs_to_cases = [](u64 from) {
    return (from >= kCodeBase && from < kCodeBase + kCodeSize) ||
           (from >= kDataBase && from <= kLastBase);
  };
  own_memory_ = {{kControl, kControl + kPageSize}};
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    char* behind = nullptr;
    const u64 from = std::strtoull(line.c_str(), &behind, 16);
    const u64 end = *behind == '-' ? std::strtoull(behind + 1, nullptr, 16) : from;
    if (!belongs_to_cases(from)) own_memory_.emplace_back(from, end);
  }
}

bool NativeRunner::has_own_memory_at(u64 linear) const {
  return std::ranges::any_of(own_memory_, [&](const auto& range) {
    return linear >= range.first && linear < range.second;
  });
}

Result<> NativeRunner::start_child() {
  return child_.start(
      [this](int commands, int answers) { serve_batches(*shared_, commands, answers); });
}

Result<> NativeRunner::run(u32 count) {
  std::memset(reinterpret_cast<void*>(kCodeBase), 0xcc, kCodeSize);
  for (u32 i = 0; i < count; ++i)
    write_slot(reinterpret_cast<u8*>(shared_->cases[i].rip), shared_->cases[i]);
  shared_->next = 0;
  shared_->end = count;
  while (!child_.do_batch()) {
    const u32 culprit = shared_->next;
    if (culprit >= count) return fail(ErrorKind::kInternal, "the child is lost after its cases");
    shared_->outcomes[culprit].vector = Outcome::kDied;
    shared_->next = culprit + 1;
    child_.stop();
    KITE_CHECK(start_child());
  }
  return {};
}

}  // namespace kite::oracle
