// Integer work of the kind that compilers make: loads, stores, branches, calls.
#include <algorithm>

#include "tests/bench/guests/programs/programs.h"

namespace programs {
namespace {

using std::uint32_t, std::uint64_t, std::uint8_t;

// ---- sort ----

uint64_t sort() {
  static std::array<uint32_t, 8192> numbers;
  Random random;
  for (uint32_t& number : numbers) number = static_cast<uint32_t>(random.next());
  std::sort(numbers.begin(), numbers.end());
  uint64_t digest = kDigest;
  for (std::size_t i = 0; i < numbers.size(); i += 64) digest = mix(digest, numbers[i]);
  return std::is_sorted(numbers.begin(), numbers.end()) ? digest : 0;
}

// ---- tree: a treap, made and then searched ----

struct Node {
  uint32_t key, priority;
  Node *left, *right;
};

Node* insert(Node* root, Node* node) {
  if (!root) return node;
  const bool left = node->key < root->key;
  Node*& child = left ? root->left : root->right;
  child = insert(child, node);
  if (child->priority <= root->priority) return root;
  Node* up = child;
  Node*& inner = left ? up->right : up->left;
  child = inner;
  inner = root;
  return up;
}

uint64_t depth_of(const Node* node, uint32_t key) {
  uint64_t depth = 1;
  for (; node && node->key != key; ++depth) node = key < node->key ? node->left : node->right;
  return node ? depth : 0;
}

uint64_t tree() {
  static std::array<Node, 2048> nodes;
  Random random;
  Node* root = nullptr;
  for (Node& node : nodes) {
    const uint64_t bits = random.next();
    node = {static_cast<uint32_t>(bits), static_cast<uint32_t>(bits >> 32), nullptr, nullptr};
    root = insert(root, &node);
  }
  uint64_t digest = kDigest;
  for (const Node& node : nodes) {
    digest = mix(digest, depth_of(root, node.key));
    digest = mix(digest, depth_of(root, node.key ^ 0x5555));
  }
  return digest;
}

// ---- LZ: what LZ77 finds in a text of repeated words, and back ----

constexpr std::size_t kText = 16'384, kShortest = 4, kLongest = 255;
std::array<uint8_t, kText + 8> text, unpacked;
std::array<uint8_t, 2 * kText> packed;

void write_text() {
  std::array<uint8_t, 64 * 8> words;
  Random random;
  for (uint8_t& letter : words) letter = static_cast<uint8_t>('a' + random.next() % 26);
  for (std::size_t at = 0; at < kText;) {
    const uint64_t bits = random.next();
    const std::size_t length = 2 + bits % 7;
    for (std::size_t i = 0; i < length && at < kText; ++i)
      text[at++] = words[(bits >> 8) % 64 * 8 + i];
    if (at < kText) text[at++] = ' ';
  }
}

std::size_t match_length(std::size_t a, std::size_t b) {
  const std::size_t most = std::min(kLongest, kText - b);
  std::size_t length = 0;
  while (length < most && text[a + length] == text[b + length]) ++length;
  return length;
}

uint32_t hash_at(std::size_t at) {
  const uint32_t four =
      text[at] | text[at + 1] << 8 | text[at + 2] << 16 | static_cast<uint32_t>(text[at + 3]) << 24;
  return four * 2654435761u >> 20;
}

// A literal is 0 and its byte; a match its length and the distance in two bytes.
std::size_t pack() {
  static std::array<uint32_t, 4096> last;  // position + 1
  last.fill(0);
  std::size_t out = 0;
  for (std::size_t at = 0; at < kText;) {
    uint32_t& seen = last[hash_at(at)];
    const std::size_t from = seen;
    seen = static_cast<uint32_t>(at + 1);
    const std::size_t length = from ? match_length(from - 1, at) : 0;
    if (length < kShortest) {
      packed[out++] = 0;
      packed[out++] = text[at++];
      continue;
    }
    const std::size_t distance = at - (from - 1);
    packed[out++] = static_cast<uint8_t>(length);
    packed[out++] = static_cast<uint8_t>(distance);
    packed[out++] = static_cast<uint8_t>(distance >> 8);
    at += length;
  }
  return out;
}

std::size_t unpack(std::size_t size) {
  std::size_t out = 0;
  for (std::size_t in = 0; in < size;) {
    const std::size_t length = packed[in];
    if (length == 0) {
      unpacked[out++] = packed[in + 1];
      in += 2;
      continue;
    }
    const std::size_t distance = packed[in + 1] | static_cast<std::size_t>(packed[in + 2]) << 8;
    for (std::size_t i = 0; i < length; ++i, ++out) unpacked[out] = unpacked[out - distance];
    in += 3;
  }
  return out;
}

uint64_t lz() {
  if (text[0] == 0) write_text();
  const std::size_t size = pack();
  if (unpack(size) != kText) return 0;
  if (!std::equal(text.begin(), text.begin() + kText, unpacked.begin())) return 0;
  uint64_t digest = mix(kDigest, size);
  for (std::size_t i = 0; i < size; i += 16) digest = mix(digest, packed[i]);
  return digest;
}

// ---- a bytecode machine with a stack, that counts the steps of Collatz sequences ----

enum Code : uint8_t { kPush, kLoad, kStore, kAdd, kMul, kHalve, kOdd, kLess, kJump, kJumpIf, kEnd };
constexpr uint8_t kN = 0, kX = 1, kSteps = 2;
// clang-format off
constexpr uint8_t kCollatz[] = {
    kPush, 1,  kStore, kN,                               //  0 n = 1
    kLoad, kN, kStore, kX,                               //  4 x = n
    kLoad, kX, kPush,  2,      kLess, kJumpIf, 47,       //  8 while x >= 2
    kLoad, kSteps, kPush, 1, kAdd, kStore, kSteps,       // 15 ++steps
    kLoad, kX, kOdd,  kJumpIf, 35,                       // 22 if x is even
    kLoad, kX, kHalve, kStore, kX, kJump, 8, kEnd,       // 27 x = x / 2
    kLoad, kX, kPush, 3, kMul, kPush, 1, kAdd, kStore, kX, kJump, 8,  // 35 else x = 3 x + 1
    kLoad, kN, kPush, 1, kAdd, kStore, kN,               // 47 ++n
    kLoad, kN, kPush, 60, kLess, kJumpIf, 4,            // 54 while n < 60
    kEnd};
// clang-format on

uint64_t execute(const uint8_t* code) {
  uint64_t stack[16], variables[4] = {};
  uint64_t* top = stack;  // the first free one
  for (const uint8_t* at = code;;) {
    switch (*at++) {
      case kPush:
        *top++ = *at++;
        break;
      case kLoad:
        *top++ = variables[*at++];
        break;
      case kStore:
        variables[*at++] = *--top;
        break;
      case kAdd:
        --top;
        top[-1] += *top;
        break;
      case kMul:
        --top;
        top[-1] *= *top;
        break;
      case kHalve:
        top[-1] >>= 1;
        break;
      case kOdd:
        top[-1] &= 1;
        break;
      case kLess:
        --top;
        top[-1] = top[-1] < *top;
        break;
      case kJump:
        at = code + *at;
        break;
      case kJumpIf:
        at = *--top ? code + *at : at + 1;
        break;
      default:
        return variables[kSteps];
    }
  }
}

uint64_t bytecode() {
  const uint8_t* code = kCollatz;
  asm volatile("" : "+r"(code));  // or the compiler may run it itself
  return mix(kDigest, execute(code));
}

// ---- SHA-256 (FIPS 180-4) ----

constexpr std::array<uint32_t, 64> kRounds = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};
using Hash = std::array<uint32_t, 8>;

constexpr uint32_t turn(uint32_t value, int count) {
  return value >> count | value << (32 - count);
}

void expand(const uint8_t* block, std::array<uint32_t, 64>& w) {
  for (int i = 0; i < 16; ++i, block += 4)
    w[i] = static_cast<uint32_t>(block[0]) << 24 | block[1] << 16 | block[2] << 8 | block[3];
  for (int i = 16; i < 64; ++i) {
    const uint32_t a = w[i - 15], b = w[i - 2];
    w[i] = w[i - 16] + (turn(a, 7) ^ turn(a, 18) ^ a >> 3) + w[i - 7] +
           (turn(b, 17) ^ turn(b, 19) ^ b >> 10);
  }
}

void compress(Hash& hash, const uint8_t* block) {
  std::array<uint32_t, 64> w;
  expand(block, w);
  auto [a, b, c, d, e, f, g, h] = hash;
  for (int i = 0; i < 64; ++i) {
    const uint32_t first =
        h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + kRounds[i] + w[i];
    const uint32_t second =
        (turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
    h = g, g = f, f = e, e = d + first;
    d = c, c = b, b = a, a = first + second;
  }
  const Hash more = {a, b, c, d, e, f, g, h};
  for (int i = 0; i < 8; ++i) hash[i] += more[i];
}

constexpr std::size_t kMessage = 8192;

uint64_t sha256() {
  static std::array<uint8_t, kMessage> message;
  for (std::size_t i = 0; i < kMessage; ++i) message[i] = static_cast<uint8_t>(i * 7);
  Hash hash = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
               0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  for (std::size_t at = 0; at < kMessage; at += 64) compress(hash, &message[at]);
  std::array<uint8_t, 64> end = {0x80};
  for (int i = 0; i < 8; ++i) end[63 - i] = static_cast<uint8_t>(kMessage * 8ull >> (8 * i));
  compress(hash, end.data());
  return static_cast<uint64_t>(hash[0]) << 32 | hash[1];
}

// ---- calls and returns ----

[[gnu::noinline]] uint64_t fib(unsigned n) {
  return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

uint64_t fibonacci() {
  unsigned n = 22;
  asm volatile("" : "+r"(n));
  return fib(n);
}

constexpr Program kPrograms[] = {
    {"sort", "8192 numbers", 1, nullptr, sort, nullptr},
    {"tree", "2048 nodes", 1, nullptr, tree, nullptr},
    {"LZ", "16 KB, there and back", 1, nullptr, lz, nullptr},
    {"bytecode", "program", 1, nullptr, bytecode, nullptr},
    {"SHA-256 in C++", "KB", kMessage / 1024.0, nullptr, sha256, nullptr},
    {"recursive fib", "fib(22)", 1, nullptr, fibonacci, nullptr},
};

}  // namespace

std::span<const Program> integer_programs() {
  return kPrograms;
}

}  // namespace programs
