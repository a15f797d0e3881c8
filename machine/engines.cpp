#include "machine/engines.h"

#include <algorithm>

#include "base/log.h"

namespace kite {

Result<std::unique_ptr<Engines>> Engines::create(const AcceleratorConfig& config, Kinds kinds,
                                                 const AcceleratorKind& first) {
  std::unique_ptr<Engines> engines(new Engines(config, kinds));
  auto set = std::make_unique<Set>();
  engines->sets_.reserve(kinds.size() + 1);  // first() is asked without the lock
  set->kind = &first;
  set->accelerator = KITE_TRY(first.create(config));
  engines->sets_.push_back(std::move(set));
  for (const AcceleratorKind* other : kinds)
    if (other != &first && other->provide != nullptr)
      engines->provisions_[other] = other->provide(config.cpus, config.options);
  return engines;
}

Result<Vcpu*> Engines::add_processor(const VcpuConfig& config) {
  processors_.push_back(config);
  Set& set = *sets_.front();
  set.vcpus.push_back(KITE_TRY(set.accelerator->create_vcpu(config)));
  return set.vcpus.back().get();
}

Engines::Set* Engines::find_set(std::string_view name) {
  const auto found =
      std::ranges::find_if(sets_, [&](const auto& set) { return set->kind->name == name; });
  return found == sets_.end() ? nullptr : found->get();
}

// The model that the guest knows is the first accelerator's.
Result<std::unique_ptr<Engines::Set>> Engines::make(const AcceleratorKind& kind) {
  const CpuModel* seen = first().model();
  auto told = std::make_unique<CpuModel>(seen != nullptr ? *seen : config_.model);
  told->is_host = false;  // not what this accelerator would make of "host"
  AcceleratorOptions options = config_.options;
  options.every_instruction = true;
  const auto provided = provisions_.find(&kind);
  const AcceleratorConfig config{
      config_.memory, config_.ports,
      config_.clock,  *told,
      config_.epoch,  config_.cpus,
      options,        provided != provisions_.end() ? provided->second.get() : nullptr};
  KITE_CHECK(kind.probe());
  auto set = std::make_unique<Set>();
  set->kind = &kind;
  set->model = std::move(told);
  set->accelerator = KITE_TRY(kind.create(config));
  for (const VcpuConfig& processor : processors_)
    set->vcpus.push_back(KITE_TRY(set->accelerator->create_vcpu(processor)));
  return set;
}

Result<Vcpu*> Engines::find(std::string_view name, u32 index) {
  std::lock_guard lock(mutex_);
  Set* set = find_set(name);
  if (set == nullptr) {
    const auto kind = std::ranges::find(kinds_, name, &AcceleratorKind::name);
    if (kind == kinds_.end()) return nullptr;
    sets_.push_back(KITE_TRY(make(**kind)));
    set = sets_.back().get();
  }
  return set->vcpus[index].get();
}

Accelerator* Engines::made(std::string_view name) {
  std::lock_guard lock(mutex_);
  Set* set = find_set(name);
  return set != nullptr ? set->accelerator.get() : nullptr;
}

std::optional<TranslatorFigures> Engines::translator_figures() {
  std::lock_guard lock(mutex_);
  for (const auto& set : sets_)
    if (auto figures = set->accelerator->translator_figures()) return figures;
  return std::nullopt;
}

void Engines::discard(std::string_view name) {
  std::lock_guard lock(mutex_);
  std::erase_if(sets_, [&](const auto& set) { return set->kind->name == name; });
}

void Engines::note_fall_back(std::string_view accelerator, const Burst& burst, u64 rip) {
  constexpr std::size_t kMost = 64;
  const std::string_view name = burst.name.empty() ? "an undefined instruction" : burst.name;
  {
    std::lock_guard lock(mutex_);
    if (noted_.size() == kMost || !noted_.insert(name).second) return;
  }
  std::string bytes;
  for (unsigned i = 0; i < burst.length; ++i)
    bytes += fmt::format("{}{:02x}", i ? " " : "", burst.bytes[i]);
  log::info("{} cannot execute {} at {:#x} ({}): the interpreter does", accelerator, name, rip,
            bytes);
}

}  // namespace kite
