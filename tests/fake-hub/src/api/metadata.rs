//! Who asks, and what a repository is at a commit.

use serde_json::{Value, json};

use crate::account::Account;
use crate::content::sha1_hex;
use crate::repository::{Access, Commit, File, Repository, RepositoryKind};
use crate::wire::{Answer, Request};

/// `GET /api/whoami-v2`
pub(super) fn who_am_i(account: &Account) -> Answer {
    Answer::json(&json!({
        "type": "user",
        "id": &sha1_hex(&account.name)[..24],
        "name": account.name,
        "fullname": account.name,
        "email": format!("{}@example.org", account.name),
        "emailVerified": true,
        "canPay": false,
        "isPro": false,
        "orgs": [],
        "auth": {
            "type": "access_token",
            "accessToken": {"displayName": "fake", "role": "read", "createdAt": CREATED_AT},
        },
    }))
}

const CREATED_AT: &str = "2026-01-01T00:00:00.000Z";

/// `GET /api/models/{id}[/revision/{revision}]`; sizes and hashes only with `blobs=true`.
pub(super) fn info(request: &Request, repository: &Repository, commit: &Commit) -> Answer {
    let blobs = request
        .parameter("blobs")
        .is_some_and(|value| value == "true");
    let siblings: Vec<Value> = commit
        .files
        .values()
        .map(|file| sibling(file, blobs))
        .collect();
    let id = &repository.id;
    let gated = matches!(repository.access, Access::GatedFiles | Access::GatedWhole);
    let mut body = json!({
        "_id": &sha1_hex(id)[..24],
        "id": id,
        "author": id.split_once('/').map(|(organisation, _)| organisation),
        "sha": commit.hash,
        "private": repository.access == Access::Private,
        "gated": if gated { json!("auto") } else { json!(false) },
        "disabled": false,
        "downloads": 0,
        "likes": 0,
        "tags": [],
        "createdAt": CREATED_AT,
        "lastModified": CREATED_AT,
        "siblings": siblings,
    });
    if repository.kind == RepositoryKind::Model {
        body["modelId"] = json!(id);
    }
    Answer::json(&body)
}

fn sibling(file: &File, blobs: bool) -> Value {
    let mut sibling = json!({"rfilename": file.path});
    if blobs {
        sibling["blobId"] = json!(file.oid);
        sibling["size"] = json!(file.content.size_bytes());
        if let Some(large) = &file.large {
            sibling["lfs"] = json!({
                "sha256": large.sha256,
                "size": file.content.size_bytes(),
                "pointerSize": large.pointer_bytes,
            });
        }
    }
    sibling
}
