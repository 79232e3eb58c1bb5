// VM-entry checks on guest segment registers.
#include "emu/cpu/vmx/controls.h"
#include "emu/cpu/vmx/entry_checks.h"

namespace vitrine::emu::vmx {

namespace {

using arch::Segment;
using arch::segment_field;
using arch::SegmentRights;
using In = const EntryInputs&;

constexpr std::string_view kSection = "Checks on Guest Segment Registers";
constexpr Field kSelector = Field::guest_es_selector;
constexpr Field kBase = Field::guest_es_base;
constexpr Field kLimit = Field::guest_es_limit;
constexpr Field kRights = Field::guest_es_rights;

bool v8086(In in) { return (in[Field::guest_rflags] & arch::rflags::vm) != 0; }
bool unrestricted(In in) { return secondary_on(in.vmcs, secondary::unrestricted_guest); }
bool ia32e(In in) { return entry_on(in.vmcs, entry_control::ia32e_mode_guest); }
SegmentRights rights(In in, unsigned s) { return {in.vmcs.word(segment_field(kRights, s))}; }
uint64_t selector(In in, unsigned s) { return in[segment_field(kSelector, s)]; }
unsigned rpl(In in, unsigned s) { return static_cast<unsigned>(selector(in, s) & 3); }
bool usable(In in, unsigned s) { return !rights(in, s).unusable(); }
/// CS is checked whatever its unusable bit says.
bool judged(In in, unsigned s) { return !v8086(in) && (s == arch::cs || usable(in, s)); }

bool tr_table(In in) { return (selector(in, arch::tr) & 4) == 0; }
bool ldtr_table(In in) { return !usable(in, arch::ldtr) || (selector(in, arch::ldtr) & 4) == 0; }
bool ss_rpl(In in) {
  return v8086(in) || unrestricted(in) || rpl(in, arch::ss) == rpl(in, arch::cs);
}

template <unsigned s>
bool base_v8086(In in) {
  return !v8086(in) || in[segment_field(kBase, s)] == selector(in, s) << 4;
}
template <unsigned s>
bool base_canonical(In in) {
  return (s == arch::ldtr && !usable(in, s)) || canonical(in[segment_field(kBase, s)]);
}
template <unsigned s>
bool base_narrow(In in) {
  return (s != arch::cs && !usable(in, s)) || (in[segment_field(kBase, s)] >> 32) == 0;
}
template <unsigned s>
bool limit_v8086(In in) {
  return !v8086(in) || in[segment_field(kLimit, s)] == 0xFFFF;
}
template <unsigned s>
bool rights_v8086(In in) {
  return !v8086(in) || rights(in, s).bits == 0xF3;
}

bool cs_type(In in) {
  if (v8086(in)) return true;
  const uint32_t type = rights(in, arch::cs).type();
  return (type & 9) == 9 || (unrestricted(in) && type == 3);
}
bool ss_type(In in) {
  if (!judged(in, arch::ss)) return true;
  const uint32_t type = rights(in, arch::ss).type();
  return type == 3 || type == 7;
}
template <unsigned s>
bool data_type(In in) {
  if (!judged(in, s)) return true;
  const uint32_t type = rights(in, s).type();
  return (type & 1) != 0 && ((type & 8) == 0 || (type & 2) != 0);
}
template <unsigned s>
bool code_or_data(In in) {
  return !judged(in, s) || rights(in, s).code_or_data();
}
bool cs_dpl(In in) {
  if (v8086(in)) return true;
  const SegmentRights code = rights(in, arch::cs);
  const unsigned ss_dpl = rights(in, arch::ss).dpl();
  if (code.type() == 3) return code.dpl() == 0;
  return code.conforming() ? code.dpl() <= ss_dpl : code.dpl() == ss_dpl;
}
bool ss_dpl(In in) {
  if (v8086(in)) return true;
  const unsigned dpl = rights(in, arch::ss).dpl();
  if (!unrestricted(in) && dpl != rpl(in, arch::ss)) return false;
  const bool real_mode = (in[Field::guest_cr0] & arch::cr0::pe) == 0;
  return !(rights(in, arch::cs).type() == 3 || real_mode) || dpl == 0;
}
template <unsigned s>
bool data_dpl(In in) {
  if (!judged(in, s) || unrestricted(in) || rights(in, s).type() > 11) return true;
  return rights(in, s).dpl() >= rpl(in, s);
}
template <unsigned s>
bool present(In in) {
  return !judged(in, s) || rights(in, s).present();
}
/// Bits 11:8 and 31:17.
bool no_reserved(SegmentRights r) { return (r.bits & 0xFFFE0F00) == 0; }
template <unsigned s>
bool reserved_bits(In in) {
  return !judged(in, s) || no_reserved(rights(in, s));
}
bool cs_default_size(In in) {
  const SegmentRights code = rights(in, arch::cs);
  return v8086(in) || !ia32e(in) || !code.long_mode() || !code.big();
}
/// Any of limit 11:0 clear: G must be 0. Any of limit 31:20 set: G must be 1.
bool granularity_matches(In in, unsigned s) {
  const uint64_t limit = in[segment_field(kLimit, s)];
  const bool granular = rights(in, s).granular();
  if ((limit & 0xFFF) != 0xFFF && granular) return false;
  return (limit >> 20) == 0 || granular;
}
template <unsigned s>
bool granularity(In in) {
  return !judged(in, s) || granularity_matches(in, s);
}

bool tr_type(In in) {
  const uint32_t type = rights(in, arch::tr).type();
  return type == 11 || (type == 3 && !ia32e(in));
}
bool tr_rights(In in) {
  const SegmentRights r = rights(in, arch::tr);
  return !r.code_or_data() && r.present() && no_reserved(r) && !r.unusable();
}
bool tr_granularity(In in) { return granularity_matches(in, arch::tr); }
bool ldtr_rights(In in) {
  const SegmentRights r = rights(in, arch::ldtr);
  return r.unusable() || (r.type() == 2 && !r.code_or_data() && r.present() && no_reserved(r));
}
bool ldtr_granularity(In in) {
  return !usable(in, arch::ldtr) || granularity_matches(in, arch::ldtr);
}

constexpr EntryCheck row(std::string_view claim, bool (*holds)(In), std::array<Field, 8> fields) {
  return {CheckKind::guest, kSection, claim, holds, fields};
}
/// Selector, limit and rights of one segment and what decides whether they are judged.
template <unsigned s>
constexpr std::array<Field, 8> all_of(Field more = Field::guest_rflags) {
  return reads(Field::guest_rflags, segment_field(kSelector, s), segment_field(kBase, s),
               segment_field(kLimit, s), segment_field(kRights, s), Field::primary_controls,
               Field::secondary_controls, more);
}

// clang-format off
constexpr unsigned kEs = Segment::es, kCs = Segment::cs, kSs = Segment::ss, kDs = Segment::ds,
                   kFs = Segment::fs, kGs = Segment::gs, kLdtr = Segment::ldtr, kTr = Segment::tr;
constexpr auto kChecks = std::to_array<EntryCheck>({
    row("TR: TI is 0",                                   tr_table,              all_of<kTr>()),
    row("LDTR: TI is 0 if usable",                       ldtr_table,            all_of<kLdtr>()),
    row("SS: RPL equals the RPL of CS",                  ss_rpl,                all_of<kSs>(Field::guest_cs_selector)),

    row("ES: base is the selector shifted by 4 in virtual-8086 mode", base_v8086<kEs>, all_of<kEs>()),
    row("CS: base is the selector shifted by 4 in virtual-8086 mode", base_v8086<kCs>, all_of<kCs>()),
    row("SS: base is the selector shifted by 4 in virtual-8086 mode", base_v8086<kSs>, all_of<kSs>()),
    row("DS: base is the selector shifted by 4 in virtual-8086 mode", base_v8086<kDs>, all_of<kDs>()),
    row("FS: base is the selector shifted by 4 in virtual-8086 mode", base_v8086<kFs>, all_of<kFs>()),
    row("GS: base is the selector shifted by 4 in virtual-8086 mode", base_v8086<kGs>, all_of<kGs>()),
    row("FS: base is canonical",                         base_canonical<kFs>,   all_of<kFs>()),
    row("GS: base is canonical",                         base_canonical<kGs>,   all_of<kGs>()),
    row("TR: base is canonical",                         base_canonical<kTr>,   all_of<kTr>()),
    row("LDTR: base is canonical if usable",             base_canonical<kLdtr>, all_of<kLdtr>()),
    row("CS: base is below 4 GiB",                       base_narrow<kCs>,      all_of<kCs>()),
    row("SS: base is below 4 GiB if usable",             base_narrow<kSs>,      all_of<kSs>()),
    row("DS: base is below 4 GiB if usable",             base_narrow<kDs>,      all_of<kDs>()),
    row("ES: base is below 4 GiB if usable",             base_narrow<kEs>,      all_of<kEs>()),

    row("ES: limit is FFFFH in virtual-8086 mode",       limit_v8086<kEs>,      all_of<kEs>()),
    row("CS: limit is FFFFH in virtual-8086 mode",       limit_v8086<kCs>,      all_of<kCs>()),
    row("SS: limit is FFFFH in virtual-8086 mode",       limit_v8086<kSs>,      all_of<kSs>()),
    row("DS: limit is FFFFH in virtual-8086 mode",       limit_v8086<kDs>,      all_of<kDs>()),
    row("FS: limit is FFFFH in virtual-8086 mode",       limit_v8086<kFs>,      all_of<kFs>()),
    row("GS: limit is FFFFH in virtual-8086 mode",       limit_v8086<kGs>,      all_of<kGs>()),

    row("ES: access rights are F3H in virtual-8086 mode", rights_v8086<kEs>,    all_of<kEs>()),
    row("CS: access rights are F3H in virtual-8086 mode", rights_v8086<kCs>,    all_of<kCs>()),
    row("SS: access rights are F3H in virtual-8086 mode", rights_v8086<kSs>,    all_of<kSs>()),
    row("DS: access rights are F3H in virtual-8086 mode", rights_v8086<kDs>,    all_of<kDs>()),
    row("FS: access rights are F3H in virtual-8086 mode", rights_v8086<kFs>,    all_of<kFs>()),
    row("GS: access rights are F3H in virtual-8086 mode", rights_v8086<kGs>,    all_of<kGs>()),

    row("CS: type is accessed code, or 3 with unrestricted guest", cs_type,     all_of<kCs>()),
    row("SS: type is 3 or 7 if usable",                  ss_type,               all_of<kSs>()),
    row("ES: type is accessed, and readable if code",    data_type<kEs>,        all_of<kEs>()),
    row("DS: type is accessed, and readable if code",    data_type<kDs>,        all_of<kDs>()),
    row("FS: type is accessed, and readable if code",    data_type<kFs>,        all_of<kFs>()),
    row("GS: type is accessed, and readable if code",    data_type<kGs>,        all_of<kGs>()),

    row("ES: S is 1",                                    code_or_data<kEs>,     all_of<kEs>()),
    row("CS: S is 1",                                    code_or_data<kCs>,     all_of<kCs>()),
    row("SS: S is 1",                                    code_or_data<kSs>,     all_of<kSs>()),
    row("DS: S is 1",                                    code_or_data<kDs>,     all_of<kDs>()),
    row("FS: S is 1",                                    code_or_data<kFs>,     all_of<kFs>()),
    row("GS: S is 1",                                    code_or_data<kGs>,     all_of<kGs>()),

    row("CS: DPL fits type and the DPL of SS",           cs_dpl,                all_of<kCs>(Field::guest_ss_rights)),
    row("SS: DPL is RPL; 0 in real mode or with CS type 3", ss_dpl,
        reads(Field::guest_rflags, Field::guest_ss_selector, Field::guest_ss_rights, Field::guest_cs_rights, Field::guest_cr0, Field::primary_controls, Field::secondary_controls)),
    row("ES: DPL is at least RPL",                       data_dpl<kEs>,         all_of<kEs>()),
    row("DS: DPL is at least RPL",                       data_dpl<kDs>,         all_of<kDs>()),
    row("FS: DPL is at least RPL",                       data_dpl<kFs>,         all_of<kFs>()),
    row("GS: DPL is at least RPL",                       data_dpl<kGs>,         all_of<kGs>()),

    row("ES: P is 1",                                    present<kEs>,          all_of<kEs>()),
    row("CS: P is 1",                                    present<kCs>,          all_of<kCs>()),
    row("SS: P is 1",                                    present<kSs>,          all_of<kSs>()),
    row("DS: P is 1",                                    present<kDs>,          all_of<kDs>()),
    row("FS: P is 1",                                    present<kFs>,          all_of<kFs>()),
    row("GS: P is 1",                                    present<kGs>,          all_of<kGs>()),

    row("ES: reserved bits of the access rights are 0",  reserved_bits<kEs>,    all_of<kEs>()),
    row("CS: reserved bits of the access rights are 0",  reserved_bits<kCs>,    all_of<kCs>()),
    row("SS: reserved bits of the access rights are 0",  reserved_bits<kSs>,    all_of<kSs>()),
    row("DS: reserved bits of the access rights are 0",  reserved_bits<kDs>,    all_of<kDs>()),
    row("FS: reserved bits of the access rights are 0",  reserved_bits<kFs>,    all_of<kFs>()),
    row("GS: reserved bits of the access rights are 0",  reserved_bits<kGs>,    all_of<kGs>()),

    row("CS: D/B is 0 in 64-bit mode",                   cs_default_size,       all_of<kCs>(Field::entry_controls)),

    row("ES: G matches the limit",                       granularity<kEs>,      all_of<kEs>()),
    row("CS: G matches the limit",                       granularity<kCs>,      all_of<kCs>()),
    row("SS: G matches the limit",                       granularity<kSs>,      all_of<kSs>()),
    row("DS: G matches the limit",                       granularity<kDs>,      all_of<kDs>()),
    row("FS: G matches the limit",                       granularity<kFs>,      all_of<kFs>()),
    row("GS: G matches the limit",                       granularity<kGs>,      all_of<kGs>()),

    row("TR: type is a busy TSS of the mode",            tr_type,               all_of<kTr>(Field::entry_controls)),
    row("TR: S 0, P 1, no reserved bits, usable",        tr_rights,             all_of<kTr>()),
    row("TR: G matches the limit",                       tr_granularity,        all_of<kTr>()),
    row("LDTR: type 2, S 0, P 1, no reserved bits if usable", ldtr_rights,      all_of<kLdtr>()),
    row("LDTR: G matches the limit if usable",           ldtr_granularity,      all_of<kLdtr>()),
});
// clang-format on

}  // namespace

std::span<const EntryCheck> guest_segment_checks() { return kChecks; }

}  // namespace vitrine::emu::vmx
