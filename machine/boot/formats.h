// The kernel formats, each of which plans its own start.
#pragma once

#include "machine/boot/elf_image.h"
#include "machine/boot/plan_builder.h"

namespace kite {

// "HdrS" at 202h (linux_setup.cpp).
bool is_linux_image(std::span<const u8> file);
// linux_image.cpp.
Result<BootPlan> plan_linux_image(PlanBuilder& builder, std::span<const u8> file);

// elf_boot.cpp: an ELF file with a PVH entry.
Result<BootPlan> plan_pvh(PlanBuilder& builder, const ElfImage& image);

// multiboot.cpp: a multiboot 1 header in the first 8 KiB.
bool is_multiboot(std::span<const u8> file);
Result<BootPlan> plan_multiboot(PlanBuilder& builder, std::span<const u8> file);

// Adds an ELF file's segments (elf_boot.cpp).
Result<> add_elf(PlanBuilder& builder, const ElfImage& image);

}  // namespace kite
