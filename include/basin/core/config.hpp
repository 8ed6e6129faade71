#pragma once

#include <cstdio>
#include <cstdlib>

/// The library's macros. A host may define BASIN_FATAL and BASIN_ASSERT before including basin.

#if defined(__cpp_exceptions) || defined(__EXCEPTIONS) || defined(_CPPUNWIND)
#define BASIN_HAS_EXCEPTIONS 1
#else
#define BASIN_HAS_EXCEPTIONS 0
#endif

/// What `raise` does in a build without exceptions: receives the message and must not return.
#ifndef BASIN_FATAL
#define BASIN_FATAL(message) (std::fputs((message), stderr), std::fputc('\n', stderr), std::abort())
#endif

/// A precondition that the caller guarantees; checked unless NDEBUG is defined.
#ifndef BASIN_ASSERT
#ifdef NDEBUG
#define BASIN_ASSERT(condition) static_cast<void>(0)
#else
#define BASIN_ASSERT(condition) \
  ((condition) ? static_cast<void>(0) : BASIN_FATAL("basin: broken precondition: " #condition))
#endif
#endif

/// The pointer is the only way to its memory inside the enclosing scope.
#if defined(__GNUC__) || defined(__clang__) || defined(_MSC_VER)
#define BASIN_RESTRICT __restrict
#else
#define BASIN_RESTRICT
#endif

/// For what is rare: callers keep their registers.
#if defined(__GNUC__) || defined(__clang__)
#define BASIN_NEVER_INLINE __attribute__((noinline))
#elif defined(_MSC_VER)
#define BASIN_NEVER_INLINE __declspec(noinline)
#else
#define BASIN_NEVER_INLINE
#endif

#if defined(__GNUC__) || defined(__clang__)
#define BASIN_ALWAYS_INLINE inline __attribute__((always_inline))
#define BASIN_LAMBDA_INLINE __attribute__((always_inline))
#else
#define BASIN_ALWAYS_INLINE inline
#define BASIN_LAMBDA_INLINE
#endif
