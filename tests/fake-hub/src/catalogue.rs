//! Repositories ready to serve, shaped as the real ones are: file names, folders, small files beside large ones.

use serde_json::json;

use crate::content::Content;
use crate::repository::Repository;

const SHARDS: u16 = 3;
const README: &str =
    "---\nlicense: apache-2.0\n---\n# A generated model\nIts weights are pseudo-random bytes.\n";
const ATTRIBUTES: &str = "*.gguf filter=lfs diff=lfs merge=lfs -text\n\
    *.safetensors filter=lfs diff=lfs merge=lfs -text\n";

impl Repository {
    /// A GGUF repository: `{name}-Q4_K_M.gguf` of `size_bytes`, `Q5_0` of 6/5 of it, `Q8_0` of 3/2, a `BF16`
    /// folder with three shards of 2/3 each, a projector `mmproj-F16.gguf` of 1/10, and the small files.
    ///
    /// # Panics
    /// If `size_bytes` is less than ten times [`Content::GGUF_MIN_BYTES`].
    pub fn sample_gguf(id: &str, size_bytes: u64) -> Self {
        let name = id
            .rsplit('/')
            .next()
            .unwrap_or(id)
            .trim_end_matches("-GGUF");
        let mut repository = Self::model(id)
            .file("README.md", README)
            .file(".gitattributes", ATTRIBUTES)
            .large_file(
                "mmproj-F16.gguf",
                Content::gguf_projector(name, size_bytes / 10),
            );
        for (quantisation, size_bytes) in [
            ("Q4_K_M", size_bytes),
            ("Q5_0", size_bytes / 5 * 6),
            ("Q8_0", size_bytes / 2 * 3),
        ] {
            let path = format!("{name}-{quantisation}.gguf");
            repository = repository.large_file(&path, Content::gguf(&path, size_bytes));
        }
        for number in 1..=SHARDS {
            let path = format!("BF16/{name}-BF16-{number:05}-of-{SHARDS:05}.gguf");
            let shard = Content::gguf_shard(name, number, SHARDS, size_bytes / 3 * 2);
            repository = repository.large_file(&path, shard);
        }
        repository
    }

    /// A safetensors repository: three shards of together `size_bytes`, their index, configuration, tokenizer.
    ///
    /// # Panics
    /// If `size_bytes` is less than 1536.
    pub fn sample_safetensors(id: &str, size_bytes: u64) -> Self {
        let mut repository = Self::model(id)
            .file("README.md", README)
            .file(".gitattributes", ATTRIBUTES)
            .file("config.json", config().to_string())
            .file(
                "generation_config.json",
                json!({"do_sample": true}).to_string(),
            )
            .file("tokenizer.json", tokenizer().to_string())
            .file(
                "tokenizer_config.json",
                json!({"model_max_length": 128}).to_string(),
            );
        let mut weight_map = serde_json::Map::new();
        for number in 1..=SHARDS {
            let path = format!("model-{number:05}-of-{SHARDS:05}.safetensors");
            let tensor = format!("model.layers.{}.mlp.up_proj.weight", number - 1);
            let shard = Content::safetensors(&tensor, size_bytes / u64::from(SHARDS));
            repository = repository.large_file(&path, shard);
            weight_map.insert(tensor, json!(path));
        }
        let index = json!({"metadata": {"total_size": size_bytes}, "weight_map": weight_map});
        repository.file("model.safetensors.index.json", index.to_string())
    }
}

fn config() -> serde_json::Value {
    json!({
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": 8,
        "num_hidden_layers": SHARDS,
        "vocab_size": 4,
    })
}

fn tokenizer() -> serde_json::Value {
    json!({
        "version": "1.0",
        "added_tokens": [],
        "model": {"type": "WordLevel", "vocab": {"<unk>": 0, "a": 1, "b": 2, "c": 3}, "unk_token": "<unk>"},
    })
}
