"""GGUF files of toy Llamas, written with the ``gguf`` package as llama.cpp's converter writes them."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

OF_LAYER = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
}


def write_gguf(path: Path, model: Any, tokenizer: Any, **said: Any) -> Path:
    """Write a Llama with tied embeddings and its byte-level BPE.

    said: ``name``, ``license`` and ``start`` (a token) of the file, and ``architecture``, all as the file is to say
    them.
    """
    from gguf import GGUFWriter

    writer = GGUFWriter(path, said.get("architecture", "llama"))
    config = model.config
    for field in ("name", "license"):
        if field in said:
            writer.add_string(f"general.{field}", said[field])
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_vocab_size(config.vocab_size)
    _add_tokenizer(writer, tokenizer, said.get("start", tokenizer.bos_token))
    for name, weight in _tensors(model):
        writer.add_tensor(name, weight)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _add_tokenizer(writer: Any, tokenizer: Any, start: str) -> None:
    content = json.loads(tokenizer.backend_tokenizer.to_str())
    tokens = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
    special = set(tokenizer.all_special_tokens)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(tokens)
    writer.add_token_types([3 if token in special else 1 for token in tokens])
    writer.add_token_merges([" ".join(pair) for pair in content["model"]["merges"]])
    writer.add_bos_token_id(tokenizer.convert_tokens_to_ids(start))
    writer.add_pad_token_id(tokenizer.pad_token_id)


def _tensors(model: Any) -> list[tuple[str, Any]]:
    weights = {name: value.detach().numpy().astype(np.float32) for name, value in model.state_dict().items()}
    heads = {"attn_q": model.config.num_attention_heads, "attn_k": model.config.num_key_value_heads}
    found = [
        ("token_embd.weight", weights["model.embed_tokens.weight"]),
        ("output_norm.weight", weights["model.norm.weight"]),
    ]
    for layer in range(model.config.num_hidden_layers):
        for there, here in OF_LAYER.items():
            weight = weights[f"model.layers.{layer}.{here}.weight"]
            if there in heads:  # llama.cpp rotates neighbours, transformers halves
                rows, columns = weight.shape
                weight = weight.reshape(heads[there], 2, rows // heads[there] // 2, columns).swapaxes(1, 2)
                weight = np.ascontiguousarray(weight.reshape(rows, columns))
            found.append((f"blk.{layer}.{there}.weight", weight))
    return found


def write_wheel(path: Path, package: str, version: str, file: str, content: bytes) -> Path:
    """Write a wheel of one data file, as pip takes it."""
    about = f"{package.replace('-', '_')}-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(file, content)
        archive.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n")
        archive.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{about}/RECORD", f"{file},,\n{about}/METADATA,,\n{about}/WHEEL,,\n{about}/RECORD,,\n")
    return path


def logits(model: Any, ids: list[int]) -> Any:
    """float32 [L, V]: the model's logits of one sequence."""
    with torch.inference_mode():
        return model(input_ids=torch.tensor([ids]), use_cache=False).logits[0].numpy()
