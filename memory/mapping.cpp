#include "memory/mapping.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>

#include "base/bits.h"
#include "memory/host_features.h"

namespace kite {

namespace {

// Guest RAM starts at a large page of the host, so that large pages of the guest can be large pages
// of the host too.
constexpr u64 kLargePage = 2 * MiB;

// A stretch of address space that is given back unless it is taken.
class Mapping {
 public:
  Mapping(u8* data, u64 size) : data_(data), size_(size) {}
  ~Mapping() {
    if (data_) ::munmap(data_, size_);
  }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;

  // Keeps only [start, start + size).
  void trim(u64 start, u64 size) {
    if (start != 0) ::munmap(data_, start);
    if (start + size != size_) ::munmap(data_ + start + size, size_ - start - size);
    data_ += start;
    size_ = size;
  }
  u8* data() const { return data_; }
  u8* take() { return std::exchange(data_, nullptr); }

 private:
  u8* data_;
  u64 size_;
};

tl::unexpected<Error> map_failure(const BackendConfig& config, int error_number) {
  if (config.hugetlb.value_or(false) && error_number == ENOMEM)
    return fail(ErrorKind::kUnavailable, "{}: this host has not enough free huge pages for size={}",
                option_text(config, "hugetlb", "on"), format_size(config.size));
  return fail_errno(ErrorKind::kUnavailable, error_number,
                    size_text(config) + ": cannot be mapped");
}

u64 mapping_alignment(const BackendConfig& config, const MapRequest& request, u64 page_size) {
  const u64 large = config.size >= kLargePage ? kLargePage : page_size;
  return std::max({request.align, page_size, large});
}

// Address space of that alignment is found by reserving more than is needed.
Result<u8*> map_aligned(const BackendConfig& config, const MapRequest& request, u64 alignment) {
  if (config.size > std::numeric_limits<std::size_t>::max() - alignment)
    return map_failure(config, ENOMEM);
  const u64 room = config.size + alignment;
  void* reserved = ::mmap(nullptr, room, PROT_NONE, MAP_PRIVATE | MAP_ANON, -1, 0);
  if (reserved == MAP_FAILED) return map_failure(config, errno);
  Mapping mapping(static_cast<u8*>(reserved), room);
  const u64 address = reinterpret_cast<std::uintptr_t>(reserved);
  mapping.trim(align_up(address, alignment) - address, config.size);
  const int flags = MAP_FIXED | (request.shared ? MAP_SHARED : MAP_PRIVATE) |
                    (request.fd.valid() ? 0 : MAP_ANON) | host::map_flags(config);
  const int protection = PROT_READ | (request.writable ? PROT_WRITE : 0);
  if (::mmap(mapping.data(), config.size, protection, flags, request.fd.get(),
             static_cast<off_t>(request.fd_offset)) == MAP_FAILED)
    return map_failure(config, errno);
  return mapping.take();
}

// posix_fallocate, or ENOSYS where the host (macOS, OpenBSD) has none.
int allocate_range([[maybe_unused]] int fd, [[maybe_unused]] u64 offset,
                   [[maybe_unused]] u64 size) {
#ifdef KITE_HAS_POSIX_FALLOCATE
  int problem = EINTR;
  while (problem == EINTR)
    problem = ::posix_fallocate(fd, static_cast<off_t>(offset), static_cast<off_t>(size));
  return problem;
#else
  return ENOSYS;
#endif
}

bool cannot_reserve(int problem) {
  return problem == ENOSYS || problem == EOPNOTSUPP || problem == ENOTSUP || problem == EINVAL ||
         problem == ENODEV;
}

Result<> check_free_space(const BackendConfig& config, int fd, ErrorKind kind) {
  struct statvfs file_system;
  // A file system without a size (a tmpfs without limit) has no blocks to count.
  if (::fstatvfs(fd, &file_system) != 0 || file_system.f_blocks == 0) return {};
  const u64 free = u64{file_system.f_bavail} * file_system.f_frsize;
  if (config.size <= free) return {};
  return fail(kind, "{}: its file system has only {} free", size_text(config), format_size(free));
}

}  // namespace

std::string option_text(const BackendConfig& config, std::string_view option,
                        std::string_view value) {
  return fmt::format("memory backend '{}': {}={}", config.kind, option, value);
}

std::string size_text(const BackendConfig& config) {
  return option_text(config, "size", format_size(config.size));
}

std::string format_size(u64 bytes) {
  constexpr std::string_view kUnits = " KMGT";
  std::size_t unit = 0;
  while (bytes != 0 && bytes % 1024 == 0 && unit + 1 < kUnits.size()) {
    bytes /= 1024;
    ++unit;
  }
  return unit == 0 ? std::to_string(bytes) : fmt::format("{}{}", bytes, kUnits[unit]);
}

Result<> check_alignment(const BackendConfig& config, int fd) {
  const u64 page = host::page_size(fd);
  if (!is_aligned(config.size, page))
    return fail(ErrorKind::kUsage, "{} is not a multiple of the page size {}", size_text(config),
                format_size(page));
  if (const u64 offset = config.offset.value_or(0); !is_aligned(offset, page))
    return fail(ErrorKind::kUsage, "{} is not a multiple of the page size {}",
                option_text(config, "offset", format_size(offset)), format_size(page));
  return {};
}

Result<> check_total_memory(const BackendConfig& config) {
  const u64 total = host::total_memory();
  if (!config.reserve.value_or(true) || config.size <= total) return {};
  return fail(ErrorKind::kUnavailable, "{}: this host has only {} MiB of memory and swap",
              size_text(config), total / MiB);
}

Result<> set_size(const BackendConfig& config, int fd, u64 size) {
  struct rlimit limit;
  if (::getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
      size > limit.rlim_cur)
    return fail(ErrorKind::kUnavailable, "{}: the limit on file sizes (ulimit -f) is {}",
                size_text(config), format_size(limit.rlim_cur));
  if (size > static_cast<u64>(std::numeric_limits<off_t>::max()))
    return fail_errno(ErrorKind::kUnavailable, EFBIG, size_text(config));
  while (::ftruncate(fd, static_cast<off_t>(size)) != 0) {
    if (errno == EINTR) continue;
    return fail_errno(ErrorKind::kUnavailable, errno,
                      size_text(config) + ": cannot give the memory its size");
  }
  return {};
}

Result<> reserve_space(const BackendConfig& config, int fd, u64 offset, ErrorKind kind) {
  if (!config.reserve.value_or(true)) return check_free_space(config, fd, kind);
  const int problem = allocate_range(fd, offset, config.size);
  if (problem == 0) return {};
  if (cannot_reserve(problem)) return check_free_space(config, fd, kind);
  return fail_errno(kind, problem, size_text(config) + ": cannot reserve the space");
}

Result<HostMemory> map_memory(const BackendConfig& config, MapRequest request) {
  const u64 page_size = host::page_size(request.fd.get());
  const u64 alignment = mapping_alignment(config, request, page_size);
  HostMemory::Parts parts;
  parts.data = KITE_TRY(map_aligned(config, request, alignment));
  parts.size = config.size;
  parts.mapped_size = config.size;
  parts.fd = std::move(request.fd);
  parts.fd_offset = request.fd_offset;
  parts.shared = request.shared;
  parts.readonly = !request.writable;
  parts.page_size = page_size;
  HostMemory memory(std::move(parts));
  KITE_CHECK(host::advise(config, memory.data(), memory.size()));
  if (config.prealloc && !preallocate(memory.data(), memory.size(), page_size,
                                      config.prealloc_threads, request.writable))
    return fail(ErrorKind::kUnavailable, "{}: not enough memory for size={}",
                option_text(config, "prealloc", "on"), format_size(config.size));
  memory.set_discard_data(request.discard_data);
  return memory;
}

}  // namespace kite
