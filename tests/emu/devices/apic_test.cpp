// The local APIC, the I/O APIC and the messages between them.
#include <catch2/catch.hpp>

#include "emu/arch/msr.h"
#include "emu/devices/ioapic.h"
#include "emu/devices/local_apic.h"
#include "tests/emu/devices/fakes.h"

using namespace vitrine::test;

namespace {

struct Client final : ApicClient {
  void attention(uint32_t, Cycle) override {}
  void nmi(uint32_t p, Cycle now) override { heard.push_back({'n', p, 0, now.value}); }
  void init(uint32_t p, Cycle now) override { heard.push_back({'i', p, 0, now.value}); }
  void start_up(uint32_t p, uint8_t v, Cycle now) override {
    heard.push_back({'s', p, v, now.value});
  }
  struct Heard {
    char what;
    uint32_t processor;
    unsigned vector;
    uint64_t cycle;
    friend bool operator==(const Heard&, const Heard&) = default;
  };
  std::vector<Heard> heard;
};

struct Tsc final : TscClock {
  Cycle when(uint32_t, uint64_t tsc) const override {
    return Cycle{tsc > offset ? tsc - offset : 0};
  }
  uint64_t offset = 0;
};

struct FakePic final : ExtIntSource {
  uint8_t acknowledge(Cycle) override {
    ++acknowledged;
    return 0x77;
  }
  int acknowledged = 0;
};

constexpr uint64_t kLatency = 100;
constexpr uint64_t kTimerTick = 80;  // cycles of 2 GHz per tick of 25 MHz

struct Bench {
  Bench() : bus(events, kLatency), ioapic(bus, 0) {
    for (uint32_t i = 0; i < 4; ++i) {
      apics.push_back(
          std::make_unique<LocalApic>(i, ApicWiring{.events = events,
                                                    .bus = bus,
                                                    .client = client,
                                                    .tsc = tsc,
                                                    .ext_int = i == 0 ? &pic : nullptr}));
      apics.back()->reset(Cycle{0});
      put(i, 0xF0, 0x1FF);
    }
    ioapic.reset(Cycle{0});
  }
  void put(uint32_t cpu, uint64_t offset, uint64_t value, uint64_t now = 0) {
    bus.write(offset, 4, value, at(now, cpu));
  }
  uint64_t in(uint32_t cpu, uint64_t offset, uint64_t now = 0) {
    return bus.read(offset, 4, at(now, cpu));
  }
  void run(uint64_t now) { events.run_until(Cycle{now}); }
  void x2(uint32_t cpu) { REQUIRE(apics[cpu]->set_base(apics[cpu]->base() | 0x400, 46, Cycle{0})); }
  bool wrmsr(uint32_t cpu, uint32_t msr, uint64_t value, uint64_t now = 0) {
    return static_cast<bool>(apics[cpu]->write_msr(msr, value, Cycle{now}));
  }
  uint64_t rdmsr(uint32_t cpu, uint32_t msr, uint64_t now = 0) {
    const auto r = apics[cpu]->read_msr(msr, Cycle{now});
    REQUIRE(r);
    return *r;
  }
  int ack(uint32_t cpu) {
    const auto vector = apics[cpu]->acknowledge(Cycle{0});
    return vector ? *vector : -1;
  }
  void route(unsigned input, uint64_t entry, uint64_t now = 0) {
    ioapic.write(0, 4, 0x11 + 2 * input, at(now));
    ioapic.write(0x10, 4, entry >> 32, at(now));
    ioapic.write(0, 4, 0x10 + 2 * input, at(now));
    ioapic.write(0x10, 4, entry & 0xFFFFFFFF, at(now));
  }
  uint64_t entry(unsigned input) {
    ioapic.write(0, 4, 0x10 + 2 * input, at(0));
    return ioapic.read(0x10, 4, at(0));
  }

  EventQueue events;
  Client client;
  Tsc tsc;
  FakePic pic;
  ApicBus bus;
  Ioapic ioapic;
  std::vector<std::unique_ptr<LocalApic>> apics;
};

}  // namespace

