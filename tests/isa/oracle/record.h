// Recorded cases: what silicon has done, in a form compact enough to stand in the repository, so
// that hosts of any kind can hold the interpreter to it.
//
// A file is a header (kMagic, whose silicon, the pool's seed, the number of cases) and one record
// after the other. A record has what a case does not share with its seeds, and what the outcome
// does not share with the case. Numbers are little-endian or LEB128.
#pragma once

#include <vector>

#include "tests/isa/oracle/rules.h"

namespace kite::oracle {

inline constexpr u64 kMagic = 0x3230434556455449;  // "ITEVEC02"

class RecordWriter {
 public:
  RecordWriter(const Pool& pool, u64 pool_seed, Maker maker);
  void add(const Case& test, const Outcome& outcome);
  u32 count() const { return count_; }
  std::vector<u8> finish();

 private:
  void byte(u64 value) { bytes_.push_back(static_cast<u8>(value)); }
  void fixed(u64 value, unsigned size);
  void number(u64 value);
  void put_registers(const std::array<u64, 16>& values, const std::array<u64, 16>& expected);
  void put_image(const Image& image, const Image& before);

  const Pool& pool_;
  std::vector<u8> bytes_;
  u32 count_ = 0;
};

class RecordReader {
 public:
  explicit RecordReader(std::vector<u8> bytes);
  bool good() const { return good_; }  // false: the file is cut off or not one of these
  u64 pool_seed() const { return pool_seed_; }
  Maker maker() const { return maker_; }
  u32 count() const { return count_; }
  // The next case and what silicon made of it.
  void next(const Pool& pool, Case& test, Outcome& outcome);

 private:
  u8 byte();
  u64 fixed(unsigned size);
  u64 number();
  void take_registers(std::array<u64, 16>& values);
  void take_image(Image& image);

  std::vector<u8> bytes_;
  std::size_t at_ = 0;
  bool good_ = true;
  u64 pool_seed_ = 0;
  Maker maker_ = Maker::kOther;
  u32 count_ = 0;
};

}  // namespace kite::oracle
