#include "devices/host/disk_image.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/log.h"

namespace kite {

namespace {

bool complain(const char* what, const std::string& path, u64 offset) {
  static log::Limiter limiter;
  if (limiter.allow())
    log::warning("disk '{}': {} at byte {}: {}", path, what, offset, std::strerror(errno));
  return false;
}

}  // namespace

Result<std::unique_ptr<DiskImage>> DiskImage::open(const std::string& path, bool readonly) {
  UniqueFd fd(::open(path.c_str(), (readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC));
  const bool exists = fd.valid() || errno != ENOENT;
  if (!fd.valid())
    return fail_errno(exists && !readonly ? ErrorKind::kIo : ErrorKind::kNoInput, errno,
                      fmt::format("disk '{}'{}", path, readonly ? "" : " for writing"));
  struct stat status = {};
  if (::fstat(fd.get(), &status) != 0)
    return fail_errno(ErrorKind::kNoInput, errno, fmt::format("disk '{}'", path));
  if (S_ISDIR(status.st_mode))
    return fail(ErrorKind::kNoInput, "disk '{}': a directory, not a file", path);
  // A block device has no size of its own, but an end that can be sought.
  const off_t end = ::lseek(fd.get(), 0, SEEK_END);
  if (end <= 0) return fail(ErrorKind::kData, "disk '{}': empty, or nothing to seek in", path);
  return std::unique_ptr<DiskImage>(
      new DiskImage(path, std::move(fd), static_cast<u64>(end), readonly));
}

bool DiskImage::read(u64 offset, std::span<u8> to) const {
  while (!to.empty() && offset < size_) {
    const ssize_t got = ::pread(fd_.get(), to.data(), to.size(), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      std::memset(to.data(), 0, to.size());
      return complain("cannot be read", path_, offset);
    }
    if (got == 0) break;  // somebody has cut the file
    to = to.subspan(static_cast<std::size_t>(got));
    offset += static_cast<u64>(got);
  }
  if (!to.empty()) std::memset(to.data(), 0, to.size());
  return true;
}

bool DiskImage::write(u64 offset, std::span<const u8> from) const {
  if (readonly_ || offset > size_ || from.size() > size_ - offset) return false;
  while (!from.empty()) {
    const ssize_t put = ::pwrite(fd_.get(), from.data(), from.size(), static_cast<off_t>(offset));
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return complain("cannot be written", path_, offset);
    from = from.subspan(static_cast<std::size_t>(put));
    offset += static_cast<u64>(put);
  }
  return true;
}

bool DiskImage::flush() const {
  return readonly_ || ::fsync(fd_.get()) == 0 || complain("cannot be flushed", path_, 0);
}

}  // namespace kite