TEST_CASE("an IPI arrives one latency after the sender's time", "[devices]") {
  Bench b;
  b.put(0, 0x310, 2u << 24, 1000);
  b.put(0, 0x300, 0x4055, 1000);
  b.run(1000 + kLatency - 1);
  CHECK_FALSE(b.apics[2]->pending());
  b.run(1000 + kLatency);
  CHECK(b.apics[2]->pending());
  CHECK(b.in(2, 0x220) == 0x00200000);
  CHECK(b.ack(2) == 0x55);
  CHECK(b.in(2, 0x120) == 0x00200000);
  CHECK(b.in(2, 0xA0) == 0x50);
  b.put(2, 0xB0, 0);
  CHECK(b.in(2, 0x120) == 0);
}

TEST_CASE("requests are served by class, above task and service priority", "[devices]") {
  Bench b;
  b.put(0, 0x300, 0x44000 | 0x41);
  b.put(0, 0x300, 0x44000 | 0x61);
  CHECK(b.ack(0) == 0x61);
  CHECK_FALSE(b.apics[0]->pending());
  b.put(0, 0x300, 0x44000 | 0x65);  // same class
  CHECK_FALSE(b.apics[0]->pending());
  b.put(0, 0x300, 0x44000 | 0x72);
  CHECK(b.ack(0) == 0x72);
  b.put(0, 0xB0, 0);
  b.put(0, 0xB0, 0);
  CHECK(b.ack(0) == 0x65);
  b.put(0, 0xB0, 0);
  b.apics[0]->set_task_priority(4, Cycle{0});
  CHECK(b.in(0, 0x80) == 0x40);
  CHECK_FALSE(b.apics[0]->pending());
  b.put(0, 0x80, 0x3F);
  CHECK(b.apics[0]->task_priority() == 3);
  CHECK(b.ack(0) == 0x41);
}

TEST_CASE("destinations: physical, flat, cluster, x2APIC and shorthands", "[devices]") {
  Bench b;
  const auto reached = [&b](uint64_t now) {
    b.run(now);
    unsigned mask = 0;
    for (uint32_t i = 0; i < 4; ++i) {
      if (b.ack(i) >= 0) {
        mask |= 1u << i;
        if (b.apics[i]->x2apic()) {
          b.wrmsr(i, 0x80B, 0);
        } else {
          b.put(i, 0xB0, 0);
        }
      }
    }
    return mask;
  };
  for (uint32_t i = 0; i < 4; ++i) b.put(i, 0xD0, 1u << (24 + i));
  b.put(0, 0x310, 3u << 24);
  b.put(0, 0x300, 0x4040);
  CHECK(reached(1000) == 0b1000);
  b.put(0, 0x310, 0xFFu << 24);
  b.put(0, 0x300, 0x4040, 1000);
  CHECK(reached(2000) == 0b1111);
  b.put(0, 0x310, 0x6u << 24);
  b.put(0, 0x300, 0x4840, 2000);
  CHECK(reached(3000) == 0b0110);
  b.put(1, 0x300, 0x84040, 3000);
  CHECK(reached(4000) == 0b1111);
  b.put(1, 0x300, 0xC4040, 4000);
  CHECK(reached(5000) == 0b1101);
  b.put(1, 0x300, 0x44040, 5000);
  CHECK(reached(5000) == 0b0010);

  for (uint32_t i = 0; i < 4; ++i) {
    b.put(i, 0xE0, 0x0FFFFFFF);
    b.put(i, 0xD0, (i / 2 << 4 | 1u << i % 2) << 24);
  }
  b.put(0, 0x310, 0x13u << 24);
  b.put(0, 0x300, 0x4840, 6000);
  CHECK(reached(7000) == 0b1100);

  for (uint32_t i = 0; i < 4; ++i) b.x2(i);
  CHECK(b.rdmsr(3, 0x80D) == 0x8);
  CHECK(b.wrmsr(0, 0x830, 0x0000000200004040, 7000));
  CHECK(reached(8000) == 0b0100);
  CHECK(b.wrmsr(0, 0x830, 0x0000000900004840, 8000));
  CHECK(reached(9000) == 0b1001);
  CHECK(b.wrmsr(0, 0x830, 0x0001000900004840, 9000));
  CHECK(reached(10000) == 0);
  CHECK(b.wrmsr(0, 0x830, 0xFFFFFFFF00004040, 10000));
  CHECK(reached(11000) == 0b1111);
  CHECK(b.wrmsr(2, 0x83F, 0x40, 11000));
  CHECK(reached(11000) == 0b0100);
}

