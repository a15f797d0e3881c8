#include "tests/conformance/set_ups.h"

#include <algorithm>

#include "machine/accelerators.h"

namespace kite {

const std::vector<std::string>& set_ups() {
  static const std::vector<std::string> all = {"kvm,kernel-irqchip=on", "kvm,kernel-irqchip=off",
                                               "tcg"};
  return all;
}

std::string name_of_set_up(std::string set_up) {
  std::erase_if(set_up, [](char c) { return c == '-'; });
  std::ranges::replace_if(
      set_up, [](char c) { return c == ',' || c == '='; }, '_');
  return set_up;
}

std::string why_not(const std::string& set_up) {
  const std::string accelerator = set_up.substr(0, set_up.find(','));
  for (const AcceleratorKind* kind : accelerator_kinds()) {
    if (kind->name != accelerator) continue;
    Result<> usable = kind->probe();
    return usable ? "" : usable.error().message;
  }
  return accelerator + " is not part of this build";
}

}  // namespace kite
