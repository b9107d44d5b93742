//! A literal path is no id. Where `runs/batch` stands beside `runs/{id}`, `GET runs/batch` is a
//! wrong method, not the run `batch`: so a parameter does not take the words of its siblings.

use http::Method;
use salvo::routing::{Filter, FilterInfo, PathState};
use salvo::{Request, Router, async_trait};

/// Refuses these words in the place of a parameter.
#[derive(Debug)]
struct NoneOf(Vec<String>);

impl NoneOf {
    fn fits(&self, state: &PathState<'_>) -> bool {
        state
            .pick()
            .is_none_or(|segment| self.0.iter().all(|word| word != segment))
    }
}

#[async_trait]
impl Filter for NoneOf {
    async fn filter(&self, _req: &mut Request, state: &mut PathState<'_>) -> bool {
        self.fits(state)
    }

    // Asked for the methods that `Allow` lists.
    async fn filter_for_method(
        &self,
        _req: &mut Request,
        state: &mut PathState<'_>,
        _method: &Method,
    ) -> Option<bool> {
        Some(self.fits(state))
    }
}

/// Keeps the parameters below from the words of their siblings. After the OpenAPI document is
/// made, which knows them as different paths anyway.
pub fn keep_apart(router: &mut Router) {
    let words: Vec<String> = router
        .routers
        .iter()
        .filter_map(first_segment)
        .filter(|segment| !segment.starts_with('{'))
        .collect();
    for inner in &mut router.routers {
        let is_parameter = first_segment(inner).is_some_and(|segment| segment.starts_with('{'));
        if is_parameter && !words.is_empty() {
            inner.filters.insert(0, Box::new(NoneOf(words.clone())));
        }
        keep_apart(inner);
    }
}

fn first_segment(router: &Router) -> Option<String> {
    router
        .filters
        .iter()
        .find_map(|filter| match filter.info() {
            FilterInfo::Path(path) => path
                .split('/')
                .find(|part| !part.is_empty())
                .map(Into::into),
            _ => None,
        })
}
