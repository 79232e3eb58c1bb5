// CacheModel: inclusion, victims and the streams that a prefetcher follows.
#include "emu/cpu/timing/cache_model.h"

namespace vitrine::emu::timing {

namespace {

constexpr uint64_t kLinesPerPage = 64;

}  // namespace

CacheModel::CacheModel(const CoreParameters& core)
    : core_(core),
      code_(core.l1i_sets, core.l1i_ways),
      data_(core.l1d_sets, core.l1d_ways),
      second_(core.l2_sets, core.l2_ways),
      third_(core.l3_sets, core.l3_ways) {}

CacheLevel CacheModel::find(uint64_t line, CacheSide side) const {
  if (has(side == CacheSide::code ? code_ : data_, line)) return CacheLevel::first;
  if (has(second_, line)) return CacheLevel::second;
  if (side == CacheSide::data && streams(line)) return CacheLevel::stream;
  return has(third_, line) ? CacheLevel::third : CacheLevel::memory;
}

void CacheModel::touch(uint64_t line, CacheSide side) {
  Tags& first = side == CacheSide::code ? code_ : data_;
  if (has(first, line)) {
    first.touch(set_of(first, line), tag_of(first, line));
    return;
  }
  first.touch(set_of(first, line), tag_of(first, line));
  if (side == CacheSide::data) train(line);
  const uint64_t set = set_of(second_, line);
  if (!has(second_, line)) third_.drop(set_of(third_, line), tag_of(third_, line));
  const uint32_t victim = second_.touch(set, tag_of(second_, line));
  if (victim == 0) return;
  const uint64_t dropped = uint64_t{victim - 1} * second_.sets() + set;
  third_.touch(set_of(third_, dropped), tag_of(third_, dropped));
}

uint32_t CacheModel::extra(CacheLevel level) const {
  switch (level) {
    case CacheLevel::first: return 0;
    case CacheLevel::second: return core_.l2_latency - core_.load_latency;
    case CacheLevel::third: return core_.l3_latency - core_.load_latency;
    case CacheLevel::memory: return core_.dram_latency - core_.load_latency;
    case CacheLevel::stream: return core_.stream_latency - core_.load_latency;
  }
  return 0;
}

bool CacheModel::streams(uint64_t line) const {
  const uint64_t page = line / kLinesPerPage + 1;
  const uint64_t at = line % kLinesPerPage;
  for (const Stream& stream : streams_) {
    if (stream.page != page) continue;
    if (stream.run < kTrained) return false;
    return stream.down != 0 ? at + 1 == stream.line : at == stream.line + 1u;
  }
  return turns_page(at);
}

/// The stream that was fed last has come to the end of its page, and `at` is where the next begins.
bool CacheModel::turns_page(uint64_t at) const {
  const Stream& last = streams_.front();
  if (last.run < kTrained) return false;
  return last.down != 0 ? last.line == 0 && at == kLinesPerPage - 1
                        : last.line == kLinesPerPage - 1 && at == 0;
}

void CacheModel::train(uint64_t line) {
  const uint64_t page = line / kLinesPerPage + 1;
  const auto at = static_cast<uint8_t>(line % kLinesPerPage);
  const auto same = [&](const Stream& s) { return s.page == page; };
  auto found = std::find_if(streams_.begin(), streams_.end(), same);
  if (found == streams_.end()) {
    --found;
    const bool goes_on = turns_page(at);
    const uint8_t down = goes_on ? streams_.front().down : uint8_t{0};
    *found = {page, at, goes_on ? kTrained : uint8_t{0}, down};
  } else {
    const bool up = at == found->line + 1;
    const bool down = at + 1 == found->line;
    const bool goes_on = (up && found->down == 0) || (down && found->down != 0);
    if (goes_on || ((up || down) && found->run == 0)) {
      found->run = static_cast<uint8_t>(std::min(found->run + 1, int{kTrained}));
    } else {
      found->run = up || down ? 1 : 0;
    }
    found->down = down ? 1 : 0;
    found->line = at;
  }
  std::rotate(streams_.begin(), found, found + 1);
}

void CacheModel::drop(uint64_t line) {
  for (Tags* tags : {&code_, &data_, &second_, &third_}) {
    tags->drop(set_of(*tags, line), tag_of(*tags, line));
  }
}

void CacheModel::clear() {
  for (Tags* tags : {&code_, &data_, &second_, &third_}) tags->clear();
  streams_.fill({});
}

void CacheModel::visit(StateVisitor& v) {
  v.enter("caches");
  code_.visit(v, "code");
  data_.visit(v, "data");
  second_.visit(v, "second");
  third_.visit(v, "third");
  for (Stream& stream : streams_) {
    v.field("page", stream.page);
    v.field("line", stream.line);
    v.field("run", stream.run);
    v.field("down", stream.down);
  }
  v.leave();
}

}  // namespace vitrine::emu::timing
