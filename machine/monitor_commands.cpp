// The monitor's commands: a table, and a function for each.
#include <algorithm>
#include <array>
#include <charconv>

#include "accel/x86/registers.h"
#include "base/nearest.h"
#include "machine/monitor.h"

namespace kite {
namespace {

using Words = std::span<const std::string_view>;  // of a line, after the command

struct Command {
  std::string_view name;
  std::string_view arguments;
  std::string_view description;
  std::size_t most_words;
  std::string (*run)(MonitorTarget& target, Words words);
};

std::string help(MonitorTarget& target, Words words);
std::string status(MonitorTarget& target, Words words);
std::string accel(MonitorTarget& target, Words words);
std::string cpus(MonitorTarget& target, Words words);
std::string registers(MonitorTarget& target, Words words);
std::string stop(MonitorTarget& target, Words words);
std::string cont(MonitorTarget& target, Words words);
std::string reset(MonitorTarget& target, Words words);
std::string wake(MonitorTarget& target, Words words);
std::string quit(MonitorTarget& target, Words words);

constexpr std::array kCommands = {
    Command{"help", "", "this list", 0, help},
    Command{"status", "", "board, accelerator, whether the guest runs, and for how long", 0,
            status},
    Command{"accel", "[NAME]", "the accelerator, or go on in another one: tcg, kvm", 1, accel},
    Command{"cpus", "", "what each vCPU does and where it stands", 0, cpus},
    Command{"registers", "[N]", "the registers of vCPU N (default 0)", 1, registers},
    Command{"stop", "", "stop the vCPUs; the guest's clocks go on", 0, stop},
    Command{"cont", "", "let them go on", 0, cont},
    Command{"wake", "", "wake a guest that is suspended to RAM", 0, wake},
    Command{"reset", "", "start the machine anew", 0, reset},
    Command{"quit", "", "end the run", 0, quit},
};

std::string help(MonitorTarget&, Words) {
  std::string text;
  for (const Command& command : kCommands)
    text += fmt::format("{:16}{}\n", fmt::format("{} {}", command.name, command.arguments),
                        command.description);
  return text;
}

std::string status(MonitorTarget& target, Words) {
  const MonitorTarget::Status now = target.status();
  const std::string_view activity = now.stopped                     ? "stopped"
                                    : now.asleep                    ? "suspended to RAM"
                                    : now.halted_vcpus == now.vcpus ? "halted"
                                                                    : "running";
  std::string text =
      fmt::format("{}, up {:.3f} s, {} reset{}\n{}, {} vCPU{}, {} halted, {} ({})\n", activity,
                  static_cast<double>(now.uptime) / kSecond, now.resets, now.resets == 1 ? "" : "s",
                  now.board, now.vcpus, now.vcpus == 1 ? "" : "s", now.halted_vcpus,
                  now.accelerator, now.accelerator_reason);
  if (now.instructions) text += fmt::format("{} instructions executed\n", *now.instructions);
  if (now.fall_backs)
    text += fmt::format("{} instructions executed by the interpreter in KVM's place\n",
                        *now.fall_backs);
  return text;
}

std::string accel(MonitorTarget& target, Words words) {
  if (words.empty()) {
    const MonitorTarget::Status now = target.status();
    return fmt::format("{} ({})\n", now.accelerator, now.accelerator_reason);
  }
  const std::array<std::string_view, 2> names = {"tcg", "kvm"};
  if (words[0] != names[0] && words[0] != names[1])
    return fmt::format("there is no accelerator '{}'{}\n", words[0], suggestion(words[0], names));
  if (const Result<> moved = target.move_to(words[0]); !moved) return moved.error().message + "\n";
  return fmt::format("the machine runs on {}\n", words[0]);
}

// SDM 3A 2.2, "modes of operation".
std::string_view mode_of(const X86State& state) {
  if (!(state.cr0 & cr0::kPe)) return "real mode";
  if (state.efer & efer::kLma) return state.segments[kCs].l ? "64-bit" : "compatibility mode";
  if (state.rflags & rflags::kVm) return "virtual-8086 mode";
  return state.segments[kCs].db ? "32-bit" : "16-bit protected mode";
}

std::string_view activity_of(const MonitorTarget::VcpuStatus& vcpu) {
  if (vcpu.state.mp_state == MpState::kWaitForSipi) return "waits for a start-up interrupt";
  if (vcpu.asleep) return "sleeps";
  if (vcpu.dead) return "halted for good";
  if (vcpu.halted || vcpu.state.mp_state == MpState::kHalted) return "halted";
  return "runs";
}

std::string cpus(MonitorTarget& target, Words) {
  std::string text;
  unsigned index = 0;
  for (const MonitorTarget::VcpuStatus& vcpu : target.vcpus())
    text +=
        fmt::format("vCPU {}: {}, rip {:#x}, {}, privilege level {}\n", index++, activity_of(vcpu),
                    vcpu.state.rip, mode_of(vcpu.state), vcpu.state.segments[kSs].dpl);
  return text;
}

std::string segment_line(std::string_view name, const Segment& segment) {
  return fmt::format("{:5}{:04x} base {:016x} limit {:08x} type {:x} dpl {}{}{}{}\n", name,
                     segment.selector, segment.base, segment.limit, segment.type, segment.dpl,
                     segment.l ? " long" : "", segment.db ? " 32-bit" : "",
                     segment.unusable || !segment.present ? " unusable" : "");
}

std::string describe(const X86State& state) {
  constexpr std::string_view kNames[] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                         "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
  constexpr std::string_view kSegments[] = {"es", "cs", "ss", "ds", "fs", "gs"};
  std::string text;
  for (std::size_t i = 0; i < state.gpr.size(); ++i)
    text += fmt::format("{:4}{:016x}{}", kNames[i], state.gpr[i], i % 4 == 3 ? "\n" : "  ");
  text += fmt::format("rip {:016x}  rflags {:x}  {}\n", state.rip, state.rflags, mode_of(state));
  for (std::size_t i = 0; i < state.segments.size(); ++i)
    text += segment_line(kSegments[i], state.segments[i]);
  text += segment_line("ldtr", state.ldtr) + segment_line("tr", state.tr);
  text += fmt::format("gdtr base {:016x} limit {:04x}\nidtr base {:016x} limit {:04x}\n",
                      state.gdtr.base, state.gdtr.limit, state.idtr.base, state.idtr.limit);
  return text + fmt::format("cr0 {:x}  cr2 {:x}  cr3 {:x}  cr4 {:x}  efer {:x}\n", state.cr0,
                            state.cr2, state.cr3, state.cr4, state.efer);
}

std::string registers(MonitorTarget& target, Words words) {
  const std::vector<MonitorTarget::VcpuStatus> vcpus = target.vcpus();
  std::size_t index = 0;
  if (!words.empty()) {
    const std::string_view word = words[0];
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), index);
    if (error != std::errc() || end != word.data() + word.size() || index >= vcpus.size())
      return fmt::format("there is no vCPU '{}'; this machine has {}, numbered from 0\n", word,
                         vcpus.size());
  }
  return vcpus.empty() ? "" : describe(vcpus[index].state);
}