TEST_CASE("lowest priority goes to the least busy processor, ties to the lowest", "[devices]") {
  Bench b;
  for (uint32_t i = 0; i < 4; ++i) b.put(i, 0xD0, 1u << (24 + i));
  b.put(0, 0x80, 0x50);
  b.put(1, 0x80, 0x20);
  b.put(2, 0x80, 0x10);
  b.put(3, 0x80, 0x10);
  b.put(0, 0x310, 0xFu << 24);
  b.put(0, 0x300, 0x4960);
  b.run(kLatency);
  CHECK(b.ack(2) == 0x60);
  CHECK(b.ack(3) == -1);
}

TEST_CASE("NMI, INIT and start-up reach the processor, INIT de-assert does not", "[devices]") {
  Bench b;
  b.put(0, 0x310, 1u << 24);
  b.put(0, 0x300, 0x4400, 10);
  b.put(0, 0x300, 0xC500, 20);
  b.put(0, 0x300, 0x8500, 30);
  b.put(0, 0x300, 0x4699, 40);
  b.run(1000);
  CHECK(b.client.heard ==
        std::vector<Client::Heard>{{'n', 1, 0, 110}, {'i', 1, 0, 120}, {'s', 1, 0x99, 140}});
  CHECK(b.in(1, 0xF0) == 0xFF);  // INIT reset the APIC
}

TEST_CASE("the one-shot timer fires once, exactly count times divider ticks later", "[devices]") {
  Bench b;
  b.put(0, 0x3E0, 0x3);  // by 16
  b.put(0, 0x320, 0x40);
  b.put(0, 0x380, 100, 8000);
  CHECK(b.in(0, 0x390, 8000) == 100);
  CHECK(b.in(0, 0x390, 8000 + 16 * kTimerTick * 30) == 70);
  b.run(8000 + 1600 * kTimerTick - 1);
  CHECK_FALSE(b.apics[0]->pending());
  b.run(8000 + 1600 * kTimerTick);
  CHECK(b.ack(0) == 0x40);
  b.put(0, 0xB0, 0);
  CHECK(b.in(0, 0x390, 8000 + 1600 * kTimerTick) == 0);
  b.run(10'000'000);
  CHECK_FALSE(b.apics[0]->pending());
}

TEST_CASE("the periodic timer comes at every period without drift and stops at count 0",
          "[devices]") {
  Bench b;
  b.put(0, 0x3E0, 0xB);  // by 1
  b.put(0, 0x320, 0x20040);
  b.put(0, 0x380, 777, 0);
  for (uint64_t k = 1; k <= 100; ++k) {
    const uint64_t due = k * 777 * kTimerTick;
    b.run(due - 1);
    REQUIRE_FALSE(b.apics[0]->pending());
    b.run(due);
    REQUIRE(b.ack(0) == 0x40);
    b.put(0, 0xB0, 0);
  }
  CHECK(b.in(0, 0x390, 100 * 777 * kTimerTick + 7 * kTimerTick) == 770);
  b.put(0, 0x380, 0, 100 * 777 * kTimerTick);
  CHECK(b.events.next() == kNever);
}

