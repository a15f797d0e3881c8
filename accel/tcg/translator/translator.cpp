#include "accel/tcg/translator/translator.h"

#include <algorithm>

#include "accel/tcg/translator/signals.h"
#include "base/trace.h"

namespace kite::tcg {

namespace {

// One in so many is timed, and stands for the others.
constexpr unsigned kBlocksPerTiming = 16;

// Most blocks have fewer than one for so many bytes of code; pages that are not reached cost
// nothing.
template <class T>
std::vector<T> reserved(std::size_t code_bytes) {
  std::vector<T> made;
  made.reserve(code_bytes / 128);
  return made;
}

bool is_flat(const Segment& segment) {
  const bool writable_data = (segment.type & 0xe) == 2;
  return segment.base == 0 && segment.limit == 0xffffffff && writable_data && !segment.unusable;
}

}  // namespace

Result<std::unique_ptr<Translator>> Translator::create(Cpu& cpu, CodeMemory memory,
                                                       TableKind tables) {
  FastTable nothing = KITE_TRY(FastTable::create(tables));
  auto made = std::unique_ptr<Translator>(new Translator(cpu, std::move(memory), tables));
  made->nothing_ = std::move(nothing);
  cpu.fast_nothing.reads.fill(made->nothing_.base());
  cpu.fast_nothing.writes.fill(made->nothing_.base());
  cpu.tlb.make_fast(tables);
  if (!cpu.tlb.current().fast)
    return fail(ErrorKind::kUnavailable, "the host gives no address space for its tables");
  cpu.select_tables();
  return made;
}

Translator::Translator(Cpu& cpu, CodeMemory memory, TableKind tables)
    : cpu_(cpu),
      memory_(std::move(memory)),
      sites_(reserved<Site>(memory_.size())),
      code_present_(memory_.writable(), memory_.size()),
      sites_present_(sites_.data(), sites_.capacity() * sizeof(Site)),
      declined_(rows().size()) {
  sites_.resize(1);  // number 0 is none
  common_.tables = tables;
  write_common_code();
}

bool Translator::can_run(const Block& block) const {
  const Mode mode = block.mode;
  if (!block.kept || mode.single) return false;
  if (mode.code_width == 3) return true;
  return mode.code_width == 2 && mode.protected_mode && !mode.v86 && !mode.limited &&
         mode.stack32 && cpu_.segment_base[kCs] == 0 && is_flat(cpu_.segments[kDs]) &&
         is_flat(cpu_.segments[kEs]) && is_flat(cpu_.segments[kSs]);
}

bool Translator::has_room(const Block& block) {
  const std::size_t needed = used_ + (block.count + 2) * BlockWriter::kMostBytesOfInsn;
  if (needed > memory_.size()) return false;
  code_present_.reach(needed);
  sites_present_.reach((sites_.size() + 4u * Block::kMaxInsns) * sizeof(Site));
  return true;
}

bool Translator::translate(Block& block) {
  const bool timed = figures_.blocks % kBlocksPerTiming == 0;
  const Nanos start = timed ? cpu_.clock.now() : 0;
  if (!has_room(block)) {
    cpu_.code->flush();
    ++figures_.flushes;
    return false;
  }
  Emitter code(memory_.writable() + used_);
  BlockWriter writer(block, treatments_, common_, cpu_.code->space() == cpu_.tlb.global_context(),
                     memory_.writable(), code, sites_, faults_, shared_);
  block.code = executable(writer.write(island_));
  island_ = writer.island();
  block.way_in = writer.way_in();
  block.asks_vectors = writer.asks_vectors();
  const std::size_t before = used_;
  used_ = static_cast<std::size_t>(code.at() - memory_.writable());
  if (timed) figures_.time += kBlocksPerTiming * (cpu_.clock.now() - start);
  ++figures_.blocks;
  figures_.guest_bytes += block.bytes;
  figures_.host_bytes += used_ - before;
  trace::write(trace::Category::kTranslator, "block gpa={:#x} bytes={} instructions={} host={}+{}",
               block.gpa, block.bytes, block.count, static_cast<const void*>(block.code),
               used_ - before);
  return true;
}

void Translator::add_to(TranslatorFigures& figures) const {
  figures.blocks += figures_.blocks;
  figures.guest_bytes += figures_.guest_bytes;
  figures.host_bytes += figures_.host_bytes;
  figures.time += figures_.time;
  figures.discarded += figures_.discarded;
  figures.flushes += figures_.flushes;
  for (std::size_t row = 0; row < declined_.size(); ++row) {
    if (declined_[row] == 0) continue;
    const std::string_view name = rows()[row].name;
    auto same = std::find_if(figures.declined.begin(), figures.declined.end(),
                             [&](const auto& other) { return other.name == name; });
    if (same == figures.declined.end())
      figures.declined.push_back({std::string(name), declined_[row]});
    else
      same->count += declined_[row];
  }
}

std::optional<BlockRunner::Ran> Translator::run(Block& block) {
  if (std::exchange(alone_from_here_, false) && !block.code) block.shares = false;
  if (!can_run(block)) return exit_ = 0, std::nullopt;
  if (!block.code) {
    if (block.runs < runs_before) return ++block.runs, exit_ = 0, std::nullopt;
    if (!translate(block)) return std::nullopt;
  }
  find_context();
  if (exit_) link(block);
  add_jump(block);
  return enter(block);
}

// An instruction across two pages is there for as long as both are.
void Translator::add_jump(const Block& block) {
  if (!cpu_.code->may_cache(cpu_.rip)) return;
  if (block.second_page) {
    const u64 second = align_down(cpu_.rip, kPageSize) + kPageSize;
    if (!cpu_.code->may_cache(second)) return;
    jumps_.note(second);
  }
  jumps_.add(cpu_.rip, context_, block.code - BlockWriter::kPrologueBytes);
}

BlockRunner::Ran Translator::enter(const Block& block) {
  const FaultSignals::Claimant claimant(this, [](void* self, const u8* pc, int) {
    return static_cast<Translator*>(self)->way_out(pc);
  });
  enter_(this, block.code);
  return ran_;
}

// The JumpTable has one entry that counts: the block's way out.
std::optional<BlockRunner::Ran> Translator::run_alone(Block& block, u64 expected) {
  if (!can_run(block) || (!block.code && !translate(block))) return std::nullopt;
  find_context();
  jumps_.add(expected, context_, executable(common_.stop));
  alone_ = &block;
  const Ran ran = enter(block);
  alone_ = nullptr;
  exit_ = 0;
  return ran;
}

void Translator::find_context() {
  if (cpu_.code->space() == context_space_ && cpu_.mode.key() == context_mode_) return;
  context_space_ = cpu_.code->space();
  context_mode_ = cpu_.mode.key();
  context_ = jumps_.context(context_space_, context_mode_);
  cpu_.attention.set_calm(context_);
}

// Where the jump of `site` goes in `target`.
const u8* Translator::way_in(const Site& site, const Block& target) const {
  const bool skips = site.vectors && target.asks_vectors;
  return memory_.executable() + target.way_in + (skips ? BlockWriter::kVectorBytes : 0);
}

// The last run ended for want of a successor, and `target` is the block that was found.
void Translator::link(Block& target) {
  Site& site = sites_[exit_];
  const u32 number = std::exchange(exit_, 0);
  const Block& source = *site.block;
  if (site.kind != Site::Kind::kLinkable || source.mode.key() != target.mode.key()) return;
  if (!is_inside_page(site.target)) return link_guarded(number, target);
  if (align_down(source.gpa, kPageSize) + static_cast<u64>(site.target) != target.gpa) return;
  if (site.is_way_out()) memory_.writable()[site.resume - 1] = Emitter::kJmp;
  set_jump(site, way_in(site, target));
  site.next = std::exchange(target.incoming, number);
}

// The guard is good as long as the target's page is mapped as it is: then the context becomes a new
// one.
void Translator::link_guarded(u32 number, Block& target) {
  Site& site = sites_[number];
  const u64 page =
      (cpu_.rip - static_cast<u64>(i64{site.target})) & (cpu_.code64() ? ~0ull : 0xffffffff);
  if (page % kPageSize || target.second_page || !cpu_.code->may_cache(cpu_.rip)) return;
  const u8* const code = way_in(site, target);
  if (guard(site) == kClosedGuard) {
    set_jump(site, code);
    site.next = std::exchange(target.incoming, number);
  } else if (jump(site) != code) {
    return undo(*site.block);  // written anew, its jumps can go elsewhere
  }
  jumps_.note(cpu_.rip);
  set_guard(site, 0 - (context_ + page));
}

u64 Translator::guard(const Site& site) const {
  u64 value;
  std::memcpy(&value, memory_.writable() + site.resume - kGuardToJump - sizeof value, sizeof value);
  return value;
}

void Translator::set_guard(const Site& site, u64 value) {
  std::memcpy(memory_.writable() + site.resume - kGuardToJump - sizeof value, &value, sizeof value);
}

const u8* Translator::jump(const Site& site) const {
  i32 distance;
  std::memcpy(&distance, memory_.writable() + site.resume, sizeof distance);
  return memory_.executable() + site.resume + 4 + distance;
}

void Translator::unlink(const Site& site) {
  if (!is_inside_page(site.target)) return set_guard(site, kClosedGuard);
  if (!site.is_way_out())
    return set_jump(site, memory_.executable() + site.resume + 4 + site.unlinked);
  memory_.writable()[site.resume - 1] = Emitter::kCall;
  set_jump(site, executable(common_.exit));
}

void Translator::set_jump(const Site& site, const u8* target) {
  const u8* const behind = memory_.executable() + site.resume + 4;
  const auto distance = static_cast<i32>(target - behind);
  std::memcpy(memory_.writable() + site.resume, &distance, sizeof distance);
}

void Translator::retired(Block& block) {
  if (!block.code) return;
  ++figures_.discarded;
  if (sites_[exit_].block == &block) exit_ = 0;
  undo(block);
}

// Forgets the block's translation.
void Translator::undo(Block& block) {
  for (u32 number = std::exchange(block.incoming, 0); number; number = sites_[number].next)
    unlink(sites_[number]);
  jumps_.forget_code(block.gpa % kPageSize, block.code - BlockWriter::kPrologueBytes);
  block.code = nullptr;
}

void Translator::forget_page(u64 linear) {
  if (!jumps_.may_have_page(linear)) return;
  jumps_.forget_notes();
  jumps_.renew_contexts();
  context_mode_ = static_cast<u16>(~context_mode_);
}

void Translator::flush() {
  exit_ = 0;
  if (used_ == first_) return;
  used_ = first_;
  island_ = nullptr;
  sites_.resize(1);
  faults_.clear();
  shared_.clear();
  jumps_.clear();
}

const u8* Translator::way_out(const u8* pc) {
  const u8* const first = memory_.executable();
  if (pc < first || pc >= first + used_) return nullptr;
  const auto at = static_cast<u32>(pc - first);
  const auto found =
      std::lower_bound(faults_.begin(), faults_.end(), at,
                       [](const FaultPlace& place, u32 to) { return place.at < to; });
  if (found == faults_.end() || found->at != at) return nullptr;
  faulted_ = found->site;
  return executable(common_.faulted);
}

Result<> check_translator() {
  if (!host_can_translate())
    return fail(ErrorKind::kUnavailable, "the host's processor has no AVX2 and BMI2");
  return {};
}

Result<> prepare_block_runners() {
  KITE_CHECK(check_translator());
  FaultSignals::install();
  return {};
}

Result<std::unique_ptr<BlockRunner>> make_block_runner(Cpu& cpu, CodeMemory memory,
                                                       TableKind tables) {
  return KITE_TRY(Translator::create(cpu, std::move(memory), tables));
}

}  // namespace kite::tcg
