//! `/api/v1/keys`.

pub mod create;
pub mod read;
pub mod revoke;
pub mod wire;

use salvo::Router;
use salvo::oapi::RouterExt;

/// Returns the routes of keys.
#[must_use]
pub fn routes() -> Router {
    Router::with_path("keys")
        .oapi_tag("Keys")
        .post(create::create_key)
        .get(read::list_keys)
        .push(
            Router::with_path("{id}")
                .get(read::get_key)
                .delete(revoke::revoke_key),
        )
}
