// AtapiCdrom: an ATAPI CD-ROM drive with a disc in it.
#pragma once

#include <memory>

#include "devices/host/disk_image.h"
#include "devices/storage/ide_drive.h"

namespace kite {

// SFF-8020i for the packet protocol, MMC-3 for the commands. One data track of 2048-byte blocks,
// read-only, which cannot be taken out.
class AtapiCdrom : public IdeDrive {
 public:
  explicit AtapiCdrom(std::unique_ptr<DiskImage> image);

  void reset() override;
  void execute(u8 command) override;
  void transfer(Archive& archive) override;

 protected:
  void moved(Phase phase) override;

 private:
  static constexpr std::size_t kPacketSize = 12;
  using Packet = std::array<u8, kPacketSize>;

  void identify();
  void run_packet(const Packet& packet);
  void read_blocks(u64 first, u64 count);
  void read_toc(const Packet& packet);
  void mode_sense(const Packet& packet);
  void reply(std::vector<u8> bytes, u64 limit);
  void send_next();
  void good();
  void check_condition(u8 key, u8 additional);

  std::unique_ptr<DiskImage> image_;
  u64 blocks_;
  bool packet_expected_ = false;
  bool in_packet_ = false;  // data that moves belongs to a packet command
  // What is still to be sent: bytes of the image from next_, or of reply_.
  bool from_image_ = false;
  u64 next_ = 0, left_ = 0;
  std::vector<u8> reply_;
  u8 sense_key_ = 0, additional_sense_ = 0;
};

}  // namespace kite
