// PlanBuilder: collects what goes into guest RAM and sees to it that it is there, free, and used
// once.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "machine/boot/entry_state.h"
#include "machine/boot/kernel_image.h"

namespace kite {

// What every kernel format shares: claims of RAM, the initrd, the command line.
class PlanBuilder {
 public:
  explicit PlanBuilder(const BootRequest& request);

  const BootRequest& request() const { return request_; }
  // How messages begin: "kernel 'name'".
  const std::string& name() const { return name_; }

  // Takes [address, address + size) out of the free RAM. An error if any of it is not free RAM.
  Result<> claim(std::string_view what, Gpa address, u64 size);
  // claim(), and a piece of the plan. `bytes` outlive the plan or are in its storage.
  Result<> add(std::string_view what, Gpa address, std::span<const u8> bytes, u64 size);
  Result<> add(std::string_view what, Gpa address, std::vector<u8> bytes);
  // Keeps bytes as long as the plan; the span stays good when the plan moves.
  std::span<const u8> keep(std::vector<u8> bytes);

  // The command line at layout::kCommandLine; its address. `longest` is without the NUL.
  Result<Gpa> add_command_line(u64 longest);
  // The initrd, page-aligned and as high as possible, its last byte not above `last` nor above
  // 4 GiB; its address, 0 if there is none.
  Result<Gpa> add_initrd(Gpa last = 0xffffffff);
  // GDT, page tables where the mode has them.
  Result<> add_tables(EntryMode mode);

  BootPlan finish(std::string description, const X86State& entry);

  // The most a kernel may decompress to.
  u64 decompression_limit() const;

 private:
  struct Range {
    Gpa start, end;
  };
  std::optional<Gpa> find_highest(u64 size, Gpa end) const;

  const BootRequest& request_;
  std::string name_;
  std::vector<Range> free_;  // ascending
  BootPlan plan_;
};

}  // namespace kite
