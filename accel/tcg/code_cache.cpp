#include "accel/tcg/code_cache.h"

#include <algorithm>
#include <new>

#include "accel/tcg/isa/row.h"
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

bool ends_here(const Insn& insn) {
  const Row* row = Decoder::row_of(insn);
  return !row || row->attributes.has(ends_block);
}

u64 granules_of(unsigned offset, unsigned size) {
  const unsigned first = offset / 64, last = (offset + size - 1) / 64;
  return bits(~u64{0}, 63, first) << first & (last == 63 ? ~u64{0} : bit(last + 1) - 1);
}

std::size_t size_of(const Block& block) {
  return sizeof(Block) + block.count * sizeof(Insn);
}

}  // namespace

CodeCache::CodeCache(Cpu& cpu, const Decoder& decoder)
    : cpu_(cpu),
      decoder_(decoder),
      jumps_(kJumpPages * kJumpsPerPage),
      buckets_(kBuckets),
      maybe_code_(65536) {
  scratch_.reserve(Block::kMaxInsns + 1);
}

CodeCache::~CodeCache() {
  flush();
  bury();
}

void CodeCache::bury() {
  for (Block* block : graveyard_) ::operator delete(block);
  graveyard_.clear();
}

void CodeCache::flush() {
  for (auto& [gpa, page] : pages_)
    for (Block* block : page->blocks) {
      if (align_down(block->gpa, kPageSize) != gpa) continue;  // its first page has it too
      for (unsigned i = 0; i <= block->count; ++i) block->insns[i].handler = &stale;
      graveyard_.push_back(block);
    }
  pages_.clear();
  std::fill(buckets_.begin(), buckets_.end(), nullptr);
  std::fill(jumps_.begin(), jumps_.end(), Jump{});
  std::fill(maybe_code_.begin(), maybe_code_.end(), false);
  cpu_.tlb.flush_all();
  bytes_ = 0;
}

void CodeCache::forget_page(u64 linear) {
  Jump* set = &jumps_[jump_set(linear) * kJumpsPerPage];
  std::fill(set, set + kJumpsPerPage, Jump{});
}

Block* CodeCache::find(Gpa gpa) const {
  const u16 mode = cpu_.mode.key();
  for (Block* block = buckets_[bucket(gpa, mode)]; block; block = block->next)
    if (block->gpa == gpa && block->mode.key() == mode) return block;
  return nullptr;
}

CodePage* CodeCache::make_page(Gpa gpa, const u8* host) {
  auto& page = pages_[gpa];
  if (page) return page.get();
  page = std::make_unique<CodePage>();
  page->gpa = gpa;
  page->host = host;
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
  if (bytes_ > kMaxBytes) flush();
  if (!cpu_.code64()) {
    linear &= 0xffffffff;
    if (cpu_.rip > cpu_.segments[kCs].limit) {
      cpu_.general_protection();
      return nullptr;
    }
  } else if (!cpu_.canonical(linear)) {
    cpu_.general_protection();
    return nullptr;
  }
  CodePage* page = code_page(linear);
  if (!page) return cpu_.fault.vector == 0xff ? build_uncached(linear) : nullptr;
  Block* block = find(page->gpa + linear % kPageSize);
  if (block && block->second_page && !second_page_matches(*block, linear)) {
    if (cpu_.fault.vector != 0xff) return nullptr;
    unlink(block);
    retire(block);
    block = nullptr;
  }
  if (!block) block = build(*page, linear);
  if (block && !block->second_page)
    jumps_[jump_index(linear)] = {cpu_.rip + cpu_.segment_base[kCs], context(), block};
  return block;
}

Block* CodeCache::build(CodePage& page, u64 linear) {
  const unsigned start = linear % kPageSize;
  unsigned at = start;
  scratch_.clear();
  const unsigned limit = cpu_.mode.single ? 1 : Block::kMaxInsns;
  while (scratch_.size() < limit && at < kPageSize) {
    Insn& insn = scratch_.emplace_back();
    if (decoder_.decode({page.host + at, kPageSize - at}, cpu_.mode, insn) ==
        DecodeStatus::kNeedMore) {
      scratch_.pop_back();
      if (scratch_.empty()) return build_crossing(page, linear);
      break;
    }
    if (insn.base == kBlockRip) insn.disp += static_cast<i32>(at - start);
    at += insn.length;
    insn.next_offset = static_cast<u16>(at - start);
    if (ends_here(insn)) break;
  }
  return finish(&page, page.gpa + start, scratch_, at - start);
}

