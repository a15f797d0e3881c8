#include "base/trace.h"

#include <array>
#include <cerrno>
#include <cstdio>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/nearest.h"
#include "base/trace_output.h"

namespace kite::trace {

namespace {

constexpr std::array kCategories = {
    CategoryName{Category::kCpu, "cpu", "each instruction, disassembled"},
    CategoryName{Category::kInt, "int", "interrupts and exceptions as the vCPU takes them"},
    CategoryName{Category::kMmio, "mmio", "accesses to memory-mapped registers"},
    CategoryName{Category::kPio, "pio", "accesses to I/O ports"},
    CategoryName{Category::kMsr, "msr", "model-specific registers read and written"},
    CategoryName{Category::kBlock, "block", "blocks of code as they are decoded or translated"},
    CategoryName{Category::kIrq, "irq", "interrupt lines between chips"},
    CategoryName{Category::kTranslator, "translator",
                 "what the translator makes, declines, forgets"},
    CategoryName{Category::kLockstep, "lockstep", "translated code compared with the interpreter"},
};

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

// Where the categories write to. A file is fully buffered, since a trace of every instruction is
// long; flush() writes the rest.
struct Outputs {
  std::mutex mutex;  // guards the rest
  std::map<std::string, File, std::less<>> files;
  std::array<std::FILE*, kCategories.size()> of_category{};
};

std::string& thread_name() {
  thread_local std::string name;
  return name;
}

Outputs& outputs() {
  static Outputs instance;
  return instance;
}

Result<u32> parse_category(std::string_view word) {
  std::vector<std::string_view> names{"all"};
  for (const auto& known : kCategories) {
    if (known.name == word) return u32{1} << static_cast<u32>(known.category);
    names.push_back(known.name);
  }
  if (word == "all") return (u32{1} << kCategories.size()) - 1;
  return fail(ErrorKind::kUsage, "--trace: there is no category '{}'{}", word,
              suggestion(word, names));
}

Result<u32> parse_categories(std::string_view words) {
  u32 mask = 0;
  while (true) {
    const auto comma = words.find(',');
    mask |= KITE_TRY(parse_category(words.substr(0, comma)));
    if (comma == std::string_view::npos) return mask;
    words.remove_prefix(comma + 1);
  }
}

// The file called `path`, opened once however often it is named. Called with the mutex held.
Result<std::FILE*> open_output(Outputs& out, std::string_view path) {
  if (auto known = out.files.find(path); known != out.files.end()) return known->second.get();
  if (path.empty()) return fail(ErrorKind::kUsage, "--trace: the name of the file is empty");
  const std::string name(path);
  File file(std::fopen(name.c_str(), "we"));
  if (!file) return fail_errno(ErrorKind::kIo, errno, fmt::format("--trace: file '{}'", name));
  return out.files.emplace(name, std::move(file)).first->second.get();
}

}  // namespace

namespace detail {

std::atomic<u32> enabled_mask{0};

void write(Category category, std::string_view line) {
  const auto index = static_cast<std::size_t>(category);
  Outputs& out = outputs();
  std::lock_guard lock(out.mutex);
  std::FILE* file = out.of_category[index] ? out.of_category[index] : stderr;
  const std::string& thread = thread_name();
  const std::string text = fmt::format("{}: {}{}{}\n", kCategories[index].name, thread,
                                       thread.empty() ? "" : ": ", line);
  std::fwrite(text.data(), 1, text.size(), file);
}

}  // namespace detail

void name_thread(std::string_view name) {
  thread_name() = name;
}

std::span<const CategoryName> categories() {
  return kCategories;
}

Result<> flush() {
  Outputs& out = outputs();
  std::lock_guard lock(out.mutex);
  for (const auto& [name, file] : out.files) {
    if (std::fflush(file.get()) != 0 || std::ferror(file.get()))
      return fail(ErrorKind::kIo, "--trace: file '{}': writing failed; the trace is not complete",
                  name);
  }
  return {};
}

Result<> enable(std::string_view text) {
  const auto equals = text.find('=');
  const u32 mask = KITE_TRY(parse_categories(text.substr(0, equals)));
  Outputs& out = outputs();
  std::lock_guard lock(out.mutex);
  std::FILE* file = nullptr;
  if (equals != std::string_view::npos) file = KITE_TRY(open_output(out, text.substr(equals + 1)));
  for (std::size_t i = 0; i < kCategories.size(); ++i)
    if ((mask >> i) & 1) out.of_category[i] = file;
  detail::enabled_mask.fetch_or(mask, std::memory_order_relaxed);
  return {};
}

}  // namespace kite::trace
