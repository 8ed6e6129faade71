"""Checks basin's AQLM files against the `aqlm` Python package.

    aqlm_interop_test.py FOLDER

Reads FOLDER/model.safetensors, which basin wrote, through the package's own layer; compares with
FOLDER/<layer>.npy; then writes FOLDER/python/ with the package's own functions for basin to read.
Exit 0: they agree. Exit 77: torch, aqlm, safetensors or numpy is not installed. Else: they differ.
"""
import json
import os
import pathlib
import sys
import warnings

os.environ.setdefault("AQ_USE_JIT", "0")
warnings.filterwarnings("ignore")
try:
    import numpy as np
    import torch
    from aqlm import QuantizedLinear
    from aqlm.inference_kernels.dequantization import dequantize_gemm
    from aqlm.utils import _dequantize_weight, pack_int_data, unpack_int_data
    from safetensors.torch import load_file, save_file
except ImportError as missing:
    print(f"skipped: {missing}; needs the Python packages torch, aqlm, safetensors and numpy")
    sys.exit(77)


def check_written_by_basin(folder):
    tensors = load_file(folder / "model.safetensors")
    config = json.loads((folder / "config.json").read_text())["quantization_config"]
    assert config["quant_method"] == "aqlm", config
    expected = {path.stem: np.load(path) for path in folder.glob("*.npy")}
    assert expected, "no layers"
    for name, weight in expected.items():
        n_out, n_in = weight.shape
        layer = QuantizedLinear(n_in, n_out, config["in_group_size"], config["out_group_size"],
                                config["num_codebooks"], config["nbits_per_codebook"], bias=False,
                                dtype=torch.float16)
        # strict, and assign: names, shapes and dtypes must be what the package makes itself
        state = {key: tensors[f"{name}.{key}"] for key in ("codes", "codebooks", "scales")}
        for key, value in layer.state_dict().items():
            assert state[key].shape == value.shape, (name, key, state[key].shape, value.shape)
            assert state[key].dtype == value.dtype, (name, key, state[key].dtype, value.dtype)
        layer.load_state_dict(state, strict=True)
        codes = unpack_int_data(layer.codes.data, config["nbits_per_codebook"])
        decoded = _dequantize_weight(codes, layer.codebooks.float(), layer.scales.float())
        assert decoded.shape == weight.shape, (name, decoded.shape, weight.shape)
        # Both sum the same fp16 values in float, in an order of their own.
        np.testing.assert_allclose(decoded.numpy(), weight, rtol=1e-6, atol=1e-5)
        identity = torch.eye(n_in)
        through = dequantize_gemm(identity, layer.codes.data, layer.codebooks.float(),
                                  layer.scales.float(), None)
        np.testing.assert_allclose(through.numpy().T, weight, rtol=1e-6, atol=1e-5)
    return len(expected)


def write_for_basin(folder, scheme):
    m, bits, g, g_out = scheme
    n_out, n_in = 4 * g_out, 3 * g
    generator = torch.Generator().manual_seed(1)
    codes = torch.randint(0, 2**bits, (n_out // g_out, n_in // g, m), generator=generator)
    codebooks = torch.randn((m, 2**bits, g_out, g), generator=generator).half()
    scales = torch.rand((n_out // g_out, 1, 1, 1), generator=generator).half()
    weight = _dequantize_weight(codes, codebooks.float(), scales.float())
    folder.mkdir()
    save_file({"p.codes": pack_int_data(codes.clone(), bits), "p.codebooks": codebooks, "p.scales": scales},
              folder / "model.safetensors", metadata={"format": "pt"})
    config = {"quant_method": "aqlm", "num_codebooks": m, "nbits_per_codebook": bits, "in_group_size": g,
              "out_group_size": g_out, "linear_weights_not_to_quantize": ["lm_head.weight"]}
    (folder / "config.json").write_text(json.dumps({"quantization_config": config}))
    np.save(folder / "weight.npy", np.asfortranarray(weight.numpy()))


def main():
    folder = pathlib.Path(sys.argv[1])
    count = check_written_by_basin(folder)
    config = json.loads((folder / "config.json").read_text())["quantization_config"]
    write_for_basin(folder / "python", (config["num_codebooks"], config["nbits_per_codebook"],
                                        config["in_group_size"], config["out_group_size"]))
    print(f"{count} layers agree with the aqlm package")


main()
