// The functions that a compiler may call on its own: memory and string functions.
#include <cstddef>
#include <cstdint>

extern "C" {

// Quadwords first: an iteration of a repeated string instruction costs about the same whatever its size.
void* memcpy(void* destination, const void* source, std::size_t size) {
  void* const result = destination;
  std::size_t words = size / 8;
  const std::size_t rest = size % 8;
  asm volatile("rep movsq; movq %[rest], %%rcx; rep movsb"
               : "+D"(destination), "+S"(source), "+c"(words)
               : [rest] "r"(rest)
               : "memory");
  return result;
}

void* memset(void* destination, int value, std::size_t size) {
  constexpr std::uint64_t kEachByte = 0x0101010101010101;
  void* const result = destination;
  std::size_t words = size / 8;
  const std::size_t rest = size % 8;
  asm volatile("rep stosq; movq %[rest], %%rcx; rep stosb"
               : "+D"(destination), "+c"(words)
               : "a"(static_cast<unsigned char>(value) * kEachByte), [rest] "r"(rest)
               : "memory");
  return result;
}

void* memmove(void* destination, const void* source, std::size_t size) {
  const auto to = reinterpret_cast<std::uintptr_t>(destination);
  const auto from = reinterpret_cast<std::uintptr_t>(source);
  if (to - from >= size) return memcpy(destination, source, size);
  // Overlap with the destination above the source: copy from the end.
  void* last_to = static_cast<char*>(destination) + size - 1;
  const void* last_from = static_cast<const char*>(source) + size - 1;
  asm volatile("std; rep movsb; cld"
               : "+D"(last_to), "+S"(last_from), "+c"(size)
               :
               : "memory", "cc");
  return destination;
}

int memcmp(const void* left, const void* right, std::size_t size) {
  const auto* a = static_cast<const unsigned char*>(left);
  const auto* b = static_cast<const unsigned char*>(right);
  for (std::size_t i = 0; i < size; ++i) {
    if (a[i] != b[i]) return a[i] - b[i];
  }
  return 0;
}

int bcmp(const void* left, const void* right, std::size_t size) {
  return memcmp(left, right, size);
}

void* memchr(const void* memory, int value, std::size_t size) {
  const auto* bytes = static_cast<const unsigned char*>(memory);
  for (std::size_t i = 0; i < size; ++i) {
    if (bytes[i] == static_cast<unsigned char>(value)) return const_cast<unsigned char*>(bytes + i);
  }
  return nullptr;
}

std::size_t strlen(const char* text) {
  std::size_t size = 0;
  // The barrier keeps the compiler from recognising strlen() in this loop.
  while (text[size] != 0) {
    ++size;
    asm volatile("");
  }
  return size;
}
}
