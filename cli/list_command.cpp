// `kite list WHAT`: what this program has to choose from.
#include <algorithm>
#include <array>
#include <cstdio>

#include "base/nearest.h"
#include "cli/commands.h"
#include "devices/registry.h"
#include "machine/accelerators.h"
#include "machine/boards/board.h"
#include "machine/speed_probe.h"
#include "memory/backend.h"

namespace kite {

namespace {

struct Row {
  std::string name;
  std::string description;
};

void print(const std::vector<Row>& rows) {
  std::size_t width = 0;
  for (const Row& row : rows) width = std::max(width, row.name.size());
  for (const Row& row : rows) {
    const bool plain = row.description.empty();
    const std::string line =
        plain ? row.name + "\n" : fmt::format("{:{}}  {}\n", row.name, width, row.description);
    std::fputs(line.c_str(), stdout);
  }
}

// The description, marked where it is what a run takes by itself.
std::string marked(std::string_view description, bool is_default) {
  if (!is_default) return std::string(description);
  return description.empty() ? "(default)" : fmt::format("{} (default)", description);
}

// What a run with `--accel NAME` would meet, and how fast it would be.
std::string state_of(const AcceleratorKind& kind) {
  if (const Result<> usable = kind.probe(); !usable) return "not usable: " + usable.error().message;
  const Result<u64> speed = measure_speed(kind);
  if (!speed) return "not usable: " + speed.error().message;
  return fmt::format("usable, {} instructions per second", in_millions(*speed));
}

std::vector<Row> accels() {
  std::vector<Row> rows;
  for (const AcceleratorKind* kind : accelerator_kinds())
    rows.push_back(
        {std::string(kind->name), fmt::format("{}; {}", kind->description, state_of(*kind))});
  const Result<AcceleratorChoice> choice = choose_accelerator("auto");
  rows.push_back(
      {"auto", choice ? fmt::format("takes {}: {} (default)", choice->kind->name, choice->reason)
                      : choice.error().message});
  return rows;
}

std::vector<Row> machines() {
  std::vector<Row> rows;
  for (const Board& board : boards())
    rows.push_back({std::string(board.name), marked(board.description, rows.empty())});
  return rows;
}

std::vector<Row> devices() {
  std::vector<Row> rows;
  for (const DeviceKind& kind : device_kinds())
    rows.push_back({std::string(kind.name), fmt::format("{}: {}", kind.bus, kind.description)});
  return rows;
}

std::vector<Row> memory_backends() {
  std::vector<Row> rows;
  for (const Backend& backend : backends())
    rows.push_back({std::string(backend.name), marked(backend.description, rows.empty())});
  return rows;
}

std::vector<Row> cpus() {
  std::vector<Row> rows;
  for (std::string_view name : cpu_model_names())
    rows.push_back({std::string(name), marked("", rows.empty())});
  return rows;
}

struct Listing {
  std::string_view name;
  std::vector<Row> (*rows)();
};
constexpr std::array kListings = {Listing{"accels", accels}, Listing{"machines", machines},
                                  Listing{"devices", devices}, Listing{"backends", memory_backends},
                                  Listing{"cpus", cpus}};
constexpr std::string_view kExpected = "accels, machines, devices, backends or cpus";

}  // namespace

int list_command(const Words& words) {
  if (words.size() != 1)
    return complain(
        Error{ErrorKind::kUsage, fmt::format("kite list: expected one of {}", kExpected)});
  const std::string& word = words.front();
  if (word == "--help" || word == "-h") {
    std::puts(fmt::format("Usage: kite list WHAT, where WHAT is {}", kExpected).c_str());
    return finish_output();
  }
  std::vector<std::string_view> names;
  for (const Listing& listing : kListings) {
    if (listing.name == word) {
      print(listing.rows());
      return finish_output();
    }
    names.push_back(listing.name);
  }
  return complain(Error{ErrorKind::kUsage, fmt::format("kite list {}: expected {}{}", word,
                                                       kExpected, suggestion(word, names))});
}

}  // namespace kite
