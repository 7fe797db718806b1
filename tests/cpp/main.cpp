// The one main() of every C++ test executable.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>

// What OpenSSL, which is not instrumented, keeps for a thread is not looked for: its stacks end in
// it. NOLINTNEXTLINE
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() {
  return "leak:libcrypto.so\n";
}
