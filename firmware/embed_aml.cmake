# cmake -D AML=file -D ARRAY=file.cpp -P embed_aml.cmake: compiled AML as the array behind compiled_dsdt().
file(READ ${AML} hex HEX)
string(REGEX REPLACE "(................................)" "\\1\n" hex "${hex}")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
file(WRITE ${ARRAY} "#include \"firmware/acpi_parts.h\"\n
namespace kite {
namespace {
constexpr u8 kDsdt[] = {\n${bytes}};
}  // namespace
std::span<const u8> compiled_dsdt() { return kDsdt; }
}  // namespace kite\n")
