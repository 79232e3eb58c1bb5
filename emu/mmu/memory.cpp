// The write funnel of physical memory and the marks that make caches of it coherent.
#include "emu/mmu/memory.h"

#include <algorithm>
#include <cstring>

#include "emu/arch/require.h"

namespace vitrine::emu {

namespace {

constexpr uint64_t kMaxSize = uint64_t{1} << 40;

/// True when no cached translation can depend on these table bytes: every entry they touch was
/// not present. Dwords are looked at singly; a present bit is one of the low three of an entry's low
/// dword, and counting the high dword too only errs towards dropping.
bool was_empty_table(std::span<const std::byte> before) {
  for (const std::byte b : before) {
    if ((b & std::byte{7}) != std::byte{0}) return false;
  }
  return true;
}

}  // namespace

Memory::Memory(uint64_t size)
    : size_(size), ram_(size), line_marks_(size / kLineSize), page_marks_(size / kPageSize),
      unrest_(size / kPageSize) {
  require(size % kPageSize == 0 && size != 0 && size <= kMaxSize, "RAM size out of range");
}

void Memory::read(uint64_t offset, std::span<std::byte> out) const {
  require(offset <= size_ && out.size() <= size_ - offset, "read outside RAM");
  std::memcpy(out.data(), ram_.data() + offset, out.size());
}

void Memory::write_honouring(uint64_t offset, std::span<const std::byte> in, uint8_t honoured) {
  require(offset <= size_ && in.size() <= size_ - offset, "write outside RAM");
  while (!in.empty()) {
    const auto step = std::min<uint64_t>(in.size(), kPageSize - offset % kPageSize);
    const auto part = in.first(step);
    note_dirty(offset);
    if ((page_marks(offset) & mark::any_line) == 0) {
      uint8_t& unrest = unrest_[offset / kPageSize];
      if (unrest != 0) --unrest;
      std::memcpy(host(offset), part.data(), part.size());
    } else {
      write_marked(offset, part, honoured);
    }
    offset += step;
    in = in.subspan(step);
  }
}

void Memory::write_marked(uint64_t offset, std::span<const std::byte> in, uint8_t honoured) {
  uint8_t marks = 0;
  for (uint64_t line = offset / kLineSize; line <= (offset + in.size() - 1) / kLineSize; ++line) {
    marks |= line_marks(line * kLineSize);
  }
  marks &= honoured;
  std::array<std::byte, kPageSize> before;
  const std::span<std::byte> old{before.data(), in.size()};
  if (marks != 0) std::memcpy(old.data(), host(offset), in.size());
  std::memcpy(host(offset), in.data(), in.size());
  if (marks == 0) return;

  if ((marks & mark::translation) != 0) {
    // Whole dwords around the bytes: the present bit may lie before the first byte written.
    const uint64_t first = offset & ~uint64_t{3};
    const uint64_t lead = offset - first;
    const uint64_t last = (offset + in.size() + 3) & ~uint64_t{3};
    std::vector<std::byte> whole(host(first), host(first) + (last - first));
    std::copy(old.begin(), old.end(), whole.begin() + static_cast<ptrdiff_t>(lead));
    bool empty = true;
    for (size_t i = 0; i < whole.size(); i += 4) {
      empty = empty && was_empty_table(std::span<const std::byte>{&whole[i], 1});
    }
    if (!empty) {
      for (WriteSink* sink : sinks_) sink->translation_written();
      unmark_translations();
    }
  }
  if ((marks & mark::code) != 0) {
    unrest_[offset / kPageSize] = kUnrest;
    for (WriteSink* sink : sinks_) sink->code_written(offset, in.size());
  }
  if ((marks & mark::watch) != 0 && watch_sink_ != nullptr) {
    watch_sink_->watched_write(offset, old, in);
  }
}

void Memory::mark_lines(uint64_t offset, uint64_t size, uint8_t marks) {
  const bool page_was_plain = may_write_directly(offset);
  for (uint64_t line = offset / kLineSize; line <= (offset + size - 1) / kLineSize; ++line) {
    std::byte& line_mark = line_marks_.data()[line];
    if ((marks & mark::translation) != 0 &&
        (line_mark & std::byte{mark::translation}) == std::byte{0}) {
      translation_lines_.push_back(line);
    }
    line_mark |= std::byte{marks};
    page_marks_[line * kLineSize / kPageSize] |= marks;
  }
  require(offset / kPageSize == (offset + size - 1) / kPageSize, "marks stay within a page");
  if (page_was_plain) {
    const uint64_t page = offset & ~kPageMask;
    for (WriteSink* sink : sinks_) sink->page_marked(page);
  }
}

void Memory::unmark_lines(uint64_t offset, uint64_t size, uint8_t marks) {
  for (uint64_t line = offset / kLineSize; line <= (offset + size - 1) / kLineSize; ++line) {
    line_marks_.data()[line] &= ~std::byte{marks};
  }
  for (uint64_t page = offset / kPageSize; page <= (offset + size - 1) / kPageSize; ++page) {
    refresh_page_summary(page);
  }
}

void Memory::unmark_translations() {
  for (const uint64_t line : translation_lines_) {
    line_marks_.data()[line] &= ~std::byte{mark::translation};
  }
  for (const uint64_t line : translation_lines_) {
    refresh_page_summary(line * kLineSize / kPageSize);
  }
  translation_lines_.clear();
}

void Memory::refresh_page_summary(uint64_t page) {
  constexpr uint64_t lines = kPageSize / kLineSize;
  uint8_t marks = page_marks_[page] & mark::dirty;
  for (uint64_t line = page * lines; line < (page + 1) * lines; ++line) {
    marks |= static_cast<uint8_t>(line_marks_.data()[line]);
  }
  page_marks_[page] = marks;
}

std::vector<uint64_t> Memory::touched_pages() const {
  std::vector<uint64_t> pages;
  for (uint64_t page = 0; page < page_marks_.size(); ++page) {
    if ((page_marks_[page] & mark::dirty) != 0) pages.push_back(page * kPageSize);
  }
  return pages;
}

void Memory::visit(StateVisitor& v) {
  v.enter("memory");
  v.constant("bytes_of_memory", size_);
  constexpr std::array<std::byte, kPageSize> zero{};
  if (v.loading()) {
    for (const uint64_t offset : touched_pages()) write(offset, zero);
    uint64_t count = 0;
    v.field("pages", count);
    if (count > size_ / kPageSize) {
      v.reject();
      count = 0;
    }
    for (uint64_t i = 0; i < count; ++i) {
      uint64_t offset = 0;
      std::array<std::byte, kPageSize> page;
      v.field("offset", offset);
      v.bytes("page", page);
      if (offset % kPageSize == 0 && offset < size_) {
        write(offset, page);
      } else {
        v.reject();
      }
    }
  } else {
    std::vector<uint64_t> pages = touched_pages();
    std::erase_if(pages, [&](uint64_t offset) {
      return std::memcmp(host(offset), zero.data(), kPageSize) == 0;
    });
    uint64_t count = pages.size();
    v.field("pages", count);
    for (uint64_t offset : pages) {
      v.field("offset", offset);
      v.bytes("page", {host(offset), kPageSize});
    }
  }
  v.leave();
}

}  // namespace vitrine::emu
