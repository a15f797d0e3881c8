// IdeDrive: what an ATA disk and an ATAPI CD-ROM have in common: the task file and the sector
// buffer.
#pragma once

#include <array>
#include <span>
#include <string_view>
#include <vector>

#include "base/archive.h"
#include "base/types.h"

namespace kite {

// ATA/ATAPI-4 (NCITS 317) 7.15: the status register.
namespace ide {
inline constexpr u8 kErr = 0x01, kDrq = 0x08, kDsc = 0x10, kDf = 0x20, kDrdy = 0x40, kBsy = 0x80;
// 7.9: the error register.
inline constexpr u8 kAbrt = 0x04, kIdnf = 0x10, kUnc = 0x40;
// Device/head.
inline constexpr u8 kDev = 0x10, kLba = 0x40, kHeadAlwaysOne = 0xa0;
}  // namespace ide

// The command block registers. Each has two bytes of depth, for 48-bit addresses.
struct IdeTaskFile {
  std::array<u8, 2> feature{}, count{}, lba_low{}, lba_mid{}, lba_high{};  // newest first
  u8 device = 0;
};

// A drive does what a command says while the write of the command register is in progress, so it is
// never busy. The channel calls it with its own lock held.
class IdeDrive {
 public:
  virtual ~IdeDrive() = default;

  // As after power-on: diagnostics passed, signature in the task file (9.12).
  virtual void reset();
  virtual void execute(u8 command) = 0;
  virtual void transfer(Archive& archive);

  u8 status() const { return status_; }
  u8 error() const { return error_; }
  IdeTaskFile& task() { return task_; }
  const IdeTaskFile& task() const { return task_; }

  // The data register. A 16-bit one; wider accesses come in words. Nothing to move: FFFFh.
  u16 read_data();
  void write_data(u16 value);

  // What the drive wants of INTRQ; the channel lowers it when the host reads the status.
  bool interrupt() const { return interrupt_; }
  void acknowledge() { interrupt_ = false; }

  // One block of the largest kind.
  static constexpr std::size_t kBufferSize = 64 * KiB;

 protected:
  // `signature` is what LBA mid and high hold after a reset: 0, or EB14h for ATAPI.
  explicit IdeDrive(u16 signature) : signature_(signature), buffer_(kBufferSize) {}

  enum class Phase : u8 { kIdle, kIn, kOut };
  std::span<u8> buffer() { return buffer_; }
  // DRQ: `size` bytes (at most kBufferSize, an odd one is padded) of buffer() go to or come from
  // the host; then moved() is called.
  void begin(Phase phase, std::size_t size);
  virtual void moved(Phase phase) = 0;
  void complete();
  void abort(u8 error = ide::kAbrt);
  void set_signature();
  Phase phase() const { return phase_; }
  std::size_t size() const { return size_; }

  u8 status_ = 0, error_ = 0;
  bool interrupt_ = false;

 private:
  u16 signature_;
  IdeTaskFile task_;
  Phase phase_ = Phase::kIdle;
  std::size_t position_ = 0, size_ = 0;
  std::vector<u8> buffer_;
};

// Fields of IDENTIFY data: 512 bytes of words, texts with the bytes of each word swapped.
void put_identify_word(std::span<u8> data, unsigned word, u16 value);
void put_identify_text(std::span<u8> data, unsigned word, unsigned words, std::string_view text);

}  // namespace kite
