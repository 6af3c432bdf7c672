//! The Hub account that a provisioner asks as.

use super::{Provisioner, failure};
use crate::{AccountError, HubContact, HubSetupError, HubToken};

impl Provisioner {
    /// Asks as another account from now on, or as nobody; transfers that run go on with what they were given. `name` is
    /// what [`Self::account_of`] told of this token, if it was asked.
    pub fn set_hub_token(
        &self,
        token: Option<&HubToken>,
        name: Option<String>,
    ) -> Result<(), HubSetupError> {
        self.inner.hub.set_token(token, name)
    }

    /// Where the token came from that goes to the Hub, `None` where none goes there.
    pub fn hub_token_source(&self) -> Option<String> {
        self.inner.hub.token_source()
    }

    /// The name of the account, asked of the Hub; `None` without a token.
    pub async fn hub_account(&self) -> Result<Option<String>, AccountError> {
        self.refuse_offline()?;
        let account = self.inner.hub.account().await;
        account.map_err(failure::of_account)
    }

    /// The name of the account where it is known without a question.
    pub fn known_hub_account(&self) -> Option<String> {
        self.inner.hub.known_account()
    }

    /// The name of this token's account, asked of the Hub; the account in use stays.
    pub async fn account_of(&self, token: &HubToken) -> Result<String, AccountError> {
        self.refuse_offline()?;
        let account = self.inner.hub.account_of(token).await;
        account.map_err(failure::of_account)
    }

    /// Asks the Hub anything; whatever it answers, it is there.
    pub async fn reach_hub(&self) -> Result<HubContact, AccountError> {
        self.refuse_offline()?;
        let reached = self.inner.hub.reach().await;
        reached.map_err(failure::of_account)
    }

    pub(super) fn refuse_offline(&self) -> Result<(), AccountError> {
        if self.inner.hub.is_offline() {
            return Err(AccountError::Offline);
        }
        Ok(())
    }
}
