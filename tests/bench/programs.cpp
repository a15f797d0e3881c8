// The same programs on the host, in Kite and in QEMU: what a guest's work takes, in times of
// native.
#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/bench/measurements.h"
#include "tests/bench/program_figures.h"
#include "tests/bench/translator.h"
#include "tests/boot/linux_guest.h"
#include "tests/paths.h"

namespace kite::bench {
namespace {

constexpr int kLimit = 300;  // seconds, of one side's turn
const std::string kTitle = "### Programs, against native and QEMU\n\n";
const std::string kPicture = "performance_programs.svg";

std::vector<Side> make_sides(const std::string& program, const std::string& kernel,
                             const std::string& initramfs, const std::string& result) {
  // A QEMU that gets no time on a loaded host fails Linux's test of the timer.
  const std::string append = "console=ttyS0 panic=-1 quiet no_timer_check";
  std::vector<Side> sides = {{"native", {program}}};
  sides.push_back({"Kite",
                   {paths::kProgram, "run", "--accel", "tcg", "--cpu", "max", "--memory", "512M",
                    "--timeout", std::to_string(kLimit), "--result", result, "--initrd", initramfs,
                    "--append", append, kernel}});
  if (have_qemu())
    sides.push_back({"QEMU", qemu({"-cpu", "max", "-kernel", kernel, "-initrd", initramfs,
                                   "-append", append})});
  return sides;
}

std::string conditions(const ProgramFigures& figures, int rounds, bool translated) {
  std::string text = fmt::format(
      "One static program (`tests/bench/guests/programs`) natively on one processor, and as the "
      "only one under Debian's cloud kernel with 512 MB; Kite with `--accel tcg --cpu max` ({}), "
      "QEMU with `-accel tcg -M q35 -cpu max`. Each figure is the best of batches of 2 ms in 0.3 "
      "s, then the median of {} runs in turns; ratios are medians of the ratios within a turn. "
      "{} ",
      translated ? "its translator" : "its interpreter: no translator", rounds,
      any_failure() ? "**Runs failed, or answers were wrong: they have no figures.**"
                    : "Every side's answers are the same.");
  text += "Under \"kernel\" and \"process\" the host's own kernel is the other side. Clocks:";
  for (const Side& side : figures.sides())
    text += fmt::format(" {} {},", side.name, side.clock.empty() ? "unknown" : side.clock);
  text.back() = '.';
  if (!have_qemu()) text += " QEMU is not installed here.";
  return text + "\n\n";
}

void write_picture(const ProgramFigures& figures) {
  std::ofstream(std::string(paths::kSource) + "/docs/" + kPicture) << figures.plot();
}

}  // namespace

std::string measure_programs(const Options& options) {
  const std::string program = std::string(paths::kBenchGuests) + "/programs";
  const std::string kernel = test::find_kernel(test::Kernel::kCloud);
  const std::string initramfs = test::boot_initramfs(program);
  if (initramfs.empty()) return kTitle + "Not measured: no static C library here.\n\n";
  if (kernel.empty()) return kTitle + "Not measured: " + test::how_to_get_kernels() + "\n\n";
  const std::string result = initramfs + ".json";
  ProgramFigures figures(make_sides(program, kernel, initramfs, result));
  for (int round = 0; round < options.rounds; ++round)
    for (std::size_t side = 0; side < figures.sides().size(); ++side)
      figures.add(side, test::run_program(figures.sides()[side].words, kLimit + 10));
  const std::optional<Translator> translator = translator_of(result);
  std::filesystem::remove(initramfs);
  std::filesystem::remove(result);
  if (options.write && !any_failure()) write_picture(figures);
  return kTitle + conditions(figures, options.rounds, translator.has_value()) + figures.table() +
         "\n![Time in times of native](" + kPicture + ")\n\n" + describe(translator);
}

}  // namespace kite::bench