TEST_CASE("the TSC deadline fires when the TSC gets there, moves with it, and disarms at 0",
          "[devices]") {
  Bench b;
  const uint32_t msr = arch::msr::ia32_tsc_deadline;
  CHECK(b.wrmsr(0, msr, 5000));
  CHECK(b.rdmsr(0, msr) == 0);  // not in deadline mode
  b.put(0, 0x320, 0x40040);
  CHECK(b.wrmsr(0, msr, 5000));
  CHECK(b.rdmsr(0, msr) == 5000);
  b.run(4999);
  CHECK_FALSE(b.apics[0]->pending());
  b.run(5000);
  CHECK(b.ack(0) == 0x40);
  CHECK(b.rdmsr(0, msr) == 0);
  b.put(0, 0xB0, 0);

  CHECK(b.wrmsr(0, msr, 9000, 6000));
  b.tsc.offset = 1000;
  b.apics[0]->tsc_changed(Cycle{6000});
  CHECK(b.events.next() == Cycle{8000});
  CHECK(b.wrmsr(0, msr, 0, 6000));
  CHECK(b.events.next() == kNever);
  CHECK(b.wrmsr(0, msr, 1, 6000));  // long past: at once
  CHECK(b.events.next() == Cycle{6000});
}

TEST_CASE("a masked timer expires silently, changing over to deadline mode disarms", "[devices]") {
  Bench b;
  b.put(0, 0x3E0, 0xB);
  b.put(0, 0x320, 0x10040);
  b.put(0, 0x380, 10);
  b.run(10 * kTimerTick);
  CHECK_FALSE(b.apics[0]->pending());
  b.put(0, 0x380, 10, 2000);
  b.put(0, 0x320, 0x40040, 2000);
  CHECK(b.events.next() == kNever);
  b.put(0, 0x380, 10, 2000);
  CHECK(b.in(0, 0x380, 2000) == 0);
}

TEST_CASE("LINT0 as ExtINT takes its vector from the 8259 and ignores priorities", "[devices]") {
  Bench b;
  b.apics[0]->reset(Cycle{0});
  b.apics[0]->set_line(LocalApic::kLint0, true, Cycle{0});
  CHECK_FALSE(b.apics[0]->pending());  // masked after reset
  b.apics[0]->set_virtual_wire(Cycle{0});
  b.put(0, 0x80, 0xF0);
  CHECK(b.apics[0]->pending());
  CHECK(b.ack(0) == 0x77);
  CHECK(b.pic.acknowledged == 1);
  CHECK(b.in(0, 0x120) == 0);
  b.apics[0]->set_line(LocalApic::kLint0, false, Cycle{0});
  CHECK_FALSE(b.apics[0]->pending());
  b.apics[0]->set_line(LocalApic::kLint1, true, Cycle{9});
  CHECK(b.client.heard == std::vector<Client::Heard>{{'n', 0, 0, 9}});
}

TEST_CASE("a level-triggered LINT asks again after EOI while it stays high", "[devices]") {
  Bench b;
  b.put(0, 0x350, 0x8050);
  b.apics[0]->set_line(LocalApic::kLint0, true, Cycle{0});
  CHECK(b.in(0, 0x350) == 0xC050);
  CHECK(b.ack(0) == 0x50);
  CHECK_FALSE(b.apics[0]->pending());
  b.put(0, 0xB0, 0);
  CHECK(b.ack(0) == 0x50);
  b.apics[0]->set_line(LocalApic::kLint0, false, Cycle{0});
  b.put(0, 0xB0, 0);
  CHECK_FALSE(b.apics[0]->pending());
}

TEST_CASE("IA32_APIC_BASE allows only the transitions of the state diagram", "[devices]") {
  Bench b;
  LocalApic& apic = *b.apics[1];
  CHECK(apic.base() == 0xFEE00800);
  CHECK(b.apics[0]->base() == 0xFEE00900);
  CHECK_FALSE(apic.set_base(0xFEE00400, 46, Cycle{0}));
  CHECK_FALSE(apic.set_base(uint64_t{1} << 46 | 0x800, 46, Cycle{0}));
  CHECK_FALSE(apic.set_base(0xFEE00801, 46, Cycle{0}));
  CHECK(apic.set_base(0xFEE00C00, 46, Cycle{0}));
  CHECK(b.in(1, 0x20) == 0xFFFFFFFF);  // the page is gone
  CHECK_FALSE(apic.set_base(0xFEE00800, 46, Cycle{0}));
  CHECK(apic.set_base(0xFEE00000, 46, Cycle{0}));
  CHECK_FALSE(apic.set_base(0xFEE00C00, 46, Cycle{0}));
  CHECK(apic.set_base(0xFEE00800, 46, Cycle{0}));
  CHECK(b.in(1, 0xF0) == 0xFF);
  CHECK(b.in(1, 0x20) == 1u << 24);
}

