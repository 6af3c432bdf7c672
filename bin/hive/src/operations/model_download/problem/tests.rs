//! What a person reads when a download could not be done.

use std::sync::Arc;

use hive_api::Open;

use super::*;

const REPO: &str = "meta-llama/Llama-3.3-70B-Instruct";

fn told(error: &ProvisionError) -> Problem {
    let job = "019a1b2c-0000-7000-8000-0000002b8e07".parse().unwrap();
    let occasion = Occasion {
        machine: "gpu1",
        account: None,
        job: Some(job),
    };
    problem(error, &occasion).unwrap()
}

fn denied(denial: Denial, token_source: Option<&str>) -> Problem {
    told(&access_denied(denial, token_source))
}

fn access_denied(denial: Denial, token_source: Option<&str>) -> ProvisionError {
    ProvisionError::AccessDenied {
        repo: REPO.to_owned(),
        denial,
        page: format!("https://huggingface.co/{REPO}"),
        token_source: token_source.map(str::to_owned),
    }
}

#[test]
fn a_gated_repository_says_which_account_has_no_access_and_where_to_ask() {
    let problem = denied(Denial::Gated, Some("HF_TOKEN"));
    assert_eq!(problem.detail, format!("{REPO} is gated"));
    let reason = problem.reason.unwrap();
    assert_eq!(
        reason,
        "the account of gpu1 (token from HF_TOKEN) has no access yet"
    );
    let hint =
        format!("accept the terms at https://huggingface.co/{REPO}, then keeper job retry 2b8e07");
    assert_eq!(problem.hint, Some(hint));
    assert!(!problem.retryable);
}

#[test]
fn an_account_whose_name_is_known_is_named() {
    let occasion = Occasion {
        machine: "gpu1",
        account: Some("alice".to_owned()),
        job: None,
    };
    let error = access_denied(Denial::Gated, Some("keeper hive login"));
    assert_eq!(
        problem(&error, &occasion).unwrap().reason.unwrap(),
        "account alice of gpu1 (token from keeper hive login) has no access yet"
    );
}

#[test]
fn every_denial_names_the_machine_that_needs_an_account() {
    for (denial, code) in [
        (Denial::GatedWithoutToken, ProblemCode::UpstreamAuth),
        (Denial::PrivateOrMissing, ProblemCode::UpstreamNotFound),
        (Denial::BadToken, ProblemCode::UpstreamAuth),
    ] {
        let problem = denied(denial, None);
        assert_eq!(problem.code, Open::Known(code));
        let told = format!("{}; {}", problem.detail, problem.reason.unwrap());
        assert!(told.contains("gpu1"), "{told}");
        assert!(problem.hint.unwrap().contains("keeper hive login"));
    }
}

#[test]
fn a_full_disk_says_what_is_needed_and_what_is_free() {
    let problem = told(&ProvisionError::InsufficientStorage {
        needed_bytes: 142_300_000_000,
        free_bytes: 6_900_000_000,
        reserved_bytes: 0,
    });
    assert_eq!(
        problem.detail,
        "142.3 GB are needed and 6.9 GB are free on gpu1"
    );
    assert!(problem.hint.unwrap().contains("keeper model list"));
}

#[test]
fn a_disk_that_is_promised_to_others_says_how_much_of_it_is() {
    let problem = told(&ProvisionError::InsufficientStorage {
        needed_bytes: 5_000_000_000,
        free_bytes: 6_900_000_000,
        reserved_bytes: 4_000_000_000,
    });
    let reason = "running downloads have reserved 4.0 GB of what is free";
    assert_eq!(problem.reason.as_deref(), Some(reason));
}

#[test]
fn d21_a_disk_that_becomes_full_says_what_is_still_needed_and_how_to_go_on() {
    let problem = told(&ProvisionError::DiskFull {
        path: "a.gguf".to_owned(),
        needed_bytes: 2_000_000_000,
        free_bytes: 1_000,
        source: Arc::new(io::ErrorKind::StorageFull.into()),
    });
    assert_eq!(problem.code, Open::Known(ProblemCode::DiskFull));
    let reason = "2.0 GB are still needed and 1.0 kB are free";
    assert_eq!(problem.reason.as_deref(), Some(reason));
    assert!(problem.hint.unwrap().ends_with("keeper job retry 2b8e07"));
}

#[test]
fn a_hive_that_must_not_ask_the_hub_names_the_variable_that_says_so() {
    let problem = told(&ProvisionError::Offline {
        repo: REPO.to_owned(),
        reason: "shards of it are missing".to_owned(),
    });
    assert_eq!((problem.status, problem.retryable), (503, false));
    assert_eq!(problem.code, Open::Known(ProblemCode::Offline));
    assert!(problem.hint.unwrap().contains("HF_HUB_OFFLINE"));
    assert!(
        problem
            .reason
            .unwrap()
            .ends_with("shards of it are missing")
    );
}

