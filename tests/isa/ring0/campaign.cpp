#include "tests/isa/ring0/campaign.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "accel/x86/vectors.h"
#include "tests/isa/ring0/generate.h"
#include "tests/isa/support/host_features.h"

namespace kite::ring0 {

Result<std::unique_ptr<Campaign>> Campaign::create(u64 seed) {
  std::unique_ptr<KvmRunner> kvm = KITE_TRY(KvmRunner::create(*find_cpu_model("max")));
  std::unique_ptr<Campaign> campaign(new Campaign(seed, std::move(kvm)));
  campaign->probe();
  return campaign;
}

// Some KVMs interpret what the hardware below does not run, and not all of it: which modes get as
// far as a HLT, and its #GP at level 3? Does IRET stand for what they do not know?
void Campaign::probe() {
  for (unsigned m = 0; m < kModes; ++m)
    for (unsigned level : {0u, 3u}) {
      plain_case(static_cast<Mode>(m), level, {0x90}, test_);
      kvm_->run(test_, theirs_);
      const bool fault = level == 3 || static_cast<Mode>(m) == Mode::kV86;
      runs_[m][level / 3] =
          theirs_.end == End::kHalted && (fault ? vector_of(theirs_) == kGeneralProtection
                                                : theirs_.state.rip == test_.state.rip + 2);
    }
  plain_case(Mode::kProtected32, 3, {0xcf}, test_);
  for (u32 i = 0; const u32 word : {kUserCode, u32{kCode3 | 3}, 2u})
    test_.put32(kStackPage + 0x800 + 4 * i++, word);
  kvm_->run(test_, theirs_);
  ud_for_unknown_ = vector_of(theirs_) == kInvalidOpcode;
}

bool Campaign::is_kvm_of_the_list() const {
  constexpr auto kPaged32 = static_cast<unsigned>(Mode::kPaged32),
                 kPae = static_cast<unsigned>(Mode::kPae);
  return isa::host_is_intel() && !runs_[kPaged32][0] && !runs_[kPae][0];
}

Campaign::Campaign(u64 seed, std::unique_ptr<KvmRunner> kvm)
    : seed_(seed), kvm_(std::move(kvm)), interpreter_(kvm_->model()) {}

void Campaign::run(u64 number) {
  generate(seed_, number, kvm_->model(), test_);
  ++cases_;
  if (!runs_[static_cast<unsigned>(test_.mode)][test_.cpl / 3]) {
    ++unjudged_;
    ++not_judged_[fmt::format("this KVM cannot {} at level {}", mode_name(test_.mode), test_.cpl)];
    return;
  }
  kvm_->run(test_, theirs_);
  interpreter_.run(test_, ours_);
  if (const std::string_view reason = mute(); !reason.empty()) {
    ++unjudged_;
    ++not_judged_[fmt::format("{}: {}", reason, test_.name)];
    return;
  }
  judge(number);
}

std::string_view Campaign::mute() const {
  if (theirs_.end == End::kUnjudged) return theirs_.reason;
  const std::vector<Difference> none;
  const Judged judged{test_, theirs_, ours_, none, kvm_->model()};
  if (ud_for_unknown_ && test_.cpl == 3 && faulted(judged, theirs_, kInvalidOpcode) &&
      !faulted(judged, ours_, kInvalidOpcode))
    return "#UD at level 3 for what it cannot emulate";
  if (ours_.end == End::kHung && theirs_.end == End::kShutdown)
    return "goes on where there is no memory";
  return {};
}

void Campaign::judge(u64 number) {
  const std::vector<Difference> found = differences(test_, theirs_, ours_);
  if (found.empty()) return;
  const Judged judged{test_, theirs_, ours_, found, kvm_->model()};
  std::string fields;
  std::set<std::string_view> used;
  for (const Difference& difference : found) {
    const auto& list = reviews();
    const auto review = std::find_if(list.begin(), list.end(), [&](const Review& candidate) {
      return candidate.explains(judged, difference);
    });
    if (review == list.end())
      fields += ' ' + difference.field;
    else
      used.insert(review->what);
  }
  for (std::string_view what : used) ++applied_[what];
  if (fields.empty()) {
    ++forgiven_;
    return;
  }
  // A KVM that answers otherwise when it is asked again says nothing.
  kvm_->run(test_, again_);
  if (!differences(test_, theirs_, again_).empty()) {
    ++unjudged_;
    ++not_judged_[fmt::format("another answer the second time: {}", test_.name)];
    return;
  }
  ++unexplained_;
  Finding& finding =
      findings_[fmt::format("{} {} vectors {}/{}:{}", mode_name(test_.mode), test_.name,
                            vector_of(theirs_), vector_of(ours_), fields)];
  if (++finding.count == 1)
    finding.first = fmt::format("KITE_RING0_SEED={} KITE_RING0_CASE={}\n{}", seed_, number,
                                describe(test_, theirs_, ours_, found));
}

std::string Campaign::summary() const {
  std::string text;
  for (const auto& [what, count] : applied_)
    text += fmt::format("reviewed, {} times: {}\n", count, what);
  for (const auto& [what, count] : not_judged_)
    text += fmt::format("not judged, {} times: {}\n", count, what);
  return text;
}

std::string Campaign::report() const {
  std::string text;
  for (const auto& [kind, finding] : findings_)
    text += fmt::format("{} times {}\n  {}\n", finding.count, kind, finding.first);
  return text;
}

}  // namespace kite::ring0
