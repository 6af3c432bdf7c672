//! Which model of the store is meant, as far as keeper itself has to know: the hive understands the rest.

use crate::failure::Failure;

/// The spellings that mean the same repository.
const PREFIXES: [&str; 5] = [
    "https://huggingface.co/",
    "http://huggingface.co/",
    "huggingface.co/",
    "hf.co/",
    "hf://",
];

/// A repository in the store, and one revision of it if that is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredReference {
    /// `[datasets/]org/name`.
    pub(crate) repo: String,
    /// What stands after `:`, a quantisation or a file.
    pub(crate) selector: Option<String>,
    /// What stands after `@`.
    pub(crate) revision: Option<String>,
}

impl StoredReference {
    /// Reads `[datasets/]org/name[:selector][@revision]`.
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        let bare = PREFIXES
            .iter()
            .find_map(|prefix| text.strip_prefix(prefix))
            .unwrap_or(text);
        let (name, revision) = match bare.split_once('@') {
            Some((name, revision)) => (name, Some(revision)),
            None => (bare, None),
        };
        let (name, selector) = match name.split_once(':') {
            Some((name, selector)) => (name, Some(selector)),
            None => (name, None),
        };
        let malformed = selector.is_some_and(str::is_empty)
            || revision.is_some_and(str::is_empty)
            || !name.contains('/')
            || name.split('/').any(str::is_empty);
        if malformed {
            return Err(Failure::usage(
                format!("`{text}` is no model reference"),
                "write org/name, org/name:selector or org/name@revision",
            ));
        }
        Ok(Self {
            repo: name.to_owned(),
            selector: selector.map(str::to_owned),
            revision: revision.map(str::to_owned),
        })
    }

    /// Refuses a selector: it names files of a repository, and the store removes repositories.
    pub(crate) fn whole_repository(self) -> Result<Self, Failure> {
        match &self.selector {
            None => Ok(self),
            Some(selector) => Err(Failure::usage(
                format!("`:{selector}` names files, and this is about the whole repository"),
                format!("write {}", self.repo),
            )),
        }
    }
}

/// `Qwen3-8B-GGUF:Q4_K_M`: a reference without its owner, for a narrow column.
pub(crate) fn short_name(model: &str) -> &str {
    let repo_end = model.find([':', '@']).unwrap_or(model.len());
    match model[..repo_end].rfind('/') {
        Some(slash) => &model[slash + 1..],
        None => model,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_repository_is_the_same() {
        let expected = StoredReference {
            repo: "Qwen/Qwen3-8B-GGUF".into(),
            selector: None,
            revision: None,
        };
        for text in [
            "Qwen/Qwen3-8B-GGUF",
            "hf.co/Qwen/Qwen3-8B-GGUF",
            "https://huggingface.co/Qwen/Qwen3-8B-GGUF",
            "hf://Qwen/Qwen3-8B-GGUF",
        ] {
            assert_eq!(StoredReference::parse(text).unwrap(), expected, "{text}");
        }
        let dataset = StoredReference::parse("datasets/a/b@main").unwrap();
        assert_eq!(dataset.repo, "datasets/a/b");
        assert_eq!(dataset.revision.as_deref(), Some("main"));
    }

    #[test]
    fn a_selector_is_read_and_refused_where_the_whole_repository_is_meant() {
        let reference = StoredReference::parse("a/b:Q4_K_M@main").unwrap();
        assert_eq!(reference.repo, "a/b");
        assert_eq!(reference.selector.as_deref(), Some("Q4_K_M"));
        let failure = reference.whole_repository().unwrap_err();
        assert_eq!(failure.exit, crate::exit_code::USAGE);
    }

    #[test]
    fn what_is_no_reference_is_bad_usage_with_a_remedy() {
        for text in ["a/b:", "Qwen", "", "a//b", "a/b@", "/b"] {
            let failure = StoredReference::parse(text).unwrap_err();
            assert_eq!(failure.exit, crate::exit_code::USAGE, "{text}");
            assert!(failure.problem.hint.is_some(), "{text}");
        }
    }

    #[test]
    fn the_short_name_leaves_the_owner_out() {
        assert_eq!(
            short_name("Qwen/Qwen3-8B-GGUF:Q4_K_M"),
            "Qwen3-8B-GGUF:Q4_K_M"
        );
        assert_eq!(short_name("a/b:folder/file.gguf"), "b:folder/file.gguf");
        assert_eq!(short_name("odd"), "odd");
    }
}
