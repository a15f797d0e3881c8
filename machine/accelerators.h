// The accelerators this program was built with, and the choice among them.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "accel/accelerator.h"

namespace kite {

// Fastest first.
std::span<const AcceleratorKind* const> accelerator_kinds();

struct AcceleratorChoice {
  const AcceleratorKind* kind = nullptr;
  std::string reason;  // one line
  AcceleratorOptions options = {};
  std::string others = {};    // the rest of the list, for choose_other(); may be empty
  std::string failures = {};  // why what stood before it in the list was not taken
};

// `text` is "auto", a name with its properties ("kvm,kernel-irqchip=off"), or a list such as
// "kvm:tcg" of which the first usable one is taken.
// "auto" takes KVM only if a trial of both finds it faster than the interpreter. One that cannot
// run `cpus` processors is not usable. `clock` measures the trials; null: the host's.
Result<AcceleratorChoice> choose_accelerator(
    std::string_view text, std::span<const AcceleratorKind* const> kinds = accelerator_kinds(),
    unsigned cpus = 1, Clock* clock = nullptr);

// What to go on with where the chosen one turned out unable to make the machine: /dev/kvm opens, but
// another hypervisor has the processor, or the host lacks what the options ask for. `why` is the
// error where nothing is left, or where the user has to mend the command line.
Result<AcceleratorChoice> choose_other(
    const AcceleratorChoice& failed, const Error& why,
    std::span<const AcceleratorKind* const> kinds = accelerator_kinds(), unsigned cpus = 1);

// Checks the words of `text`, and whether this program can have what they ask for at all.
Result<> check_accelerator_list(
    std::string_view text, std::span<const AcceleratorKind* const> kinds = accelerator_kinds());

}  // namespace kite