TEST_CASE("x2APIC registers refuse what is reserved or absent", "[devices]") {
  Bench b;
  CHECK_FALSE(b.apics[0]->read_msr(0x802, Cycle{0}));
  b.x2(0);
  CHECK(b.rdmsr(0, 0x802) == 0);
  CHECK(b.rdmsr(0, 0x803) == 0x01060014);
  for (const uint32_t absent : {0x800u, 0x80Bu, 0x80Eu, 0x831u, 0x83Fu, 0x8FFu}) {
    CHECK_FALSE(b.apics[0]->read_msr(absent, Cycle{0}));
  }
  for (const uint32_t fixed : {0x802u, 0x803u, 0x80Au, 0x80Du, 0x80Eu, 0x831u, 0x839u}) {
    CHECK_FALSE(b.wrmsr(0, fixed, 0));
  }
  CHECK_FALSE(b.wrmsr(0, 0x80B, 1));
  CHECK_FALSE(b.wrmsr(0, 0x808, 0x100));
  CHECK_FALSE(b.wrmsr(0, 0x80F, 0x200));
  CHECK_FALSE(b.wrmsr(0, 0x828, 1));
  CHECK_FALSE(b.wrmsr(0, 0x830, 0x2000));
  CHECK(b.wrmsr(0, 0x828, 0));
}

TEST_CASE("illegal vectors and registers are recorded and raise LVT error", "[devices]") {
  Bench b;
  b.put(0, 0x370, 0xE0);
  b.put(0, 0x300, 0x44005);
  CHECK(b.ack(0) == 0xE0);
  b.put(0, 0xB0, 0);
  CHECK(b.in(0, 0x280) == 0);
  b.in(0, 0x3F0);
  b.put(0, 0x280, 0);
  CHECK(b.in(0, 0x280) == 0xA0);
  b.put(0, 0x280, 0);
  CHECK(b.in(0, 0x280) == 0);
}

TEST_CASE("a disabled APIC masks its vectors and takes no fixed interrupts", "[devices]") {
  Bench b;
  b.put(1, 0x320, 0x40);
  b.put(1, 0xF0, 0xFF);
  CHECK(b.in(1, 0x320) == 0x10040);
  b.put(1, 0x320, 0x40);
  CHECK(b.in(1, 0x320) == 0x10040);
  b.put(0, 0x310, 1u << 24);
  b.put(0, 0x300, 0x4055);
  b.put(0, 0x300, 0x4400);
  b.run(kLatency);
  CHECK(b.ack(1) == -1);
  CHECK(b.bus.unclaimed() == 1);
  CHECK(b.client.heard.size() == 1);
}

TEST_CASE("I/O APIC edges interrupt once and are lost while masked", "[devices]") {
  Bench b;
  b.ioapic.set_line(4, true, Cycle{0});
  b.route(4, uint64_t{1} << 56 | 0x44);
  b.run(1000);
  CHECK(b.ack(1) == -1);
  b.ioapic.set_line(4, false, Cycle{1000});
  b.ioapic.set_line(4, true, Cycle{1000});
  b.run(1000 + kLatency);
  CHECK(b.ack(1) == 0x44);
  b.put(1, 0xB0, 0);
  b.run(9000);
  CHECK_FALSE(b.apics[1]->pending());
}

TEST_CASE("I/O APIC levels interrupt once per EOI while asserted", "[devices]") {
  Bench b;
  b.route(9, uint64_t{2} << 56 | 0x8049);
  b.ioapic.set_line(9, true, Cycle{0});
  b.run(kLatency);
  CHECK(b.entry(9) == 0xC049);
  CHECK(b.in(2, 0x1A0) == 1u << 9);  // TMR
  CHECK(b.ack(2) == 0x49);
  b.put(2, 0xB0, 0, 1000);
  b.run(1000 + kLatency);
  CHECK(b.ack(2) == 0x49);
  b.ioapic.set_line(9, false, Cycle{1200});
  b.put(2, 0xB0, 0, 1200);
  b.run(3000);
  CHECK(b.entry(9) == 0x8049);
  CHECK_FALSE(b.apics[2]->pending());
}

