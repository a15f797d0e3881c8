#include "accel/tcg/code_cache.h"

#include <algorithm>
#include <new>

#include "accel/tcg/isa/row.h"
#include "accel/tcg/lockstep.h"
#include "base/trace.h"

namespace kite::tcg {

namespace {

// Behind the last instruction of every block.
Flow end_of_block(Cpu& cpu, const Insn& insn) {
  return cpu.leave(insn);
}

// In every instruction of a block whose bytes have changed: look again from here.
Flow stale(Cpu& cpu, const Insn& insn) {
  cpu.rip = cpu.this_rip(insn);
  return Flow::kLeave;
}

void make_stale(Block& block) {
  for (unsigned i = 0; i <= block.count; ++i) block.insns[i].handler = &stale;
  block.stale = true;
}

bool ends_here(const Insn& insn) {
  const Row* row = Decoder::row_of(insn);
  return !row || row->attributes.has(ends_block);
}

std::size_t size_of(const Block& block) {
  return sizeof(Block) + block.count * sizeof(Insn) + block.bytes;
}

}  // namespace

CodeCache::CodeCache(Cpu& cpu, const Decoder& decoder)
    : cpu_(cpu),
      decoder_(decoder),
      number_(cpu.processors.code.join(cpu.attention, kAttendCode)),
      jumps_(kJumpPages * kJumpsPerPage),
      buckets_(kBuckets),
      maybe_code_(65536) {
  scratch_.reserve(Block::kMaxInsns + 1);
}

CodeCache::~CodeCache() {
  flush();
  bury();
  cpu_.processors.code.depart(number_);
}

void CodeCache::bury() {
  for (Block* block : graveyard_) ::operator delete(block);
  graveyard_.clear();
}

// Cached jumps need not be cleared: those of a flushed TLB have a context that never comes again.
void CodeCache::flush() {
  constexpr std::size_t kFew = 32 * KiB;  // of blocks: found one by one rather than by filling
  const bool few = bytes_ <= kFew;
  for (auto& [gpa, page] : pages_) {
    page->shared->masks[number_].store(0, std::memory_order_relaxed);
    maybe_code_[page_hash(gpa)] = false;
    for (Block* block : page->blocks) {
      if (align_down(block->gpa, kPageSize) != gpa) continue;  // its first page has it too
      make_stale(*block);
      buckets_[bucket(block->gpa, block->mode.key())] = nullptr;
      graveyard_.push_back(block);
    }
  }
  pages_.clear();
  if (!few) {
    std::fill(buckets_.begin(), buckets_.end(), nullptr);
    std::fill(jumps_.begin(), jumps_.end(), Jump{});
    std::fill(maybe_code_.begin(), maybe_code_.end(), false);
  }
  cpu_.tlb.flush_all();
  if (runner_) runner_->flush();
  bytes_ = 0;
}

void CodeCache::forget_page(u64 linear) {
  Jump* set = &jumps_[jump_set(linear) * kJumpsPerPage];
  std::fill(set, set + kJumpsPerPage, Jump{});
  if (runner_) runner_->forget_page(linear);
}

Block* CodeCache::beyond_limit() {
  cpu_.general_protection();
  return nullptr;
}

Block* CodeCache::find(Gpa gpa, u64 room) const {
  const u16 mode = cpu_.mode.key();
  for (Block* block = buckets_[bucket(gpa, mode)]; block; block = block->next)
    if (block->gpa == gpa && block->mode.key() == mode && block->bytes <= room) return block;
  return nullptr;
}

CodePage* CodeCache::make_page(Gpa gpa, const u8* host) {
  auto& page = pages_[gpa];
  if (page) return page.get();
  page = std::make_unique<CodePage>();
  page->gpa = gpa;
  page->host = host;
  page->shared = &cpu_.processors.code.page(gpa);
  return page.get();
}

CodePage* CodeCache::code_page(u64 linear) {
  const u64 page = align_down(linear, kPageSize);
  ExecEntry& entry = cpu_.tlb.current().exec[cpu_.cpl == 3][(page / kPageSize) % kExecEntries];
  if (entry.page == page && entry.code) return entry.code;
  Cpu::Translation where;
  if (!cpu_.translate(linear, Access::kExecute,
                      cpu_.cpl == 3 ? Privilege::kUser : Privilege::kSupervisor, where))
    return nullptr;
  cpu_.fault.vector = 0xff;  // no fault: there is simply no memory to cache
  if (!where.host) return nullptr;
  entry.page = page;
  entry.code = make_page(align_down(where.gpa, kPageSize), where.host - linear % kPageSize);
  return entry.code;
}

bool CodeCache::second_page_matches(const Block& block, u64 linear) {
  const CodePage* second = code_page(align_down(linear, kPageSize) + kPageSize);
  return second && second->gpa == block.second_page;
}

Block* CodeCache::lookup_slow(u64 linear) {
  bury();
  if (bytes_ > most_bytes_) flush();
  u64 room = ~u64{0};
  if (!cpu_.code64()) {
    linear &= 0xffffffff;
    if (cpu_.rip > cpu_.segments[kCs].limit) return beyond_limit();
    room = cpu_.segments[kCs].limit - cpu_.rip + 1;
  } else if (!cpu_.canonical(linear)) {
    return beyond_limit();
  }
  CodePage* page = code_page(linear);
  if (!page) return cpu_.fault.vector == 0xff ? build_uncached(linear, room) : nullptr;
  Block* block = find(page->gpa + linear % kPageSize, room);
  if (block && block->second_page && !second_page_matches(*block, linear)) {
    if (cpu_.fault.vector != 0xff) return nullptr;
    unlink(block);
    retire(block);
    block = nullptr;
  }
  if (!block) block = build(*page, linear, room);
  // A cached jump knows neither base nor limit of CS: with a limit each block is looked up.
  if (block && block->kept && !block->second_page && !cpu_.mode.limited && may_cache(linear))
    jumps_[jump_index(linear)] = {cpu_.rip + cpu_.segment_base[kCs], context(), block};
  return block;
}

bool CodeCache::may_cache(u64 linear) {
  constexpr unsigned kMany = 4096;
  if (space() != cpu_.tlb.global_context()) return true;
  const u64 page = align_down(linear, kPageSize);
  const ExecEntry& entry =
      cpu_.tlb.current().exec[cpu_.cpl == 3][(page / kPageSize) % kExecEntries];
  if (entry.page != page) return false;
  if (!entry.global && kernel_is_global_ && ++not_global_ > kMany) {
    kernel_is_global_ = false;
    cpu_.attention |= kAttendMemory;  // what was translated for one context is written anew
  }
  return entry.global;
}

bool CodeCache::share(CodePage& page, unsigned offset, unsigned size) {
  CodeMap& map = cpu_.processors.code;
  const u64 granules = granules_of(offset, size);
  // Bits that are there already are good: whoever clears one tells, and we have not heard yet.
  if ((page.shared->masks[number_].load(std::memory_order_acquire) & granules) != granules) {
    const CodeMap::Marked marked = map.mark(*page.shared, page.gpa, granules, number_);
    if (marked.first) {
      page.sequence = marked.sequence;
      if (page.granules) cpu_.tlb.protect(page.gpa);
    }
  }
  if (page.sequence && map.acknowledged(page.sequence, number_)) page.sequence = 0;
  return page.sequence == 0;
}

std::span<const u8> CodeCache::window(CodePage& page, unsigned offset) {
  constexpr unsigned kEnough = 2 * kMaxInsnLength, kStep = 64;
  const unsigned wanted = std::min<unsigned>(kPageSize, offset + kEnough);
  if (window_.end < wanted) {
    const auto end = static_cast<unsigned>(align_up(wanted, kStep));
    const unsigned size = end - window_.end;
    window_.keep &= share(page, window_.end, size);
    guest_read(&window_.bytes[window_.end], page.host + window_.end, size);
    window_.end = end;
  }
  return {&window_.bytes[offset], window_.end - offset};
}

// A block that may not be kept is one instruction, so that it cannot outlive its own bytes.
Block* CodeCache::build(CodePage& page, u64 linear, u64 room) {
  const unsigned start = linear % kPageSize;
  const auto end =
      static_cast<unsigned>(std::min<u64>(kPageSize, start + std::min(room, kPageSize)));
  unsigned at = start;
  scratch_.clear();
  window_.end = start;
  window_.keep = true;
  const unsigned limit = cpu_.mode.single ? 1
                         : cpu_.lockstep  ? cpu_.lockstep->next_length()
                                          : Block::kMaxInsns;
  while (scratch_.size() < limit && at < end) {
    const std::span<const u8> bytes = window(page, at);
    if (!window_.keep && !scratch_.empty()) break;
    Insn& insn = scratch_.emplace_back();
    const std::size_t count = std::min<std::size_t>(bytes.size(), end - at);
    if (decoder_.decode(bytes.first(count), cpu_.mode, insn) == DecodeStatus::kNeedMore) {
      scratch_.pop_back();
      if (scratch_.empty()) return build_crossing(page, linear, room);
      break;
    }
    const bool alone = cpu_.lockstep && cpu_.lockstep->stands_alone(insn);
    if (alone && scratch_.size() > 1) {
      scratch_.pop_back();
      break;
    }
    if (insn.base == kBlockRip)
      insn.disp = static_cast<i32>(static_cast<u32>(insn.disp) + static_cast<u32>(at - start));
    at += insn.length;
    insn.next_offset = static_cast<u16>(at - start);
    if (alone || ends_here(insn)) break;
  }
  if (!window_.keep && scratch_.size() > 1) {
    scratch_.erase(scratch_.begin() + 1, scratch_.end());
    at = start + scratch_[0].length;
  }
  Block* block = finish(page.gpa + start, scratch_, {&window_.bytes[start], at - start});
  if (window_.keep)
    add(page, block);
  else
    run_once(block);
  return block;
}

Block* CodeCache::build_crossing(CodePage& page, u64 linear, u64 room) {
  const unsigned start = linear % kPageSize;
  const unsigned first = kPageSize - start;
  if (room <= first) return beyond_limit();
  CodePage* second = code_page(linear + first);
  if (!second) return cpu_.fault.vector == 0xff ? build_uncached(linear, room) : nullptr;
  bool keep = share(page, start, first);
  keep &= share(*second, 0, kMaxInsnLength);  // both in any case
  std::array<u8, 2 * kMaxInsnLength> bytes;
  guest_read(bytes.data(), page.host + start, first);
  guest_read(bytes.data() + first, second->host, kMaxInsnLength);
  scratch_.assign(1, {});
  const std::size_t count = std::min<u64>(first + kMaxInsnLength, room);
  if (decoder_.decode({bytes.data(), count}, cpu_.mode, scratch_[0]) == DecodeStatus::kNeedMore)
    return beyond_limit();
  Block* block = finish(page.gpa + start, scratch_, {bytes.data(), scratch_[0].length});
  block->second_page = second->gpa;
  if (!keep) {
    run_once(block);
    return block;
  }
  add(page, block);
  mark(*second, block, 0, std::max(1u, block->bytes - first));
  return block;
}

void CodeCache::run_once(Block* block) {
  graveyard_.push_back(block);
}

// Code that is not in memory (a device's registers): read, decoded and run one instruction at a
// time.
Block* CodeCache::build_uncached(u64 linear, u64 room) {
  std::array<u8, kMaxInsnLength> bytes;
  unsigned count = 0;
  for (; count < kMaxInsnLength; ++count) {
    Cpu::Translation where;
    const auto privilege = cpu_.cpl == 3 ? Privilege::kUser : Privilege::kSupervisor;
    scratch_.assign(1, {});
    if (count == room) return beyond_limit();
    if (!cpu_.translate(linear + count, Access::kExecute, privilege, where)) return nullptr;
    bytes[count] = static_cast<u8>(cpu_.memory.read_value(where.gpa, 1));
    if (decoder_.decode({bytes.data(), count + 1}, cpu_.mode, scratch_[0]) == DecodeStatus::kOk)
      break;
  }
  Block* block = finish(0, scratch_, {bytes.data(), scratch_[0].length});
  run_once(block);
  return block;
}

Block* CodeCache::finish(Gpa gpa, std::vector<Insn>& insns, std::span<const u8> code) {
  const auto count = static_cast<u16>(insns.size());
  const std::size_t bytes = code.size();
  Block* block = new (::operator new(sizeof(Block) + count * sizeof(Insn) + bytes)) Block;
  block->gpa = gpa;
  block->mode = cpu_.mode;
  block->bytes = static_cast<u16>(bytes);
  block->count = count;
  for (unsigned i = 0; i < count; ++i) {
    insns[i].ordinal = static_cast<u8>(i);
    insns[i].is_last = i + 1u == count;
    block->insns[i] = insns[i];
  }
  Insn& terminator = block->insns[count];
  terminator = {};
  terminator.handler = &end_of_block;
  terminator.next_offset = static_cast<u16>(bytes);
  terminator.row = kNoRow;
  terminator.ordinal = static_cast<u8>(count - 1);
  std::copy(code.begin(), code.end(), const_cast<u8*>(block->guest_bytes()));
  ++built_;
  trace::write(trace::Category::kBlock,
               "block rip={:#x} gpa={:#x} bytes={} instructions={} mode={:#x}", cpu_.rip, gpa,
               bytes, count, cpu_.mode.key());
  return block;
}

void CodeCache::add(CodePage& page, Block* block) {
  Block*& head = buckets_[bucket(block->gpa, block->mode.key())];
  block->next = head;
  head = block;
  block->kept = true;
  const unsigned offset = block->gpa % kPageSize;
  mark(page, block, offset, std::clamp<unsigned>(block->bytes, 1, kPageSize - offset));
  bytes_ += size_of(*block);
}

void CodeCache::mark(CodePage& page, Block* block, unsigned offset, unsigned size) {
  if (!page.granules) {
    maybe_code_[page_hash(page.gpa)] = true;
    cpu_.tlb.protect(page.gpa);
  }
  page.blocks.push_back(block);
  page.granules |= granules_of(offset, size);
}

void CodeCache::unlink(Block* block) {
  Block** link = &buckets_[bucket(block->gpa, block->mode.key())];
  while (*link && *link != block) link = &(*link)->next;
  if (*link) *link = block->next;
  for (Gpa gpa : {align_down(block->gpa, kPageSize), block->second_page}) {
    auto page = pages_.find(gpa);
    if (page != pages_.end()) std::erase(page->second->blocks, block);
  }
  bytes_ -= size_of(*block);
}

void CodeCache::retire(Block* block) {
  make_stale(*block);
  if (runner_) runner_->retired(*block);
  graveyard_.push_back(block);
  for (Jump& jump : jumps_)
    if (jump.block == block) jump = {};
}

std::pair<unsigned, unsigned> CodeCache::extent(const CodePage& page, const Block& block) {
  const unsigned offset = block.gpa % kPageSize;
  if (align_down(block.gpa, kPageSize) == page.gpa)
    return {offset, std::min<unsigned>(offset + block.bytes, kPageSize)};
  return {0, offset + block.bytes - static_cast<unsigned>(kPageSize)};
}

template <class Hit>
void CodeCache::drop_blocks(CodePage& page, Hit hit) {
  std::vector<Block*> dropped;
  page.granules = 0;
  for (Block* block : page.blocks) {
    const auto [start, end] = extent(page, *block);
    if (hit(start, end))
      dropped.push_back(block);
    else
      page.granules |= granules_of(start, end - start);
  }
  for (Block* block : dropped) {
    unlink(block);
    retire(block);
  }
}

void CodeCache::written(Gpa gpa, unsigned size) {
  auto found = pages_.find(align_down(gpa, kPageSize));
  if (found == pages_.end()) return;
  CodePage& page = *found->second;
  const unsigned first = gpa % kPageSize, last = first + size - 1;
  if (!(page.granules & granules_of(first, size))) return;
  drop_blocks(page, [=](unsigned start, unsigned end) { return first < end && start <= last; });
  page.shared->masks[number_].fetch_and(page.granules, std::memory_order_relaxed);
}

void CodeCache::hear_news(bool entering) {
  CodeMap& map = cpu_.processors.code;
  const CodeMap::News news = map.news(number_, entering);
  if (news.everything) flush();
  for (const CodeMap::Stale& stale : news.stale) {
    auto found = pages_.find(stale.page);
    if (found == pages_.end()) continue;
    drop_blocks(*found->second, [&](unsigned start, unsigned end) {
      return (granules_of(start, end - start) & stale.granules) != 0;
    });
  }
  if (news.protect) cpu_.tlb.protect_if([&map](Gpa page) { return map.has_code(page); });
  map.acknowledge(number_, news.sequence);
}

}  // namespace kite::tcg
