// StateVisitor: one list of fields per part of the machine serves saving, loading, hashing and diffing.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

namespace vitrine::emu {

static_assert(std::endian::native == std::endian::little,
              "snapshots and hashes are little-endian images of the state");

/// Visits architectural state field by field in a fixed order. A part offers
/// `void visit(StateVisitor&)`; whatever is not visited is a cache that may be dropped at any time.
class StateVisitor {
 public:
  virtual ~StateVisitor() = default;

  /// Starts the fields of a named part; names nest until the matching leave().
  virtual void enter(std::string_view part) = 0;
  virtual void leave() = 0;
  /// One field of fixed size. A loading visitor overwrites `data`.
  virtual void bytes(std::string_view name, std::span<std::byte> data) = 0;
  /// One field of variable size. A loading visitor resizes it.
  virtual void blob(std::string_view name, std::vector<std::byte>& data) = 0;
  /// True when visiting changes the fields.
  virtual bool loading() const = 0;
  /// A loading visitor learns that what it brought cannot be of this machine.
  virtual void reject() {}

  /// Something that the configuration has fixed: hashed and saved like a field, never changed.
  template <class T>
    requires(std::is_integral_v<T>)
  void constant(std::string_view name, T value) {
    T copy = value;
    field(name, copy);
    if (loading() && copy != value) reject();
  }

  template <class T>
    requires(std::is_integral_v<T> || std::is_enum_v<T>)
  void field(std::string_view name, T& value) {
    bytes(name, std::as_writable_bytes(std::span<T, 1>{&value, 1}));
  }
  template <class T>
    requires requires(T& t) { t.value; } && (sizeof(T) == 8)
  void field(std::string_view name, T& quantity) {
    field(name, quantity.value);
  }
  template <class T, size_t n>
    requires(std::is_integral_v<T>)
  void field(std::string_view name, std::array<T, n>& values) {
    bytes(name, std::as_writable_bytes(std::span<T, n>{values}));
  }
};

}  // namespace vitrine::emu
