#include "accel/tcg/tcg.h"

#include <algorithm>
#include <mutex>

#include "accel/tcg/disassembler.h"
#include "accel/tcg/vcpu.h"
#include "base/log.h"
#include "base/trace.h"
#include "memory/dirty_log.h"

namespace kite {

namespace {

// What the instructions are decoded by. For another engine it is all there are,
// for programs rely on what the host's processor has. But INVPCID is one that a
// hypervisor can take away, and KVM does where CPUID does not show it.
CpuModel decoded_model(const AcceleratorConfig& config) {
  if (!config.options.every_instruction) return config.model;
  CpuModel all = *find_cpu_model("max");
  all.set(Feature::kInvpcid, config.model.has(Feature::kInvpcid));
  return all;
}

// Of translated code, for each processor.
std::size_t tcg_code_bytes(u64 all, unsigned cpus) {
  constexpr u64 kFewest = MiB;
  return std::max(align_down(all / cpus, kFewest), kFewest);
}

struct TranslatorProvision final : Provision {
  std::vector<tcg::CodeMemory> memory;  // for each processor
};

// Makes processors and tells them when the memory map changes.
class TcgAccelerator final : public Accelerator,
                             private MemoryListener,
                             private RamWriteListener,
                             private DirtySource {
 public:
  explicit TcgAccelerator(const AcceleratorConfig& config)
      : config_(config), decoder_(decoded_model(config)), processors_(config.cpus) {
    config_.memory.add_listener(*this);
    config_.memory.set_write_listener(this);
    config_.memory.dirty_log().add_source(*this);
  }
  ~TcgAccelerator() override {
    config_.memory.dirty_log().remove_source(*this);
    config_.memory.set_write_listener(nullptr);
    config_.memory.remove_listener(*this);
  }

  std::string_view name() const override { return "tcg"; }
  const CpuModel* model() const override { return &config_.model; }
  std::optional<TranslatorFigures> translator_figures() const override {
    if (std::ranges::none_of(vcpus_, &tcg::TcgVcpu::is_translated)) return std::nullopt;
    TranslatorFigures figures;
    for (const tcg::TcgVcpu* vcpu : vcpus_) vcpu->add_to(figures);
    return figures;
  }

  Result<std::unique_ptr<Vcpu>> create_vcpu(const VcpuConfig& vcpu) override {
    std::lock_guard lock(mutex_);
    if (vcpus_.size() == config_.cpus) {
      return fail(ErrorKind::kInternal, "tcg: processor {} of {}", vcpus_.size() + 1, config_.cpus);
    }
    auto made = std::make_unique<tcg::TcgVcpu>(config_, vcpu, decoder_, processors_);
    KITE_CHECK(translate(*made));
    vcpus_.push_back(made.get());
    return made;
  }

 private:
  // Code caches and TLBs are emptied once the new view can be seen, lest they
  // fill from the old one.
  void memory_changed(const FlatView&, const FlatView& after) override {
    if (translates() && config_.options.flat_table.value_or(true)) processors_.flat.add(after);
  }
  void memory_published() override {
    std::lock_guard lock(mutex_);
    for (tcg::TcgVcpu* vcpu : vcpus_) vcpu->memory_changed();
  }

  void ram_written(Gpa address, u64 size) override {
    processors_.code.written(address, size, tcg::CodeMap::kNobody);
  }

  // Stores mark the log themselves, once no vCPU has write permission cached.
  void dirty_log_started() override {
    std::lock_guard lock(mutex_);
    for (tcg::TcgVcpu* vcpu : vcpus_) vcpu->wait_for_dirty_log();
  }
  void dirty_log_stopped() override {}
  void collect_dirty(DirtyLog&) override {}

  // What only lends itself to another engine executes a few instructions at a
  // time.
  bool translates() const {
    const bool may_run = !config_.options.every_instruction || config_.provision;
    return config_.options.translator.value_or(may_run);
  }
  // Unless it was asked for, a translator that cannot be had is none: handlers
  // do the same, slower.
  Result<> translate(tcg::TcgVcpu& vcpu) {
    const AcceleratorOptions& options = config_.options;
    if (!translates()) return {};
    const Result<> made = try_to_translate(vcpu);
    if (vcpu.is_translated() && trace::enabled(trace::Category::kLockstep)) compare(vcpu);
    if (made || options.translator || options.flat_table.value_or(false)) return made;
    if (vcpus_.empty()) log::debug("tcg: guest code is not translated: {}", made.error().message);
    return {};
  }
  // One that has been provided for another engine's machine has not come to run
  // yet.
  Result<> try_to_translate(tcg::TcgVcpu& vcpu) {
    KITE_CHECK(tcg::prepare_block_runners());
    KITE_CHECK(choose_tables());
    if (!config_.provision) {
      return vcpu.translate(KITE_TRY(tcg::CodeMemory::create(code_bytes())), *tables_);
    }
    auto& provided = static_cast<TranslatorProvision&>(*config_.provision).memory;
    if (provided.empty()) return fail(ErrorKind::kUnavailable, "the memory for it is in use");
    vcpu.translate_when_run(std::move(provided.back()), *tables_);
    provided.pop_back();
    return {};
  }

  Result<> choose_tables() {
    if (tables_) return {};
    const std::optional<bool> wish = config_.options.flat_table;
    const bool fit = wish.value_or(true) && processors_.flat.is_complete() &&
                     tcg::FastTables::flat_ones_fit(tcg::kTlbSlots, config_.cpus);
    if (wish.value_or(false) && !fit)
      return fail(ErrorKind::kUnavailable,
                  "--accel tcg,flat-table=on: the host has not the address space");
    tables_ = fit ? tcg::TableKind::kFlat : tcg::TableKind::kHashed;
    log::debug("tcg: translated code finds memory by {} tables", fit ? "flat" : "hashed");
    return {};
  }

  std::size_t code_bytes() const {
    return tcg_code_bytes(config_.options.code_cache_bytes, config_.cpus);
  }

  void compare(tcg::TcgVcpu& vcpu) {
    if (config_.cpus == 1)
      vcpu.compare();
    else if (vcpus_.empty())
      log::warning(
          "--trace lockstep: only the code of a single processor can "
          "be compared");
  }

  AcceleratorConfig config_;
  tcg::Decoder decoder_;
  tcg::Processors processors_;
  std::optional<tcg::TableKind> tables_;
  std::mutex mutex_;  // guards vcpus_
  std::vector<tcg::TcgVcpu*> vcpus_;
};

// xAPIC identifiers 0 to 254.
unsigned most_cpus() {
  return 255;
}

Result<> always_usable() {
  return {};
}

Result<std::unique_ptr<Accelerator>> create(const AcceleratorConfig& config) {
  return std::make_unique<TcgAccelerator>(config);
}

// Memory that can be executed is made before the filters close. Null: there
// will be no translator.
std::unique_ptr<Provision> provide(unsigned cpus, const AcceleratorOptions& options) {
  if (!options.translator.value_or(true) || !tcg::prepare_block_runners()) return nullptr;
  auto provision = std::make_unique<TranslatorProvision>();
  while (provision->memory.size() < cpus) {
    auto made = tcg::CodeMemory::create(tcg_code_bytes(options.code_cache_bytes, cpus));
    if (!made) return nullptr;
    provision->memory.push_back(std::move(*made));
  }
  return provision;
}

}  // namespace

const AcceleratorKind& tcg_kind() {
  static const AcceleratorKind kind{
      "tcg", "Kite's own engine, on every host", &always_usable, &create, &most_cpus, &provide};
  return kind;
}

Result<> check_tcg_options(const AcceleratorOptions& options) {
  if (!options.translator.value_or(false)) return {};
  return tcg::check_translator().map_error([](const Error& error) {
    return Error{error.kind, "--accel tcg,translator=on: " + error.message};
  });
}

void prepare_tcg_trace() {
  if (trace::enabled(trace::Category::kCpu) || trace::enabled(trace::Category::kLockstep))
    tcg::load_disassembler();
}

}  // namespace kite