std::string stop(MonitorTarget& target, Words) {
  target.stop_vcpus();
  return "stopped; `cont` goes on\n";
}

std::string cont(MonitorTarget& target, Words) {
  target.continue_vcpus();
  return "running\n";
}

std::string reset(MonitorTarget& target, Words) {
  target.reset_machine();
  return "the machine starts anew\n";
}

std::string wake(MonitorTarget& target, Words) {
  return target.wake_machine() ? "the guest wakes up\n" : "the guest is not suspended to RAM\n";
}

std::string quit(MonitorTarget& target, Words) {
  target.quit();
  return "";
}

std::vector<std::string_view> split(std::string_view line) {
  constexpr std::string_view kBlanks = " \t";
  std::vector<std::string_view> words;
  for (std::size_t at = line.find_first_not_of(kBlanks); at != line.npos;
       at = line.find_first_not_of(kBlanks, at)) {
    const std::size_t end = std::min(line.find_first_of(kBlanks, at), line.size());
    words.push_back(line.substr(at, end - at));
    at = end;
  }
  return words;
}

std::string unknown(std::string_view word) {
  std::vector<std::string_view> names;
  for (const Command& command : kCommands) names.push_back(command.name);
  const std::string near = suggestion(word, names);
  return fmt::format("there is no command '{}'{}\n", word,
                     near.empty() ? "; `help` lists them" : near);
}

}  // namespace

std::string execute_monitor_command(MonitorTarget& target, std::string_view line) {
  const std::vector<std::string_view> words = split(line);
  if (words.empty()) return "";
  for (const Command& command : kCommands) {
    if (command.name != words[0]) continue;
    if (words.size() - 1 > command.most_words)
      return fmt::format("{}: '{}' is one word too many\n", command.name,
                         words[command.most_words + 1]);
    return command.run(target, Words(words).subspan(1));
  }
  return unknown(words[0]);
}

}  // namespace kite
