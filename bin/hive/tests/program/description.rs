//! The description of the HTTP API that is committed for those who read it without a hive.

use std::fs;

use serde_json::Value;
use tempfile::TempDir;

use crate::serving::run;

const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/api/openapi.json");

fn printed() -> String {
    let home = TempDir::new().unwrap();
    String::from_utf8(run(home.path(), &["openapi"]).stdout).unwrap()
}

#[test]
fn the_committed_description_is_what_this_hive_answers() {
    let committed = fs::read_to_string(COMMITTED).unwrap_or_default();
    assert!(
        printed() == committed,
        "the API is not as docs/api/openapi.json says: renew it with \
         `cargo run --package hive -- openapi > docs/api/openapi.json`"
    );
}

#[test]
fn every_operation_tells_of_what_is_refused_before_it() {
    let description: Value = serde_json::from_str(&printed()).unwrap();
    for (path, item) in description["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let responses = &operation["responses"];
            for status in ["400", "401", "403", "500"] {
                let open = ["/healthz", "/v1/pair"].contains(&&**path) && status == "401";
                let problem = &responses[status]["content"]["application/problem+json"];
                assert_eq!(
                    problem["schema"]["$ref"] == "#/components/schemas/Problem",
                    !open,
                    "{method} {path} {status}"
                );
            }
        }
    }
}
