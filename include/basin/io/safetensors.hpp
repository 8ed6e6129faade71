#pragma once

/// Reading and writing safetensors: files, sharded models, float conversion.
#include <basin/io/safetensors_file.hpp>
#include <basin/io/safetensors_model.hpp>
#include <basin/io/safetensors_types.hpp>
#include <basin/io/safetensors_writer.hpp>
