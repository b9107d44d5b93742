//! `stepwell version`.

use stepwell_web::system::version::{COMMIT, VERSION};

use super::print;

pub(super) fn run(json: bool) -> anyhow::Result<()> {
    if json {
        return print::json(&serde_json::json!({ "version": VERSION, "commit": COMMIT }));
    }
    print::line(format_args!("stepwell {VERSION} ({COMMIT})"));
    Ok(())
}
