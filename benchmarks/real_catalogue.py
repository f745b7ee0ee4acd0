"""Real architectures with random weights, as torchvision, timm and transformers define them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

Made = tuple[nn.Module, Any]
"""A network, and its example: a tensor or a table of keyword inputs."""

_VISION = """
    squeezenet1_1 squeezenet1_0 shufflenet_v2_x0_5 mnasnet0_5 shufflenet_v2_x1_0 mobilenet_v3_small mnasnet0_75
    mobilenet_v2 shufflenet_v2_x1_5 regnet_y_400mf mnasnet1_0 regnet_x_400mf efficientnet_b0 mobilenet_v3_large
    mnasnet1_3 regnet_y_800mf googlenet shufflenet_v2_x2_0 regnet_x_800mf efficientnet_b1 densenet121
    efficientnet_b2 regnet_x_1_6gf regnet_y_1_6gf resnet18 efficientnet_b3 densenet169 regnet_x_3_2gf
    efficientnet_b4 regnet_y_3_2gf densenet201 efficientnet_v2_s resnet34 resnext50_32x4d resnet50 inception_v3
    swin_t swin_v2_t convnext_tiny densenet161 efficientnet_b5 maxvit_t regnet_y_8gf regnet_x_8gf efficientnet_b6
    resnet101 swin_s swin_v2_s convnext_small efficientnet_v2_m regnet_x_16gf resnet152 alexnet efficientnet_b7
    wide_resnet50_2 resnext101_64x4d regnet_y_16gf vit_b_16 swin_b swin_v2_b vit_b_32 resnext101_32x8d convnext_base
    regnet_x_32gf efficientnet_v2_l wide_resnet101_2 vgg11 vgg11_bn vgg13 vgg13_bn vgg16 vgg16_bn vgg19 vgg19_bn
    regnet_y_32gf convnext_large vit_l_16 vit_l_32 vit_h_14 regnet_y_128gf
"""
VISION = tuple(_VISION.split())
"""Every classifier of torchvision, the smaller first."""

_TIMM = """
    lcnet_050 mobilenetv3_small_050 tinynet_e ghostnet_050 repghostnet_050 mobilevit_xxs edgenext_xx_small
    efficientvit_m0 efficientvit_b0 fastvit_t8 starnet_s1 mobileone_s0 hardcorenas_a rexnet_100 regnety_002
    resnet10t resnetv2_18 res2net50_14w_8s resnest14d legacy_seresnet18 skresnet18 selecsls42b dla34 vgg11
    densenet121 hrnet_w18_small inception_v3 inception_v4 xception41 dpn48b nfnet_f0 cspresnet50 ese_vovnet19b_dw
    convnext_atto convnextv2_atto convmixer_768_32 inception_next_atto mambaout_femto poolformer_s12
    vit_tiny_patch16_224 deit_tiny_patch16_224 swin_tiny_patch4_window7_224 pit_ti_224 levit_128s cait_xxs24_224
    crossvit_tiny_240 coat_lite_tiny convit_tiny tnt_s_patch16_224 twins_svt_small xcit_nano_12_p16_224
    beit_base_patch16_224 mixer_s32_224 gmixer_12_224 resmlp_12_224 pvt_v2_b0 nest_tiny mvitv2_tiny gcvit_xxtiny
    davit_tiny efficientformer_l1 tiny_vit_5m_224 repvit_m0_9 hgnetv2_b0 fasternet_t0 shvit_s1 focalnet_tiny_srf
"""
TIMM = tuple(_TIMM.split())
"""timm models, about one per family, small members of each."""


def define_torchvision_operators() -> None:
    """torchvision's wheel holds operators for another build of torch; declared without code, it can be imported."""
    library = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _KEPT.append(library)


_KEPT: list[torch.library.Library] = []
"""Declarations end with the object that made them."""


def vision(name: str) -> Made:
    """A torchvision classifier; plain convolutional ones on smaller images, which changes no layer."""
    from torchvision import models

    fixed = name.startswith(("vit", "swin", "maxvit"))
    size = 299 if name == "inception_v3" else 224 if fixed else 96
    more = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    if more:
        more["aux_logits"] = False
    return models.get_model(name, weights=None, **more), torch.randn(1, 3, size, size)


def timm_model(name: str) -> Made:
    """A timm model, at the size of its configuration."""
    import timm

    model = timm.create_model(name, pretrained=False)
    size = model.default_cfg["input_size"]
    return model, torch.randn(1, *size)


def language(name: str) -> Made:
    """A transformers model with a small configuration of its own class."""
    import transformers as t

    small: dict[str, Any] = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 99}
    wide = small | {"intermediate_size": 128, "max_position_embeddings": 64}
    tokens = {"input_ids": torch.randint(0, 99, (1, 16)), "attention_mask": torch.ones(1, 16, dtype=torch.int64)}
    makers: dict[str, Callable[[], nn.Module]] = {
        "bert": lambda: t.BertForSequenceClassification(t.BertConfig(**wide)),
        "distilbert": lambda: t.DistilBertForSequenceClassification(
            t.DistilBertConfig(vocab_size=99, dim=64, n_layers=2, n_heads=4, hidden_dim=128)
        ),
        "roberta": lambda: t.RobertaForSequenceClassification(t.RobertaConfig(**wide)),
        "electra": lambda: t.ElectraForSequenceClassification(t.ElectraConfig(**wide)),
        "gpt2": lambda: t.GPT2LMHeadModel(t.GPT2Config(vocab_size=99, n_embd=64, n_layer=2, n_head=4, use_cache=False)),
        "llama": lambda: t.LlamaForCausalLM(t.LlamaConfig(**wide, num_key_value_heads=2, use_cache=False)),
        "qwen2": lambda: t.Qwen2ForCausalLM(t.Qwen2Config(**wide, num_key_value_heads=2, use_cache=False)),
        "mistral": lambda: t.MistralForCausalLM(t.MistralConfig(**wide, num_key_value_heads=2, use_cache=False)),
    }
    return makers[name](), tokens


LANGUAGE = ("bert", "distilbert", "roberta", "electra", "gpt2", "llama", "qwen2", "mistral")

SOURCES: dict[str, tuple[tuple[str, ...], Callable[[str], Made]]] = {
    "torchvision": (VISION, vision),
    "timm": (TIMM, timm_model),
    "transformers": (LANGUAGE, language),
}
"""Package -> names in it, and how to make one."""
