#include "devices/storage/ata_disk.h"

#include <algorithm>

#include "base/bits.h"

namespace kite {

namespace {

constexpr u64 kSector = 512;
constexpr u16 kHeads = 16, kSectorsPerTrack = 63;  // what a disk of more than 8 GB reports
constexpr u16 kMostCylinders = 16383;
constexpr u64 kMost28Bit = (u64{1} << 28) - 1, kMost48Bit = (u64{1} << 48) - 1;

enum Command : u8 {
  kNop = 0x00,
  kRecalibrate = 0x10,
  kReadSectors = 0x20,
  kReadSectorsNoRetry = 0x21,
  kReadSectorsExt = 0x24,
  kReadNativeMax = 0xf8,
  kWriteSectors = 0x30,
  kWriteSectorsNoRetry = 0x31,
  kWriteSectorsExt = 0x34,
  kReadVerify = 0x40,
  kReadVerifyNoRetry = 0x41,
  kReadVerifyExt = 0x42,
  kExecuteDiagnostic = 0x90,
  kInitializeParameters = 0x91,
  kStandbyImmediate = 0xe0,
  kIdleImmediate = 0xe1,
  kStandby = 0xe2,
  kIdle = 0xe3,
  kCheckPowerMode = 0xe5,
  kFlushCache = 0xe7,
  kFlushCacheExt = 0xea,
  kIdentify = 0xec,
  kSetFeatures = 0xef,
};

}  // namespace

AtaDisk::AtaDisk(std::unique_ptr<DiskImage> image)
    : IdeDrive(0),
      image_(std::move(image)),
      sectors_(std::min(image_->size() / kSector, kMost48Bit)),
      cylinders_(static_cast<u16>(
          std::clamp<u64>(sectors_ / (kHeads * kSectorsPerTrack), 1, kMostCylinders))) {
  AtaDisk::reset();
}

void AtaDisk::reset() {
  IdeDrive::reset();
  next_ = left_ = 0;
  identifying_ = false;
}

void AtaDisk::transfer(Archive& archive) {
  IdeDrive::transfer(archive);
  archive.field("next", next_);
  archive.field("left", left_);
  archive.field("extended", extended_);
  archive.field("identifying", identifying_);
  if (archive.is_saving()) return;
  left_ = std::min<u64>(left_, 65536);
}

void AtaDisk::execute(u8 command) {
  identifying_ = false;
  left_ = 0;
  switch (command) {
    case kIdentify:
      return identify();
    case kReadSectors:
    case kReadSectorsNoRetry:
    case kReadSectorsExt:
      return start(command == kReadSectorsExt, false);
    case kWriteSectors:
    case kWriteSectorsNoRetry:
    case kWriteSectorsExt:
      if (image_->readonly()) return abort();
      return start(command == kWriteSectorsExt, true);
    case kReadVerify:
    case kReadVerifyNoRetry:
    case kReadVerifyExt: {
      u64 first = 0;
      const bool extended = command == kReadVerifyExt;
      if (!address(extended, first) || count(extended) > sectors_ - first) return abort(ide::kIdnf);
      return complete();
    }
    case kExecuteDiagnostic:
      set_signature();
      interrupt_ = true;
      return;
    case kFlushCache:
    case kFlushCacheExt:
      return image_->flush() ? complete() : abort(ide::kUnc);
    case kCheckPowerMode:
      task().count[0] = 0xff;  // active
      return complete();
    case kReadNativeMax:
      store_address(std::min(sectors_, kMost28Bit) - 1);
      return complete();
    case kRecalibrate:
    case kInitializeParameters:
    case kStandbyImmediate:
    case kIdleImmediate:
    case kStandby:
    case kIdle:
    case kSetFeatures:
      return complete();
    default:
      return abort();
  }
}

// ATA/ATAPI-6 table 27.
void AtaDisk::identify() {
  const auto data = buffer().first(kSector);
  std::fill(data.begin(), data.end(), u8{0});
  const auto word = [&](unsigned at, u64 value) {
    put_identify_word(data, at, static_cast<u16>(value));
  };
  word(0, 0x0040);  // fixed
  word(1, cylinders_);
  word(3, kHeads);
  word(6, kSectorsPerTrack);
  put_identify_text(data, 10, 10, "KITE0001");
  put_identify_text(data, 23, 4, "1");
  put_identify_text(data, 27, 20, "KITE HARDDISK");
  word(49, 0x0200);  // LBA, no DMA
  word(53, 1);       // words 54 to 58 are valid
  word(54, cylinders_);
  word(55, kHeads);
  word(56, kSectorsPerTrack);
  const u64 by_chs = u64{cylinders_} * kHeads * kSectorsPerTrack;
  word(57, by_chs);
  word(58, by_chs >> 16);
  const u64 by_lba = std::min(sectors_, kMost28Bit);
  word(60, by_lba);
  word(61, by_lba >> 16);
  word(80, 0x0070);  // ATA-4 to ATA-6
  word(83, 0x7400);  // 48-bit addresses, FLUSH CACHE (EXT)
  word(84, 0x4000);
  word(86, 0x3400);
  word(87, 0x4000);
  for (unsigned i = 0; i < 4; ++i) word(100 + i, sectors_ >> (16 * i));
  identifying_ = true;
  begin(Phase::kIn, kSector);
  interrupt_ = true;
}

// False where there is no such sector.
bool AtaDisk::address(bool extended, u64& first) const {
  const IdeTaskFile& task = this->task();
  const auto byte_of = [](const std::array<u8, 2>& reg, unsigned depth, unsigned shift) {
    return u64{reg[depth]} << shift;
  };
  const u64 low =
      byte_of(task.lba_low, 0, 0) | byte_of(task.lba_mid, 0, 8) | byte_of(task.lba_high, 0, 16);
  if (extended) {
    first = low | byte_of(task.lba_low, 1, 24) | byte_of(task.lba_mid, 1, 32) |
            byte_of(task.lba_high, 1, 40);
  } else if (task.device & ide::kLba) {
    first = low | u64{task.device & 0x0fu} << 24;
  } else {
    const u64 sector = low & 0xff, cylinder = low >> 8, head = task.device & 0x0f;
    if (sector == 0 || sector > kSectorsPerTrack) return false;
    first = (cylinder * kHeads + head) * kSectorsPerTrack + sector - 1;
  }
  return first < sectors_;
}

u64 AtaDisk::count(bool extended) const {
  const IdeTaskFile& task = this->task();
  if (!extended) return task.count[0] == 0 ? 256 : task.count[0];
  const u64 wanted = task.count[0] | u64{task.count[1]} << 8;
  return wanted == 0 ? 65536 : wanted;
}

// After a command the task file names the last sector that was moved, or the one that failed.
void AtaDisk::store_address(u64 sector) {
  IdeTaskFile& file = task();
  if (!extended_ && !(file.device & ide::kLba)) {
    file.lba_low[0] = static_cast<u8>(sector % kSectorsPerTrack + 1);
    const u64 track = sector / kSectorsPerTrack;
    file.device = static_cast<u8>((file.device & 0xf0) | track % kHeads);
    file.lba_mid[0] = static_cast<u8>(track / kHeads);
    file.lba_high[0] = static_cast<u8>(track / kHeads >> 8);
    return;
  }
  file.lba_low = {static_cast<u8>(sector), static_cast<u8>(sector >> 24)};
  file.lba_mid = {static_cast<u8>(sector >> 8), static_cast<u8>(sector >> 32)};
  file.lba_high = {static_cast<u8>(sector >> 16), static_cast<u8>(sector >> 40)};
  if (!extended_) file.device = static_cast<u8>((file.device & 0xf0) | (sector >> 24 & 0x0f));
}

void AtaDisk::start(bool extended, bool writing) {
  extended_ = extended;
  if (!address(extended, next_)) return abort(ide::kIdnf);
  left_ = count(extended);
  if (!writing) return read_next();
  begin(Phase::kOut, kSector);
}

void AtaDisk::read_next() {
  if (next_ >= sectors_) return abort(ide::kIdnf);
  if (!image_->read(next_ * kSector, buffer().first(kSector))) return abort(ide::kUnc);
  begin(Phase::kIn, kSector);
  interrupt_ = true;
}

void AtaDisk::finish_sector() {
  store_address(next_);
  ++next_;
  --left_;
  task().count[0] = static_cast<u8>(left_);
}

void AtaDisk::moved(Phase phase) {
  if (phase == Phase::kIn) {
    if (!identifying_ && left_ != 0) finish_sector();
    if (!identifying_ && left_ != 0) return read_next();
    status_ = ide::kDrdy | ide::kDsc;  // the last block in raises no interrupt of its own
    return;
  }
  if (left_ == 0 || next_ >= sectors_) return abort(ide::kIdnf);
  if (!image_->write(next_ * kSector, buffer().first(kSector))) return abort(ide::kUnc);
  finish_sector();
  if (left_ == 0) return complete();
  if (next_ >= sectors_) return abort(ide::kIdnf);
  begin(Phase::kOut, kSector);
  interrupt_ = true;
}

}  // namespace kite
