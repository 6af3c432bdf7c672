//! The answer of a hive that means harm: a refusal is a typed error, and a problem says again what it said.
#![no_main]

use hive_api::Problem;
use hive_client::{ClientError, fuzzing::refusal};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|answer: (u16, &[u8])| {
    let (status, body) = answer;
    let Some(error) = refusal(status, body) else {
        return;
    };
    match &error {
        ClientError::Problem(problem) | ClientError::Unauthorized(problem) => {
            let text = serde_json::to_vec(problem).expect("a problem can be written");
            let again: Problem = serde_json::from_slice(&text).expect("a problem reads back");
            assert_eq!(&again, &**problem);
        }
        // What no hive would say, and what a proxy in between does.
        ClientError::Protocol { .. } | ClientError::AnswerLost { .. } => {}
        other => panic!("{other:?}"),
    }
    let _ = error.to_string();
});
