//! What an engine needs from a repository without GGUF: safetensors weights once, and the small files that explain
//! them. Pickled weights are never taken by default: loading them runs code.

use std::collections::BTreeSet;

use super::{ListedFile, SelectionError, missing_shards, shards::unsharded};

/// Folders that hold the same weights in another format, or other states of them.
const OTHER_FORMAT_FOLDERS: [&str; 9] = [
    "original", "metal", "onnx", "openvino", "coreml", "tflite", "flax", "gguf", "runs",
];

/// Ends of names of weights that no engine here loads, with the name of their format.
const OTHER_FORMATS: [(&str, &str); 15] = [
    (".bin", "PyTorch .bin"),
    (".pt", "PyTorch .pt"),
    (".pth", "PyTorch .pth"),
    (".ckpt", "PyTorch .ckpt"),
    (".h5", "TensorFlow .h5"),
    (".msgpack", "Flax .msgpack"),
    (".onnx", "ONNX"),
    (".ot", "Rust .ot"),
    (".tflite", "TensorFlow Lite"),
    (".mlmodel", "Core ML"),
    (".nemo", "NeMo"),
    (".npz", "NumPy .npz"),
    (".pkl", "pickle"),
    (".ggml", "GGML"),
    (".engine", "TensorRT"),
];

/// Precisions that a second copy of the same weights is named after.
const VARIANTS: [&str; 5] = [".fp16", ".bf16", ".fp32", ".non_ema", ".ema"];

/// Ends of the names of the small files that an engine reads.
const COMPANIONS: [&str; 8] = [
    ".json",
    ".jinja",
    ".model",
    ".tiktoken",
    ".spm",
    ".py",
    "merges.txt",
    "vocab.txt",
];

/// The weights once, with what explains them.
pub(crate) fn needed_by_engine(
    files: &[ListedFile],
    narrowed: &[usize],
) -> Result<Vec<usize>, SelectionError> {
    let path = |at: &usize| files[*at].path.as_str();
    let paths: BTreeSet<&str> = narrowed.iter().map(path).collect();
    let weights = once(&paths);
    if weights.is_empty() {
        return Err(SelectionError::Unsupported {
            formats: formats(&paths),
        });
    }
    let is_needed = |at: &usize| weights.contains(path(at)) || explains(path(at), &weights);
    let needed: Vec<usize> = narrowed.iter().copied().filter(is_needed).collect();
    let missing = missing_shards(files, &needed);
    match weights.first().filter(|_| !missing.is_empty()) {
        None => Ok(needed),
        Some(first) => Err(SelectionError::Incomplete {
            selector: (*first).to_owned(),
            missing,
        }),
    }
}

/// The safetensors files without second copies of the same weights.
fn once<'listing>(paths: &BTreeSet<&'listing str>) -> BTreeSet<&'listing str> {
    let all = || paths.iter().copied().filter(|path| is_safetensors(path));
    let mut weights: BTreeSet<&str> = all().filter(|path| !in_other_format_folder(path)).collect();
    if weights.is_empty() {
        weights = all().collect();
    }
    let names: BTreeSet<String> = weights.iter().map(|path| unsharded(path)).collect();
    let is_pipeline =
        paths.contains("model_index.json") && weights.iter().any(|path| path.contains('/'));
    let plain_folders: BTreeSet<&str> = weights
        .iter()
        .filter(|path| !is_consolidated(path))
        .map(|path| folder(path))
        .collect();
    let is_second = |path: &str| {
        let name = unsharded(path);
        let is_whole_elsewhere = name != path && weights.contains(name.as_str());
        let has_plain_variant = without_variant(&name).is_some_and(|plain| names.contains(&plain));
        let is_merged_pipeline = is_pipeline && folder(path).is_empty();
        let is_merged = is_consolidated(path) && plain_folders.contains(folder(path));
        is_whole_elsewhere || has_plain_variant || is_merged_pipeline || is_merged
    };
    weights
        .iter()
        .copied()
        .filter(|path| !is_second(path))
        .collect()
}

/// Whether a file explains the chosen weights.
fn explains(path: &str, weights: &BTreeSet<&str>) -> bool {
    let is_companion = COMPANIONS
        .iter()
        .any(|end| path.to_ascii_lowercase().ends_with(end));
    let is_elsewhere = in_other_format_folder(path)
        && !weights.iter().any(|weight| folder(weight) == folder(path));
    // An index belongs to the shards whose name it has.
    let is_index_of_others = path.contains(".index.")
        && !weights.iter().any(|weight| {
            unsharded(weight) != *weight && format!("{}.index.json", unsharded(weight)) == path
        });
    is_companion && !is_elsewhere && !is_index_of_others
}

/// A name without the precision in it, `None` where it has none.
fn without_variant(name: &str) -> Option<String> {
    VARIANTS.iter().find_map(|variant| {
        let (before, after) = name.split_once(&format!("{variant}."))?;
        Some(format!("{before}.{after}"))
    })
}

fn is_safetensors(path: &str) -> bool {
    path.to_ascii_lowercase().ends_with(".safetensors")
}

fn is_consolidated(path: &str) -> bool {
    path.rsplit('/')
        .next()
        .is_some_and(|name| name.starts_with("consolidated"))
}

/// Whether a file lies in a folder of another format, or of a state in the middle of the training.
fn in_other_format_folder(path: &str) -> bool {
    folder(path).split('/').any(|part| {
        let part = part.to_ascii_lowercase();
        let is_checkpoint = part
            .strip_prefix("checkpoint-")
            .is_some_and(|step| step.bytes().all(|b| b.is_ascii_digit()));
        OTHER_FORMAT_FOLDERS.contains(&part.as_str()) || is_checkpoint
    })
}

fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// The weight formats among some paths, each once.
fn formats(paths: &BTreeSet<&str>) -> Vec<String> {
    let mut found = BTreeSet::new();
    for path in paths {
        let lower = path.to_ascii_lowercase();
        found.extend(
            OTHER_FORMATS
                .iter()
                .filter(|(end, _)| lower.ends_with(end))
                .map(|(_, format)| (*format).to_owned()),
        );
    }
    found.into_iter().collect()
}
