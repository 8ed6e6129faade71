"""Checks basin's GGUF files against the `gguf` Python package.

    gguf_interop_test.py FOLDER

Reads FOLDER/model.gguf, which basin wrote, through the package's reader; decodes every tensor with the
package's own functions and compares it bit for bit with FOLDER/<tensor>.npy, and what basin encoded
from FOLDER/<tensor>.source.npy with what the package encodes. Then writes FOLDER/python.gguf and
FOLDER/python.<tensor>.npy for basin to read.
Exit 0: they agree. Exit 77: gguf or numpy is not installed. Else: they differ.
"""
import pathlib
import sys

try:
    import gguf
    import numpy as np
except ImportError as missing:
    print(f"skipped: {missing}; needs the Python packages gguf and numpy")
    sys.exit(77)

KEYS = {"u8": 200, "i8": -5, "u16": 60000, "i16": -300, "u32": 4000000000, "i32": -70000, "u64": 2**64 - 1,
        "i64": -2**40, "f32": 1.25, "f64": 0.1, "bool": True, "string": "täst", "strings": ["a", "", "bcd"],
        "floats": [0.5, -0.25]}
TYPES = {"q2_k": "Q2_K", "q4_0": "Q4_0", "q8_0": "Q8_0", "f16": "F16", "f32": "F32"}


def same_bits(got, want, what):
    assert got.shape == want.shape, (what, got.shape, want.shape)
    assert got.dtype == want.dtype, (what, got.dtype, want.dtype)
    differ = got.view(f"u{got.itemsize}") != want.view(f"u{want.itemsize}")
    assert not differ.any(), (what, np.argwhere(differ)[:5])


def check_written_by_basin(folder):
    reader = gguf.GGUFReader(folder / "model.gguf")
    for key, value in KEYS.items():
        assert reader.get_field(f"test.{key}").contents() == value, key
    assert reader.get_field("general.file_type").contents() == gguf.LlamaFileType.MOSTLY_Q2_K
    assert reader.get_field("general.quantization_version").contents() == gguf.GGML_QUANT_VERSION
    for tensor in reader.tensors:
        assert tensor.tensor_type.name == TYPES[tensor.name.split(".")[0]], (tensor.name, tensor.tensor_type)
        decoded = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        same_bits(np.ascontiguousarray(decoded), np.load(folder / f"{tensor.name}.npy"), tensor.name)
        source = folder / f"{tensor.name}.source.npy"
        if source.exists():
            encoded = gguf.quants.quantize(np.load(source), tensor.tensor_type)
            same_bits(np.ascontiguousarray(tensor.data), encoded, f"{tensor.name} encoded")
    return len(reader.tensors)


def write_for_basin(folder):
    generator = np.random.default_rng(1)
    writer = gguf.GGUFWriter(folder / "python.gguf", "basin-test")
    writer.add_array("strings", ["x", "", "yé"])
    writer.add_array("integers", [1, -2, 3])
    writer.add_array("flags", [True, False])
    writer.add_uint64("large", 2**63)
    writer.add_float64("tenth", 0.1)
    for name in ("F32", "F16", "BF16", "Q4_0", "Q4_1", "Q8_0", "Q2_K"):
        kind = gguf.GGMLQuantizationType[name]
        if name == "Q2_K":
            data = generator.integers(0, 256, (3, 2 * 84), dtype=np.uint8)
            data.reshape(6, 84)[:, [81, 83]] &= 0x3F  # no infinity or NaN
        else:
            data = gguf.quants.quantize(generator.standard_normal((3, 512), dtype=np.float32), kind)
        writer.add_tensor(name, data, raw_dtype=kind)
        np.save(folder / f"python.{name}.npy", gguf.quants.dequantize(data, kind).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main():
    folder = pathlib.Path(sys.argv[1])
    count = check_written_by_basin(folder)
    write_for_basin(folder)
    print(f"{count} tensors agree with the gguf package")


main()
