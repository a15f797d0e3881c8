#include "tests/bench/translator.h"

#include <fmt/format.h>

#include <fstream>
#include <nlohmann/json.hpp>

namespace kite::bench {

std::optional<Translator> translator_of(const std::string& result_file) {
  std::ifstream file(result_file);
  const nlohmann::json json = nlohmann::json::parse(file, nullptr, false);
  if (!json.is_object() || !json.contains("translator")) return std::nullopt;
  const nlohmann::json& part = json["translator"];
  if (!part.is_object()) return std::nullopt;
  double declined = 0;
  if (part.contains("declined"))
    for (const nlohmann::json& one : part["declined"]) declined += one.value("count", 0.0);
  return Translator{part.value("blocks", 0.0),     part.value("guest_bytes", 0.0),
                    part.value("host_bytes", 0.0), part.value("nanoseconds", 0.0),
                    part.value("discarded", 0.0),  declined};
}

std::string describe(const std::optional<Translator>& translator) {
  if (!translator || translator->blocks <= 0) return "";
  const double blocks = translator->blocks;
  std::string text = "Translation in the last run (wanted: at most 400 ns and 100 host bytes):\n\n";
  text += "| blocks | ns a block | guest bytes a block | host bytes a block | thrown away | ";
  text += "left to the interpreter |\n|---|---|---|---|---|---|\n";
  text += fmt::format("| {:.0f} | {:.0f} | {:.1f} | {:.1f} | {:.0f} ({:.1f} %) | {:.0f} |\n",
                      blocks, translator->nanoseconds / blocks, translator->guest_bytes / blocks,
                      translator->host_bytes / blocks, translator->discarded,
                      100 * translator->discarded / blocks, translator->declined);
  return text + "\n";
}

}  // namespace kite::bench
