#include "accel/tcg/disassembler.h"

#include <capstone/capstone.h>
#include <dlfcn.h>
#include <fmt/format.h>

#include "base/log.h"

namespace kite::tcg {
namespace {

// The library's functions; null where it is missing.
struct Capstone {
  decltype(&cs_open) open = nullptr;
  decltype(&cs_close) close = nullptr;
  decltype(&cs_disasm) disasm = nullptr;
  decltype(&cs_free) free = nullptr;

  Capstone() {
    void* library = ::dlopen(KITE_CAPSTONE_NAME, RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) library = ::dlopen(KITE_CAPSTONE_FILE, RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) {
      log::warning("no disassembly: {}", ::dlerror());
      return;
    }
    find(library, "cs_close", close);
    find(library, "cs_disasm", disasm);
    find(library, "cs_free", free);
    if (close != nullptr && disasm != nullptr && free != nullptr) find(library, "cs_open", open);
  }

 private:
  template <class Function>
  static void find(void* library, const char* name, Function& function) {
    function = reinterpret_cast<Function>(::dlsym(library, name));
  }
};

// Stays until the process ends.
const Capstone& capstone() {
  static const Capstone library;
  return library;
}

// A handle for one code width.
class Disassembler {
 public:
  explicit Disassembler(cs_mode mode) {
    usable_ =
        capstone().open != nullptr && capstone().open(CS_ARCH_X86, mode, &handle_) == CS_ERR_OK;
  }
  ~Disassembler() {
    if (usable_) capstone().close(&handle_);
  }
  Disassembler(const Disassembler&) = delete;
  Disassembler& operator=(const Disassembler&) = delete;

  std::string text(std::span<const u8> bytes, u64 rip) const {
    cs_insn* insn = nullptr;
    const std::size_t count =
        usable_ ? capstone().disasm(handle_, bytes.data(), bytes.size(), rip, 1, &insn) : 0;
    if (count == 0) return "?";
    std::string result = fmt::format("{} {}", insn->mnemonic, insn->op_str);
    capstone().free(insn, count);
    return result;
  }

 private:
  csh handle_ = 0;
  bool usable_ = false;
};

}  // namespace

void load_disassembler() {
  capstone();
}

std::string disassemble(std::span<const u8> bytes, u64 rip, unsigned width) {
  thread_local const Disassembler kModes[] = {Disassembler(CS_MODE_16), Disassembler(CS_MODE_32),
                                              Disassembler(CS_MODE_64)};
  return kModes[width - 1].text(bytes, rip);
}

}  // namespace kite::tcg
