#include "tests/isa/silicon/native.h"

#include <cpuid.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

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
  KITE_CHECK(map_at(kWayBack, kPageSize, MAP_PRIVATE));
  KITE_CHECK(map_at(kDataBase, 2 * kPageSize, MAP_PRIVATE));
  KITE_CHECK(map_at(kReadOnlyBase, kPageSize, MAP_PRIVATE));
  KITE_CHECK(map_at(kLastBase, kPageSize, MAP_PRIVATE));
  mapped = true;
  return {};
}

bool host_has_xsave() {
  unsigned eax, ebx, ecx, edx;
  return __get_cpuid(1, &eax, &ebx, &ecx, &edx) && (ecx & bit_OSXSAVE);
}

}  // namespace

NativeRunner::~NativeRunner() {
  reap();
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
  return spawn();
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

Result<> NativeRunner::run(u32 count) {
  std::memset(reinterpret_cast<void*>(kCodeBase), 0xcc, kCodeSize);
  for (u32 i = 0; i < count; ++i)
    write_slot(reinterpret_cast<u8*>(shared_->cases[i].rip), shared_->cases[i]);
  shared_->next = 0;
  shared_->end = count;
  while (!KITE_TRY(wait_for_batch())) {
    const u32 culprit = shared_->next;
    if (culprit >= count) return fail(ErrorKind::kInternal, "the child is lost after its cases");
    shared_->outcomes[culprit].vector = Outcome::kDied;
    shared_->next = culprit + 1;
    reap();
    KITE_CHECK(spawn());
  }
  return {};
}

}  // namespace kite::oracle
