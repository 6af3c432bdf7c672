//! Repositories without GGUF: what an engine gets of them.

use super::*;

/// What an engine gets of repositories without GGUF: the listing, then what is taken of it.
const ENGINE: &[(&[&str], &[&str])] = &[
    // Sharded, with another vendor's consolidated copy and an index for each.
    (
        &[
            ".gitattributes",
            "README.md",
            "chat_template.jinja",
            "config.json",
            "consolidated-00001-of-00002.safetensors",
            "consolidated-00002-of-00002.safetensors",
            "consolidated.safetensors.index.json",
            "generation_config.json",
            "model-00001-of-00002.safetensors",
            "model-00002-of-00002.safetensors",
            "model.safetensors.index.json",
            "params.json",
            "tekken.json",
            "tokenizer.json",
            "tokenizer_config.json",
            "plot.png",
        ],
        &[
            "chat_template.jinja",
            "config.json",
            "generation_config.json",
            "model-00001-of-00002.safetensors",
            "model-00002-of-00002.safetensors",
            "model.safetensors.index.json",
            "params.json",
            "tekken.json",
            "tokenizer.json",
            "tokenizer_config.json",
        ],
    ),
    // The original checkpoint in a folder of its own.
    (
        &[
            "LICENSE.txt",
            "USE_POLICY.md",
            "config.json",
            "model-00001-of-00001.safetensors",
            "original/consolidated.00.pth",
            "original/params.json",
            "original/tokenizer.model",
            "tokenizer.json",
        ],
        &[
            "config.json",
            "model-00001-of-00001.safetensors",
            "tokenizer.json",
        ],
    ),
    // Every framework's copy of one small model.
    (
        &[
            "config.json",
            "coreml/model.mlmodel",
            "flax_model.msgpack",
            "merges.txt",
            "model.safetensors",
            "onnx/config.json",
            "onnx/model.onnx",
            "openvino/model.bin",
            "pytorch_model.bin",
            "rust_model.ot",
            "tf_model.h5",
            "tokenizer.json",
            "vocab.json",
            "vocab.txt",
        ],
        &[
            "config.json",
            "merges.txt",
            "model.safetensors",
            "tokenizer.json",
            "vocab.json",
            "vocab.txt",
        ],
    ),
    // One vendor's format alone: nothing else holds the weights.
    (
        &[
            "README.md",
            "consolidated.safetensors",
            "params.json",
            "tekken.json",
        ],
        &["consolidated.safetensors", "params.json", "tekken.json"],
    ),
    // A file and the shards of the same; the index of pickled weights is no help.
    (
        &[
            "config.json",
            "model-00001-of-00002.safetensors",
            "model-00002-of-00002.safetensors",
            "model.safetensors",
            "pytorch_model.bin",
            "pytorch_model.bin.index.json",
        ],
        &["config.json", "model.safetensors"],
    ),
    // A pipeline with half precision copies and single-file checkpoints.
    (
        &[
            "feature_extractor/preprocessor_config.json",
            "model_index.json",
            "text_encoder/config.json",
            "text_encoder/model.fp16.safetensors",
            "text_encoder/model.safetensors",
            "unet/config.json",
            "unet/diffusion_pytorch_model.fp16.safetensors",
            "unet/diffusion_pytorch_model.non_ema.safetensors",
            "unet/diffusion_pytorch_model.safetensors",
            "v1-5-pruned-emaonly.safetensors",
            "v1-5-pruned.ckpt",
        ],
        &[
            "feature_extractor/preprocessor_config.json",
            "model_index.json",
            "text_encoder/config.json",
            "text_encoder/model.safetensors",
            "unet/config.json",
            "unet/diffusion_pytorch_model.safetensors",
        ],
    ),
    // States in the middle of the training.
    (
        &[
            "adapter_config.json",
            "adapter_model.safetensors",
            "checkpoint-500/adapter_model.safetensors",
            "checkpoint-500/optimizer.pt",
            "checkpoint-500/trainer_state.json",
            "training_args.bin",
        ],
        &["adapter_config.json", "adapter_model.safetensors"],
    ),
    // Code that the configuration points to, and a sentence encoder's folders.
    (
        &[
            "1_Pooling/config.json",
            "config.json",
            "model.safetensors",
            "modeling_x.py",
            "modules.json",
            "sentencepiece.bpe.model",
        ],
        &[
            "1_Pooling/config.json",
            "config.json",
            "model.safetensors",
            "modeling_x.py",
            "modules.json",
            "sentencepiece.bpe.model",
        ],
    ),
];

#[test]
fn an_engine_gets_the_weights_once_and_what_explains_them() {
    for (lines, taken) in ENGINE {
        assert_eq!(chosen(lines, &NOTHING_ASKED), *taken, "{lines:?}");
    }
}

#[test]
fn a_repository_that_no_engine_can_load_says_what_it_has() {
    for (lines, formats) in [
        (
            &["README.md", "config.json", "pytorch_model.bin"][..],
            &["PyTorch .bin"][..],
        ),
        (&["model.onnx", "weights.pth"], &["ONNX", "PyTorch .pth"]),
        (&["README.md"], &[]),
        (&["model.gguf-split-a", "model.gguf-split-b"], &[]),
        (&["mmproj-F16.gguf"], &[]),
    ] {
        let refused = select(&listing(lines), &NOTHING_ASKED).unwrap_err();
        let SelectionError::Unsupported { formats: found } = refused else {
            panic!("{lines:?}: {refused:?}");
        };
        assert_eq!(found, formats, "{lines:?}");
    }
}