#[test]
fn an_unsafe_name_is_told_without_its_control_characters() {
    let problem = told(&ProvisionError::UnsafeRemoteName {
        repo: REPO.to_owned(),
        path: "../\u{1b}]0;x".to_owned(),
        reason: "it leaves its folder".to_owned(),
    });
    assert_eq!(problem.status, 422);
    assert!(
        !problem.detail.chars().any(char::is_control),
        "{}",
        problem.detail
    );
}

#[test]
fn a_selector_with_no_near_name_still_says_what_to_do() {
    let problem = told(&ProvisionError::SelectorNotFound {
        repo: REPO.to_owned(),
        selector: None,
        suggestions: Vec::new(),
    });
    assert!(problem.hint.unwrap().starts_with("keeper model plan "));
}

#[test]
fn what_passes_is_retryable_and_what_does_not_is_not() {
    let upstream = |kind| {
        told(&ProvisionError::Upstream {
            kind: HubErrorKind::Transfer(kind),
            address: "hub.example/api".to_owned(),
            detail: "no answer".to_owned(),
            source: None,
        })
        .retryable
    };
    for kind in [
        SourceErrorKind::Dns,
        SourceErrorKind::Connect,
        SourceErrorKind::HeadersTimeout,
        SourceErrorKind::Status(503),
        SourceErrorKind::RateLimited,
    ] {
        assert!(upstream(kind), "{kind:?}");
    }
    for kind in [
        SourceErrorKind::Tls,
        SourceErrorKind::NotFound,
        SourceErrorKind::Unauthorized,
    ] {
        assert!(!upstream(kind), "{kind:?}");
    }
}

#[test]
fn a_cancelled_download_is_no_problem() {
    let occasion = Occasion {
        machine: "gpu1",
        account: None,
        job: None,
    };
    assert!(problem(&ProvisionError::Cancelled, &occasion).is_none());
}

#[test]
fn every_row_of_the_fault_matrix_has_the_code_that_it_is_told_with() {
    use ProblemCode as Code;
    use SourceErrorKind as Kind;
    let stall = model_provisioner::Stall::NoBytes(std::time::Duration::from_secs(30));
    for (row, cause, code) in [
        ("d1", RetryCause::Stalled(stall), Code::Stalled),
        (
            "d2",
            RetryCause::Source(Kind::HeadersTimeout),
            Code::UpstreamTimeout,
        ),
        ("d4", RetryCause::Source(Kind::Cut), Code::UpstreamConnect),
        (
            "d9",
            RetryCause::Source(Kind::Status(503)),
            Code::UpstreamHttp,
        ),
        (
            "d10",
            RetryCause::Source(Kind::RateLimited),
            Code::UpstreamRateLimited,
        ),
        (
            "d11",
            RetryCause::Source(Kind::Unauthorized),
            Code::UpstreamAuth,
        ),
        (
            "d13",
            RetryCause::Source(Kind::NotFound),
            Code::UpstreamNotFound,
        ),
        (
            "d14",
            RetryCause::Source(Kind::TooManyRedirects),
            Code::TooManyRedirects,
        ),
        (
            "d15",
            RetryCause::Source(Kind::Changed),
            Code::UpstreamChanged,
        ),
        (
            "d16",
            RetryCause::IntegrityMismatch,
            Code::IntegrityMismatch,
        ),
        (
            "d18",
            RetryCause::Source(Kind::BadUpstream),
            Code::BadUpstream,
        ),
        ("d28", RetryCause::Source(Kind::Dns), Code::UpstreamDns),
        ("d29", RetryCause::Source(Kind::Tls), Code::UpstreamTls),
        ("d30", RetryCause::Source(Kind::Proxy), Code::ProxyError),
        (
            "d31",
            RetryCause::Source(Kind::Connect),
            Code::UpstreamConnect,
        ),
    ] {
        assert_eq!(code_of_retry(cause), code, "{row}");
    }
    let storage = |fault| {
        told(&ProvisionError::Storage {
            fault,
            path: "/store".into(),
            source: Arc::new(io::ErrorKind::Other.into()),
        })
        .code
    };
    for (fault, code) in [
        (StorageFault::DiskFull, Code::DiskFull),
        (StorageFault::PermissionDenied, Code::PermissionDenied),
        (StorageFault::ReadOnly, Code::ReadOnly),
        (StorageFault::NoLinks, Code::LinksUnsupported),
        (StorageFault::Io, Code::IoError),
    ] {
        assert_eq!(storage(fault), Open::Known(code), "d22 {fault}");
    }
}
