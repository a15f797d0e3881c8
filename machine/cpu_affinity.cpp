#include "machine/cpu_affinity.h"

#include <algorithm>
#include <charconv>
#include <string>

namespace kite {
namespace {

constexpr unsigned kMostHostCpus = 8192;  // what Linux can be built for on x86-64 (NR_CPUS)

std::string_view take_until(std::string_view& text, char separator) {
  const std::size_t end = text.find(separator);
  std::string_view part = text.substr(0, end);
  text = end == text.npos ? std::string_view() : text.substr(end + 1);
  return part;
}

Result<unsigned> parse_number(std::string_view word) {
  unsigned number = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  if (error != std::errc() || end != word.data() + word.size() || number >= kMostHostCpus)
    return fail(ErrorKind::kUsage,
                "--cpu-affinity: '{}' is no number of a host processor; expected SET[:SET...], a "
                "SET being a list such as 0,2-4",
                word);
  return number;
}

Result<> add_range(std::string_view word, HostCpuSet& set) {
  std::string_view rest = word;
  const unsigned first = KITE_TRY(parse_number(take_until(rest, '-')));
  const bool is_range = word.find('-') != word.npos;
  const unsigned last = is_range ? KITE_TRY(parse_number(rest)) : first;
  if (last < first)
    return fail(ErrorKind::kUsage, "--cpu-affinity: the range '{}' runs backwards", word);
  for (unsigned cpu = first; cpu <= last; ++cpu) set.push_back(cpu);
  return {};
}

// An empty word is an error of parse_number: "0,,1" and "0:" have one.
Result<HostCpuSet> parse_set(std::string_view text) {
  HostCpuSet set;
  const auto words = std::count(text.begin(), text.end(), ',') + 1;
  for (auto i = words; i > 0; --i) KITE_CHECK(add_range(take_until(text, ','), set));
  std::sort(set.begin(), set.end());
  set.erase(std::unique(set.begin(), set.end()), set.end());
  return set;
}

Result<> check_cpu(unsigned cpu, const HostCpuSet& allowed) {
  if (std::binary_search(allowed.begin(), allowed.end(), cpu)) return {};
  if (cpu >= host::configured_cpus())
    return fail(ErrorKind::kUnavailable,
                "--cpu-affinity: there is no host processor {}; this host has {}, numbered from 0",
                cpu, host::configured_cpus());
  return fail(ErrorKind::kUnavailable,
              "--cpu-affinity: this process may not use host processor {} (it is offline, or "
              "outside the cpuset or affinity that Kite was started with)",
              cpu);
}

}  // namespace

HostCpuSet CpuAffinity::of(unsigned vcpu) const {
  if (sets.size() == 1) return sets.front();
  return vcpu < sets.size() ? sets[vcpu] : HostCpuSet{};
}

Result<CpuAffinity> parse_cpu_affinity(std::string_view text) {
  CpuAffinity affinity;
  const auto sets = std::count(text.begin(), text.end(), ':') + 1;
  for (auto i = sets; i > 0; --i)
    affinity.sets.push_back(KITE_TRY(parse_set(take_until(text, ':'))));
  return affinity;
}

Result<> check_cpu_affinity(const CpuAffinity& affinity, unsigned vcpus) {
  if (affinity.sets.empty()) return {};
  if (affinity.sets.size() != 1 && affinity.sets.size() != vcpus)
    return fail(ErrorKind::kUsage,
                "--cpu-affinity: {} sets of host processors for --cpus {}; expected one for each "
                "vCPU, or a single one for all",
                affinity.sets.size(), vcpus);
  const HostCpuSet allowed = KITE_TRY(host::allowed_cpus());
  for (const HostCpuSet& set : affinity.sets)
    for (unsigned cpu : set) KITE_CHECK(check_cpu(cpu, allowed));
  return {};
}

}  // namespace kite
