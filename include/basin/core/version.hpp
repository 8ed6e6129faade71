#pragma once

#define BASIN_VERSION_MAJOR 0
#define BASIN_VERSION_MINOR 1
#define BASIN_VERSION_PATCH 0

namespace basin {
/// Of the headers. Byte formats have versions of their own.
inline constexpr int version_major = BASIN_VERSION_MAJOR;
inline constexpr int version_minor = BASIN_VERSION_MINOR;
inline constexpr int version_patch = BASIN_VERSION_PATCH;
#define BASIN_TEXT_(x) #x
#define BASIN_TEXT(x) BASIN_TEXT_(x)
inline constexpr char version_text[] =
    BASIN_TEXT(BASIN_VERSION_MAJOR) "." BASIN_TEXT(BASIN_VERSION_MINOR) "." BASIN_TEXT(BASIN_VERSION_PATCH);
#undef BASIN_TEXT
#undef BASIN_TEXT_
}  // namespace basin
