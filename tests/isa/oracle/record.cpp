#include "tests/isa/oracle/record.h"

namespace kite::oracle {
namespace {

// The parts of an image that instructions write. x87 registers come in physical order, in which a
// push or a pop leaves all but one as they are.
struct Part {
  unsigned at, size;
};
constexpr unsigned kParts = 7 + 8 + 16 + 16;
constexpr unsigned kFirstSt = 7;

Part part(unsigned n, unsigned top) {
  constexpr Part kWords[] = {
      {0, 2},           {2, 2},           {4, 1},          {Image::kMxcsr, 4},
      {Image::kFop, 2}, {Image::kFip, 8}, {Image::kFdp, 8}};
  if (n < kFirstSt) return kWords[n];
  if (n < 15) return {Image::kSt + 16 * ((n - kFirstSt - top) & 7), 10};
  if (n < 31) return {Image::kXmm + 16 * (n - 15), 16};
  return {Image::kYmm + 16 * (n - 31), 16};
}

unsigned top_of(const Image& image) {
  return load<u16>(&image.bytes[2]) >> 11 & 7;
}

}  // namespace

RecordWriter::RecordWriter(const Pool& pool, u64 pool_seed, Maker maker) : pool_(pool) {
  fixed(kMagic, 8);
  fixed(0, 4);  // the number of cases, when it is known
  byte(maker == Maker::kIntel);
  fixed(pool_seed, 8);
}

void RecordWriter::fixed(u64 value, unsigned size) {
  for (unsigned i = 0; i < size; ++i) byte(value >> (8 * i));
}

void RecordWriter::number(u64 value) {
  for (; value >= 0x80; value >>= 7) byte(value | 0x80);
  byte(value);
}

void RecordWriter::put_registers(const std::array<u64, 16>& values,
                                 const std::array<u64, 16>& expected) {
  u64 mask = 0;
  for (unsigned i = 0; i < 16; ++i)
    if (values[i] != expected[i]) mask |= bit(i);
  number(mask);
  for (unsigned i = 0; i < 16; ++i)
    if (mask >> i & 1) number(values[i]);
}

void RecordWriter::put_image(const Image& image, const Image& before) {
  u64 mask = 0;
  for (unsigned n = 0; n < kParts; ++n) {
    const Part now = part(n, top_of(image)), then = part(n, top_of(before));
    if (std::memcmp(&image.bytes[now.at], &before.bytes[then.at], now.size) != 0) mask |= bit(n);
  }
  number(mask);
  for (unsigned n = 0; n < kParts; ++n) {
    const Part now = part(n, top_of(image));
    for (unsigned i = 0; mask >> n & 1 && i < now.size; ++i) byte(image.bytes[now.at + i]);
  }
}

void RecordWriter::add(const Case& test, const Outcome& outcome) {
  ++count_;
  byte(test.length | (test.vectors ? 0x80 : 0) | (test.segments ? 0x40 : 0));
  for (unsigned i = 0; i < test.length; ++i) byte(test.code[i]);
  byte(test.image);
  number((test.rip - kCodeBase) / kSlotSize);
  number(test.rflags);
  fixed(test.register_seed, 4);
  std::array<u64, 16> seeded;
  fill_registers(seeded, test.register_seed);
  put_registers(test.gpr, seeded);

  byte(outcome.vector);
  if (outcome.vector < 32) number(outcome.error_code), number(outcome.cr2);
  if (outcome.vector == Outcome::kLanded) number(outcome.rip);
  number(outcome.rflags ^ test.rflags);
  put_registers(outcome.gpr, test.gpr);
  number(outcome.change_count);
  for (u32 i = 0; i < outcome.change_count; ++i) {
    number(outcome.changes[i].offset / 8);
    fixed(outcome.changes[i].value, 8);
  }
  if (test.segments) {
    for (u16 selector : outcome.selectors.values) number(selector);
    number(outcome.selectors.fs_base);
    number(outcome.selectors.gs_base);
  }
  if (test.vectors) put_image(outcome.image, pool_.images[test.image]);
}

std::vector<u8> RecordWriter::finish() {
  store<u32>(&bytes_[8], count_);
  return std::move(bytes_);
}

RecordReader::RecordReader(std::vector<u8> bytes) : bytes_(std::move(bytes)) {
  good_ = fixed(8) == kMagic && good_;
  count_ = static_cast<u32>(fixed(4));
  maker_ = byte() ? Maker::kIntel : Maker::kOther;
  pool_seed_ = fixed(8);
}

u8 RecordReader::byte() {
  if (at_ < bytes_.size()) return bytes_[at_++];
  good_ = false;
  return 0;
}

u64 RecordReader::fixed(unsigned size) {
  u64 value = 0;
  for (unsigned i = 0; i < size; ++i) value |= u64{byte()} << (8 * i);
  return value;
}

u64 RecordReader::number() {
  u64 value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    const u64 next = byte();
    value |= (next & 0x7f) << shift;
    if (next < 0x80) break;
  }
  return value;
}

void RecordReader::take_registers(std::array<u64, 16>& values) {
  const u64 mask = number();
  for (unsigned i = 0; i < 16; ++i)
    if (mask >> i & 1) values[i] = number();
}

void RecordReader::take_image(Image& image) {
  const Image before = image;
  const unsigned old_top = top_of(before);
  const u64 mask = number();
  unsigned top = old_top;
  for (unsigned n = 0; n < kParts; ++n) {
    if (n == kFirstSt) top = top_of(image);  // FSW has been read
    const Part now = part(n, top), then = part(n, old_top);
    std::memcpy(&image.bytes[now.at], &before.bytes[then.at], now.size);
    for (unsigned i = 0; mask >> n & 1 && i < now.size; ++i) image.bytes[now.at + i] = byte();
  }
}

void RecordReader::next(const Pool& pool, Case& test, Outcome& outcome) {
  test = {};
  const u8 head = byte();
  test.length = head & 15;
  test.vectors = head & 0x80;
  test.segments = head & 0x40;
  for (unsigned i = 0; i < test.length; ++i) test.code[i] = byte();
  test.image = byte() % 64;
  test.rip = kCodeBase + number() % kSlots * kSlotSize;
  test.rflags = number();
  test.register_seed = static_cast<u32>(fixed(4));
  fill_registers(test.gpr, test.register_seed);
  take_registers(test.gpr);

  outcome.vector = byte();
  outcome.error_code = 0;
  outcome.cr2 = 0;
  outcome.rip = test.rip + (outcome.vector == Outcome::kWentOn ? test.length : 0);
  if (outcome.vector < 32) outcome.error_code = static_cast<u32>(number()), outcome.cr2 = number();
  if (outcome.vector == Outcome::kLanded) outcome.rip = number();
  outcome.rflags = number() ^ test.rflags;
  outcome.gpr = test.gpr;
  take_registers(outcome.gpr);
  outcome.change_count = static_cast<u32>(number());
  if (outcome.change_count > Outcome::kMaxChanges) good_ = false;
  for (u32 i = 0; good_ && i < outcome.change_count; ++i) {
    outcome.changes[i].offset = 8 * number();
    outcome.changes[i].value = fixed(8);
  }
  if (test.segments) {
    for (u16& selector : outcome.selectors.values) selector = static_cast<u16>(number());
    outcome.selectors.fs_base = number();
    outcome.selectors.gs_base = number();
  }
  outcome.image = pool.images[test.image];
  if (test.vectors) take_image(outcome.image);
}

}  // namespace kite::oracle
