#include "tests/isa/host/native.h"

#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <new>

#include "tests/isa/host/native_child.h"

namespace kite::isa {
namespace {

constexpr int kBatchTimeoutMs = 20'000;

Result<> map_at(u64 address, u64 size, int sharing) {
  void* wanted = reinterpret_cast<void*>(address);
  void* got = ::mmap(wanted, size, PROT_READ | PROT_WRITE,
                     sharing | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  if (got == wanted) return {};
  return fail(ErrorKind::kUnavailable, "the pages at {:#x} are taken in this process", address);
}

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
  reap();
  if (shared_) ::munmap(shared_, sizeof *shared_);
}

Result<> NativeRunner::start() {
  KITE_CHECK(map_pages());
  void* data =
      ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (data == MAP_FAILED) return fail_errno(ErrorKind::kUnavailable, errno, "shared memory");
  shared_ = new (data) Shared;
  return spawn();
}

Result<> NativeRunner::spawn() {
  int down[2], up[2];
  if (::pipe(down) < 0) return fail_errno(ErrorKind::kUnavailable, errno, "a pipe");
  UniqueFd child_reads(down[0]), parent_writes(down[1]);
  if (::pipe(up) < 0) return fail_errno(ErrorKind::kUnavailable, errno, "a pipe");
  UniqueFd parent_reads(up[0]), child_writes(up[1]);
  child_ = ::fork();
  if (child_ < 0) return fail_errno(ErrorKind::kUnavailable, errno, "a child process");
  if (child_ == 0) {
    parent_writes.reset();
    parent_reads.reset();
    serve_batches(*shared_, child_reads.get(), child_writes.get());
  }
  to_child_ = std::move(parent_writes);
  from_child_ = std::move(parent_reads);
  return {};
}

void NativeRunner::reap() {
  if (child_ <= 0) return;
  to_child_.reset();
  ::kill(child_, SIGKILL);
  ::waitpid(child_, nullptr, 0);
  child_ = -1;
}

// True: the batch is done. False: the child died, or got stuck and was killed.
Result<bool> NativeRunner::wait_for_batch() {
  u8 word = 1;
  if (::write(to_child_.get(), &word, 1) != 1) return false;
  pollfd ready{.fd = from_child_.get(), .events = POLLIN, .revents = 0};
  int count = 0;
  do {
    count = ::poll(&ready, 1, kBatchTimeoutMs);
  } while (count < 0 && errno == EINTR);
  return count > 0 && ::read(from_child_.get(), &word, 1) == 1;
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
  while (!KITE_TRY(wait_for_batch())) {
    const u32 culprit = shared_->next;
    if (culprit >= cases.size()) {
      int status = 0;
      const bool ended = ::waitpid(child_, &status, WNOHANG) == child_;
      return fail(ErrorKind::kInternal, "the child {} after its cases (status {:#x})",
                  ended ? "died" : "hangs", status);
    }
    shared_->outcomes[culprit] = {};
    shared_->outcomes[culprit].vector = kDied;
    shared_->next = culprit + 1;
    reap();
    KITE_CHECK(spawn());
  }
  for (std::size_t i = 0; i < cases.size(); ++i) outcomes[i] = shared_->outcomes[i];
  return {};
}

}  // namespace kite::isa
