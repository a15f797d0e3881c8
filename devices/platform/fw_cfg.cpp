#include "devices/platform/fw_cfg.h"

#include <algorithm>
#include <array>

#include "base/bits.h"

namespace kite {

namespace {

constexpr u16 kSignature = 0x00, kInterfaceId = 0x01, kFileDirectory = 0x19, kFirstFile = 0x20;
constexpr u8 kTraditional = 1, kHasDma = 2;
constexpr u64 kFileNameSize = 56;
constexpr std::array<u8, 8> kDmaSignature = {'Q', 'E', 'M', 'U', ' ', 'C', 'F', 'G'};

enum : u32 {
  kError = 1,
  kRead = 2,
  kSkip = 4,
  kSelect = 8,
  kWrite = 16
};  // FWCfgDmaAccess.control
constexpr u64 kRequestSize = 16, kRequestLength = 4, kRequestAddress = 8;
// Beyond an item's end everything reads as zero. A request for more of it than this is refused, for
// the processor waits meanwhile.
constexpr u64 kMostZeros = 16 * MiB;

template <class T>
void add_big_endian(std::vector<u8>& to, T value) {
  for (unsigned i = sizeof(T); i-- > 0;) to.push_back(static_cast<u8>(value >> (8 * i)));
}

u64 big_endian(const u8* from, unsigned size) {
  u64 value = 0;
  for (unsigned i = 0; i < size; ++i) value = value << 8 | from[i];
  return value;
}

}  // namespace

FwCfg::FwCfg(AddressSpace& memory, Contents contents)
    : memory_(memory), items_(std::move(contents.items)) {
  items_[kSignature] = {'Q', 'E', 'M', 'U'};
  items_[kInterfaceId] = {kTraditional | kHasDma, 0, 0, 0};
  add_files(contents.files);
}

void FwCfg::add_files(const std::map<std::string, std::vector<u8>>& files) {
  std::vector<u8> directory;
  add_big_endian<u32>(directory, static_cast<u32>(files.size()));
  u16 key = kFirstFile;
  for (const auto& [name, bytes] : files) {
    add_big_endian<u32>(directory, static_cast<u32>(bytes.size()));
    add_big_endian<u16>(directory, key);
    add_big_endian<u16>(directory, 0);
    std::array<char, kFileNameSize> field{};
    std::copy_n(name.begin(), std::min<u64>(name.size(), kFileNameSize - 1), field.begin());
    directory.insert(directory.end(), field.begin(), field.end());
    items_[key++] = bytes;
  }
  items_[kFileDirectory] = std::move(directory);
}

void FwCfg::reset() {
  std::lock_guard lock(mutex_);
  select(kSignature);
  dma_address_ = 0;
}

void FwCfg::transfer(Archive& archive) {
  std::lock_guard lock(mutex_);
  archive.field("key", key_);
  archive.field("position", position_);
  archive.field("dma_address", dma_address_);
}

const std::vector<u8>& FwCfg::selected() const {
  static const std::vector<u8> kNothing;
  const auto item = items_.find(key_);
  return item == items_.end() ? kNothing : item->second;
}

void FwCfg::select(u16 key) {
  key_ = key;
  position_ = 0;
}

u8 FwCfg::next_byte() {
  const auto& item = selected();
  return position_ < item.size() ? item[position_++] : u8{0};
}

u64 FwCfg::Ports::read(u64 offset, unsigned size) {
  std::lock_guard lock(chip.mutex_);
  return offset == 1 && size == 1 ? chip.next_byte() : 0;
}

void FwCfg::Ports::write(u64 offset, u64 value, unsigned size) {
  std::lock_guard lock(chip.mutex_);
  if (offset == 0 && size == 2) chip.select(static_cast<u16>(value));
}

u8 FwCfg::Dma::read_byte(u64 offset) {
  return kDmaSignature[offset];
}

// The address's bytes, the most significant one first; the last one starts the request.
void FwCfg::Dma::write_byte(u64 offset, u8 value) {
  std::lock_guard lock(chip.mutex_);
  const unsigned shift = static_cast<unsigned>(8 * (kDmaSize - 1 - offset));
  chip.dma_address_ = (chip.dma_address_ & ~(u64{0xff} << shift)) | u64{value} << shift;
  if (offset != kDmaSize - 1) return;
  const Gpa request = chip.dma_address_;
  chip.dma_address_ = 0;
  chip.run_request(request);
}

void FwCfg::run_request(Gpa request) {
  std::array<u8, kRequestSize> bytes{};
  memory_.read(request, bytes);
  const bool done = carry_out(static_cast<u32>(big_endian(bytes.data(), 4)),
                              static_cast<u32>(big_endian(&bytes[kRequestLength], 4)),
                              big_endian(&bytes[kRequestAddress], 8));
  const std::array<u8, 4> control = {0, 0, 0, done ? u8{0} : static_cast<u8>(kError)};
  memory_.write(request, control);
}

// A guest could aim the transfer at these very ports only through memory-mapped registers, and this
// chip has none, so its lock is not taken twice.
bool FwCfg::carry_out(u32 control, u32 length, Gpa address) {
  if (control & kSelect) select(static_cast<u16>(control >> 16));
  if (control & kWrite) return false;
  const auto& item = selected();
  const u64 left = position_ < item.size() ? item.size() - position_ : 0;
  const u64 from_item = std::min<u64>(left, length);
  if (control & kRead) {
    if (length - from_item > kMostZeros) return false;
    if (from_item != 0) memory_.write(address, {item.data() + position_, from_item});
    memory_.write(address + from_item, std::vector<u8>(length - from_item));
  }
  if (control & (kRead | kSkip)) position_ += from_item;
  return true;
}

}  // namespace kite
