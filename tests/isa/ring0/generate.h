// Makes ring-0 cases: the same number and seed, the same case.
#pragma once

#include <initializer_list>

#include "accel/x86/cpu_model.h"
#include "tests/isa/ring0/case.h"

namespace kite::ring0 {

// `model` is the processor's; what it lacks is not switched on. `test` keeps its storage.
void generate(u64 seed, u64 number, const CpuModel& model, Case& test);

// A case without surprises: `code` in fresh surroundings.
void plain_case(Mode mode, unsigned cpl, std::initializer_list<u8> code, Case& test);

// Names of the families.
std::vector<std::string_view> family_names();

}  // namespace kite::ring0
