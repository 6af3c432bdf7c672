//! The blocks of text that keeper shows, each a function from wire data to lines.

mod ended;
mod left;
mod plan;

use hive_api::{Open, Problem, Suggestion};

pub(crate) use self::{
    ended::{cancelled, done, failed, kept},
    left::{
        JOBS_WITH_THE_NEXT_HIVE, left, left_before_accepted, left_before_cancelled,
        left_without_hive, meanwhile, started_again, with_the_next_hive,
    },
    plan::{planned, planned_in_a_log},
};
use super::format;
use crate::{exit_code, failure::Failure};

/// Lines are broken at this width, since a terminal has no fewer columns.
const COLUMNS: usize = 80;
/// `  Why    ` and its like.
const LABEL_COLUMNS: usize = 9;

/// `  Why    account alice has no access yet`, broken into lines that stay in their column.
pub(crate) fn labelled(label: &str, text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = format!("  {label:<7}");
    let mut is_empty = true;
    for word in unbreakable(text) {
        let length = line.chars().count() + usize::from(!is_empty) + word.chars().count();
        if !is_empty && length > COLUMNS {
            lines.push(std::mem::replace(&mut line, " ".repeat(LABEL_COLUMNS)));
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
        }
        line.push_str(&word);
        is_empty = false;
    }
    lines.push(line);
    lines
}

/// The words of a text, a command of keeper with its arguments being one: broken over lines it could not be copied.
fn unbreakable(text: &str) -> Vec<String> {
    const NOUNS: [&str; 7] = ["model", "job", "hive", "pull", "ls", "rm", "ps"];
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut parts: Vec<String> = Vec::new();
    let mut in_command = false;
    for (number, word) in words.iter().enumerate() {
        in_command &= !word.starts_with('(');
        match parts.last_mut().filter(|_| in_command) {
            Some(command) => {
                command.push(' ');
                command.push_str(word);
            }
            None => parts.push((*word).to_owned()),
        }
        let next = words.get(number + 1);
        in_command |= *word == "keeper"
            && next.is_some_and(|next| NOUNS.contains(next) || next.starts_with("--"));
        in_command &= !word.ends_with([',', ';', ':', ')']);
    }
    parts
}

/// A request that was refused, or a command that could not be: the headline, why, what next.
pub(crate) fn refused(failure: &Failure) -> Vec<String> {
    let problem = &failure.problem;
    if let Some(sentence) = usage(failure) {
        return vec![capitalised(&sentence)];
    }
    let mut lines = vec![capitalised(&problem.detail)];
    for error in &problem.errors {
        lines.extend(labelled(
            "Field",
            &format!("{}: {}", error.pointer, error.detail),
        ));
    }
    if let Some(reason) = &problem.reason {
        lines.extend(labelled("Why", reason));
    }
    lines.extend(failure.lines.iter().map(|line| format!("  | {line}")));
    if let Some(hint) = &problem.hint {
        lines.extend(labelled("Next", hint));
    }
    lines.extend(others(&problem.suggestions));
    if let Open::Known(code) = &problem.code {
        lines.extend(labelled("Code", code.as_str()));
    }
    lines
}

/// Bad input in one sentence with its remedy, where one sentence can say it.
fn usage(failure: &Failure) -> Option<String> {
    let problem = &failure.problem;
    if failure.exit != exit_code::USAGE || problem.reason.is_some() {
        return None;
    }
    let detail = match &problem.errors[..] {
        [] => &problem.detail,
        [only] => &only.detail,
        _ => return None,
    };
    Some(match &problem.hint {
        Some(hint) => format!("{detail}; {hint}"),
        None => detail.clone(),
    })
}

/// `  Others Q5_0 5.7 GB, Q8_0 8.7 GB`: what could be asked for besides the first, which the hint names.
fn others(suggestions: &[Suggestion]) -> Vec<String> {
    let named: Vec<String> = suggestions
        .iter()
        .skip(1)
        .map(|suggestion| with_size(&suggestion.selector, suggestion.bytes))
        .collect();
    if named.is_empty() {
        return Vec::new();
    }
    labelled("Others", &named.join(", "))
}

