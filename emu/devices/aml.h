// AmlWriter: writes the few AML terms that our DSDT is made of.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace vitrine::emu {

/// ACPI "AML Grammar Definition". Terms that enclose others are opened and closed; the length in
/// front of them is filled in when they close.
class AmlWriter {
 public:
  using Mark = size_t;

  const std::vector<uint8_t>& bytes() const { return bytes_; }

  /// A path such as "\\_SB" or "COM1"; segments are padded to four characters.
  void name(std::string_view path);
  void integer(uint64_t value);
  void string(std::string_view text);
  /// EISA identifier such as "PNP0501".
  void eisa_id(std::string_view id);
  void named_integer(std::string_view path, uint64_t value);
  void named_eisa_id(std::string_view path, std::string_view id);

  Mark open_scope(std::string_view path);
  Mark open_device(std::string_view path);
  Mark open_package(uint8_t elements);
  void begin_name(std::string_view path);  ///< the object follows
  void close(Mark mark);

  /// A _CRS: resource descriptors between the two calls, with their end tag.
  Mark open_resources();
  void close_resources(Mark mark);
  void io(uint16_t first, uint8_t count);
  void irq(uint8_t line);
  void fixed_memory(uint32_t base, uint32_t size);
  void bus_range(uint16_t first, uint16_t last);
  void io_window(uint16_t first, uint16_t last);
  void memory_window(uint32_t first, uint32_t last);

 private:
  void byte(uint8_t value) { bytes_.push_back(value); }
  void little(uint64_t value, unsigned size);
  Mark open_length();

  std::vector<uint8_t> bytes_;
};

}  // namespace vitrine::emu
