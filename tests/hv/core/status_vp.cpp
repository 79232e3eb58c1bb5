// Scenarios for the statuses of the calls on memory maps, intercepts and virtual processors: a table.
#include <array>

#include "hv/tlfs/intercepts.h"
#include "hv/tlfs/partition_calls.h"
#include "hv/tlfs/vp_calls.h"
#include "tests/hv/core/status_cases.h"

namespace vitrine::test {
namespace {

namespace tl = hv::tlfs;

Status map(Machine& m, const tl::MapGpaInput& in, std::uint64_t source) {
  return m.rep(m.root(), Call::map_gpa_pages, in, std::vector{tl::GpaPageElement{source}}).status;
}
Status unmap(Machine& m, tl::PartitionId id, std::uint64_t page) {
  const tl::UnmapGpaInput in{.partition = id, .gpa_base = page};
  return m.call(m.root(), Call::unmap_gpa_pages, Machine::bytes(in), {}, 1).status;
}
Status intercept(Machine& m, const tl::InstallInterceptInput& in) {
  return m.call(Call::install_intercept, in).status;
}
Status make_vp(Machine& m, const tl::CreateVpInput& in) {
  return m.call(Call::create_vp, in).status;
}
Status drop_vp(Machine& m, tl::PartitionId id, std::uint32_t vp) {
  return m.fast(Call::delete_vp, tl::VpInput{.partition = id, .vp = vp}).status;
}
Status get(Machine& m, tl::PartitionId id, std::uint32_t vp, std::uint32_t name = 0x20000) {
  tl::U128 out;
  std::vector<std::byte> block(20);
  const tl::VpInput in{.partition = id, .vp = vp};
  std::memcpy(block.data(), &in, 16);
  std::memcpy(block.data() + 16, &name, 4);
  return m.call(m.root(), Call::get_vp_registers, block, Machine::writable(out), 1).status;
}
Status set(Machine& m, tl::PartitionId id, std::uint32_t vp, std::uint32_t name = 0x20000,
           std::uint64_t value = 1) {
  const tl::RegisterAssignment element{.name = name, .value = {value, 0}};
  return m
      .rep(m.root(), Call::set_vp_registers, tl::VpInput{.partition = id, .vp = vp},
           std::vector{element})
      .status;
}
Status translate(Machine& m, tl::PartitionId id, std::uint32_t vp, std::uint64_t flags = 1) {
  tl::TranslateOutput out;
  return m
      .call(Call::translate_virtual_address,
            tl::TranslateInput{.partition = id, .vp = vp, .flags = flags}, out)
      .status;
}
Status read(Machine& m, tl::PartitionId id, std::uint32_t vp, std::uint32_t count = 8) {
  tl::ReadGpaOutput out;
  return m
      .call(Call::read_gpa, tl::ReadGpaInput{.partition = id, .vp = vp, .byte_count = count}, out)
      .status;
}
Status write(Machine& m, tl::PartitionId id, std::uint32_t vp, std::uint32_t count = 8) {
  tl::WriteGpaOutput out;
  return m
      .call(Call::write_gpa, tl::WriteGpaInput{.partition = id, .vp = vp, .byte_count = count}, out)
      .status;
}
Status assert_interrupt(Machine& m, tl::PartitionId id, std::uint64_t control,
                        std::uint64_t destination, std::uint32_t vector) {
  return m
      .call(Call::assert_virtual_interrupt,
            tl::AssertInterruptInput{
                .partition = id, .control = control, .destination = destination, .vector = vector})
      .status;
}
Status clear_interrupt(Machine& m, tl::PartitionId id) {
  return m.fast(Call::clear_virtual_interrupt, tl::PartitionInput{id}).status;
}

// A page of a child that the child has deposited for its own child.
tl::PartitionId child_with_deposited_page(Machine& m, std::uint64_t gpa_page) {
  Guest g = privileged_child(m);
  m.map_range(g.vp->partition_id, gpa_page, 1);
  const auto grandchild = child_of(m, g);
  const Answer answer = m.rep(g, Call::deposit_memory, tl::PartitionInput{grandchild},
                              std::vector{tl::GpaPageElement{gpa_page}});
  if (answer.status != Status::success) throw std::logic_error("deposit by a child");
  return g.vp->partition_id;
}

constexpr std::uint64_t kExternal = 7;
constexpr std::uint32_t kCr3 = 0x40002;

// clang-format off
constexpr auto kCases = std::to_array<StatusCase>({
  {Call::map_gpa_pages, Status::success, [](Machine& m) { return map(m, {.partition = m.active_child(), .flags = 7}, m.fresh_page()); }},
  {Call::map_gpa_pages, Status::access_denied, [](Machine& m) { return map(m, {.partition = tl::kSelf, .gpa_base = 100, .flags = 7}, 101); }},
  {Call::map_gpa_pages, Status::invalid_partition_id, [](Machine& m) { return map(m, {.partition = kNobody, .flags = 7}, m.fresh_page()); }},
  {Call::map_gpa_pages, Status::invalid_parameter, [](Machine& m) { return map(m, {.partition = m.active_child(), .flags = 2}, m.fresh_page()); }},
  {Call::map_gpa_pages, Status::operation_denied,
   [](Machine& m) {
     const auto id = m.active_child();
     const std::uint64_t page = m.fresh_page();
     m.rep(m.root(), Call::deposit_memory, tl::PartitionInput{id}, std::vector{tl::GpaPageElement{page}});
     return map(m, {.partition = id, .flags = 7}, page);
   }},
  {Call::map_gpa_pages, Status::invalid_partition_state, [](Machine& m) { return map(m, {.partition = m.create_child(), .flags = 7}, m.fresh_page()); }},
  {Call::map_gpa_pages, Status::insufficient_memory, [](Machine& m) { return map(m, {.partition = m.active_child(5), .flags = 7}, m.fresh_page()); }},
  {Call::map_gpa_pages, Status::object_in_use,
   [](Machine& m) { return map(m, {.partition = child_with_deposited_page(m, 0x700), .gpa_base = 0x700, .flags = 7}, m.fresh_page()); }},

  {Call::unmap_gpa_pages, Status::success, [](Machine& m) { const auto id = m.active_child(); m.map_range(id, 9, 1); return unmap(m, id, 9); }},
  {Call::unmap_gpa_pages, Status::access_denied, [](Machine& m) { return unmap(m, tl::kSelf, 9); }},
  {Call::unmap_gpa_pages, Status::invalid_partition_id, [](Machine& m) { return unmap(m, kNobody, 9); }},
  {Call::unmap_gpa_pages, Status::invalid_parameter, [](Machine& m) { return unmap(m, m.active_child(), std::uint64_t{1} << 40); }},
  {Call::unmap_gpa_pages, Status::invalid_partition_state, [](Machine& m) { return unmap(m, finalized_child(m), 9); }},
  {Call::unmap_gpa_pages, Status::object_in_use, [](Machine& m) { return unmap(m, child_with_deposited_page(m, 0x700), 0x700); }},

  {Call::install_intercept, Status::success, [](Machine& m) { return intercept(m, {.partition = m.active_child(), .access = 3, .type = 0, .parameter = 0x3F8}); }},
  {Call::install_intercept, Status::access_denied, [](Machine& m) { return intercept(m, {.partition = tl::kSelf, .access = 3}); }},
  {Call::install_intercept, Status::invalid_partition_id, [](Machine& m) { return intercept(m, {.partition = kNobody, .access = 3}); }},
  {Call::install_intercept, Status::invalid_parameter, [](Machine& m) { return intercept(m, {.partition = m.active_child(), .access = 4, .type = 0}); }},
  {Call::install_intercept, Status::invalid_partition_state, [](Machine& m) { return intercept(m, {.partition = m.create_child(), .access = 3}); }},
  {Call::install_intercept, Status::insufficient_memory, [](Machine& m) { return intercept(m, {.partition = m.active_child(5), .access = 3}); }},

  {Call::create_vp, Status::success, [](Machine& m) { return make_vp(m, {.partition = m.active_child()}); }},
  {Call::create_vp, Status::access_denied, [](Machine& m) { return make_vp(m, {.partition = 1}); }},
  {Call::create_vp, Status::operation_denied,
   [](Machine& m) {
     const auto id = m.active_child(64, 1);
     m.call(Call::set_partition_property, tl::SetPropertyInput{.partition = id, .code = 0x00020001, .value = 0xC000});
     return make_vp(m, {.partition = id, .vp = 1});
   }},
  {Call::create_vp, Status::invalid_partition_id, [](Machine& m) { return make_vp(m, {.partition = kNobody}); }},
  {Call::create_vp, Status::invalid_vp_index, [](Machine& m) { return make_vp(m, {.partition = m.active_child(64, 1), .vp = 0}); }},
  {Call::create_vp, Status::invalid_parameter, [](Machine& m) { return make_vp(m, {.partition = m.active_child(), .flags = 1}); }},
  {Call::create_vp, Status::invalid_partition_state, [](Machine& m) { return make_vp(m, {.partition = m.create_child()}); }},
  {Call::create_vp, Status::insufficient_memory, [](Machine& m) { return make_vp(m, {.partition = m.active_child(11)}); }},

  {Call::delete_vp, Status::success, [](Machine& m) { return drop_vp(m, m.active_child(64, 1), 0); }},
  {Call::delete_vp, Status::access_denied, [](Machine& m) { return drop_vp(m, tl::kSelf, 0); }},
  {Call::delete_vp, Status::invalid_partition_id, [](Machine& m) { return drop_vp(m, kNobody, 0); }},
  {Call::delete_vp, Status::invalid_vp_index, [](Machine& m) { return drop_vp(m, m.active_child(64, 1), 1); }},
  {Call::delete_vp, Status::invalid_partition_state, [](Machine& m) { return drop_vp(m, finalized_child(m), 0); }},

  {Call::get_vp_registers, Status::success, [](Machine& m) { return get(m, m.active_child(64, 1), 0); }},
  {Call::get_vp_registers, Status::access_denied, [](Machine& m) { Guest g = privileged_child(m); return get(m, child_of(m, g), 0); }},
  {Call::get_vp_registers, Status::invalid_partition_id, [](Machine& m) { return get(m, kNobody, 0); }},
  {Call::get_vp_registers, Status::invalid_vp_index, [](Machine& m) { return get(m, m.active_child(), 0); }},
  {Call::get_vp_registers, Status::invalid_parameter, [](Machine& m) { return get(m, m.active_child(64, 1), 0, 0x00FF0000); }},
  {Call::get_vp_registers, Status::invalid_partition_state, [](Machine& m) { return get(m, m.create_child(), 0); }},

  {Call::set_vp_registers, Status::success, [](Machine& m) { return set(m, m.active_child(64, 1), 0); }},
  {Call::set_vp_registers, Status::access_denied, [](Machine& m) { return set(m, tl::kSelf, 0); }},
  {Call::set_vp_registers, Status::invalid_partition_id, [](Machine& m) { return set(m, kNobody, 0); }},
  {Call::set_vp_registers, Status::invalid_vp_index, [](Machine& m) { return set(m, m.active_child(64, 1), 64); }},
  {Call::set_vp_registers, Status::invalid_parameter, [](Machine& m) { return set(m, m.active_child(64, 1), 0, 0x00FF0000); }},
  {Call::set_vp_registers, Status::invalid_partition_state, [](Machine& m) { return set(m, finalized_child(m), 0); }},
  {Call::set_vp_registers, Status::invalid_register_value, [](Machine& m) { return set(m, m.active_child(64, 1), 0, kCr3, std::uint64_t{1} << 62); }},

  {Call::translate_virtual_address, Status::success, [](Machine& m) { return translate(m, m.active_child(64, 1), 0); }},
  {Call::translate_virtual_address, Status::access_denied, [](Machine& m) { return translate(m, tl::kSelf, 0); }},
  {Call::translate_virtual_address, Status::invalid_partition_id, [](Machine& m) { return translate(m, kNobody, 0); }},
  {Call::translate_virtual_address, Status::invalid_vp_index, [](Machine& m) { return translate(m, m.active_child(), 0); }},
  {Call::translate_virtual_address, Status::invalid_parameter, [](Machine& m) { return translate(m, m.active_child(64, 1), 0, 1 << 9); }},
  {Call::translate_virtual_address, Status::invalid_partition_state, [](Machine& m) { return translate(m, m.create_child(), 0); }},

  {Call::read_gpa, Status::success, [](Machine& m) { return read(m, m.active_child(64, 1), 0); }},
  {Call::read_gpa, Status::access_denied, [](Machine& m) { return read(m, tl::kSelf, 0); }},
  {Call::read_gpa, Status::invalid_partition_id, [](Machine& m) { return read(m, kNobody, 0); }},
  {Call::read_gpa, Status::invalid_vp_index, [](Machine& m) { return read(m, m.active_child(), 0); }},
  {Call::read_gpa, Status::invalid_parameter, [](Machine& m) { return read(m, m.active_child(64, 1), 0, 17); }},
  {Call::read_gpa, Status::invalid_partition_state, [](Machine& m) { return read(m, finalized_child(m), 0); }},

  {Call::write_gpa, Status::success, [](Machine& m) { return write(m, m.active_child(64, 1), 0); }},
  {Call::write_gpa, Status::access_denied, [](Machine& m) { return write(m, tl::kSelf, 0); }},
  {Call::write_gpa, Status::invalid_partition_id, [](Machine& m) { return write(m, kNobody, 0); }},
  {Call::write_gpa, Status::invalid_vp_index, [](Machine& m) { return write(m, m.active_child(), 0); }},
  {Call::write_gpa, Status::invalid_parameter, [](Machine& m) { return write(m, m.active_child(64, 1), 0, 0); }},
  {Call::write_gpa, Status::invalid_partition_state, [](Machine& m) { return write(m, finalized_child(m), 0); }},

  {Call::assert_virtual_interrupt, Status::success, [](Machine& m) { return assert_interrupt(m, m.active_child(64, 1), 0, 0, 0x40); }},
  {Call::assert_virtual_interrupt, Status::access_denied, [](Machine& m) { return assert_interrupt(m, tl::kSelf, 0, 0, 0x40); }},
  {Call::assert_virtual_interrupt, Status::invalid_partition_id, [](Machine& m) { return assert_interrupt(m, kNobody, 0, 0, 0x40); }},
  {Call::assert_virtual_interrupt, Status::invalid_vp_index, [](Machine& m) { return assert_interrupt(m, m.active_child(64, 1), 0, 9, 0x40); }},
  {Call::assert_virtual_interrupt, Status::invalid_parameter, [](Machine& m) { return assert_interrupt(m, m.active_child(64, 1), 0, 0, 15); }},
  {Call::assert_virtual_interrupt, Status::acknowledged,
   [](Machine& m) {
     const auto id = m.active_child(64, 1);
     assert_interrupt(m, id, kExternal, 0, 0x40);
     hv::acknowledge_interrupt(m.hv, m.vp(id, 0));
     return assert_interrupt(m, id, kExternal, 0, 0x41);
   }},
  {Call::assert_virtual_interrupt, Status::invalid_partition_state, [](Machine& m) { return assert_interrupt(m, m.create_child(), 0, 0, 0x40); }},

  {Call::clear_virtual_interrupt, Status::success,
   [](Machine& m) {
     const auto id = m.active_child(64, 1);
     assert_interrupt(m, id, kExternal, 0, 0x40);
     hv::acknowledge_interrupt(m.hv, m.vp(id, 0));
     return clear_interrupt(m, id);
   }},
  {Call::clear_virtual_interrupt, Status::access_denied, [](Machine& m) { return clear_interrupt(m, 1); }},
  {Call::clear_virtual_interrupt, Status::invalid_partition_id, [](Machine& m) { return clear_interrupt(m, kNobody); }},
  {Call::clear_virtual_interrupt, Status::not_acknowledged,
   [](Machine& m) { const auto id = m.active_child(64, 1); assert_interrupt(m, id, kExternal, 0, 0x40); return clear_interrupt(m, id); }},
  {Call::clear_virtual_interrupt, Status::invalid_partition_state, [](Machine& m) { return clear_interrupt(m, finalized_child(m)); }},
});
// clang-format on

}  // namespace

std::span<const StatusCase> vp_cases() { return kCases; }

}  // namespace vitrine::test
