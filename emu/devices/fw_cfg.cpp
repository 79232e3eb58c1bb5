// The items of the firmware configuration device and the two ports that show them.
#include "emu/devices/fw_cfg.h"

namespace vitrine::emu {

namespace {

namespace key {
constexpr uint16_t signature = 0x00, id = 0x01, ram_size = 0x03, processors = 0x05,
                   max_processors = 0x0F, directory = 0x19, first_file = 0x20;
}
constexpr uint64_t kSignature = 0x554D4551;  // "QEMU"
constexpr size_t kPathBytes = 56;
constexpr uint16_t kKeyMask = 0x3FFF;

void put_big_endian(std::vector<std::byte>& out, uint64_t value, unsigned size) {
  for (unsigned i = size; i-- > 0;) out.push_back(static_cast<std::byte>(value >> 8 * i));
}

}  // namespace

FwCfg::FwCfg(const Sizes& sizes) {
  add(key::signature, kSignature, 4);
  add(key::id, 1, 4);  // the two ports, no DMA
  add(key::ram_size, sizes.ram_bytes, 8);
  add(key::processors, sizes.processors, 2);
  add(key::max_processors, sizes.processors, 2);
  rebuild_directory();
}

void FwCfg::add(uint16_t item, uint64_t value, unsigned size) {
  std::vector<std::byte>& bytes = items_[item];
  for (unsigned i = 0; i < size; ++i) bytes.push_back(static_cast<std::byte>(value >> 8 * i));
}

void FwCfg::add_file(std::string_view path, std::vector<std::byte> content) {
  const auto item = static_cast<uint16_t>(key::first_file + files_.size());
  files_.push_back(
      {std::string(path.substr(0, kPathBytes - 1)), item, static_cast<uint32_t>(content.size())});
  items_[item] = std::move(content);
  rebuild_directory();
}

/// A count, then per file its size, key and path; numbers are big-endian.
void FwCfg::rebuild_directory() {
  std::vector<std::byte> bytes;
  put_big_endian(bytes, files_.size(), 4);
  for (const File& file : files_) {
    put_big_endian(bytes, file.size, 4);
    put_big_endian(bytes, file.key, 2);
    put_big_endian(bytes, 0, 2);
    for (size_t i = 0; i < kPathBytes; ++i) {
      bytes.push_back(static_cast<std::byte>(i < file.path.size() ? file.path[i] : '\0'));
    }
  }
  items_[key::directory] = std::move(bytes);
}

void FwCfg::reset(Cycle) {
  selected_ = 0;
  position_ = 0;
}

uint64_t FwCfg::peek(uint64_t offset, unsigned size) const {
  const auto item = items_.find(selected_ & kKeyMask);
  if (offset == 0) return open_bus(size);
  if (offset != 1 || item == items_.end() || position_ >= item->second.size()) return 0;
  return std::to_integer<uint64_t>(item->second[position_]);
}

uint64_t FwCfg::read(uint64_t offset, unsigned size, const BusAccess&) {
  const uint64_t value = peek(offset, size);
  if (offset == 1) ++position_;
  return value;
}

void FwCfg::write(uint64_t offset, unsigned size, uint64_t value, const BusAccess&) {
  if (offset != 0 || size != 2) return;
  selected_ = static_cast<uint16_t>(value);
  position_ = 0;
}

void FwCfg::visit(StateVisitor& v) {
  v.enter(name());
  v.field("selected", selected_);
  v.field("position", position_);
  v.leave();
}

std::string FwCfg::inspect() const {
  std::string text = Facts{}.hex("selected", selected_, 4).number("position", position_).text();
  for (const File& file : files_) text += "file " + file.path + "\n";
  return text;
}

}  // namespace vitrine::emu
