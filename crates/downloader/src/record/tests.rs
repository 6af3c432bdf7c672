//! What a record proves, and what proves nothing.

use proptest::prelude::*;

use super::*;

fn identity(boot: &str) -> Identity {
    Identity {
        digest: Digest::Sha256([7; 32]),
        size_bytes: 1000,
        boot_id: BootId::new(boot),
    }
}

fn segments(pairs: &[(u64, u64)]) -> Segments {
    let mut segments = Segments::default();
    for (start, end) in pairs {
        segments.insert(*start..*end);
    }
    segments
}

fn text(checkpoint: &[(u64, u64)], progress_lines: &[&[(u64, u64)]]) -> String {
    let mut bytes = identity("this boot").checkpoint(&segments(checkpoint));
    for pairs in progress_lines {
        bytes.extend(progress(&segments(pairs)));
    }
    String::from_utf8(bytes).unwrap()
}

#[test]
fn within_one_boot_the_last_line_counts() {
    let text = text(&[(0, 100)], &[&[(0, 200)], &[(0, 300), (500, 600)]]);
    let claims = identity("this boot").claims(&text).unwrap();
    assert_eq!(claims.segments, segments(&[(0, 300), (500, 600)]));
    assert_eq!(claims.synced, segments(&[(0, 100)]));
    assert!(claims.is_same_boot);
}

#[test]
fn a_line_that_was_cut_off_leaves_the_one_before() {
    let whole = text(&[], &[&[(0, 200)], &[(0, 300)]]);
    let cut = &whole[..whole.len() - 1];
    let claims = identity("this boot").claims(cut).unwrap();
    assert_eq!(claims.segments, segments(&[(0, 200)]));
}

#[test]
fn d24_after_another_boot_only_the_synced_checkpoint_counts() {
    let text = text(&[(0, 100)], &[&[(0, 900)]]);
    for boot in ["another boot", ""] {
        let claims = identity(boot).claims(&text).unwrap();
        assert_eq!(claims.segments, segments(&[(0, 100)]));
        assert!(!claims.is_same_boot);
    }
}

#[test]
fn a_record_of_another_file_or_version_proves_nothing() {
    let text = text(&[(0, 100)], &[]);
    let mut other = identity("this boot");
    other.size_bytes = 1001;
    assert_eq!(other.claims(&text), None);
    other = identity("this boot");
    other.digest = Digest::Sha256([8; 32]);
    assert_eq!(other.claims(&text), None);
    let newer = text.replace("\"version\":1", "\"version\":2");
    assert_eq!(identity("this boot").claims(&newer), None);
}

#[test]
fn segments_that_make_no_sense_prove_nothing() {
    let good = text(&[(0, 100)], &[]);
    for bad in [
        "[[0,1001]]",
        "[[100,0]]",
        "[[5,9],[0,2]]",
        "[[0,9],[3,12]]",
        "[[-1,4]]",
        "[[0]]",
    ] {
        let bad = good.replace("[[0,100]]", bad);
        assert_eq!(identity("this boot").claims(&bad), None, "{bad}");
    }
    let bad_line = format!("{good}{{\"segments\":[[0,1001]]}}\n");
    assert_eq!(identity("this boot").claims(&bad_line), None);
}

proptest! {
    #[test]
    fn any_text_is_a_record_or_is_not_but_never_a_panic(text in "\\PC{0,200}") {
        let _ = identity("this boot").claims(&text);
    }

    #[test]
    fn a_record_with_one_wrong_byte_claims_nothing_beyond_the_file(
        at in 0_usize..1000,
        byte in 0_u8..128,
    ) {
        let mut bytes = text(&[(0, 100), (200, 300)], &[&[(0, 400)]]).into_bytes();
        let at = at % bytes.len();
        bytes[at] = byte;
        let text = String::from_utf8(bytes).unwrap();
        if let Some(claims) = identity("this boot").claims(&text) {
            prop_assert!(claims.segments.end() <= 1000);
        }
    }
}
