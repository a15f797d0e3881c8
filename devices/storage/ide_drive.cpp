#include "devices/storage/ide_drive.h"

#include <algorithm>

#include "base/bits.h"

namespace kite {

void IdeDrive::reset() {
  phase_ = Phase::kIdle;
  position_ = size_ = 0;
  interrupt_ = false;
  set_signature();
}

// 9.12: diagnostic code 01h in the error register. A packet device does not say it is ready.
void IdeDrive::set_signature() {
  task_ = {};
  task_.count[0] = task_.lba_low[0] = 1;
  task_.lba_mid[0] = static_cast<u8>(signature_);
  task_.lba_high[0] = static_cast<u8>(signature_ >> 8);
  error_ = 1;
  status_ = signature_ == 0 ? ide::kDrdy | ide::kDsc : 0;
}

void IdeDrive::transfer(Archive& archive) {
  u64 position = position_, size = size_;
  u8 phase = static_cast<u8>(phase_);
  archive.field("status", status_);
  archive.field("error", error_);
  archive.field("interrupt", interrupt_);
  archive.field("task", task_);
  archive.field("phase", phase);
  archive.field("position", position);
  archive.field("size", size);
  archive.bytes("buffer", buffer_, kBufferSize);
  if (archive.is_saving()) return;
  buffer_.resize(kBufferSize);
  const bool sane = phase <= static_cast<u8>(Phase::kOut) && size <= kBufferSize && size % 2 == 0 &&
                    position % 2 == 0 && position <= size;
  phase_ = sane ? static_cast<Phase>(phase) : Phase::kIdle;
  position_ = sane ? position : 0;
  size_ = sane ? size : 0;
}

void IdeDrive::begin(Phase phase, std::size_t size) {
  phase_ = phase;
  position_ = 0;
  size_ = std::min(size + size % 2, kBufferSize);
  status_ = ide::kDrdy | ide::kDsc | ide::kDrq;
}

void IdeDrive::complete() {
  phase_ = Phase::kIdle;
  status_ = ide::kDrdy | ide::kDsc;
  error_ = 0;
  interrupt_ = true;
}

void IdeDrive::abort(u8 error) {
  phase_ = Phase::kIdle;
  status_ = ide::kDrdy | ide::kDsc | ide::kErr;
  error_ = error;
  interrupt_ = true;
}

u16 IdeDrive::read_data() {
  if (phase_ != Phase::kIn || position_ >= size_) return 0xffff;
  const u16 value = load<u16>(&buffer_[position_]);
  position_ += 2;
  if (position_ >= size_) {
    phase_ = Phase::kIdle;
    moved(Phase::kIn);
  }
  return value;
}

void IdeDrive::write_data(u16 value) {
  if (phase_ != Phase::kOut || position_ >= size_) return;
  store<u16>(&buffer_[position_], value);
  position_ += 2;
  if (position_ >= size_) {
    phase_ = Phase::kIdle;
    moved(Phase::kOut);
  }
}

void put_identify_word(std::span<u8> data, unsigned word, u16 value) {
  store<u16>(&data[word * 2], value);
}

void put_identify_text(std::span<u8> data, unsigned word, unsigned words, std::string_view text) {
  for (unsigned i = 0; i < words * 2; ++i)
    data[word * 2 + (i ^ 1)] = static_cast<u8>(i < text.size() ? text[i] : ' ');
}

}  // namespace kite
