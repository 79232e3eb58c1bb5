// AML encoding: names, constants, package lengths, resource descriptors.
#include "emu/devices/aml.h"

#include <array>

namespace vitrine::emu {

namespace {

namespace op {
constexpr uint8_t zero = 0x00, one = 0x01, name = 0x08, byte = 0x0A, word = 0x0B, dword = 0x0C,
                  string = 0x0D, qword = 0x0E, scope = 0x10, buffer = 0x11, package = 0x12,
                  extended = 0x5B, device = 0x82, dual_name = 0x2E, root = '\\';
}
namespace resource {
constexpr uint8_t irq = 0x22, io = 0x47, end = 0x79, fixed_memory = 0x86, word_window = 0x88,
                  dword_window = 0x87;
constexpr uint8_t memory = 0, io_type = 1, bus = 2;
constexpr uint8_t fixed_limits = 0x0C;  // minimum and maximum are fixed
}  // namespace resource

/// Bytes left free for a length: the three-byte form, good for 1 MiB.
constexpr size_t kLengthBytes = 3;
/// A resource buffer: its length, then a word constant with the size.
constexpr size_t kBufferSizeBytes = 3;

}  // namespace

void AmlWriter::little(uint64_t value, unsigned size) {
  for (unsigned i = 0; i < size; ++i) byte(static_cast<uint8_t>(value >> 8 * i));
}

void AmlWriter::name(std::string_view path) {
  if (path.front() == op::root) {
    byte(op::root);
    path.remove_prefix(1);
  }
  const size_t dot = path.find('.');
  if (dot != std::string_view::npos) byte(op::dual_name);
  while (!path.empty()) {
    const std::string_view segment = path.substr(0, path.find('.'));
    for (size_t i = 0; i < 4; ++i)
      byte(static_cast<uint8_t>(i < segment.size() ? segment[i] : '_'));
    path.remove_prefix(segment.size() < path.size() ? segment.size() + 1 : path.size());
  }
}

void AmlWriter::integer(uint64_t value) {
  if (value == 0) {
    byte(op::zero);
  } else if (value == 1) {
    byte(op::one);
  } else if (value <= 0xFF) {
    byte(op::byte);
    little(value, 1);
  } else if (value <= 0xFFFF) {
    byte(op::word);
    little(value, 2);
  } else if (value <= 0xFFFFFFFF) {
    byte(op::dword);
    little(value, 4);
  } else {
    byte(op::qword);
    little(value, 8);
  }
}

void AmlWriter::string(std::string_view text) {
  byte(op::string);
  for (const char c : text) byte(static_cast<uint8_t>(c));
  byte(0);
}

// Three letters of five bits, four hexadecimal digits, most significant byte first.
void AmlWriter::eisa_id(std::string_view id) {
  const auto letter = [&](size_t i) { return static_cast<uint32_t>(id[i] - '@') & 31; };
  uint32_t value = letter(0) << 26 | letter(1) << 21 | letter(2) << 16;
  for (size_t i = 3; i < 7; ++i) {
    const char c = id[i];
    const auto digit = static_cast<uint32_t>(c >= 'A' ? c - 'A' + 10 : c - '0');
    value |= digit << 4 * (6 - i);
  }
  byte(op::dword);
  for (unsigned i = 4; i-- > 0;) byte(static_cast<uint8_t>(value >> 8 * i));
}

void AmlWriter::begin_name(std::string_view path) {
  byte(op::name);
  name(path);
}

void AmlWriter::named_integer(std::string_view path, uint64_t value) {
  begin_name(path);
  integer(value);
}

void AmlWriter::named_eisa_id(std::string_view path, std::string_view id) {
  begin_name(path);
  eisa_id(id);
}

AmlWriter::Mark AmlWriter::open_length() {
  const Mark mark = bytes_.size();
  bytes_.resize(mark + kLengthBytes);
  return mark;
}

AmlWriter::Mark AmlWriter::open_scope(std::string_view path) {
  byte(op::scope);
  const Mark mark = open_length();
  name(path);
  return mark;
}

AmlWriter::Mark AmlWriter::open_device(std::string_view path) {
  byte(op::extended);
  byte(op::device);
  const Mark mark = open_length();
  name(path);
  return mark;
}

AmlWriter::Mark AmlWriter::open_package(uint8_t elements) {
  byte(op::package);
  const Mark mark = open_length();
  byte(elements);
  return mark;
}

/// ACPI "Package Length Encoding": the count includes the length bytes themselves.
void AmlWriter::close(Mark mark) {
  const size_t length = bytes_.size() - mark;
  bytes_[mark] = static_cast<uint8_t>((kLengthBytes - 1) << 6 | (length & 15));
  bytes_[mark + 1] = static_cast<uint8_t>(length >> 4);
  bytes_[mark + 2] = static_cast<uint8_t>(length >> 12);
}

AmlWriter::Mark AmlWriter::open_resources() {
  begin_name("_CRS");
  byte(op::buffer);
  const Mark mark = open_length();
  bytes_.resize(bytes_.size() + kBufferSizeBytes);
  return mark;
}

void AmlWriter::close_resources(Mark mark) {
  byte(resource::end);
  byte(0);  // no checksum
  const size_t first = mark + kLengthBytes + kBufferSizeBytes;
  const size_t size = bytes_.size() - first;
  bytes_[first - 3] = op::word;
  bytes_[first - 2] = static_cast<uint8_t>(size);
  bytes_[first - 1] = static_cast<uint8_t>(size >> 8);
  close(mark);
}

void AmlWriter::io(uint16_t first, uint8_t count) {
  byte(resource::io);
  byte(1);  // decodes 16 address bits
  little(first, 2);
  little(first, 2);
  byte(1);  // alignment
  byte(count);
}

void AmlWriter::irq(uint8_t line) {
  byte(resource::irq);
  little(uint64_t{1} << line, 2);
}

void AmlWriter::fixed_memory(uint32_t base, uint32_t size) {
  byte(resource::fixed_memory);
  little(9, 2);
  byte(1);  // writable
  little(base, 4);
  little(size, 4);
}

void AmlWriter::bus_range(uint16_t first, uint16_t last) {
  byte(resource::word_window);
  little(13, 2);
  byte(resource::bus);
  byte(resource::fixed_limits);
  byte(0);
  for (const uint64_t v : std::array<uint64_t, 5>{0, first, last, 0, last - first + 1ull})
    little(v, 2);
}

void AmlWriter::io_window(uint16_t first, uint16_t last) {
  byte(resource::word_window);
  little(13, 2);
  byte(resource::io_type);
  byte(resource::fixed_limits);
  byte(3);  // the whole range
  for (const uint64_t v : std::array<uint64_t, 5>{0, first, last, 0, last - first + 1ull})
    little(v, 2);
}

void AmlWriter::memory_window(uint32_t first, uint32_t last) {
  byte(resource::dword_window);
  little(23, 2);
  byte(resource::memory);
  byte(resource::fixed_limits);
  byte(1);  // writable, not cacheable
  for (const uint64_t v : std::array<uint64_t, 5>{0, first, last, 0, last - first + 1ull})
    little(v, 4);
}

}  // namespace vitrine::emu
