// DisassemblyView: bytes read through the tables without side effects, words by Capstone.
#include "frontend/inspect/disassembly.h"

#include <capstone/capstone.h>
#include <nlohmann/json.hpp>

#include <algorithm>

#include "frontend/text.h"

namespace vitrine::ui {

namespace {

constexpr size_t kBefore = 8;
constexpr size_t kBehind = 16;
constexpr size_t kLongest = 15;
/// A function is decoded from its start only when `at` is not further in than this.
constexpr uint64_t kFurthest = 0x4000;

class Capstone {
 public:
  Capstone(unsigned bits, bool att) {
    const cs_mode mode = bits == 64 ? CS_MODE_64 : bits == 32 ? CS_MODE_32 : CS_MODE_16;
    ok_ = cs_open(CS_ARCH_X86, mode, &handle_) == CS_ERR_OK;
    if (ok_) cs_option(handle_, CS_OPT_SYNTAX, att ? CS_OPT_SYNTAX_ATT : CS_OPT_SYNTAX_INTEL);
    if (ok_) instruction_ = cs_malloc(handle_);
  }
  ~Capstone() {
    if (instruction_ != nullptr) cs_free(instruction_, 1);
    if (ok_) cs_close(&handle_);
  }
  Capstone(const Capstone&) = delete;
  Capstone& operator=(const Capstone&) = delete;

  /// Null where the bytes are no instruction.
  const cs_insn* decode(std::span<const uint8_t> bytes, uint64_t address) {
    if (instruction_ == nullptr) return nullptr;
    const uint8_t* at = bytes.data();
    size_t left = bytes.size();
    return cs_disasm_iter(handle_, &at, &left, &address, instruction_) ? instruction_ : nullptr;
  }

 private:
  csh handle_ = 0;
  bool ok_ = false;
  cs_insn* instruction_ = nullptr;
};

/// Up to 15 bytes of code; fewer in front of a page that cannot be fetched.
std::vector<uint8_t> fetch(const emu::Cpu& cpu, const emu::Bus& bus, uint64_t linear) {
  std::vector<uint8_t> bytes;
  while (bytes.size() < kLongest) {
    const uint64_t at = linear + bytes.size();
    if (!emu::Cpu::canonical(at)) break;
    const emu::AccessRequest request{.fetch = true, .user = cpu.state.cpl == 3};
    const auto found = cpu.mmu.peek(emu::Gva{at}, request);
    if (!found) break;
    const uint64_t to_page_end = emu::kPageSize - (at & (emu::kPageSize - 1));
    const size_t count = std::min<uint64_t>(kLongest - bytes.size(), to_page_end);
    const size_t old = bytes.size();
    bytes.resize(old + count);
    bus.read_block(found->hpa, std::as_writable_bytes(std::span{bytes}.subspan(old)));
  }
  return bytes;
}

std::string byte_text(std::span<const uint8_t> bytes) {
  std::string out;
  for (const uint8_t byte : bytes) {
    if (!out.empty()) out += ' ';
    out += "0123456789abcdef"[byte >> 4];
    out += "0123456789abcdef"[byte & 15];
  }
  return out;
}

unsigned mode_bits_of(const emu::CpuState& s) {
  if (s.code64()) return 64;
  return s.protected_mode() && !s.v8086() && s.segments[emu::arch::cs].rights.big() ? 32 : 16;
}

}  // namespace

DisassemblyView view_disassembly(const emu::Cpu& cpu, const emu::Bus& bus, uint64_t at,
                                 const CodeNames& names, bool att_syntax) {
  DisassemblyView view;
  view.processor = cpu.index();
  view.mode_bits = mode_bits_of(cpu.state);
  const uint64_t base = view.mode_bits == 64 ? 0 : cpu.state.segments[emu::arch::cs].base;
  Capstone capstone(view.mode_bits, att_syntax);

  const uint64_t function = names.function_start(at);
  uint64_t address = function != 0 && function <= at && at - function < kFurthest ? function : at;
  size_t behind = 0;
  bool reached = false;
  while (behind < kBehind) {
    if (!reached && address > at) {
      // The symbol lies about its start: the instructions do not meet the address.
      view.instructions.clear();
      address = at;
    }
    const auto bytes = fetch(cpu, bus, base + address);
    if (bytes.empty()) {
      view.note = "nothing can be fetched from " + hex(address);
      break;
    }
    InstructionView line;
    line.address = address;
    line.next = address == at;
    reached = reached || line.next;
    const cs_insn* const decoded = capstone.decode(bytes, address);
    const size_t size = decoded == nullptr ? 1 : decoded->size;
    line.bytes = byte_text(std::span{bytes}.first(size));
    line.text = decoded == nullptr ? "(no instruction)" : std::string(decoded->mnemonic);
    if (decoded != nullptr && decoded->op_str[0] != 0)
      line.text += " " + std::string(decoded->op_str);
    if (view.instructions.empty() || names.function_start(address) == address) {
      line.symbol = names.describe(address);
    }
    view.instructions.push_back(std::move(line));
    if (!reached && view.instructions.size() > kBefore) {
      view.instructions.erase(view.instructions.begin());
      view.instructions.front().symbol = names.describe(view.instructions.front().address);
    }
    address += size;
    if (reached) ++behind;
  }
  return view;
}

std::string text(const DisassemblyView& view) {
  std::string out = "processor " + std::to_string(view.processor) + ", " +
                    std::to_string(view.mode_bits) + "-bit code\n";
  for (const InstructionView& line : view.instructions) {
    if (!line.symbol.empty()) out += line.symbol + ":\n";
    out += (line.next ? "=> " : "   ") + hex(line.address) + "  " + pad_right(line.bytes, 30) +
           "  " + line.text + "\n";
  }
  if (!view.note.empty()) out += view.note + "\n";
  return out;
}

nlohmann::ordered_json json(const DisassemblyView& view) {
  nlohmann::ordered_json out;
  out["processor"] = view.processor;
  out["mode_bits"] = view.mode_bits;
  out["instructions"] = nlohmann::ordered_json::array();
  for (const InstructionView& line : view.instructions) {
    out["instructions"].push_back({{"address", hex(line.address)},
                                   {"bytes", line.bytes},
                                   {"text", line.text},
                                   {"symbol", line.symbol},
                                   {"next", line.next}});
  }
  out["note"] = view.note;
  return out;
}

}  // namespace vitrine::ui
