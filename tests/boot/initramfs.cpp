#include "tests/boot/initramfs.h"

#include <fmt/format.h>

namespace kite::test {
namespace {

void pad(std::string& archive) {
  archive.resize((archive.size() + 3) & ~std::size_t{3});
}

void add(std::string& archive, const std::string& name, unsigned mode, const std::string& data,
         unsigned inode) {
  // magic, then thirteen numbers of eight hexadecimal digits: inode, mode, uid, gid, links, time,
  // size, device (2), special device (2), length of the name, checksum.
  archive += fmt::format("070701{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}", inode, mode, 0, 0, 1,
                         0, data.size());
  archive += fmt::format("{:08x}{:08x}{:08x}{:08x}{:08x}{:08x}", 0, 0, 0, 0, name.size() + 1, 0);
  archive += name;
  archive += '\0';
  pad(archive);
  archive += data;
  pad(archive);
}

}  // namespace

std::string initramfs_with_init(const std::string& program) {
  std::string archive;
  add(archive, "init", 0100755, program, 1);
  add(archive, "TRAILER!!!", 0, "", 0);
  return archive;
}

}  // namespace kite::test
