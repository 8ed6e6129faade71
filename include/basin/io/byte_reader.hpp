#pragma once

#include <basin/core/byte_reader.hpp>
