#include "machine/accelerators.h"

#include <array>
#include <vector>

#include "accel/tcg/tcg.h"
#include "machine/accelerator_option.h"
#include "machine/speed_probe.h"
#ifdef KITE_HAS_KVM
#include "accel/kvm/kvm.h"
#endif

namespace kite {
namespace {

using Kinds = std::span<const AcceleratorKind* const>;

const AcceleratorKind* find(std::string_view name, Kinds kinds) {
  for (const AcceleratorKind* kind : kinds) {
    if (kind->name == name) return kind;
  }
  return nullptr;
}

std::string names(Kinds kinds) {
  std::string text = "auto";
  for (const AcceleratorKind* kind : kinds) text += fmt::format(", {}", kind->name);
  return text;
}

// Known everywhere, also where it is not built in: the script that says kvm:tcg runs on any host.
bool is_known(std::string_view name, Kinds kinds) {
  return name == "kvm" || name == "tcg" || find(name, kinds) != nullptr;
}

// Empty where the kind runs that many. Only of a usable one.
std::string too_many(const AcceleratorKind& kind, unsigned cpus) {
  const unsigned most = kind.max_cpus();
  if (cpus <= most) return "";
  return fmt::format("{} runs {} processor{} on this host, not {}", kind.name, most,
                     most == 1 ? "" : "s", cpus);
}

std::string why_not(std::string_view name, Kinds kinds, unsigned cpus) {
  const AcceleratorKind* kind = find(name, kinds);
  if (kind == nullptr) return fmt::format("{} is not part of this build", name);
  if (Result<> usable = kind->probe(); !usable)
    return fmt::format("{} is not usable: {}", name, usable.error().message);
  return too_many(*kind, cpus);
}

// Is KVM the better choice? `reason`: why, or what stands between.
bool is_worth_it(const AcceleratorKind& kvm, const AcceleratorKind& tcg, unsigned cpus,
                 Clock* clock, std::string& reason) {
  if (reason = why_not(kvm.name, std::array{&kvm}, cpus); !reason.empty()) return false;
  const Result<u64> speed = measure_speed(kvm, clock);
  if (!speed) {
    reason = fmt::format("{} is not usable: {}", kvm.name, speed.error().message);
    return false;
  }
  const Result<u64> other = measure_speed(tcg, clock);
  const u64 to_beat = other.value_or(0);
  const bool faster = *speed > to_beat;
  reason = fmt::format("{} runs {}{} instructions per second on this host, {} {}", kvm.name,
                       faster ? "" : "only ", in_millions(*speed), tcg.name,
                       other ? in_millions(to_beat) : other.error().message);
  if (!faster && *speed < kWorthwhileSpeed)
    reason += "; it interprets guest code, as KVM on some nested hosts does";
  return faster;
}

Result<AcceleratorChoice> choose_automatically(Kinds kinds, unsigned cpus, Clock* clock) {
  const AcceleratorKind* kvm = find("kvm", kinds);
  const AcceleratorKind* tcg = find("tcg", kinds);
  if (tcg != nullptr && !too_many(*tcg, cpus).empty()) tcg = nullptr;
  std::string reason = "kvm is not part of this build";
  if (kvm == nullptr && tcg != nullptr) return AcceleratorChoice{tcg, reason, {}};
  if (kvm != nullptr && tcg != nullptr) {
    const bool better = is_worth_it(*kvm, *tcg, cpus, clock, reason);
    return AcceleratorChoice{better ? kvm : tcg, reason, {}, better ? "tcg" : ""};
  }
  // A build without an interpreter takes a slow KVM rather than none.
  if (kvm != nullptr && (reason = why_not(kvm->name, kinds, cpus)).empty())
    return AcceleratorChoice{kvm, "nothing else is built in", {}};
  return fail(ErrorKind::kUnavailable, "--accel auto: no accelerator is usable: {}", reason);
}

void add_reason(std::string& reasons, std::string_view reason) {
  if (!reasons.empty()) reasons += "; ";
  reasons += reason;
}

// `failures`: why those before this list were not taken.
Result<AcceleratorChoice> choose_from_list(std::string_view text, std::string failures, Kinds kinds,
                                           unsigned cpus) {
  for (const AcceleratorWish& wish : split_accelerators(text)) {
    const std::string reason = why_not(wish.name, kinds, cpus);
    if (!reason.empty()) {
      add_reason(failures, reason);
      continue;
    }
    AcceleratorChoice choice{.kind = find(wish.name, kinds),
                             .reason = failures,
                             .options = KITE_TRY(options_of(wish)),
                             .others = std::string(wish.rest),
                             .failures = failures};
    if (failures.empty()) choice.reason = fmt::format("--accel {}", text);
    return choice;
  }
  return fail(ErrorKind::kUnavailable, "{}", failures);
}

}  // namespace

Kinds accelerator_kinds() {
  static const std::vector<const AcceleratorKind*> kinds = {
#ifdef KITE_HAS_KVM
      &kvm_kind(),
#endif
      &tcg_kind(),
  };
  return kinds;
}

Result<> check_accelerator_list(std::string_view text, Kinds kinds) {
  if (text == "auto") return {};
  const std::vector<AcceleratorWish> wishes = split_accelerators(text);
  for (const AcceleratorWish& wish : wishes) {
    if (!is_known(wish.name, kinds)) {
      return fail(ErrorKind::kUsage, "--accel {}: '{}' is no accelerator; there are {}", text,
                  wish.name, names(kinds));
    }
    const AcceleratorOptions options = KITE_TRY(options_of(wish));
    // Of a list another one may be taken.
    if (wishes.size() == 1 && find(wish.name, kinds) == &tcg_kind())
      KITE_CHECK(check_tcg_options(options));
  }
  return {};
}

Result<AcceleratorChoice> choose_accelerator(std::string_view text, Kinds kinds, unsigned cpus,
                                             Clock* clock) {
  KITE_CHECK(check_accelerator_list(text, kinds));
  if (text == "auto") return choose_automatically(kinds, cpus, clock);
  Result<AcceleratorChoice> choice = choose_from_list(text, "", kinds, cpus);
  if (choice) return choice;
  return fail(choice.error().kind, "--accel {}: {}", text, choice.error().message);
}

Result<AcceleratorChoice> choose_other(const AcceleratorChoice& failed, const Error& why,
                                       Kinds kinds, unsigned cpus) {
  if (failed.others.empty() || why.kind == ErrorKind::kUsage) return tl::unexpected(why);
  std::string failures = failed.failures;
  add_reason(failures, fmt::format("{} is not usable: {}", failed.kind->name, why.message));
  return choose_from_list(failed.others, std::move(failures), kinds, cpus);
}

}  // namespace kite
