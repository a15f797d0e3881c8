// The file back end: a file that keeps the guest's RAM, or an unnamed file in a directory.
//
// An existing file is never cut or grown, except an empty one, which holds nothing and is given the
// size. The space of a writable file is reserved at once (posix_fallocate keeps the contents), so
// that a full disk is an error at start and not a SIGBUS later; reserve=off only looks at the free
// space. A file that was created is removed again when anything fails.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "base/bits.h"
#include "memory/backend_kinds.h"
#include "memory/host_features.h"
#include "memory/mapping.h"

namespace kite {

namespace {

std::string path_text(const BackendConfig& config) {
  return option_text(config, "mem-path", config.mem_path);
}

tl::unexpected<Error> open_failure(const BackendConfig& config, int error_number) {
  const bool input = error_number == ENOENT || error_number == EACCES || error_number == ENOTDIR;
  return fail_errno(input ? ErrorKind::kNoInput : ErrorKind::kIo, error_number, path_text(config));
}

// What open_backing found or made; undone in reverse unless kept.
struct BackingFile {
  UniqueFd fd;
  std::string created;  // the path to remove when anything fails
  bool grown = false;   // was empty before
  bool keep = false;

  BackingFile() = default;
  BackingFile(BackingFile&&) = default;
  BackingFile& operator=(BackingFile&&) = default;
  ~BackingFile() {
    if (keep || !fd.valid()) return;
    if (!created.empty())
      ::unlink(created.c_str());
    else if (grown && ::ftruncate(fd.get(), 0) != 0)
      return;  // nothing more can be done about a file that cannot be cut
  }
};

bool is_readonly(const BackendConfig& config) {
  return config.readonly.value_or(false);
}

Result<> check_file(const BackendConfig& config) {
  if (config.mem_path.empty())
    return fail(ErrorKind::kUsage,
                "memory backend 'file' needs mem-path=FILE or mem-path=DIRECTORY");
  if (config.mem_path.find('\0') != std::string::npos)
    return fail(ErrorKind::kUsage, "memory backend 'file': mem-path contains a zero byte");
  if (config.rom.value_or(false) && !is_readonly(config))
    return fail(ErrorKind::kUsage, "{} needs readonly=on", option_text(config, "rom", "on"));
  if (!config.rom.value_or(true) && is_readonly(config) && config.share.value_or(false))
    return fail(ErrorKind::kUsage, "{} contradicts readonly=on with share=on",
                option_text(config, "rom", "off"));
  if (config.discard_data.value_or(false) && is_readonly(config))
    return fail(ErrorKind::kUsage, "{} contradicts readonly=on",
                option_text(config, "discard-data", "on"));
  if (config.offset && *config.offset > ~u64{0} - config.size)
    return fail(ErrorKind::kUsage, "{} is beyond any file",
                option_text(config, "offset", format_size(*config.offset)));
  return {};
}

Result<> check_align(const BackendConfig& config, int fd) {
  if (!config.align || *config.align == 0) return {};
  const u64 page = host::page_size(fd);
  if (is_power_of_two(*config.align) && *config.align >= page) return {};
  return fail(ErrorKind::kUsage, "{} is not a power of two of at least the page size {}",
              option_text(config, "align", format_size(*config.align)), format_size(page));
}

// A private mapping of huge pages gets all of its pages from the host's pool at once; the file's
// own would be as many again that nobody uses.
bool has_own_huge_pages(const BackendConfig& config, int fd) {
  return !config.share.value_or(false) && host::page_size(fd) > kPageSize;
}

// A file without a name in the directory `mem-path`.
Result<BackingFile> open_in_directory(const BackendConfig& config) {
  if (is_readonly(config))
    return fail(ErrorKind::kUsage, "{} is a directory, which contradicts readonly=on",
                path_text(config));
  std::string name = config.mem_path + "/kite-ram-XXXXXX";
  BackingFile file;
  file.fd.reset(::mkstemp(name.data()));
  if (!file.fd.valid()) return open_failure(config, errno);
  ::unlink(name.c_str());
  ::fcntl(file.fd.get(), F_SETFD, FD_CLOEXEC);
  return file;
}

// O_NONBLOCK: a FIFO is refused afterwards, but must not block the opening.
Result<BackingFile> open_backing(const BackendConfig& config) {
  const char* path = config.mem_path.c_str();
  BackingFile file;
  const int access = is_readonly(config) ? O_RDONLY : O_RDWR;
  file.fd.reset(::open(path, access | O_CLOEXEC | O_NONBLOCK));
  if (file.fd.valid()) return file;
  if (errno == EISDIR) return open_in_directory(config);
  if (errno != ENOENT || is_readonly(config)) return open_failure(config, errno);
  file.fd.reset(::open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!file.fd.valid()) return open_failure(config, errno);
  file.created = config.mem_path;
  return file;
}

// Without an offset the file is the RAM; with one it may hold more than this RAM.
Result<> check_existing_size(const BackendConfig& config, u64 actual) {
  const u64 needed = config.offset.value_or(0) + config.size;
  if (config.offset.value_or(0) == 0 ? actual == config.size : actual >= needed) return {};
  return fail(ErrorKind::kData, "{}: the file has {} bytes, but size={} at offset={} was asked for",
              path_text(config), actual, format_size(config.size),
              format_size(config.offset.value_or(0)));
}

Result<> give_size(const BackendConfig& config, BackingFile& file) {
  struct stat status;
  if (::fstat(file.fd.get(), &status) != 0) return open_failure(config, errno);
  if (S_ISDIR(status.st_mode))  // readonly=on opens a directory
    return fail(ErrorKind::kUsage, "{} is a directory, which contradicts readonly=on",
                path_text(config));
  if (!S_ISREG(status.st_mode))
    return fail(ErrorKind::kData, "{} is neither a file nor a directory", path_text(config));
  KITE_CHECK(check_alignment(config, file.fd.get()));
  KITE_CHECK(check_align(config, file.fd.get()));
  const u64 actual = static_cast<u64>(status.st_size);
  if (actual != 0 || is_readonly(config)) return check_existing_size(config, actual);
  file.grown = true;
  return set_size(config, file.fd.get(), config.offset.value_or(0) + config.size);
}

}  // namespace

Result<HostMemory> allocate_file(const BackendConfig& config) {
  KITE_CHECK(check_file(config));
  BackingFile file = KITE_TRY(open_backing(config));
  KITE_CHECK(give_size(config, file));
  const u64 offset = config.offset.value_or(0);
  if (!is_readonly(config) && !has_own_huge_pages(config, file.fd.get()))
    KITE_CHECK(reserve_space(config, file.fd.get(), offset, ErrorKind::kIo));
  MapRequest request;
  request.fd.reset(::fcntl(file.fd.get(), F_DUPFD_CLOEXEC, 0));
  if (!request.fd.valid()) return open_failure(config, errno);
  request.fd_offset = offset;
  request.align = config.align.value_or(0);
  request.shared = config.share.value_or(false);
  request.writable = !config.rom.value_or(is_readonly(config));
  request.discard_data = config.discard_data.value_or(false);
  auto memory = map_memory(config, std::move(request));
  file.keep = memory.has_value();
  return memory;
}

}  // namespace kite
