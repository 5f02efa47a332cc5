"""The models of `zoo.py`, built without a download: weights are random or constant, small configurations are made here.

A builder returns a model, the arguments of its forward, and the GMACs and the parameters that its library publishes.
"""

from __future__ import annotations

from contextlib import nullcontext
from math import prod

import torch
from torch.utils._python_dispatch import TorchDispatchMode

PER_MODULE = 5  # architectures of each module of timm
ON_META = 150e6  # parameters: a larger model of timm gets no memory for them
DETECTION_SIZE = {"320": 320, "ssd300": 300, "keypointrcnn": 1333}  # as in torchvision's own test; others 800


def torchvision_models() -> list[str]:
    """Return name/weights, one for each pair of published counts; a quantized model before and after its conversion."""
    from torchvision import models

    names = []
    for name in models.list_models():
        metas = {(w.meta["_ops"], w.meta["num_params"]): w.name for w in reversed(models.get_model_weights(name))}
        names += [f"{name}/{weights}" for weights in metas.values()] or [name]
        names += [f"{name}/converted"] * name.startswith("quantized_")
    return names


def build_torchvision(name: str):
    """Build what torchvision's `test_schema_meta_validation` counts, with the same input."""
    from torchvision import models

    name, _, which = name.partition("/")
    kind, known = models.get_model_builder(name).__module__.split(".")[-2], models.get_model_weights(name)
    weights = known[which] if which in known.__members__ else next(iter(known), None)
    meta = weights.meta if weights else {"_ops": None, "num_params": None, "min_size": (1, 1)}
    options = {"weights_backbone": None} if kind in ("segmentation", "detection") else {}
    options |= {"aux_loss": True} if kind == "segmentation" and weights and "lraspp" not in name else {}
    options |= {"aux_logits": False} if name.endswith("googlenet") else {}
    options |= {"image_size": meta["min_size"][0]} if name.startswith("vit_") else {}
    options |= {"quantize": True} if which == "converted" else {}
    model = models.get_model(name, weights=None, **options)
    size = next((n for part, n in DETECTION_SIZE.items() if part in name), 800) if kind == "detection" else 512
    image = torch.rand((3, size, size) if kind == "detection" else (1, *[16] * (kind == "video"), 3, size, size))
    inputs = weights.transforms()(*[image] * (2 if kind == "optical_flow" else 1)) if weights else image
    inputs = ([inputs],) if kind == "detection" else inputs if kind == "optical_flow" else (inputs,)
    return model, inputs, {}, meta["_ops"], None if which == "converted" else meta["num_params"]


