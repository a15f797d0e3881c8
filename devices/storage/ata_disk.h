// AtaDisk: an ATA hard disk on an IDE channel: PIO, 28- and 48-bit addresses and CHS.
#pragma once

#include <memory>

#include "devices/host/disk_image.h"
#include "devices/storage/ide_drive.h"

namespace kite {

// ATA/ATAPI-6 for the 48-bit commands. Sectors have 512 bytes; a last part of the file that is
// shorter is not shown. No DMA: IDENTIFY does not offer it.
class AtaDisk : public IdeDrive {
 public:
  explicit AtaDisk(std::unique_ptr<DiskImage> image);

  void reset() override;
  void execute(u8 command) override;
  void transfer(Archive& archive) override;

 protected:
  void moved(Phase phase) override;

 private:
  void identify();
  void start(bool extended, bool writing);
  void read_next();
  void finish_sector();
  bool address(bool extended, u64& first) const;
  void store_address(u64 sector);
  u64 count(bool extended) const;

  std::unique_ptr<DiskImage> image_;
  u64 sectors_;
  u16 cylinders_;
  u64 next_ = 0, left_ = 0;
  bool extended_ = false;
  bool identifying_ = false;
};

}  // namespace kite
