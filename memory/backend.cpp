#include "memory/backend.h"

#include <algorithm>

#include "base/nearest.h"
#include "memory/backend_table.h"
#include "memory/host_features.h"
#include "memory/mapping.h"

namespace kite {

namespace {

// Options that belong to one back end; every other option belongs to all of them.
struct OwnOption {
  std::string_view option;
  std::string_view kind;
  bool (*given)(const BackendConfig&);
};

constexpr OwnOption kOwnOptions[] = {
    {"seal", "memfd", [](const BackendConfig& c) { return c.seal.has_value(); }},
    {"hugetlb", "memfd", [](const BackendConfig& c) { return c.hugetlb.has_value(); }},
    {"hugetlbsize", "memfd", [](const BackendConfig& c) { return c.hugetlbsize.has_value(); }},
    {"mem-path", "file", [](const BackendConfig& c) { return !c.mem_path.empty(); }},
    {"offset", "file", [](const BackendConfig& c) { return c.offset.has_value(); }},
    {"align", "file", [](const BackendConfig& c) { return c.align.has_value(); }},
    {"readonly", "file", [](const BackendConfig& c) { return c.readonly.has_value(); }},
    {"rom", "file", [](const BackendConfig& c) { return c.rom.has_value(); }},
    {"discard-data", "file", [](const BackendConfig& c) { return c.discard_data.has_value(); }},
};

Result<> check_own_options(const BackendConfig& config) {
  for (const OwnOption& own : kOwnOptions)
    if (own.given(config) && own.kind != config.kind)
      return fail(ErrorKind::kUsage, "memory backend '{}' has no option '{}'; '{}' has",
                  config.kind, own.option, own.kind);
  return {};
}

Result<> check_policy(const BackendConfig& config) {
  constexpr std::string_view kPolicies[] = {"", "default", "preferred", "bind", "interleave"};
  if (std::ranges::find(kPolicies, config.policy) == std::end(kPolicies))
    return fail(ErrorKind::kUsage, "{} is not one of default, preferred, bind, interleave",
                option_text(config, "policy", config.policy));
  const bool bound = !config.policy.empty() && config.policy != "default";
  if (bound && config.host_nodes.empty())
    return fail(ErrorKind::kUsage, "{} needs host-nodes",
                option_text(config, "policy", config.policy));
  if (!bound && !config.host_nodes.empty())
    return fail(ErrorKind::kUsage, "{} needs policy=preferred, bind or interleave",
                option_text(config, "host-nodes", fmt::format("{}", config.host_nodes[0])));
  return {};
}

Result<> check_common(const BackendConfig& config) {
  if (config.size == 0)
    return fail(ErrorKind::kUsage, "memory backend '{}': size=0 is no memory at all", config.kind);
  if (config.prealloc_threads == 0)
    return fail(ErrorKind::kUsage, "{} is not a number of threads",
                option_text(config, "prealloc-threads", "0"));
  if (config.prealloc && !config.reserve.value_or(true))
    return fail(ErrorKind::kUsage, "{} contradicts reserve=off",
                option_text(config, "prealloc", "on"));
  return check_policy(config);
}

}  // namespace

Result<const Backend*> find_backend(std::string_view kind) {
  std::vector<std::string_view> names;
  for (const Backend& backend : backends()) {
    if (backend.name == kind) return &backend;
    names.push_back(backend.name);
  }
  if (kind == "memfd")
    return fail(ErrorKind::kUnavailable,
                "memory backend 'memfd' is not available on this host; there is {}",
                fmt::join(names, ", "));
  return fail(ErrorKind::kUsage, "there is no memory backend '{}', only {}{}", kind,
              fmt::join(names, ", "), suggestion(kind, names));
}

bool option_applies(std::string_view kind, std::string_view option) {
  const auto* own = std::find_if(std::begin(kOwnOptions), std::end(kOwnOptions),
                                 [&](const OwnOption& known) { return known.option == option; });
  return own == std::end(kOwnOptions) || own->kind == kind;
}

Result<HostMemory> allocate(const BackendConfig& config) {
  const Backend* backend = KITE_TRY(find_backend(config.kind));
  KITE_CHECK(check_own_options(config));
  KITE_CHECK(check_common(config));
  KITE_CHECK(host::check(config));
  return backend->allocate(config);
}

}  // namespace kite