def timm_models() -> list[str]:
    """Return at most so many names of each module, evenly spread."""
    import timm

    modules = [timm.list_models(module=module) for module in timm.list_modules()]
    return [name for names in modules for name in names[:: max(1, len(names) // PER_MODULE)][:PER_MODULE]]


def build_timm(name: str):
    import timm

    with torch.device("meta"):
        model = timm.create_model(name)
    if sum(param.numel() for param in model.parameters()) < ON_META:
        model = timm.create_model(name)
    return model, ((1, *model.default_cfg["input_size"]),), {}, None, None


def tensors(shapes: dict) -> dict:
    """Return tensors of these shapes: of integers for what looks up something, of random numbers otherwise."""
    integers = "input_ids", "decoder_input_ids", "timestep", "class_labels"
    return {
        name: torch.arange(prod(shape)).reshape(shape) % 90 + 3 if name in integers else torch.rand(shape)
        for name, shape in shapes.items()
    }


TEXT = dict(hidden_size=64, num_hidden_layers=2, num_attention_heads=4, intermediate_size=96, vocab_size=99,
            num_key_value_heads=2, head_dim=16, pad_token_id=0)  # fmt: skip
TEXT |= dict(num_local_experts=4, num_experts=4, num_experts_per_tok=2, moe_intermediate_size=32)
PAIR = dict(d_model=64, d_kv=16, d_ff=96, num_layers=2, num_heads=4, vocab_size=99, pad_token_id=0, bos_token_id=1,
            eos_token_id=2, decoder_start_token_id=1)  # fmt: skip
PAIR |= {f"{part}_{key}": n for part in ("encoder", "decoder") for key, n in
         (("layers", 2), ("attention_heads", 4), ("ffn_dim", 96))}  # fmt: skip
SPEECH = dict(conv_dim=(32, 32), conv_kernel=(10, 3), conv_stride=(5, 2), num_conv_pos_embeddings=16,
              num_conv_pos_embedding_groups=4)  # fmt: skip
IDS, IMAGE, PAIR_IDS = {"input_ids": (2, 7)}, {"pixel_values": (2, 3, 224, 224)}, {"decoder_input_ids": (1, 5)}
TRANSFORMERS = (  # inputs, what the configuration gets of these settings, names
    (IDS, TEXT, """Bert Roberta Albert Electra DebertaV2 MPNet RoFormer ConvBert ModernBert FNet DistilBert LayoutLM
        BigBird Longformer Nystromformer GPT2 GPTNeoX OPT Bloom Llama Mistral Qwen2 Qwen3 Gemma Gemma2 Phi Olmo StableLm
        Cohere Mamba Rwkv Mixtral Qwen2Moe Qwen3Moe Olmoe GptOss"""),
    ({"input_ids": (1, 7)} | PAIR_IDS, PAIR, "T5 Bart MBart Pegasus Marian LED"),
    ({"input_features": (1, 80, 3000)} | PAIR_IDS, PAIR, "Whisper"),
    ({"input_values": (2, 4000)}, SPEECH, "Wav2Vec2 Hubert WavLM UniSpeech SEW"),
    (IMAGE, {}, """ViT DeiT Beit Data2VecVision Dinov2 Swin Swinv2 ConvNext ConvNextV2 Segformer MobileViT MobileNetV2
        ResNet Pvt PvtV2 Levit PoolFormer FocalNet Hiera ViTMAE Yolos Cvt EfficientNet DPT"""),
    (IDS | IMAGE, {}, "CLIP Siglip AltCLIP ChineseCLIP CLIPSeg"),
    ({"pixel_values": (1, 16, 3, 224, 224)}, {}, "VideoMAE"),
    ({"pixel_values": (1, 8, 3, 224, 224)}, {}, "Timesformer"),
)  # fmt: skip


def transformers_models() -> list[str]:
    return [f"{name}Model" for *_, names in TRANSFORMERS for name in names.split()]


def build_transformers(name: str):
    import transformers

    kind = getattr(transformers, name)
    shapes, settings, _ = next(entry for entry in TRANSFORMERS if name.removesuffix("Model") in entry[2].split())
    known = kind.config_class()
    config = kind.config_class(**{key: value for key, value in settings.items() if hasattr(known, key)})
    return kind(config), (), tensors(shapes), None, None


UNET = dict(block_out_channels=(32, 64), norm_num_groups=8, layers_per_block=1)
CROSS = dict(down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), cross_attention_dim=48)
CODES = dict(down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2, latent_channels=4)
PATCHES = dict(num_attention_heads=4, attention_head_dim=16, num_layers=2, in_channels=4)
SQUARE = PATCHES | dict(sample_size=16, cross_attention_dim=64, caption_channels=48)
COND, SAMPLE = {"timestep": (2,), "encoder_hidden_states": (2, 7, 48)}, {"sample": (2, 4, 16, 24)}
LATENT, PIXELS = {"hidden_states": (2, 4, 16, 16)}, {"sample": (2, 3, 32, 48)}
DIFFUSERS = {  # configuration, inputs
    "UNet2DModel": (UNET | dict(down_block_types=("DownBlock2D", "AttnDownBlock2D"), in_channels=4,
        up_block_types=("AttnUpBlock2D", "UpBlock2D")), SAMPLE | {"timestep": (2,)}),
    "UNet2DConditionModel": (UNET | CROSS | dict(up_block_types=("CrossAttnUpBlock2D", "UpBlock2D")), SAMPLE | COND),
    "UNet3DConditionModel": (UNET | dict(down_block_types=("CrossAttnDownBlock3D", "DownBlock3D"),
        up_block_types=("UpBlock3D", "CrossAttnUpBlock3D"), cross_attention_dim=48, attention_head_dim=16),
        {"sample": (2, 4, 3, 16, 24)} | COND),
    "ControlNetModel": (UNET | CROSS, SAMPLE | {"controlnet_cond": (2, 3, 128, 192)} | COND),
    "AutoencoderKL": (UNET | CODES, PIXELS),
    "VQModel": (UNET | CODES, PIXELS),
    "AutoencoderTiny": ({}, PIXELS),
    "DiTTransformer2DModel": (PATCHES | dict(sample_size=16), LATENT | {"timestep": (2,), "class_labels": (2,)}),
    "PixArtTransformer2DModel": (SQUARE, LATENT | COND),
    "SanaTransformer2DModel": (SQUARE | dict(out_channels=4, num_cross_attention_heads=4, cross_attention_head_dim=16),
        LATENT | COND),
    "SD3Transformer2DModel": (PATCHES | dict(sample_size=32, joint_attention_dim=48, caption_projection_dim=64,
        pooled_projection_dim=32), LATENT | {"pooled_projections": (2, 32)} | COND),
    "FluxTransformer2DModel": (PATCHES | dict(num_single_layers=2, joint_attention_dim=48, pooled_projection_dim=32,
        axes_dims_rope=(4, 6, 6)), {"hidden_states": (2, 96, 4), "img_ids": (96, 3), "txt_ids": (7, 3),
        "pooled_projections": (2, 32)} | COND),
    "WanTransformer3DModel": (PATCHES | dict(out_channels=4, text_dim=48, freq_dim=32, ffn_dim=96),
        {"hidden_states": (2, 4, 3, 16, 16)} | COND),
    "CogVideoXTransformer3DModel": (PATCHES | dict(text_embed_dim=48, sample_width=16, sample_height=16,
        sample_frames=9, max_text_seq_length=7), {"hidden_states": (2, 3, 4, 16, 16)} | COND),
}  # fmt: skip


def build_diffusers(name: str):
    import diffusers

    config, shapes = DIFFUSERS[name]
    return getattr(diffusers, name)(**config), (), tensors(shapes), None, None


LIBRARIES = {
    "torchvision": (torchvision_models, build_torchvision),
    "timm": (timm_models, build_timm),
    "transformers": (transformers_models, build_transformers),
    "diffusers": (lambda: [*DIFFUSERS], build_diffusers),
}


class Constant(TorchDispatchMode):
    """Fills weights with a constant where a model draws them, which takes longer than all the rest."""

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        drawn = operation.overloadpacket.__name__ in ("normal_", "uniform_", "erfinv_")
        return args[0].fill_(0.01) if drawn else operation(*args, **(kwargs or {}))


def build(library: str, name: str):
    """Return the model, ready to be counted, with what its builder returns."""
    torch.manual_seed(0)
    with nullcontext() if "rcnn" in name else Constant():
        model, *others = LIBRARIES[library][1](name)
    return model.eval(), *others
