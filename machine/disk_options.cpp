#include "machine/disk_options.h"

namespace kite {

namespace {

Result<> apply(std::string_view word, DiskConfig& disk) {
  if (word == "media=cdrom" || word == "media=disk") {
    disk.cdrom = word == "media=cdrom";
  } else if (word == "readonly=on" || word == "readonly" || word == "readonly=off") {
    disk.readonly = word != "readonly=off";
  } else {
    return fail(ErrorKind::kUsage,
                "'{}': expected media=cdrom, media=disk, readonly=on or "
                "readonly=off",
                word);
  }
  return {};
}

}  // namespace

Result<DiskConfig> parse_disk(std::string_view text) {
  const std::size_t comma = text.find(',');
  DiskConfig disk;
  disk.path = text.substr(0, comma);
  if (disk.path.empty()) return fail(ErrorKind::kUsage, "the name of the file is empty");
  disk.cdrom = disk.path.ends_with(".iso") || disk.path.ends_with(".ISO");
  for (std::string_view rest = comma == text.npos ? "" : text.substr(comma + 1); !rest.empty();) {
    const std::size_t end = rest.find(',');
    KITE_CHECK(apply(rest.substr(0, end), disk));
    rest = end == rest.npos ? std::string_view() : rest.substr(end + 1);
  }
  if (disk.cdrom) disk.readonly = true;
  return disk;
}

}  // namespace kite
