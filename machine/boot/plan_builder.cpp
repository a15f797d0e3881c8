#include "machine/boot/plan_builder.h"

#include <algorithm>

#include "base/bits.h"
#include "firmware/layout.h"

namespace kite {

namespace {

// No kernel is larger; a decompression bomb stops here even on a machine with much RAM.
constexpr u64 kLargestKernel = 1 * GiB;

u64 mebibytes(u64 size) {
  return size / MiB + (size % MiB != 0);
}

}  // namespace

PlanBuilder::PlanBuilder(const BootRequest& request)
    : request_(request), name_(fmt::format("kernel '{}'", request.kernel_name)) {
  for (const auto& entry : request.memory_map)
    if (entry.type == E820Type::kRam) free_.push_back({entry.start, entry.start + entry.size});
}

Result<> PlanBuilder::claim(std::string_view what, Gpa address, u64 size) {
  if (size == 0) return {};
  const Gpa end = address + size;
  const auto inside = [&](const Range& range) {
    return range.start <= address && address < end && end <= range.end;
  };
  const auto found = std::find_if(free_.begin(), free_.end(), inside);
  if (found == free_.end())
    return fail(ErrorKind::kData,
                "{}: {} wants {} MiB at {:#x}, which is no free RAM (the machine has {} MiB)",
                name_, what, mebibytes(size), address, ram_size(request_.memory_map) / MiB);
  const Range whole = *found;
  auto next = free_.erase(found);
  if (end < whole.end) next = free_.insert(next, {end, whole.end});
  if (whole.start < address) free_.insert(next, {whole.start, address});
  return {};
}

Result<> PlanBuilder::add(std::string_view what, Gpa address, std::span<const u8> bytes, u64 size) {
  KITE_CHECK(claim(what, address, size));
  if (size == 0) return {};
  plan_.pieces.push_back({address, bytes, size});
  return {};
}

Result<> PlanBuilder::add(std::string_view what, Gpa address, std::vector<u8> bytes) {
  const auto kept = keep(std::move(bytes));
  return add(what, address, kept, kept.size());
}

std::span<const u8> PlanBuilder::keep(std::vector<u8> bytes) {
  plan_.storage.push_back(std::move(bytes));
  return plan_.storage.back();
}

Result<Gpa> PlanBuilder::add_command_line(u64 longest) {
  const auto& text = request_.command_line;
  longest = std::min(longest, layout::kCommandLineSize - 1);
  if (text.size() > longest)
    return fail(ErrorKind::kData, "command line of {} characters: {} takes at most {}", text.size(),
                name_, longest);
  std::vector<u8> bytes(text.begin(), text.end());
  bytes.push_back(0);
  KITE_CHECK(add("the command line", layout::kCommandLine, std::move(bytes)));
  return layout::kCommandLine;
}

std::optional<Gpa> PlanBuilder::find_highest(u64 size, Gpa end) const {
  for (auto range = free_.rbegin(); range != free_.rend(); ++range) {
    const Gpa top = std::min(range->end, end);
    if (top < size) continue;
    const Gpa start = align_down(top - size, kPageSize);
    if (start >= range->start) return start;
  }
  return std::nullopt;
}

Result<Gpa> PlanBuilder::add_initrd(Gpa last) {
  const auto& initrd = request_.initrd;
  if (initrd.empty()) return Gpa{0};
  const auto place = find_highest(initrd.size(), std::min<Gpa>(last, 0xffffffff) + 1);
  if (!place)
    return fail(ErrorKind::kData,
                "initrd '{}' of {} MiB does not fit into the machine's RAM ({} MiB) beside {}",
                request_.initrd_name, mebibytes(initrd.size()), ram_size(request_.memory_map) / MiB,
                name_);
  KITE_CHECK(add("the initrd", *place, initrd, initrd.size()));
  return *place;
}

Result<> PlanBuilder::add_tables(EntryMode mode) {
  KITE_CHECK(add("the GDT", layout::kGdt, boot_gdt(mode)));
  if (mode != EntryMode::kLong) return {};
  return add("the page tables", layout::kPageTables, identity_page_tables());
}

BootPlan PlanBuilder::finish(std::string description, const X86State& entry) {
  plan_.description = std::move(description);
  plan_.entry = entry;
  return std::move(plan_);
}

u64 PlanBuilder::decompression_limit() const {
  return std::min(ram_size(request_.memory_map), kLargestKernel);
}

}  // namespace kite