TEST_CASE("with EOI broadcasts suppressed the I/O APIC waits for a directed EOI", "[devices]") {
  Bench b;
  b.put(2, 0xF0, 0x11FF);
  b.route(9, uint64_t{2} << 56 | 0x8049);
  b.ioapic.set_line(9, true, Cycle{0});
  b.run(kLatency);
  CHECK(b.ack(2) == 0x49);
  b.put(2, 0xB0, 0, 1000);
  b.run(2000);
  CHECK(b.entry(9) == 0xC049);
  CHECK_FALSE(b.apics[2]->pending());
  b.ioapic.write(0x40, 4, 0x49, at(2000));
  b.run(3000);
  CHECK(b.ack(2) == 0x49);
}

TEST_CASE("I/O APIC registers: identification, version, read-only bits", "[devices]") {
  Bench b;
  b.ioapic.write(0, 4, 1, at(0));
  CHECK(b.ioapic.read(0x10, 4, at(0)) == 0x00170020);
  b.ioapic.write(0, 4, 0, at(0));
  b.ioapic.write(0x10, 4, 0x0F000000, at(0));
  CHECK(b.ioapic.read(0x10, 4, at(0)) == 0x0F000000);
  CHECK(b.entry(23) == 0x10000);
  b.route(23, 0x1FFFF);
  CHECK(b.entry(23) == 0x1AFFF);
  b.ioapic.write(0, 4, 0xFF, at(0));
  CHECK(b.ioapic.read(0x10, 4, at(0)) == 0);
}

TEST_CASE("an ExtINT entry of the I/O APIC reaches the 8259", "[devices]") {
  Bench b;
  b.route(0, 0x700);
  b.ioapic.set_line(0, true, Cycle{0});
  b.run(kLatency);
  CHECK(b.ack(0) == 0x77);
  CHECK_FALSE(b.apics[0]->pending());
}

TEST_CASE("an MSI is a message like any other", "[devices]") {
  Bench b;
  b.bus.message(0xFEE03000, 0x4061, Cycle{5});
  b.run(5 + kLatency);
  CHECK(b.ack(3) == 0x61);
}

TEST_CASE("messages keep every field on their way", "[devices]") {
  const ApicMessage m{.destination = 0x12345678,
                      .vector = 0xAB,
                      .mode = DeliveryMode::start_up,
                      .logical = true,
                      .level = true,
                      .exclude_sender = true,
                      .sender = 7};
  CHECK(ApicMessage::unpack(m.pack()) == m);
}

TEST_CASE("the APICs' state survives a round trip, and no access does harm", "[devices]") {
  Bench a;
  a.put(0, 0x3E0, 0xB);
  a.put(0, 0x320, 0x20040);
  a.put(0, 0x380, 777);
  a.put(0, 0x300, 0x44000 | 0x61);
  a.route(9, uint64_t{2} << 56 | 0x8049);
  a.ioapic.set_line(9, true, Cycle{0});
  const auto apic = saved(*a.apics[0]);
  const auto ioapic = saved(a.ioapic);
  Bench b;
  load(*b.apics[0], apic);
  load(b.ioapic, ioapic);
  CHECK(saved(*b.apics[0]) == apic);
  CHECK(saved(b.ioapic) == ioapic);
  hammer(b.bus, b.events, 0x1000, 5);
  hammer(b.ioapic, b.events, 0x50, 6, 200'000'000);
  for (uint32_t msr = 0x7F0; msr < 0x910; ++msr) {
    const bool written = b.wrmsr(1, msr, 0x41, 400'000'000);
    const bool read = static_cast<bool>(b.apics[1]->read_msr(msr, Cycle{400'000'000}));
    CHECK_FALSE((written || read));
  }
}
