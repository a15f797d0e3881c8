#include "firmware/layout.h"
#include "firmware/pvh.h"
#include "machine/boot/formats.h"

namespace kite {

Result<> add_elf(PlanBuilder& builder, const ElfImage& image) {
  for (const auto& segment : image.segments)
    KITE_CHECK(builder.add("a segment", segment.physical, segment.bytes, segment.size));
  return {};
}

// Xen's PVH ABI (xen/docs/misc/pvh.pandoc): 32-bit protected mode, no paging, EBX the address of
// the start info.
Result<BootPlan> plan_pvh(PlanBuilder& builder, const ElfImage& image) {
  const u64 entry = image.pvh_entry.value_or(0);
  if (entry > 0xffffffff)
    return fail(ErrorKind::kData, "{}: its PVH entry {:#x} is not below 4 GiB", builder.name(),
                entry);
  KITE_CHECK(add_elf(builder, image));
  KITE_CHECK(builder.add_tables(EntryMode::kProtected));
  PvhFacts facts;
  facts.memory_map = builder.request().memory_map;
  facts.rsdp = builder.request().rsdp;
  facts.command_line = KITE_TRY(builder.add_command_line(layout::kCommandLineSize - 1));
  facts.initrd = KITE_TRY(builder.add_initrd());
  facts.initrd_size = builder.request().initrd.size();
  KITE_CHECK(
      builder.add("the start info", layout::kStartInfo, pvh_start_info(facts, layout::kStartInfo)));
  auto state = entry_state(EntryMode::kProtected, entry);
  state.gpr[kRbx] = layout::kStartInfo;
  return builder.finish(fmt::format("{}-bit ELF, PVH", image.is_64_bit ? 64 : 32), state);
}

}  // namespace kite
