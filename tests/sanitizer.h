// Is this build under a sanitizer that lives in the address space it watches?
#pragma once

namespace kite::test {

#if defined(__has_feature)
#define KITE_HAS_FEATURE(feature) __has_feature(feature)
#else
#define KITE_HAS_FEATURE(feature) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || \
    KITE_HAS_FEATURE(address_sanitizer) || KITE_HAS_FEATURE(thread_sanitizer)
constexpr bool kSanitizer = true;
#else
constexpr bool kSanitizer = false;
#endif

}  // namespace kite::test
