#include "machine/boot/read_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/unique_fd.h"

namespace kite {

namespace {

constexpr u64 kChunk = 1 * MiB;

Result<> check_limit(const std::string& path, const std::string& what, u64 size, u64 limit) {
  if (size <= limit) return {};
  return fail(ErrorKind::kData, "{} '{}': more than {} MiB, which is all the guest's RAM can take",
              what, path, limit / MiB);
}

// The size the file claims, as far as it is worth reserving; 0 for what is not a regular file.
Result<u64> claimed_size(int fd, const std::string& path, const std::string& what, u64 limit) {
  struct stat status = {};
  if (::fstat(fd, &status) != 0)
    return fail_errno(ErrorKind::kNoInput, errno, fmt::format("{} '{}'", what, path));
  if (S_ISDIR(status.st_mode))
    return fail(ErrorKind::kNoInput, "{} '{}': a directory, not a file", what, path);
  if (!S_ISREG(status.st_mode)) return u64{0};
  KITE_CHECK(check_limit(path, what, static_cast<u64>(status.st_size), limit));
  return static_cast<u64>(status.st_size);
}

}  // namespace

Result<std::vector<u8>> read_file(const char* path, const std::string& what, u64 limit) {
  UniqueFd fd(::open(path, O_RDONLY | O_CLOEXEC));
  if (!fd.valid())
    return fail_errno(ErrorKind::kNoInput, errno, fmt::format("{} '{}'", what, path));
  std::vector<u8> bytes(KITE_TRY(claimed_size(fd.get(), path, what, limit)));
  u64 filled = 0;
  for (;;) {
    if (filled == bytes.size()) bytes.resize(filled + kChunk);
    const auto count = ::read(fd.get(), bytes.data() + filled, bytes.size() - filled);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0)
      return fail_errno(ErrorKind::kNoInput, errno, fmt::format("{} '{}'", what, path));
    if (count == 0) break;
    filled += static_cast<u64>(count);
    KITE_CHECK(check_limit(path, what, filled, limit));
  }
  if (filled == 0) return fail(ErrorKind::kData, "{} '{}': the file is empty", what, path);
  bytes.resize(filled);
  return bytes;
}

}  // namespace kite
