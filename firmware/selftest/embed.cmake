# cmake -D IMAGE=file -D ARRAY=file.cpp -P embed.cmake: the image as the array behind selftest_image().
set(bytes "")
if(IMAGE)
  file(READ ${IMAGE} hex HEX)
  string(REGEX REPLACE "(................................)" "\\1\n" hex "${hex}")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
endif()
file(WRITE ${ARRAY} "#include \"firmware/selftest.h\"\n
namespace kite {
namespace {
// Ends with a byte of its own, so that an image that was left out is an array too.
constexpr u8 kImage[] = {\n${bytes}0};
}  // namespace
std::span<const u8> selftest_image() { return std::span(kImage).first(sizeof kImage - 1); }
}  // namespace kite\n")
