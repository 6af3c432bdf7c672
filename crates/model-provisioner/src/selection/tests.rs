//! The shapes of real repositories, and what is taken of each.

use super::*;

mod engine;

/// A listing from `path bytes` lines, a path alone having one byte.
fn listing(lines: &[&str]) -> Vec<ListedFile> {
    let mut files: Vec<ListedFile> = lines
        .iter()
        .map(|line| {
            let (path, bytes) = line.split_once(' ').unwrap_or((line, "1"));
            ListedFile {
                path: path.to_owned(),
                bytes: Some(bytes.parse().unwrap()),
            }
        })
        .collect();
    files.sort_by(|one, other| one.path.cmp(&other.path));
    files
}

const NOTHING_ASKED: Wanted<'static> = Wanted {
    selector: None,
    include: &[],
    exclude: &[],
    all_files: false,
    is_dataset: false,
};

fn with_selector(selector: &str) -> Wanted<'_> {
    Wanted {
        selector: Some(selector),
        ..NOTHING_ASKED
    }
}

fn chosen(lines: &[&str], wanted: &Wanted<'_>) -> Vec<String> {
    let files = listing(lines);
    let selection = select(&files, wanted).unwrap_or_else(|error| panic!("{lines:?}: {error:?}"));
    selection
        .files
        .iter()
        .map(|&at| files[at].path.clone())
        .collect()
}

/// One quantisation a file, as most GGUF repositories are.
const PLAIN: &[&str] = &[
    ".gitattributes 100",
    "LICENSE 100",
    "README.md 100",
    "Qwen3-8B-Q4_K_M.gguf 50",
    "Qwen3-8B-Q5_0.gguf 57",
    "Qwen3-8B-Q5_K_M.gguf 59",
    "Qwen3-8B-Q6_K.gguf 67",
    "Qwen3-8B-Q8_0.gguf 87",
];

/// Folders for the large quantisations, dynamic variants, a projector in three precisions.
const FOLDERS: &[&str] = &[
    "BF16/Model-BF16-00001-of-00002.gguf 400",
    "BF16/Model-BF16-00002-of-00002.gguf 300",
    "Model-IQ4_XS.gguf 40",
    "Model-UD-Q4_K_XL.gguf 52",
    "Q4_K_M/Model-Q4_K_M-00001-of-00003.gguf 20",
    "Q4_K_M/Model-Q4_K_M-00002-of-00003.gguf 20",
    "Q4_K_M/Model-Q4_K_M-00003-of-00003.gguf 10",
    "UD-Q4_K_M/Model-UD-Q4_K_M-00001-of-00001.gguf 51",
    "config.json",
    "imatrix_unsloth.gguf_file",
    "mmproj-BF16.gguf 9",
    "mmproj-F16.gguf 8",
    "mmproj-F32.gguf 16",
];

const SHARDS_OF_Q4_K_M: [&str; 3] = [
    "Q4_K_M/Model-Q4_K_M-00001-of-00003.gguf",
    "Q4_K_M/Model-Q4_K_M-00002-of-00003.gguf",
    "Q4_K_M/Model-Q4_K_M-00003-of-00003.gguf",
];

#[test]
fn the_default_of_a_gguf_repository_is_the_first_of_the_order_that_it_has() {
    for (lines, file) in [
        (PLAIN, "Qwen3-8B-Q4_K_M.gguf"),
        (&["a.Q4_0.gguf", "a.Q5_K_M.gguf"], "a.Q5_K_M.gguf"),
        (&["a.q8_0.gguf", "a.q4_0.gguf"], "a.q4_0.gguf"),
        (&["a-F16.gguf", "a-Q8_0.gguf"], "a-Q8_0.gguf"),
        (&["a-fp16.gguf", "a-BF16.gguf"], "a-fp16.gguf"),
        (
            &["gpt-oss-20b-mxfp4.gguf", "README.md"],
            "gpt-oss-20b-mxfp4.gguf",
        ),
        (&["model.gguf"], "model.gguf"),
        (&["a-UD-Q4_K_M.gguf", "a-Q2_K.gguf"], "a-UD-Q4_K_M.gguf"),
        (
            &["a-Q4_K_M.gguf", "a-imatrix.gguf", "ggml-vocab-a.gguf"],
            "a-Q4_K_M.gguf",
        ),
        (&["a-Q4_K_M.gguf", "old/b-Q4_K_M.gguf"], "a-Q4_K_M.gguf"),
        (
            &[
                "a-q4_k_m.gguf",
                "a-q4_k_m-00001-of-00002.gguf",
                "a-q4_k_m-00002-of-00002.gguf",
            ],
            "a-q4_k_m.gguf",
        ),
        (
            &["model.safetensors", "model-Q8_0.gguf", "config.json"],
            "model-Q8_0.gguf",
        ),
    ] {
        assert_eq!(chosen(lines, &NOTHING_ASKED), [file], "{lines:?}");
    }
}

