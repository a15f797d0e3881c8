// Engines: the accelerators of one machine: the one that it was started with, and others, which are
// made when they are first needed. Each has a vCPU for every processor; MovableVcpu chooses.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "accel/accelerator.h"

namespace kite {

class Engines {
 public:
  using Kinds = std::span<const AcceleratorKind* const>;

  // Makes the machine's first accelerator, and has the others provided for.
  static Result<std::unique_ptr<Engines>> create(const AcceleratorConfig& config, Kinds kinds,
                                                 const AcceleratorKind& first);

  // Makes the first accelerator's vCPU for one more processor; the others will have it, too.
  Result<Vcpu*> add_processor(const VcpuConfig& config);

  // The vCPU of processor `index` under the accelerator of that name, which is made now, with all
  // of its vCPUs, if it is not there. Null: this build has no such accelerator. Any thread.
  Result<Vcpu*> find(std::string_view name, u32 index);

  Accelerator& first() { return *sets_.front()->accelerator; }
  // Null: not made yet.
  Accelerator* made(std::string_view name);
  // Of the one that has a translator, also if the machine has moved on to another.
  std::optional<TranslatorFigures> translator_figures();
  // Takes back what find() has made, none of whose vCPUs may be in use.
  void discard(std::string_view name);

  // Logs that `accelerator` cannot execute the burst's first instruction: each mnemonic once, and
  // no more of them than a person would read.
  void note_fall_back(std::string_view accelerator, const Burst& burst, u64 rip);

 private:
  struct Set {
    const AcceleratorKind* kind;
    std::unique_ptr<CpuModel> model;  // what the guest was told; null: the configuration's
    std::unique_ptr<Accelerator> accelerator;
    std::vector<std::unique_ptr<Vcpu>> vcpus;
  };
  Engines(const AcceleratorConfig& config, Kinds kinds) : config_(config), kinds_(kinds) {}
  Set* find_set(std::string_view name);
  Result<std::unique_ptr<Set>> make(const AcceleratorKind& kind);

  const AcceleratorConfig config_;
  const Kinds kinds_;
  std::map<const AcceleratorKind*, std::unique_ptr<Provision>> provisions_;  // not the first one's
  std::vector<VcpuConfig> processors_;  // complete before any of them runs

  std::mutex mutex_;  // guards everything below once processors run
  std::vector<std::unique_ptr<Set>> sets_;
  std::set<std::string_view> noted_;  // mnemonics of the interpreter's table
};

}  // namespace kite
