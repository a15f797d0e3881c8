// Interrupt controllers, 8254 and local APICs in the kernel: they interrupt, they start processors,
// and their registers come out as they went in.
#include <thread>

#include "accel/kvm/device.h"
#include "tests/accel/kvm/guest.h"

namespace kite {
namespace {

// A port whose writing ends the run of a vCPU: HLT does not, it is waited for in the kernel.
class LeavePort : public IoHandler {
 public:
  u64 read(u64, unsigned) override { return 0; }
  void write(u64 offset, u64, unsigned) override {
    if (offset < vcpus.size()) vcpus[offset]->kick();
  }
  std::vector<Vcpu*> vcpus;
};

enum Register : std::size_t {  // offset / 16
  kId = 2,
  kTpr = 8,
  kLdr = 13,
  kDfr = 14,
  kSvr = 15,
  kIsr = 0x10,
  kTmr = 0x18,
  kIrr = 0x20,
  kLvtTimer = 0x32,
  kLint0 = 0x35,
  kLint1 = 0x36,
  kInitialCount = 0x38,
  kCurrentCount = 0x39,
  kDivide = 0x3e,
};

class KernelIrqchip : public KvmGuest {
 protected:
  KernelIrqchip() { kernel_irqchip = true; }
  void SetUp() override {
    if (auto device = kvm::open_device("/dev/kvm"); device && !device->capabilities.irqchip)
      GTEST_SKIP() << "this host's KVM has no interrupt controllers in the kernel";
    KvmGuest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    ASSERT_TRUE(ports.map("leave", kLeave, 4, leave));
    leave.vcpus = {vcpu.get()};
    put(0x2000, {0xe6, 0x80, 0xe6, 0x90, 0xcf});  // out 80h, al; out 90h, al; iret
    for (int vector : {0x24, 0x30}) put(4 * static_cast<u64>(vector), {0x00, 0x20, 0, 0});
  }

  InterruptChips& chips() { return *accelerator->chips(); }

  // Enabled, LINT0 the 8259's.
  static LocalApicState virtual_wire() {
    LocalApicState apic;
    apic.apic_base = msr::kApicBaseDefault | msr::kApicBaseEnable | msr::kApicBaseBsp;
    for (std::size_t lvt : {0x32, 0x33, 0x34, 0x37}) apic.registers[lvt] = 0x10000;
    apic.registers[3] = 0x50014;
    apic.registers[kSvr] = 0x1ff;
    apic.registers[kDfr] = 0xffffffff;
    apic.registers[kLint0] = 0x700;
    apic.registers[kLint1] = 0x400;
    return apic;
  }

  X86State waiting_for_interrupts() {
    put(kProgram, {0xfb, 0xf4, 0xeb, 0xfd});  // sti; hlt; jmp to it
    X86State state = real_mode();
    state.apic = virtual_wire();
    return state;
  }

  void run_to_leave(const X86State& state) {
    auto set = vcpu->set_state(state);
    ASSERT_TRUE(set) << set.error().message;
    ASSERT_EQ(run().kind, Exit::Kind::kKicked);
  }