#[test]
fn the_choice_is_told_with_the_others_and_what_is_left_out() {
    let selection = select(&listing(PLAIN), &NOTHING_ASKED).unwrap();
    assert_eq!(selection.selector.as_deref(), Some("Q4_K_M"));
    let others: Vec<(&str, Option<u64>)> = selection
        .others
        .iter()
        .map(|other| (other.selector.as_str(), other.bytes))
        .collect();
    assert_eq!(
        others,
        [
            ("Q5_0", Some(57)),
            ("Q5_K_M", Some(59)),
            ("Q6_K", Some(67)),
            ("Q8_0", Some(87))
        ]
    );
    assert_eq!(
        selection.left_out,
        LeftOut {
            files: 7,
            bytes: Some(570),
        }
    );
}

#[test]
fn all_shards_of_a_folder_come_with_one_projector() {
    for selector in [None, Some("Q4_K_M"), Some("q4_k_m")] {
        let wanted = Wanted {
            selector,
            ..NOTHING_ASKED
        };
        let files = listing(FOLDERS);
        let selection = select(&files, &wanted).unwrap();
        let paths: Vec<&str> = selection
            .files
            .iter()
            .map(|&at| files[at].path.as_str())
            .collect();
        assert_eq!(paths[..3], SHARDS_OF_Q4_K_M);
        assert_eq!(paths[3..], ["mmproj-F16.gguf"]);
        assert_eq!(selection.shards, 3);
        assert_eq!(
            selection.main.map(|at| files[at].path.as_str()),
            Some(SHARDS_OF_Q4_K_M[0])
        );
    }
}

#[test]
fn a_selector_names_a_quantisation_in_any_case_or_a_file() {
    for (selector, first) in [
        ("bf16", "BF16/Model-BF16-00001-of-00002.gguf"),
        ("UD-Q4_K_XL", "Model-UD-Q4_K_XL.gguf"),
        ("Q4_K_XL", "Model-UD-Q4_K_XL.gguf"),
        ("ud-q4_k_m", "UD-Q4_K_M/Model-UD-Q4_K_M-00001-of-00001.gguf"),
        ("IQ4_XS", "Model-IQ4_XS.gguf"),
        ("Model-IQ4_XS.gguf", "Model-IQ4_XS.gguf"),
        ("mmproj-F32.gguf", "mmproj-F32.gguf"),
        ("config.json", "config.json"),
    ] {
        assert_eq!(
            chosen(FOLDERS, &with_selector(selector))[0],
            first,
            "{selector}"
        );
    }
    let shard = chosen(FOLDERS, &with_selector(SHARDS_OF_Q4_K_M[1]));
    assert_eq!(shard, SHARDS_OF_Q4_K_M);
}

#[test]
fn a_wrong_quantisation_is_answered_with_the_nearest_and_their_sizes() {
    let refused = select(&listing(PLAIN), &with_selector("Q4_KM")).unwrap_err();
    let SelectionError::NotFound { suggestions } = refused else {
        panic!("{refused:?}");
    };
    let nearest = Choice {
        selector: "Q4_K_M".to_owned(),
        bytes: Some(50),
    };
    assert_eq!(suggestions[0], nearest);
    assert_eq!(suggestions.len(), 5);

    let refused = select(&listing(PLAIN), &with_selector("qwen3-8b-Q4_K_M.ggu")).unwrap_err();
    let SelectionError::NotFound { suggestions } = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(suggestions[0].selector, "Qwen3-8B-Q4_K_M.gguf");
}

#[test]
fn without_a_quantisation_of_the_default_order_the_person_is_asked() {
    let lines = ["a-IQ2_XXS.gguf 2", "a-Q6_K.gguf 6", "a-Q3_K_M.gguf 3"];
    let refused = select(&listing(&lines), &NOTHING_ASKED).unwrap_err();
    let SelectionError::NotFound { suggestions } = refused else {
        panic!("{refused:?}");
    };
    let names: Vec<&str> = suggestions
        .iter()
        .map(|choice| choice.selector.as_str())
        .collect();
    assert_eq!(names, ["IQ2_XXS", "Q3_K_M", "Q6_K"]);
}

#[test]
fn several_models_of_one_quantisation_are_told_apart_by_path_only() {
    let lines = ["a-7b-Q4_K_M.gguf 7", "a-13b-Q4_K_M.gguf 13"];
    let refused = select(&listing(&lines), &NOTHING_ASKED).unwrap_err();
    let SelectionError::Ambiguous { candidates, .. } = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(candidates.len(), 2);
    assert_eq!(
        chosen(&lines, &with_selector("a-7b-Q4_K_M.gguf")),
        ["a-7b-Q4_K_M.gguf"]
    );
}