fn with_size(name: &str, bytes: Option<u64>) -> String {
    match bytes {
        Some(bytes) => format!("{name} {}", format::size(bytes)),
        None => name.to_owned(),
    }
}

/// The code of a problem as text.
pub(crate) fn code_of(problem: &Problem) -> &str {
    match &problem.code {
        Open::Known(code) => code.as_str(),
        Open::Unknown(code) => code,
    }
}

/// The first seven digits of a commit.
pub(crate) fn short_commit(commit: &str) -> &str {
    commit.get(..7).unwrap_or(commit)
}

/// Our own sentences begin small after the name of the hive; names keep their spelling.
pub(crate) fn after_a_name(line: &str) -> String {
    const OURS: [&str; 3] = ["Done: ", "Chose ", "Left "];
    match OURS.iter().find(|start| line.starts_with(**start)) {
        Some(start) => {
            let small = start.to_lowercase().replace("done: ", "done, ");
            small + &line[start.len()..]
        }
        None => line.to_owned(),
    }
}

/// A sentence that begins in upper case.
pub(crate) fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    match letters.next() {
        // A name keeps its spelling: `Qwen/…` has a capital, `mistralai/…` has none and gets none.
        Some(first)
            if !text
                .split(' ')
                .next()
                .is_some_and(|word| word.contains('/')) =>
        {
            first.to_uppercase().chain(letters).collect()
        }
        Some(_) | None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use hive_api::{InvalidField, ProblemCode};

    use super::*;

    #[test]
    fn long_texts_are_broken_and_stay_in_their_column() {
        let text = "accept the terms at https://huggingface.co/meta-llama/Llama-3.3-70B, then \
                    keeper job retry 2b8e07";
        let lines = labelled("Next", text);
        assert_eq!(
            lines,
            [
                "  Next   accept the terms at https://huggingface.co/meta-llama/Llama-3.3-70B,",
                "         then keeper job retry 2b8e07",
            ]
        );
        assert!(lines.iter().all(|line| line.chars().count() <= COLUMNS));
    }

    #[test]
    fn a_command_is_never_broken_over_lines() {
        let text = "the disk of the store has to have more room for it first, then keeper job \
                    retry 8a6a5a, or keeper model plan a/b shows what is needed";
        let lines = labelled("Next", text);
        for command in ["keeper job retry 8a6a5a,", "keeper model plan a/b"] {
            assert!(lines.iter().any(|line| line.contains(command)), "{lines:?}");
        }
    }

    #[test]
    fn a_refusal_names_the_fields_the_reason_and_the_remedy() {
        let problem = Problem::new(ProblemCode::InvalidRequest, "the operation is invalid")
            .with_reason("it has no owner")
            .with_hint("write org/name")
            .with_errors(vec![InvalidField {
                pointer: "/operation/model".into(),
                detail: "not a reference".into(),
            }]);
        let failure = Failure {
            exit: 2,
            problem: Box::new(problem),
            lines: vec!["from a log".into()],
            hive: None,
        };
        assert_eq!(
            refused(&failure),
            [
                "The operation is invalid",
                "  Field  /operation/model: not a reference",
                "  Why    it has no owner",
                "  | from a log",
                "  Next   write org/name",
                "  Code   invalid_request",
            ]
        );
    }

    #[test]
    fn bad_input_is_one_sentence_with_its_remedy() {
        let failure = Failure::usage("there is no option `--foo` here", "did you mean `--for`?");
        let sentence = "There is no option `--foo` here; did you mean `--for`?";
        assert_eq!(refused(&failure), [sentence]);
        let error = InvalidField {
            pointer: "/operation/model".into(),
            detail: "`bad` has no owner: write org/name".into(),
        };
        let problem = Problem::new(ProblemCode::InvalidRequest, "/operation/model: `bad` has …");
        let failure = Failure {
            exit: 2,
            problem: Box::new(problem.with_errors(vec![error])),
            lines: Vec::new(),
            hive: None,
        };
        assert_eq!(refused(&failure), ["`bad` has no owner: write org/name"]);
    }
}
