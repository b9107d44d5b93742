//! `emit`: an event of the user's own, for whoever subscribes to it.

use crate::limits::EVENT_TYPE_CHARS_MAX;
use crate::plan::Kind;
use crate::plan::site::Site;

/// What the types of our own events begin with.
const OWN: &str = "stepwell.";

/// Compiles the config of an event.
pub(super) fn compile(site: &mut Site<'_, '_, '_>) -> Option<Kind> {
    let data = site.template("data");
    let event = site.name("type")?;
    let word = |c: u8| c.is_ascii_alphanumeric() || b"._-/:".contains(&c);
    let starts_well = event.starts_with(|c: char| c.is_ascii_alphanumeric());
    if !starts_well || event.len() > EVENT_TYPE_CHARS_MAX || !event.bytes().all(word) {
        site.finding(
            "type",
            format!(
                "an event's type is made of letters, digits and `._-/:`, begins with a letter or \
                 digit, and has at most {EVENT_TYPE_CHARS_MAX} characters: `com.example.order.paid`"
            ),
        );
        return None;
    }
    let own = event.get(..OWN.len());
    if own.is_some_and(|start| start.eq_ignore_ascii_case(OWN)) {
        site.finding(
            "type",
            "types that begin with `stepwell.` are those of the engine's own events; choose another",
        );
        return None;
    }
    Some(Kind::Emit {
        event: event.into(),
        data,
    })
}
