//! Why the Hub says no, and in which words. The table is in the Hub's clients (`X-Error-Code`).

use serde_json::json;

use crate::wire::Answer;

pub(super) enum Refusal {
    NotSignedIn,
    InvalidToken,
    RepositoryNotFound { signed_in: bool },
    Gated { id: String, signed_in: bool },
    NoGatedScope,
    Disabled,
    RevisionNotFound { revision: String },
    EntryNotFound { commit: String },
    NoSuchPage,
    MethodNotAllowed,
    MalformedBody,
}

impl Refusal {
    pub(super) fn into_answer(self) -> Answer {
        let message = self.message();
        let (status, code) = self.status_and_code();
        let mut answer =
            Answer::json(&json!({ "error": message })).with("X-Error-Message", message);
        answer.status = status;
        answer.set("X-Error-Code", code.map(str::to_owned));
        if let Self::EntryNotFound { commit } = self {
            answer.set("X-Repo-Commit", Some(commit));
        }
        answer
    }

    fn status_and_code(&self) -> (u16, Option<&'static str>) {
        match self {
            Self::NotSignedIn | Self::InvalidToken => (401, None),
            Self::RepositoryNotFound { signed_in: false } => (401, Some("RepoNotFound")),
            Self::RepositoryNotFound { signed_in: true } => (404, Some("RepoNotFound")),
            Self::Gated {
                signed_in: false, ..
            } => (401, Some("GatedRepo")),
            Self::Gated {
                signed_in: true, ..
            } => (403, Some("GatedRepo")),
            Self::NoGatedScope | Self::Disabled => (403, None),
            Self::RevisionNotFound { .. } => (404, Some("RevisionNotFound")),
            Self::EntryNotFound { .. } => (404, Some("EntryNotFound")),
            Self::NoSuchPage => (404, None),
            Self::MethodNotAllowed => (405, None),
            Self::MalformedBody => (400, None),
        }
    }

    fn message(&self) -> String {
        match self {
            Self::NotSignedIn => "Invalid username or password.".to_owned(),
            Self::InvalidToken => "Invalid credentials in Authorization header".to_owned(),
            Self::RepositoryNotFound { .. } => "Repository not found".to_owned(),
            Self::Gated {
                id,
                signed_in: false,
            } => format!(
                "Access to model {id} is restricted. You must have access to it and be \
                 authenticated to access it. Please log in."
            ),
            Self::Gated {
                id,
                signed_in: true,
            } => format!(
                "Access to model {id} is restricted and you are not in the authorized list. \
                 Visit https://huggingface.co/{id} to ask for access."
            ),
            Self::NoGatedScope => "Please enable access to public gated repositories in your \
                 fine-grained token settings to view this repository."
                .to_owned(),
            Self::Disabled => "Access to this resource is disabled.".to_owned(),
            Self::RevisionNotFound { revision } => format!("Invalid rev id: {revision}"),
            Self::EntryNotFound { .. } => "Entry not found".to_owned(),
            Self::NoSuchPage => "Sorry, we can't find the page you are looking for.".to_owned(),
            Self::MethodNotAllowed => "Method not allowed".to_owned(),
            Self::MalformedBody => "The body is no JSON object with `paths`".to_owned(),
        }
    }
}
