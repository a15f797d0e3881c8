// DiskImage: a file of the host's as a row of blocks.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "base/result.h"
#include "base/types.h"
#include "base/unique_fd.h"

namespace kite {

// Raw contents, read and written where the guest says and never held in memory. What lies beyond
// the file's end reads as zero. Any thread.
class DiskImage {
 public:
  // Errors name the file: missing or unreadable is kNoInput, a directory or an empty file kData,
  // and not writable without `readonly` kIo.
  static Result<std::unique_ptr<DiskImage>> open(const std::string& path, bool readonly);

  u64 size() const { return size_; }  // bytes, when it was opened
  bool readonly() const { return readonly_; }

  // False: the host could not; the log says why, and `to` is zeros.
  bool read(u64 offset, std::span<u8> to) const;
  // False also where it is read-only or the end would be passed.
  bool write(u64 offset, std::span<const u8> from) const;
  // The host has it on its medium.
  bool flush() const;

 private:
  DiskImage(std::string path, UniqueFd fd, u64 size, bool readonly)
      : path_(std::move(path)), fd_(std::move(fd)), size_(size), readonly_(readonly) {}

  std::string path_;
  UniqueFd fd_;
  u64 size_;
  bool readonly_;
};

}  // namespace kite
