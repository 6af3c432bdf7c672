//! The names of quantisations, as real repositories write them in file and folder names.
//!
//! llama.cpp's `ggml_ftype` names are the base (`Q4_K_M`, `IQ4_XS`, `BF16`); publishers add sizes (`Q6_K_L`,
//! `Q4_K_XL`), an `UD-` before their dynamic variants, `_MOE`, and the interleaved kinds of the ik fork (`Q4_K_R4`).

/// What may stand between the words of a name.
const SEPARATORS: [char; 4] = ['-', '.', '_', ' '];
const SIZES: [&str; 7] = ["XXS", "XS", "S", "M", "L", "XL", "XXL"];
const IQ_KINDS: [&str; 12] = [
    "XXS", "XS", "S", "M", "L", "NL", "XL", "K", "KS", "KSS", "KT", "KL",
];

/// The quantisation that a GGUF path names, in the canonical spelling: `UD-Q4_K_XL`, `IQ4_XS`, `F16`.
///
/// The last name in the file's name counts; a file that names none has that of its nearest folder.
pub(crate) fn of_path(path: &str) -> Option<String> {
    let mut parts = path.rsplit('/');
    let file = parts.next()?;
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    let folder = parts.find_map(last_name);
    match (last_name(stem), folder) {
        (Some(own), Some(folder)) if folder == format!("UD-{own}") => Some(folder),
        (Some(own), _) => Some(own),
        (None, folder) => folder,
    }
}

/// The canonical spelling of a whole text that is a quantisation's name and nothing else.
pub(crate) fn of_selector(text: &str) -> Option<String> {
    let words = words(text);
    let start = usize::from(words.first().is_some_and(|word| word == "UD"));
    let (name, used) = name_at(&words, start)?;
    (start + used == words.len()).then(|| with_prefix(&words, start, name))
}

fn last_name(text: &str) -> Option<String> {
    let words = words(text);
    (0..words.len())
        .rev()
        .find_map(|start| name_at(&words, start).map(|(name, _)| with_prefix(&words, start, name)))
}

fn words(text: &str) -> Vec<String> {
    text.split(SEPARATORS)
        .map(str::to_ascii_uppercase)
        .collect()
}

fn with_prefix(words: &[String], start: usize, name: String) -> String {
    match start.checked_sub(1).map(|before| words[before].as_str()) {
        Some("UD") => format!("UD-{name}"),
        _ => name,
    }
}

/// The name that begins at a word, and how many words it has.
fn name_at(words: &[String], start: usize) -> Option<(String, usize)> {
    let word = |offset: usize| words.get(start + offset).map_or("", String::as_str);
    match word(0) {
        "FP16" => Some(("F16".to_owned(), 1)),
        "FP32" => Some(("F32".to_owned(), 1)),
        "BF16" | "F16" | "F32" | "F64" => Some((word(0).to_owned(), 1)),
        "MXFP4" | "MXFP6" | "MXFP8" | "NVFP4" => {
            Some(join(words, start, 1 + usize::from(word(1) == "MOE")))
        }
        "TQ1" | "TQ2" if word(1) == "0" => Some(join(words, start, 2)),
        bits if is_bits(bits, "IQ") && IQ_KINDS.contains(&word(1)) => {
            Some(join(words, start, 2 + usize::from(is_interleaved(word(2)))))
        }
        bits if is_bits(bits, "Q") => Some(join(words, start, integer_words(&word))),
        _ => None,
    }
}

/// How many words a name that begins with `Q4` has.
fn integer_words<'word>(word: &impl Fn(usize) -> &'word str) -> usize {
    match word(1) {
        "K" => {
            let size = usize::from(SIZES.contains(&word(2)));
            2 + size + usize::from(is_interleaved(word(2 + size)))
        }
        "0" | "1" if matches!((word(2), word(3)), ("4", "4" | "8") | ("8", "8")) => 4,
        "0" | "1" => 2 + usize::from(is_interleaved(word(2)) || matches!(word(2), "L" | "XL")),
        _ => 1,
    }
}

fn is_bits(word: &str, prefix: &str) -> bool {
    word.strip_prefix(prefix)
        .is_some_and(|digit| matches!(digit.as_bytes(), [b'1'..=b'8']))
}

fn is_interleaved(word: &str) -> bool {
    matches!(word, "R4" | "R8" | "R16")
}

fn join(words: &[String], start: usize, used: usize) -> (String, usize) {
    (words[start..start + used].join("_"), used)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_as_real_repositories_write_them() {
        for (path, name) in [
            ("Qwen3-8B-Q4_K_M.gguf", Some("Q4_K_M")),
            ("llama-2-7b.Q4_K_M.gguf", Some("Q4_K_M")),
            ("phi_q4_k_m.gguf", Some("Q4_K_M")),
            (
                "qwen2.5-7b-instruct-q4_k_m-00001-of-00002.gguf",
                Some("Q4_K_M"),
            ),
            ("model-q4-k-m.gguf", Some("Q4_K_M")),
            ("Llama-3.3-70B-UD-Q4_K_XL.gguf", Some("UD-Q4_K_XL")),
            (
                "UD-Q4_K_XL/Qwen3-235B-UD-Q4_K_XL-00001-of-00003.gguf",
                Some("UD-Q4_K_XL"),
            ),
            ("UD-Q2_K_XL/part-00001-of-00002.gguf", Some("UD-Q2_K_XL")),
            ("UD-IQ2_XXS/model-IQ2_XXS.gguf", Some("UD-IQ2_XXS")),
            (
                "DeepSeek-R1-Q8_0/DeepSeek-R1.Q8_0-00001-of-00015.gguf",
                Some("Q8_0"),
            ),
            ("BF16/Qwen3-32B-BF16-00001-of-00002.gguf", Some("BF16")),
            ("gpt-oss-20b-mxfp4.gguf", Some("MXFP4")),
            ("gpt-oss-120b-MXFP4_MOE.gguf", Some("MXFP4_MOE")),
            ("model.IQ4_XS.gguf", Some("IQ4_XS")),
            ("model-i1-IQ3_M.gguf", Some("IQ3_M")),
            ("bitnet-TQ1_0.gguf", Some("TQ1_0")),
            ("model-Q4_0_4_8.gguf", Some("Q4_0_4_8")),
            ("model-IQ4_KS_R4.gguf", Some("IQ4_KS_R4")),
            ("model-Q6_K_L.gguf", Some("Q6_K_L")),
            ("model-Q6_K.gguf", Some("Q6_K")),
            ("model.f16.Q8_0.gguf", Some("Q8_0")),
            ("model-fp16.gguf", Some("F16")),
            ("model.F32.gguf", Some("F32")),
            ("model.Q4.gguf", Some("Q4")),
            ("model.gguf", None),
            ("Qwen3-8B.gguf", None),
            ("model-imatrix.gguf", None),
        ] {
            assert_eq!(of_path(path).as_deref(), name, "{path}");
        }
    }

    #[test]
    fn a_selector_is_a_quantisation_only_as_a_whole() {
        for (selector, name) in [
            ("q4_k_m", Some("Q4_K_M")),
            ("Q4-K-M", Some("Q4_K_M")),
            ("ud-q4_k_xl", Some("UD-Q4_K_XL")),
            ("bf16", Some("BF16")),
            ("FP16", Some("F16")),
            ("Q4_KM", None),
            ("model-Q4_K_M", None),
            ("Q4_K_M.gguf", None),
            ("", None),
        ] {
            assert_eq!(of_selector(selector).as_deref(), name, "{selector}");
        }
    }
}