  static constexpr u16 kLeave = 0x90;
  LeavePort leave;
};

TEST_F(KernelIrqchip, AWireReachesTheGuestThroughThe8259) {
  ChipStates states;
  states.pic[0].vector_base = 0x20;
  ASSERT_TRUE(chips().load(states, 0));
  std::thread device([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    chips().set_irq(4, true);
  });
  run_to_leave(waiting_for_interrupts());
  device.join();
  EXPECT_EQ(port_recorder.seen.size(), 1u);
  EXPECT_EQ(chips().save()->pic[0].isr, 1 << 4);
}

TEST_F(KernelIrqchip, AMessageReachesTheGuest) {
  std::thread device([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    chips().send_msi(0xfee00000, 0x30);
  });
  run_to_leave(waiting_for_interrupts());
  device.join();
  EXPECT_EQ(port_recorder.seen.size(), 1u);
}

TEST_F(KernelIrqchip, ALevelThatIsUpWhenTheStateIsLoadedInterrupts) {
  ASSERT_TRUE(vcpu->set_state(waiting_for_interrupts()));
  ChipStates states;
  states.io_apic.redirection.fill(0x10000);
  states.io_apic.redirection[17] = 0x8030;  // level, vector 30h
  ASSERT_TRUE(chips().load(states, 1u << 17));
  EXPECT_EQ(chips().save()->io_apic.redirection[17] & 0x4000, 0x4000u);
  ASSERT_EQ(run().kind, Exit::Kind::kKicked);
  EXPECT_EQ(port_recorder.seen.size(), 1u);
}

TEST_F(KernelIrqchip, AnEdgeThatIsUpWhenTheStateIsLoadedDoesNotInterruptAgain) {
  ASSERT_TRUE(vcpu->set_state(waiting_for_interrupts()));
  ChipStates states;
  states.pic[0].vector_base = 0x20;
  states.pic[0].lines = 1 << 4;
  states.io_apic.redirection.fill(0x10000);
  states.io_apic.redirection[17] = 0x30;
  ASSERT_TRUE(chips().load(states, 1u << 17 | 1u << 4));
  EXPECT_EQ(run(20 * kMillisecond).kind, Exit::Kind::kDeadline);
  EXPECT_TRUE(port_recorder.seen.empty());
  EXPECT_EQ(vcpu->state().mp_state, MpState::kHalted);
  chips().set_irq(17, false);  // the next edge does
  chips().set_irq(17, true);
  EXPECT_EQ(run().kind, Exit::Kind::kKicked);
  EXPECT_EQ(port_recorder.seen.size(), 1u);
}

TEST_F(KernelIrqchip, InitAndSipiStartAnotherProcessor) {
  auto second = accelerator->create_vcpu({.index = 1, .apic_id = 1, .interrupts = nullptr});
  ASSERT_TRUE(second) << second.error().message;
  leave.vcpus.push_back(second->get());
  X86State waiting = X86State::after_reset();
  waiting.mp_state = MpState::kWaitForSipi;
  ASSERT_TRUE((*second)->set_state(waiting));
  EXPECT_EQ((*second)->state().mp_state, MpState::kWaitForSipi);
  put(0x5000, {0x8c, 0xc8, 0xe6, 0x91, 0xf4});              // mov ax, cs; out 91h, al; hlt
  put(kProgram, {0xbb, 0x00, 0x03, 0xe0, 0xfe,              // mov ebx, 0fee00300h
                 0xc7, 0x43, 0x10, 0x00, 0x00, 0x00, 0x01,  // mov [ebx+10h], 1000000h
                 0xc7, 0x03, 0x00, 0x45, 0x00, 0x00,        // mov [ebx], 4500h: INIT
                 0xc7, 0x03, 0x05, 0x46, 0x00, 0x00,        // mov [ebx], 4605h: SIPI
                 0xe6, 0x90, 0xf4});                        // out 90h, al; hlt
  std::thread other([&] {
    auto exit = (*second)->run(clock.now() + 60 * kSecond);
    EXPECT_TRUE(exit && exit->kind == Exit::Kind::kKicked);
  });
  X86State state = protected_mode();
  state.apic = virtual_wire();
  run_to_leave(state);
  other.join();
  EXPECT_EQ((*second)->state().gpr[kRax] & 0xffff, 0x500u);
  EXPECT_EQ((*second)->state().mp_state, MpState::kRunning);
}

TEST_F(KernelIrqchip, The8259sRegistersComeOutAsTheyWentIn) {
  ChipStates states;
  states.pic[0] = {.lines = 0x81,
                   .irr = 0x81,
                   .isr = 0x40,
                   .imr = 0xf9,
                   .elcr = 0x20,
                   .vector_base = 0x30,
                   .lowest = 2,
                   .next_icw = 3,
                   .needs_icw4 = true,
                   .auto_eoi = true,
                   .rotate_on_auto_eoi = true,
                   .special_fully_nested = true,
                   .special_mask = true,
                   .read_isr = true,
                   .polled = true};
  states.pic[1] = {.lines = 0x10,
                   .irr = 0,
                   .isr = 1,
                   .imr = 0xff,
                   .elcr = 0x0e,
                   .vector_base = 0x70,
                   .lowest = 7};
  const u32 levels = 0x81 | 0x10 << 8;
  ASSERT_TRUE(chips().load(states, levels));
  const auto saved = chips().save();
  ASSERT_TRUE(saved) << saved.error().message;
  EXPECT_EQ(saved->pic[0], states.pic[0]);
  EXPECT_EQ(saved->pic[1], states.pic[1]);
}

TEST_F(KernelIrqchip, TheIoApicsRegistersComeOutAsTheyWentIn) {
  ChipStates states;
  states.io_apic.select = 0x21;
  states.io_apic.id = 9;
  for (u64 i = 0; i < IoApicState::kInputs; ++i)
    states.io_apic.redirection[i] =
        (i << 56) | 0x10000 | (i % 2 << 15) | (i % 3 << 11) | (0x40 + i);
  states.io_apic.redirection[5] |= 0x4000;  // remote IRR of a level-triggered one
  ASSERT_TRUE(chips().load(states, 0));
  EXPECT_EQ(chips().save()->io_apic, states.io_apic);
}

TEST_F(KernelIrqchip, A8254ComesOutAsItWentIn) {
  ChipStates states;
  states.pit[0] = {.control = 0x34, .gate = true, .count = 0x1234, .elapsed = {}};  // mode 2
  states.pit[1] = {.control = 0x14,
                   .gate = true,
                   .count = 18,
                   .elapsed = {},
                   .count_latched = true,
                   .count_latch = 7};
  states.pit[2] = {.control = 0x30,
                   .gate = true,
                   .count = 0x8000,
                   .elapsed = 0x7000,
                   .write_high = true,
                   .low_byte = 0x55};
  states.speaker = true;
  ASSERT_TRUE(chips().load(states, 0));
  const ChipStates saved = *chips().save();
  EXPECT_EQ(saved.pit[0], states.pit[0]);
  EXPECT_TRUE(saved.speaker);
  EXPECT_FALSE(saved.hpet_replaces);
  EXPECT_EQ(saved.pit[1].control, 0x14);
  EXPECT_EQ(saved.pit[1].count_latch, 7);
  EXPECT_TRUE(saved.pit[1].count_latched);
  EXPECT_EQ(saved.pit[2].count, 0x1000u);  // what was left
  EXPECT_TRUE(saved.pit[2].elapsed.has_value());
  EXPECT_TRUE(saved.pit[2].write_high);
  EXPECT_EQ(saved.pit[2].low_byte, 0x55);
  chips().set_hpet_replaces(true);
  EXPECT_TRUE(chips().save()->hpet_replaces);
}

TEST_F(KernelIrqchip, TheLocalApicsRegistersComeOutAsTheyWentIn) {
  X86State state = real_mode();
  state.apic = virtual_wire();
  auto& registers = state.apic->registers;
  registers[kTpr] = 0x50;
  registers[kLdr] = 0x02000000;
  registers[kIsr + 1] = 1u << 16;
  registers[kTmr + 2] = 4;
  registers[kIrr + 3] = 0x80;
  registers[kLvtTimer] = 0x10030;
  registers[kDivide] = 3;
  ASSERT_TRUE(vcpu->set_state(state));
  const auto saved = vcpu->state().apic;
  ASSERT_TRUE(saved);
  EXPECT_EQ(saved->apic_base, state.apic->apic_base);
  for (std::size_t i = 0; i < registers.size(); ++i) {
    if (i == 10 || i == 3) continue;  // processor priority and version follow from others
    EXPECT_EQ(saved->registers[i], registers[i]) << "register " << std::hex << i;
  }
  // Without one, set_state() leaves it as it is.
  ASSERT_TRUE(vcpu->set_state(real_mode()));
  EXPECT_EQ(vcpu->state().apic, saved);
}

TEST_F(KernelIrqchip, AMovedLocalApicAndOneInX2apicModeComeOutAsTheyWentIn) {
  if (!model.has(Feature::kX2apic)) GTEST_SKIP() << "the model has no x2APIC mode";
  for (u64 base : {u64{0xd1000000}, msr::kApicBaseDefault | msr::kApicBaseX2apic}) {
    X86State state = real_mode();
    state.apic = virtual_wire();
    state.apic->apic_base = base | msr::kApicBaseEnable | msr::kApicBaseBsp;
    if (base & msr::kApicBaseX2apic) state.apic->registers[kLdr] = 1;
    auto set = vcpu->set_state(state);
    ASSERT_TRUE(set) << set.error().message;
    EXPECT_EQ(vcpu->state().apic->apic_base, state.apic->apic_base);
    EXPECT_EQ(vcpu->state().apic->registers[kSvr], 0x1ffu);
    EXPECT_EQ(vcpu->state().apic->registers[kId], 0u);
  }
}

TEST_F(KernelIrqchip, AnImpossibleLocalApicIsRefusedWithAReason) {
  X86State state = real_mode();
  state.apic = virtual_wire();
  state.apic->apic_base = ~u64{0};
  const auto set = vcpu->set_state(state);
  ASSERT_FALSE(set);
  EXPECT_NE(set.error().message.find("KVM refuses"), std::string::npos) << set.error().message;
}

TEST_F(KernelIrqchip, TheTimerGoesOnWhereItWas) {
  X86State state = waiting_for_interrupts();
  auto& registers = state.apic->registers;
  registers[kLvtTimer] = 0x30;  // one-shot
  registers[kDivide] = 0xb;     // by 1: 1 GHz
  registers[kInitialCount] = 0xffffffff;
  registers[kCurrentCount] = 5'000'000;  // 5 ms of the four seconds are left
  const Nanos begun = clock.now();
  run_to_leave(state);
  EXPECT_LT(clock.now() - begun, 60 * kSecond);
  EXPECT_EQ(port_recorder.seen.size(), 1u);
  EXPECT_EQ(vcpu->state().apic->registers[kInitialCount], 0xffffffffu);
}

TEST_F(KernelIrqchip, ATscDeadlineGoesOn) {
  X86State state = waiting_for_interrupts();
  state.apic->registers[kLvtTimer] = 0x40030;
  state.tsc = u64{1} << 40;
  state.apic->tsc_deadline = state.tsc + 1'000'000;
  run_to_leave(state);
  EXPECT_EQ(port_recorder.seen.size(), 1u);
  EXPECT_EQ(vcpu->state().apic->tsc_deadline, 0u);
}

}  // namespace
}  // namespace kite
