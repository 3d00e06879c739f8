"""Models of every kind that open_clip knows, small and with random weights, and their tokenizers.

The pretrained weights are not on the package index, so nothing here has seen them.
"""

from __future__ import annotations

import json
from pathlib import Path

import open_clip
import torch
from safetensors.torch import save_file
from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import (
    BertConfig,
    M2M100Config,
    MT5Config,
    PreTrainedTokenizerFast,
    RobertaConfig,
)

READ = 5 * [
    "two men talking after one puts out a fire",
    "a tabby cat sips a cup of espresso beside the stairs",
    "it's a black-and-white cat, isn't it? Yes: times!",
    "the extraordinarily chonky dog jumps over fences",
]
CONTEXT = 48  # tokens
VISION = {"image_size": 32, "layers": 1, "width": 64, "head_width": 32, "patch_size": 16}
TEXT = {"width": 32, "heads": 2, "layers": 2, "context_length": CONTEXT}
LAST = TEXT | {"no_causal_mask": True, "pool_type": "last"}
SIGLIP = LAST | {"proj_bias": True, "tokenizer_kwargs": {"clean": "canonicalize"}}
COCA = {"context_length": CONTEXT, "width": 32, "heads": 2, "layers": 1, "vocab_size": 49408}
HUB = {"context_length": CONTEXT}

# Name -> tokenizer, text configuration of open_clip, that of transformers, what is on the top.
FAMILIES = {
    "siglip": ("sentences", SIGLIP, None, {"init_logit_bias": -10}),
    "siglip2": ("bytes", SIGLIP, None, {"init_logit_bias": -10}),
    "clipa": ("pieces", LAST | {"tokenizer_kwargs": {"strip_sep_token": True}}, None, {}),
    "worldwide": ("around", TEXT | {"pool_type": "eos", "eos_id": 1}, None, {}),
    "mobileclip": (None, TEXT | {"no_causal_mask": True}, None, {}),
    "plain": (None, TEXT | {"proj_type": "none", "width": 16}, None, {}),
    "coca": (
        None,
        TEXT | {"embed_cls": True, "output_tokens": True},
        None,
        {"multimodal_cfg": COCA},
    ),
    "roberta": (
        "around",
        HUB | {"hf_proj_type": "linear", "hf_pooler_type": "mean_pooler"},
        RobertaConfig,
        {},
    ),
    "roberta-mlp": ("around", HUB | {"hf_pooler_type": "mean_pooler"}, RobertaConfig, {}),
    "bert": ("pieces", HUB | {"hf_pooler_type": "cls_pooler"}, BertConfig, {}),
    "mt5": ("bytes", HUB | {"hf_pooler_type": "mean_pooler"}, MT5Config, {}),
    "nllb": (
        "around",
        HUB | {"hf_proj_type": "linear", "hf_pooler_type": "cls_pooler"},
        M2M100Config,
        {},
    ),
}


def write_tokenizer(kind: str, folder: Path) -> PreTrainedTokenizerFast:
    """A small tokenizer, trained on a few sentences.

    Args:
        kind: "sentences", SentencePiece's unigrams with an end token that is the padding too;
            "bytes", byte pairs with bytes for what they do not know; "around", unigrams between a
            start and an end token; "pieces", BERT's word pieces.
        folder: to write to.
    """
    special = ["<s>", "</s>", "<unk>", "<pad>"]
    if kind == "pieces":
        special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
        tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
        tokenizer.normalizer = normalizers.BertNormalizer()
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        tokenizer.decoder = decoders.WordPiece()
        trainer = trainers.WordPieceTrainer(
            vocab_size=100, special_tokens=special, show_progress=False
        )
        template, names = "[CLS] $A [SEP]", {"pad": "[PAD]", "unk": "[UNK]"}
        names |= {"cls": "[CLS]", "sep": "[SEP]"}
    elif kind == "bytes":
        known = [f"<0x{byte:02X}>" for byte in range(256)]
        tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
        tokenizer.normalizer = normalizers.Replace(" ", "▁")
        tokenizer.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
        tokenizer.decoder = decoders.Sequence(
            [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
        )
        trainer = trainers.BpeTrainer(
            vocab_size=340, special_tokens=special + known, show_progress=False
        )
        template, names = "$A </s>", {"pad": "<pad>", "eos": "</s>", "unk": "<unk>"}
    else:
        tokenizer = Tokenizer(models.Unigram())
        tokenizer.normalizer = normalizers.NFKC()
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
        tokenizer.decoder = decoders.Metaspace()
        trainer = trainers.UnigramTrainer(
            vocab_size=200, special_tokens=special, unk_token="<unk>", show_progress=False
        )
        template = "$A </s>" if kind == "sentences" else "<s> $A </s>"
        pad = "</s>" if kind == "sentences" else "<pad>"
        names = {"pad": pad, "eos": "</s>", "unk": "<unk>"}
    tokenizer.train_from_iterator(READ, trainer)
    ends = [name for name in template.split() if name != "$A"]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=template, special_tokens=[(name, tokenizer.token_to_id(name)) for name in ends]
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, **{f"{name}_token": value for name, value in names.items()}
    )
    fast.save_pretrained(folder)
    return fast


def write_model(family: str, folder: Path) -> tuple[str, Path]:
    """Make open_clip know a small model of a family; its name, and a file of random weights."""
    tokenizer, text, hub, top = FAMILIES[family]
    text = {"vocab_size": 49408} | text
    if tokenizer is not None:
        fast = write_tokenizer(tokenizer, folder / "tower")
        text |= {"vocab_size": len(fast), "hf_tokenizer_name": str(folder / "tower")}
    if hub is not None:
        options = {"vocab_size": len(fast), "pad_token_id": fast.pad_token_id}
        if hub is MT5Config:
            config = hub(d_model=32, d_kv=16, d_ff=32, num_layers=2, num_heads=2, **options)
        elif hub is M2M100Config:
            sides = ("encoder", "decoder")
            sizes = {f"{s}_{k}": v for s in sides for k, v in SIDE.items()}
            config = hub(d_model=32, max_position_embeddings=64, **sizes, **options)
        else:
            config = hub(
                hidden_size=32,
                num_hidden_layers=2,
                num_attention_heads=2,
                intermediate_size=32,
                max_position_embeddings=64,
                **options,
            )
        config.save_pretrained(folder / "tower")
        text |= {"hf_model_name": str(folder / "tower")}
    custom = {"custom_text": True} if family in ("siglip", "siglip2", "coca") else {}
    vision = VISION
    if family == "coca":
        vision = vision | {"attentional_pool": True, "attn_pooler_heads": 2, "output_tokens": True}
    config = {"embed_dim": 16, "vision_cfg": vision, "text_cfg": text} | custom | top
    name = f"tiny-{family}"
    (folder / f"{name}.json").write_text(json.dumps(config))
    open_clip.add_model_config(folder / f"{name}.json")
    torch.manual_seed(0)
    network = open_clip.create_model(name, pretrained_text=False)
    file = folder / "weights.safetensors"
    state = {key: value.clone() for key, value in network.state_dict().items()}
    save_file({key: value.contiguous() for key, value in state.items()}, file)
    return name, file


SIDE = {"layers": 2, "attention_heads": 2, "ffn_dim": 32}
