#include "tests/isa/host/native.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstring>
#include <new>

#include "tests/isa/host/native_child.h"

namespace kite::isa {
namespace {

Result<> map_pages() {
  static bool mapped = false;
  if (mapped) return {};
  KITE_CHECK(map_at(kCodeBase, kCodeSize, MAP_SHARED));
  KITE_CHECK(map_at(kDataBase, kDataSize, MAP_PRIVATE));
  KITE_CHECK(map_at(kReadOnlyBase, kPageSize, MAP_PRIVATE));
  auto fill = [](u64 base, u64 size) {
    u64* words = reinterpret_cast<u64*>(base);
    for (u64 i = 0; i < size / 8; ++i) words[i] = initial_word(i * 8);
  };
  fill(kDataBase, kDataSize);
  fill(kReadOnlyBase, kPageSize);
  ::mprotect(reinterpret_cast<void*>(kReadOnlyBase), kPageSize, PROT_READ);
  mapped = true;
  return {};
}

}  // namespace

struct NativeRunner::Shared : NativeShared {};

NativeRunner::~NativeRunner() {
  child_.stop();
  if (shared_) ::munmap(shared_, sizeof *shared_);
}

Result<> NativeRunner::start() {
  KITE_CHECK(map_pages());
  void* data =
      ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (data == MAP_FAILED) return fail_errno(ErrorKind::kUnavailable, errno, "shared memory");
  shared_ = new (data) Shared;
  return start_child();
}

Result<> NativeRunner::start_child() {
  return child_.start(
      [this](int commands, int answers) { serve_batches(*shared_, commands, answers); });
}

Result<> NativeRunner::run(std::span<const Case> cases, std::span<Outcome> outcomes) {
  std::memset(reinterpret_cast<void*>(kCodeBase), kFiller, kCodeSize);
  for (std::size_t i = 0; i < cases.size(); ++i) {
    shared_->cases[i] = cases[i];
    std::memcpy(reinterpret_cast<void*>(kCodeBase + i * kSlotSize), cases[i].code.data(),
                kSlotSize);
  }
  shared_->next = 0;
  shared_->end = static_cast<u32>(cases.size());
  while (!child_.do_batch()) {
    const u32 culprit = shared_->next;
    if (culprit >= cases.size())
      return fail(ErrorKind::kInternal, "the child is lost after its cases");
    shared_->outcomes[culprit] = {};
    shared_->outcomes[culprit].vector = kDied;
    shared_->next = culprit + 1;
    child_.stop();
    KITE_CHECK(start_child());
  }
  for (std::size_t i = 0; i < cases.size(); ++i) outcomes[i] = shared_->outcomes[i];
  return {};
}

}  // namespace kite::isa
