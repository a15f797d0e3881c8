#include "firmware/aml.h"

#include "base/bits.h"

namespace kite::aml {

namespace {

constexpr u8 kNameOp = 0x08, kDWordPrefix = 0x0c, kStringPrefix = 0x0d, kScopeOp = 0x10,
             kBufferOp = 0x11, kExtOpPrefix = 0x5b, kDeviceOp = 0x82;

void append_u32(Code& code, u32 value) {
  const auto at = code.size();
  code.resize(at + 4);
  store<u32>(&code[at], value);
}

void append_text(Code& code, std::string_view text) {
  for (const char c : text) code.push_back(static_cast<u8>(c));
}

// A package's length counts its own bytes (20.2.4).
Code with_length(const Code& body) {
  Code code;
  u64 length = body.size() + 1;
  if (length <= 0x3f) {
    code.push_back(static_cast<u8>(length));
  } else {
    unsigned following = 1;
    while (body.size() + 1 + following >= bit(4 + 8 * following)) ++following;
    length = body.size() + 1 + following;
    code.push_back(static_cast<u8>(following << 6 | (length & 0xf)));
    for (unsigned i = 0; i < following; ++i) code.push_back(static_cast<u8>(length >> (4 + 8 * i)));
  }
  append(code, body);
  return code;
}

Code named(std::string_view name) {
  Code code = {kNameOp};
  append_text(code, name);
  return code;
}

Code package(std::initializer_list<u8> operation, std::string_view name, std::span<const u8> body) {
  Code content;
  append_text(content, name);
  append(content, body);
  Code code = operation;
  append(code, with_length(content));
  return code;
}

}  // namespace

void append(Code& to, std::span<const u8> what) {
  to.insert(to.end(), what.begin(), what.end());
}

Code name_integer(std::string_view name, u32 value) {
  Code code = named(name);
  code.push_back(kDWordPrefix);
  append_u32(code, value);
  return code;
}

Code name_string(std::string_view name, std::string_view value) {
  Code code = named(name);
  code.push_back(kStringPrefix);
  append_text(code, value);
  code.push_back(0);
  return code;
}

Code name_buffer(std::string_view name, std::span<const u8> bytes) {
  Code content = {kDWordPrefix};
  append_u32(content, static_cast<u32>(bytes.size()));
  append(content, bytes);
  Code code = named(name);
  code.push_back(kBufferOp);
  append(code, with_length(content));
  return code;
}

Code scope(std::string_view name, std::span<const u8> body) {
  return package({kScopeOp}, name, body);
}

Code device(std::string_view name, std::span<const u8> body) {
  return package({kExtOpPrefix, kDeviceOp}, name, body);
}

Code memory32(u32 address, u32 size) {
  Code code = {0x86, 9, 0, 1};  // 32-bit fixed memory range, 9 bytes follow, read-write
  append_u32(code, address);
  append_u32(code, size);
  return code;
}

Code interrupt(u32 gsi) {
  Code code = {0x89, 6, 0, 1, 1};  // extended interrupt, 6 bytes follow, consumer, one interrupt
  append_u32(code, gsi);
  return code;
}

Code end_tag() {
  return {0x79, 0};  // a checksum of 0 counts as correct
}

}  // namespace kite::aml
