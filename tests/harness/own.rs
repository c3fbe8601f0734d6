//! A Baton for one scenario alone, which would disturb others.

use std::path::Path;

use anyhow::Context as _;
use baton_testkit::Embedded;

/// Plays a scenario on a Baton that is started for it with these settings. It must end in order; if the scenario fails, its data and
/// log are kept.
pub(crate) async fn on_its_own(
    binary: &Path,
    settings: &[(&str, &str)],
    play: impl AsyncFnOnce(&mut Embedded) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut target = Embedded::start(binary, settings).await?;
    let played = match play(&mut target).await {
        Ok(()) => target.stop().await.context("ending it"),
        Err(error) => Err(error),
    };
    match played {
        Ok(0) => Ok(()),
        Ok(code) => anyhow::bail!("it ended with exit code {code}; data and log in {}", target.keep().display()),
        Err(error) => Err(error.context(format!("Baton's data and log in {}", target.keep().display()))),
    }
}
