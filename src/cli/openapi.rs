//! `stepwell openapi`: the document that `/openapi.json` serves.

use anyhow::Context;

use super::print;

pub(super) fn run() -> anyhow::Result<()> {
    let document = stepwell_web::openapi::document(&stepwell_web::api());
    print::line(
        document
            .to_pretty_json()
            .context("the document cannot be written")?,
    );
    Ok(())
}
