// Physical memory: lazily backed RAM with per-line marks and the one funnel through which all writes go.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "emu/arch/types.h"
#include "emu/host/lazy_memory.h"
#include "emu/mmu/state_visitor.h"

namespace vitrine::emu {

/// What a 64-byte line of RAM is being used for by something that must hear of writes to it.
namespace mark {
inline constexpr uint8_t code = 1;         ///< a cached block was decoded from this line
inline constexpr uint8_t translation = 2;  ///< a cached translation was derived from this line
inline constexpr uint8_t watch = 4;        ///< an observer watches this line
/// Page summary only: a write translation for this page may be cached somewhere.
inline constexpr uint8_t dirty = 8;
inline constexpr uint8_t any_line = code | translation | watch;
}  // namespace mark

/// Hears of writes to marked lines. Called after the bytes have changed.
class WriteSink {
 public:
  virtual ~WriteSink() = default;
  virtual void code_written(uint64_t offset, uint64_t size) = 0;
  virtual void translation_written() = 0;
  /// The page got its first mark: cached write translations of it must go.
  virtual void page_marked(uint64_t page_offset) = 0;
};

/// Hears of writes to watched lines, with the bytes before and after; observers only.
class WatchSink {
 public:
  virtual ~WatchSink() = default;
  virtual void watched_write(uint64_t offset, std::span<const std::byte> before,
                             std::span<const std::byte> after) = 0;
};

/// The machine's RAM as one array of bytes, addressed by offset (the bus maps Hpa to offset).
/// A page never written costs nothing and reads as zero.
class Memory {
 public:
  /// `size` in bytes, a multiple of 4096, at most 1 TiB.
  explicit Memory(uint64_t size);

  uint64_t size() const { return size_; }

  /// Direct view for cached translations and readers. Writing through it is for callers that have
  /// asked may_write_directly() and have called note_dirty().
  std::byte* host(uint64_t offset) { return ram_.data() + offset; }
  const std::byte* host(uint64_t offset) const { return ram_.data() + offset; }

  /// Copies out; the range must lie inside.
  void read(uint64_t offset, std::span<std::byte> out) const;
  /// Copies in through the funnel: marks are honoured, sinks are called.
  void write(uint64_t offset, std::span<const std::byte> in) {
    write_honouring(offset, in, mark::any_line);
  }
  /// The walker setting A or D bits: what was derived from the entry stays right.
  void write_keeping_translations(uint64_t offset, std::span<const std::byte> in) {
    write_honouring(offset, in, mark::code | mark::watch);
  }

  /// Whether nobody has to hear of writes to the page. A page whose code was written lately does not
  /// count as such for a while: code that is patched or made anew would otherwise be marked each time,
  /// and every cached translation looked at.
  bool may_write_directly(uint64_t offset) const {
    return (page_marks(offset) & mark::any_line) == 0 && unrest_[offset / kPageSize] == 0;
  }
  /// The offset of what host() answered.
  uint64_t offset_of(const std::byte* host) const {
    return static_cast<uint64_t>(host - ram_.data());
  }
  uint8_t page_marks(uint64_t offset) const { return page_marks_[offset / kPageSize]; }
  uint8_t line_marks(uint64_t offset) const {
    return static_cast<uint8_t>(line_marks_.data()[offset / kLineSize]);
  }
  /// Marks the lines of [offset, offset + size).
  void mark_lines(uint64_t offset, uint64_t size, uint8_t marks);
  void unmark_lines(uint64_t offset, uint64_t size, uint8_t marks);
  /// Forgets every translation mark; the caller has dropped every cached translation.
  void unmark_translations();
  void note_dirty(uint64_t offset) { page_marks_[offset / kPageSize] |= mark::dirty; }

  void add_sink(WriteSink& sink) { sinks_.push_back(&sink); }
  void set_watch_sink(WatchSink* sink) { watch_sink_ = sink; }

  /// Pages that may differ from zero, in ascending order.
  std::vector<uint64_t> touched_pages() const;
  void visit(StateVisitor& v);

 private:
  static constexpr uint8_t kUnrest = 255;

  void write_honouring(uint64_t offset, std::span<const std::byte> in, uint8_t honoured);
  void write_marked(uint64_t offset, std::span<const std::byte> in, uint8_t honoured);
  void refresh_page_summary(uint64_t page);

  uint64_t size_;
  host::LazyMemory ram_;
  host::LazyMemory line_marks_;
  std::vector<uint8_t> page_marks_;
  /// By page: plain writes until one whose code was written may be written directly again. Not 0: no
  /// write translation of it is cached.
  std::vector<uint8_t> unrest_;
  std::vector<uint64_t> translation_lines_;
  std::vector<WriteSink*> sinks_;
  WatchSink* watch_sink_ = nullptr;
};

}  // namespace vitrine::emu