#[test]
fn an_incomplete_set_is_refused_naming_what_is_missing() {
    let gguf = [
        "a-Q8_0-00001-of-00003.gguf",
        "a-Q8_0-00003-of-00003.gguf",
        "a-Q2_K.gguf",
    ];
    let safetensors = ["config.json", "model-00002-of-00002.safetensors"];
    for (lines, wanted, missing) in [
        (&gguf[..], NOTHING_ASKED, "a-Q8_0-00002-of-00003.gguf"),
        (&gguf, with_selector("Q8_0"), "a-Q8_0-00002-of-00003.gguf"),
        (&gguf, with_selector(gguf[0]), "a-Q8_0-00002-of-00003.gguf"),
        (
            &safetensors,
            NOTHING_ASKED,
            "model-00001-of-00002.safetensors",
        ),
    ] {
        let refused = select(&listing(lines), &wanted).unwrap_err();
        let SelectionError::Incomplete { missing: found, .. } = refused else {
            panic!("{refused:?}");
        };
        assert_eq!(found, [missing]);
    }
    assert_eq!(chosen(&gguf, &with_selector("Q2_K")), ["a-Q2_K.gguf"]);
}

#[test]
fn globs_narrow_the_repository_before_anything_is_chosen() {
    let globs = |globs: &[&str]| {
        globs
            .iter()
            .map(|glob| (*glob).to_owned())
            .collect::<Vec<_>>()
    };
    let (includes, excludes) = (
        globs(&["*.json", "*Q6_K*"]),
        globs(&["README*", "*Q4_K_M*"]),
    );
    let include = Wanted {
        include: &includes,
        ..NOTHING_ASKED
    };
    assert_eq!(chosen(PLAIN, &include), ["Qwen3-8B-Q6_K.gguf"]);
    let exclude = Wanted {
        exclude: &excludes,
        ..NOTHING_ASKED
    };
    assert_eq!(chosen(PLAIN, &exclude), ["Qwen3-8B-Q5_K_M.gguf"]);
    let all = Wanted {
        all_files: true,
        ..exclude
    };
    assert_eq!(chosen(PLAIN, &all).len(), 6);
    let nothing = globs(&["*"]);
    let none = Wanted {
        exclude: &nothing,
        ..NOTHING_ASKED
    };
    assert!(matches!(
        select(&listing(PLAIN), &none),
        Err(SelectionError::Nothing)
    ));
}

#[test]
fn everything_is_taken_when_asked_for_and_of_a_dataset() {
    let all = Wanted {
        all_files: true,
        ..NOTHING_ASKED
    };
    let dataset = Wanted {
        is_dataset: true,
        ..NOTHING_ASKED
    };
    for wanted in [all, dataset] {
        let selection = select(&listing(FOLDERS), &wanted).unwrap();
        assert_eq!(selection.files.len(), FOLDERS.len());
        assert_eq!((selection.main, selection.left_out.files), (None, 0));
    }
}

#[test]
fn sizes_that_are_not_known_are_said_to_be_unknown() {
    let mut files = listing(PLAIN);
    for file in &mut files {
        file.bytes = None;
    }
    let selection = select(&files, &NOTHING_ASKED).unwrap();
    assert_eq!(selection.left_out.bytes, None);
    assert!(selection.others.iter().all(|other| other.bytes.is_none()));
}

#[test]
fn a_stored_snapshot_is_one_model_a_quantisation() {
    let paths = [
        "Q8_0/m-Q8_0-00001-of-00002.gguf",
        "config.json",
        "m-Q4_K_M.gguf",
        "mmproj-F16.gguf",
    ];
    let groups = quantisation_groups(&paths);
    let seen: Vec<(Option<&str>, Option<&str>, usize, usize)> = groups
        .iter()
        .map(|group| {
            let main = group.main.as_deref();
            (
                group.selector.as_deref(),
                main,
                group.files.len(),
                group.missing.len(),
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            (Some("Q4_K_M"), Some("m-Q4_K_M.gguf"), 3, 0),
            (Some("Q8_0"), Some("Q8_0/m-Q8_0-00001-of-00002.gguf"), 3, 1),
        ]
    );
    let whole = quantisation_groups(&["config.json", "model.safetensors"]);
    assert_eq!(whole.len(), 1);
    assert_eq!((&whole[0].selector, whole[0].files.len()), (&None, 2));
    assert_eq!(quantisation_groups::<&str>(&[]), []);
}
