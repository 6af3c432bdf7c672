//! A refused command line as one sentence with its remedy.

use std::fmt::Write;

use clap::{
    Error,
    error::{ContextKind, ContextValue, ErrorKind},
};

use crate::failure::Failure;

/// What is wrong with the command line and what to type instead.
pub(crate) fn refusal_of(error: &Error) -> Failure {
    let value = |kind: ContextKind| error.get(kind).and_then(first_of);
    let argument = value(ContextKind::InvalidArg).unwrap_or_default();
    let given = value(ContextKind::InvalidValue).unwrap_or_default();
    let command = value(ContextKind::InvalidSubcommand).unwrap_or_default();
    let detail = match error.kind() {
        ErrorKind::UnknownArgument => format!("there is no option `{argument}` here"),
        ErrorKind::InvalidSubcommand => format!("there is no command `{command}` here"),
        ErrorKind::MissingRequiredArgument => format!("{argument} is missing"),
        ErrorKind::MissingSubcommand | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            "a command is missing".to_owned()
        }
        ErrorKind::InvalidValue if given.is_empty() => format!("`{argument}` needs a value"),
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => {
            format!("`{given}` is no value for `{argument}`")
        }
        ErrorKind::ArgumentConflict => {
            format!("`{argument}` does not go with what stands beside it")
        }
        _ => first_line(error),
    };
    Failure::usage(detail, next_step(error))
}

/// The nearest right spelling, or where all of them stand.
fn next_step(error: &Error) -> String {
    if let Some(source) = std::error::Error::source(error) {
        return source.to_string();
    }
    for kind in [
        ContextKind::SuggestedSubcommand,
        ContextKind::SuggestedArg,
        ContextKind::SuggestedValue,
    ] {
        if let Some(suggested) = error.get(kind).and_then(first_of) {
            return format!("did you mean `{suggested}`?");
        }
    }
    if let Some(ContextValue::Strings(values)) = error.get(ContextKind::ValidValue)
        && !values.is_empty()
    {
        return format!("choose from {}", values.join(", "));
    }
    match usage_of(error) {
        Some(command) => format!("see {command} --help"),
        None => "see keeper --help".to_owned(),
    }
}

/// `keeper model download`, out of the usage line.
fn usage_of(error: &Error) -> Option<String> {
    let usage = error.get(ContextKind::Usage).map(ToString::to_string);
    // A missing command has no context, and a whole help text.
    let usage = usage.unwrap_or_else(|| error.to_string());
    let (_, usage) = usage.split_once("Usage:")?;
    let mut command = String::new();
    for word in usage.lines().next()?.split_whitespace() {
        if !word.starts_with(|c: char| c.is_ascii_lowercase()) {
            break;
        }
        let _ = write!(
            command,
            "{}{word}",
            if command.is_empty() { "" } else { " " }
        );
    }
    Some(command).filter(|command| !command.is_empty())
}

fn first_of(value: &ContextValue) -> Option<String> {
    match value {
        ContextValue::String(text) => Some(text.clone()),
        ContextValue::Strings(texts) => texts.first().cloned(),
        other => Some(other.to_string()),
    }
}

fn first_line(error: &Error) -> String {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    line.trim_start_matches("error: ").to_owned()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::Arguments;

    fn refusal(line: &str) -> (String, String) {
        let error = Arguments::try_parse_from(line.split(' ')).unwrap_err();
        let failure = refusal_of(&error);
        assert_eq!(failure.exit, crate::exit_code::USAGE);
        (failure.problem.detail, failure.problem.hint.unwrap())
    }

    #[test]
    fn a_refusal_names_what_is_wrong_and_what_to_type() {
        let cases = [
            (
                "keeper model download a/b --alll-files",
                "there is no option `--alll-files` here",
                "did you mean `--all-files`?",
            ),
            (
                "keeper modle list",
                "there is no command `modle` here",
                "did you mean `model`?",
            ),
            (
                "keeper job",
                "a command is missing",
                "see keeper job --help",
            ),
            ("keeper", "a command is missing", "see keeper --help"),
            (
                "keeper model download",
                "<MODEL>... is missing",
                "see keeper model download --help",
            ),
            (
                "keeper model download a/b --limit-rate fast",
                "`fast` is no value for `--limit-rate <RATE>`",
                "a rate is a number above zero and a unit, such as 20MB or 500kB, and `off` is no limit",
            ),
            (
                "keeper model download a/b --priority urgent",
                "`urgent` is no value for `--priority <PRIORITY>`",
                "choose from low, normal, high",
            ),
        ];
        for (line, detail, next) in cases {
            assert_eq!(
                refusal(line),
                (detail.to_owned(), next.to_owned()),
                "{line}"
            );
        }
    }
}
