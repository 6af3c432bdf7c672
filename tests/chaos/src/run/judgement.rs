//! Whether a download ended as the matrix allows, and said the truth about it.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail, ensure};
use fake_hub::{Content, Repository};

use super::Stage;
use crate::code::Code;
use crate::hive::Ended;
use crate::inspection::Inspection;
use crate::matrix::allowed;
use crate::model::MAIN;
use crate::plan::Trouble;

impl Stage<'_> {
    /// A download under faults: success, or an end that one of the faults explains.
    pub(super) fn judge(
        &mut self,
        ended: &Ended,
        repository: &Repository,
        may_be_cancelled: bool,
    ) -> Result<()> {
        self.story.retries += ended.retries;
        let Err(error) = &ended.result else {
            let certain = self
                .plan
                .troubles
                .iter()
                .find(|trouble| trouble.is_certain());
            if let Some(trouble) = certain {
                bail!("it succeeded in spite of: {trouble}");
            }
            self.story.ended.push(None);
            return self.judge_success(ended, repository);
        };
        let code = Code::of(error).with_context(|| format!("ended with {error:?}"))?;
        self.story.ended.push(Some(code));
        let allowed = allowed(&self.plan.troubles);
        let is_allowed = match code {
            Code::Cancelled => may_be_cancelled,
            _ => allowed.contains(&code),
        };
        ensure!(
            is_allowed,
            "ended with {code}, allowed are {allowed:?}: {error:?}"
        );
        Ok(())
    }

    /// A success tells of the files that there are, and from now on they must be there.
    pub(super) fn judge_success(&mut self, ended: &Ended, repository: &Repository) -> Result<()> {
        let published = ended.result.as_ref().ok().context("it succeeded")?;
        let planned = &ended.planned;
        let sizes = planned.iter().filter_map(|path| repository.content(path));
        let bytes: u64 = sizes.map(Content::size_bytes).sum();
        ensure!(
            published.commit == repository.commit(),
            "another commit: {published:?}"
        );
        ensure!(
            published.bytes_total == bytes,
            "{bytes} bytes told as {published:?}"
        );
        let takes_all = repository.id() != MAIN || !self.plan.models.is_quantised;
        ensure!(
            !takes_all || planned.iter().eq(repository.paths()),
            "planned only {planned:?}"
        );
        self.inspection.fetched(repository, planned);
        self.inspection.published(repository, planned)
    }

    /// A download that ended early and was alone says how much it leaves: that is what is there.
    pub(super) fn compare_kept(&self, ended: &Ended) -> Result<()> {
        let is_misnamed = self.plan.troubles.iter().any(Trouble::is_misnaming);
        if ended.result.is_ok() || is_misnamed {
            return Ok(());
        }
        let store = self.folder.path().join("hub");
        let main = &self.plan.models.main;
        let blobs: BTreeSet<&str> = ended
            .planned
            .iter()
            .filter_map(|path| main.etag(path))
            .collect();
        let mut kept = 0;
        for blob in blobs {
            kept += Inspection::kept_bytes(&store, MAIN, blob)?;
        }
        let told = ended.bytes_kept;
        ensure!(
            told == kept,
            "told {told} bytes as kept, the store has {kept}"
        );
        Ok(())
    }
}
