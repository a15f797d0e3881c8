// kite: boots guest kernels from the command line.
#include <cstdio>

int main() {
  std::puts("kite");
  return 0;
}
