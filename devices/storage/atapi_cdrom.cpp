#include "devices/storage/atapi_cdrom.h"

#include <algorithm>

#include "base/bits.h"

namespace kite {

namespace {

constexpr u64 kBlock = 2048;
constexpr u64 kMostBlocks = 0xffff'ffff;
constexpr std::size_t kLongestReply = 512;

enum AtaCommand : u8 {
  kDeviceReset = 0x08,
  kExecuteDiagnostic = 0x90,
  kPacket = 0xa0,
  kIdentifyPacket = 0xa1,
  kIdleImmediate = 0xe1,
  kCheckPowerMode = 0xe5,
  kIdentify = 0xec,
  kSetFeatures = 0xef,
};

// MMC-3 table 90.
enum PacketCommand : u8 {
  kTestUnitReady = 0x00,
  kRequestSense = 0x03,
  kInquiry = 0x12,
  kStartStopUnit = 0x1b,
  kPreventAllow = 0x1e,
  kReadCapacity = 0x25,
  kRead10 = 0x28,
  kReadToc = 0x43,
  kGetConfiguration = 0x46,
  kGetEventStatus = 0x4a,
  kReadDiscInformation = 0x51,
  kModeSense10 = 0x5a,
  kRead12 = 0xa8,
  kSetCdSpeed = 0xbb,
  kMechanismStatus = 0xbd,
  kReadCd = 0xbe,
};

// Sense keys, and additional sense codes (MMC-3 annex).
constexpr u8 kMediumError = 3, kIllegalRequest = 5;
constexpr u8 kUnrecovered = 0x11, kInvalidCommand = 0x20, kOutOfRange = 0x21, kInvalidField = 0x24;

// Interrupt reason, in the sector count register (SFF-8020i 5.1.6).
constexpr u8 kCommandOrStatus = 1, kToHost = 2;

u16 be16(const u8* at) {
  return static_cast<u16>(at[0] << 8 | at[1]);
}
u32 be32(const u8* at) {
  return u32{be16(at)} << 16 | be16(at + 2);
}
void put_be16(u8* at, u16 value) {
  at[0] = static_cast<u8>(value >> 8);
  at[1] = static_cast<u8>(value);
}
void put_be32(u8* at, u32 value) {
  put_be16(at, static_cast<u16>(value >> 16));
  put_be16(at + 2, static_cast<u16>(value));
}

// Minutes, seconds and frames of a block, 150 frames of lead-in counted.
void put_address(u8* at, bool msf, u64 block) {
  if (!msf) return put_be32(at, static_cast<u32>(block));
  const u64 frames = block + 150;
  at[1] = static_cast<u8>(std::min<u64>(frames / 75 / 60, 255));
  at[2] = static_cast<u8>(frames / 75 % 60);
  at[3] = static_cast<u8>(frames % 75);
}

}  // namespace

AtapiCdrom::AtapiCdrom(std::unique_ptr<DiskImage> image)
    : IdeDrive(0xeb14),
      image_(std::move(image)),
      blocks_(std::min((image_->size() + kBlock - 1) / kBlock, kMostBlocks)) {
  AtapiCdrom::reset();
}

void AtapiCdrom::reset() {
  IdeDrive::reset();
  packet_expected_ = in_packet_ = from_image_ = false;
  next_ = left_ = 0;
  reply_.clear();
  sense_key_ = additional_sense_ = 0;
}

void AtapiCdrom::transfer(Archive& archive) {
  IdeDrive::transfer(archive);
  archive.field("packet_expected", packet_expected_);
  archive.field("in_packet", in_packet_);
  archive.field("from_image", from_image_);
  archive.field("next", next_);
  archive.field("left", left_);
  archive.bytes("reply", reply_, kLongestReply);
  archive.field("sense_key", sense_key_);
  archive.field("additional_sense", additional_sense_);
  if (archive.is_saving()) return;
  const u64 end = from_image_ ? blocks_ * kBlock : reply_.size();
  if (next_ > end || left_ > end - next_) next_ = left_ = 0;
}

void AtapiCdrom::execute(u8 command) {
  packet_expected_ = in_packet_ = false;
  left_ = 0;
  switch (command) {
    case kPacket:
      packet_expected_ = true;
      task().count[0] = kCommandOrStatus;
      return begin(Phase::kOut, kPacketSize);  // no interrupt: IDENTIFY says "within 50 us"
    case kIdentifyPacket:
      return identify();
    case kIdentify:  // SFF-8020i 7.2: refused, with the signature that says why
      set_signature();
      return abort();
    case kDeviceReset:
      return AtapiCdrom::reset();
    case kExecuteDiagnostic:
      set_signature();
      interrupt_ = true;
      return;
    case kIdleImmediate:
    case kSetFeatures:
      return complete();
    case kCheckPowerMode:
      task().count[0] = 0xff;
      return complete();
    default:
      return abort();
  }
}

void AtapiCdrom::identify() {
  const auto data = buffer().first(512);
  std::fill(data.begin(), data.end(), u8{0});
  put_identify_word(data, 0, 0x85c0);  // ATAPI CD-ROM, removable, DRQ within 50 us, 12-byte packets
  put_identify_text(data, 10, 10, "KITE0002");
  put_identify_text(data, 23, 4, "1");
  put_identify_text(data, 27, 20, "KITE CD-ROM");
  put_identify_word(data, 49, 0x0200);  // LBA, no DMA
  put_identify_word(data, 53, 0);
  put_identify_word(data, 80, 0x0010);  // ATA/ATAPI-4
  put_identify_word(data, 82, 0x4014);  // NOP absent; PACKET, DEVICE RESET, removable
  put_identify_word(data, 83, 0x4000);
  put_identify_word(data, 85, 0x0014);
  put_identify_word(data, 87, 0x4000);
  begin(Phase::kIn, 512);
  interrupt_ = true;
}

void AtapiCdrom::moved(Phase phase) {
  if (phase == Phase::kOut && packet_expected_) {
    Packet packet;
    std::copy_n(buffer().begin(), kPacketSize, packet.begin());
    packet_expected_ = false;
    in_packet_ = true;
    return run_packet(packet);
  }
  if (in_packet_) return send_next();
  status_ = ide::kDrdy | ide::kDsc;
}

// The next part of the data, as long as the host's byte count allows (SFF-8020i 5.1.7), or the end.
void AtapiCdrom::send_next() {
  if (left_ == 0) return good();
  u64 limit = task().lba_mid[0] | u64{task().lba_high[0]} << 8;
  if (limit == 0 || limit == 0xffff) limit = 0xfffe;
  if (limit % 2 != 0 && limit < left_) --limit;
  const u64 size = std::min(std::max<u64>(limit, 2), left_);
  const auto to = buffer().first(size);
  if (from_image_) {
    if (!image_->read(next_, to)) return check_condition(kMediumError, kUnrecovered);
  } else {
    std::copy_n(reply_.begin() + static_cast<std::ptrdiff_t>(next_), size, to.begin());
  }
  next_ += size;
  left_ -= size;
  begin(Phase::kIn, size);
  task().count[0] = kToHost;
  task().lba_mid[0] = static_cast<u8>(size);
  task().lba_high[0] = static_cast<u8>(size >> 8);
  interrupt_ = true;
}

void AtapiCdrom::good() {
  in_packet_ = false;
  task().count[0] = kCommandOrStatus | kToHost;
  complete();
}

void AtapiCdrom::check_condition(u8 key, u8 additional) {
  in_packet_ = false;
  left_ = 0;
  sense_key_ = key;
  additional_sense_ = additional;
  task().count[0] = kCommandOrStatus | kToHost;
  abort(static_cast<u8>(key << 4 | ide::kAbrt));
}

void AtapiCdrom::reply(std::vector<u8> bytes, u64 limit) {
  reply_ = std::move(bytes);
  from_image_ = false;
  next_ = 0;
  left_ = std::min<u64>(reply_.size(), limit);
  send_next();
}

void AtapiCdrom::read_blocks(u64 first, u64 count) {
  if (first > blocks_ || count > blocks_ - first)
    return check_condition(kIllegalRequest, kOutOfRange);
  from_image_ = true;
  next_ = first * kBlock;
  left_ = count * kBlock;
  send_next();
}

// MMC-3 5.24: formats 0 (the track and the lead-out) and 1 (the session).
void AtapiCdrom::read_toc(const Packet& packet) {
  constexpr u8 kDataTrack = 0x14, kLeadOut = 0xaa;
  const bool msf = packet[1] & 2;
  u8 format = packet[2] & 0x0f;
  if (format == 0) format = packet[9] >> 6;  // SFF-8020i's place for it
  if (format > 1) return check_condition(kIllegalRequest, kInvalidField);
  if (format == 0 && packet[6] > 1 && packet[6] != kLeadOut)
    return check_condition(kIllegalRequest, kInvalidField);
  std::vector<u8> toc = {0, 0, 1, 1};
  const auto add = [&](u8 track, u64 block) {
    const auto at = toc.size();
    toc.resize(at + 8);
    toc[at + 1] = kDataTrack;
    toc[at + 2] = track;
    put_address(&toc[at + 4], msf, block);
  };
  if (format == 1 || packet[6] <= 1) add(1, 0);
  if (format == 0) add(kLeadOut, blocks_);
  put_be16(toc.data(), static_cast<u16>(toc.size() - 2));
  reply(std::move(toc), be16(&packet[7]));
}

void AtapiCdrom::mode_sense(const Packet& packet) {
  const u8 page = packet[2] & 0x3f;
  const bool all = page == 0x3f;
  if (packet[2] >> 6 == 3) return check_condition(kIllegalRequest, 0x39);  // no saved values
  std::vector<u8> data(8);
  data[2] = 0x01;  // a 120 mm data disc
  if (all || page == 0x01) data.insert(data.end(), {0x01, 6, 0, 5, 0, 0, 0, 0});
  if (all || page == 0x2a) {
    // Reads nothing but data; loading mechanism: tray; speed 4x, in kB/s.
    data.insert(data.end(),
                {0x2a, 18, 0, 0, 0x01, 0, 0x29, 0, 0x02, 0xc2, 0, 0, 0, 0, 0x02, 0xc2, 0, 0, 0, 0});
  }
  if (data.size() == 8) return check_condition(kIllegalRequest, kInvalidField);
  put_be16(data.data(), static_cast<u16>(data.size() - 2));
  reply(std::move(data), be16(&packet[7]));
}

namespace {

std::vector<u8> sense_data(u8 key, u8 additional) {
  std::vector<u8> data(18);
  data[0] = 0x70;
  data[2] = key;
  data[7] = 10;
  data[12] = additional;
  return data;
}

std::vector<u8> inquiry_data() {
  std::vector<u8> data = {0x05, 0x80, 0x00, 0x21, 31, 0, 0, 0};
  for (const char character : std::string_view("KITE    CD-ROM          1   "))
    data.push_back(static_cast<u8>(character));
  return data;
}

// MMC-3 5.5: the profile list, with CD-ROM as the current one.
std::vector<u8> configuration() {
  return {0, 0, 0, 12, 0, 0, 0, 8, 0, 0, 3, 4, 0, 8, 1, 0};
}

// One complete session of one track.
std::vector<u8> disc_information() {
  std::vector<u8> data(34);
  data[1] = 32;
  data[2] = 0x0e;
  data[3] = data[4] = data[5] = data[6] = 1;
  return data;
}

// MMC-3 5.6, only by polling: of the media class, "present, nothing new".
std::vector<u8> media_event(u8 requested) {
  constexpr u8 kMedia = 4, kNoEvent = 0x80;
  if (!(requested & 1 << kMedia)) return {0, 2, kNoEvent, 1 << kMedia};
  return {0, 6, kMedia, 1 << kMedia, 0, 2, 0, 0};
}

std::vector<u8> capacity(u64 blocks) {
  std::vector<u8> data(8);
  put_be32(data.data(), static_cast<u32>(blocks - 1));
  put_be32(&data[4], kBlock);
  return data;
}

}  // namespace

void AtapiCdrom::run_packet(const Packet& packet) {
  const u8 key = sense_key_, additional = additional_sense_;
  sense_key_ = additional_sense_ = 0;
  switch (packet[0]) {
    case kTestUnitReady:
    case kStartStopUnit:
    case kPreventAllow:
    case kSetCdSpeed:
      return good();
    case kRequestSense:
      return reply(sense_data(key, additional), packet[4]);
    case kInquiry:
      if (packet[1] & 1) return check_condition(kIllegalRequest, kInvalidField);
      return reply(inquiry_data(), be16(&packet[3]));
    case kReadCapacity:
      return reply(capacity(blocks_), 8);
    case kRead10:
      return read_blocks(be32(&packet[2]), be16(&packet[7]));
    case kRead12:
      return read_blocks(be32(&packet[2]), be32(&packet[6]));
    case kReadCd:  // user data only
      if (packet[9] == 0x10) return read_blocks(be32(&packet[2]), be32(&packet[5]) & 0x00ffffff);
      return check_condition(kIllegalRequest, kInvalidField);
    case kReadToc:
      return read_toc(packet);
    case kGetConfiguration:
      return reply(configuration(), be16(&packet[7]));
    case kGetEventStatus:
      if (!(packet[1] & 1)) return check_condition(kIllegalRequest, kInvalidField);
      return reply(media_event(packet[4]), be16(&packet[7]));
    case kReadDiscInformation:
      return reply(disc_information(), be16(&packet[7]));
    case kModeSense10:
      return mode_sense(packet);
    case kMechanismStatus:
      return reply(std::vector<u8>(8), be16(&packet[8]));
    default:
      return check_condition(kIllegalRequest, kInvalidCommand);
  }
}

}  // namespace kite