Block* CodeCache::build_crossing(CodePage& page, u64 linear) {
  const unsigned start = linear % kPageSize;
  const unsigned first = kPageSize - start;
  const CodePage* second = code_page(linear + first);
  if (!second) return cpu_.fault.vector == 0xff ? build_uncached(linear) : nullptr;
  std::array<u8, 2 * kMaxInsnLength> bytes;
  std::memcpy(bytes.data(), page.host + start, first);
  std::memcpy(bytes.data() + first, second->host, kMaxInsnLength);
  scratch_.assign(1, {});
  decoder_.decode({bytes.data(), first + kMaxInsnLength}, cpu_.mode, scratch_[0]);
  Block* block = finish(&page, page.gpa + start, scratch_, scratch_[0].length);
  block->second_page = second->gpa;
  mark(*pages_[second->gpa], block, 0, std::max(1u, block->bytes - first));
  return block;
}

// Code that is not in memory (a device's registers): read, decoded and run one instruction at a
// time.
Block* CodeCache::build_uncached(u64 linear) {
  std::array<u8, kMaxInsnLength> bytes;
  unsigned count = 0;
  for (; count < kMaxInsnLength; ++count) {
    Cpu::Translation where;
    const auto privilege = cpu_.cpl == 3 ? Privilege::kUser : Privilege::kSupervisor;
    scratch_.assign(1, {});
    if (!cpu_.translate(linear + count, Access::kExecute, privilege, where)) return nullptr;
    bytes[count] = static_cast<u8>(cpu_.memory.read_value(where.gpa, 1));
    if (decoder_.decode({bytes.data(), count + 1}, cpu_.mode, scratch_[0]) == DecodeStatus::kOk)
      break;
  }
  Block* block = finish(nullptr, 0, scratch_, scratch_[0].length);
  graveyard_.push_back(block);
  return block;
}

Block* CodeCache::finish(CodePage* page, Gpa gpa, std::vector<Insn>& insns, unsigned bytes) {
  const auto count = static_cast<u16>(insns.size());
  Block* block = new (::operator new(sizeof(Block) + count * sizeof(Insn))) Block;
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
  ++built_;
  trace::write(trace::Category::kBlock,
               "block rip={:#x} gpa={:#x} bytes={} instructions={} mode={:#x}", cpu_.rip, gpa,
               bytes, count, cpu_.mode.key());
  if (page) add(*page, block);
  return block;
}

void CodeCache::add(CodePage& page, Block* block) {
  Block*& head = buckets_[bucket(block->gpa, block->mode.key())];
  block->next = head;
  head = block;
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
  for (unsigned i = 0; i <= block->count; ++i) block->insns[i].handler = &stale;
  graveyard_.push_back(block);
  for (Jump& jump : jumps_)
    if (jump.block == block) jump = {};
}

void CodeCache::written(Gpa gpa, unsigned size) {
  const Gpa base = align_down(gpa, kPageSize);
  auto found = pages_.find(base);
  if (found == pages_.end()) return;
  CodePage& page = *found->second;
  const unsigned first = gpa % kPageSize, last = first + size - 1;
  if (!(page.granules & granules_of(first, size))) return;
  std::vector<Block*> hit;
  page.granules = 0;
  for (Block* block : page.blocks) {
    const bool starts_here = align_down(block->gpa, kPageSize) == base;
    const unsigned start = starts_here ? block->gpa % kPageSize : 0;
    const unsigned end =
        starts_here ? start + block->bytes
                    : block->bytes - static_cast<unsigned>(kPageSize - block->gpa % kPageSize);
    if (first < end && start <= last)
      hit.push_back(block);
    else
      page.granules |= granules_of(start, std::min<unsigned>(end, kPageSize) - start);
  }
  for (Block* block : hit) {
    unlink(block);
    retire(block);
  }
}

}  // namespace kite::tcg
