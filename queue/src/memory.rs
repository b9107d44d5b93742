//! What a process remembers of the database: whoever lacks an entry loads it for all who ask at the
//! same time, so that a thousand runs that begin at once ask once.

use std::fmt;
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};

use moka::future::Cache;

use crate::Error;

/// Entries by their key. Only what was found is kept.
pub(crate) struct Memory<K, V> {
    kept: Cache<K, V>,
    /// Rises with every change: what was read before it is not kept.
    changes: AtomicU64,
}

impl<K, V> fmt::Debug for Memory<K, V> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Memory").finish_non_exhaustive()
    }
}

impl<K, V> Memory<K, V>
where
    K: Hash + Eq + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    pub(crate) fn new(kept: Cache<K, V>) -> Self {
        Self {
            kept,
            changes: AtomicU64::new(0),
        }
    }

    /// Returns the entry, loaded if need be.
    pub(crate) async fn get(
        &self,
        key: K,
        load: impl Future<Output = Result<Option<V>, Error>>,
    ) -> Result<Option<V>, Error>
    where
        K: Clone,
    {
        let read_at = self.changes.load(Ordering::SeqCst);
        let loaded = self.kept.try_get_with(key.clone(), found(load)).await;
        if self.changes.load(Ordering::SeqCst) != read_at {
            self.kept.invalidate(&key).await;
        }
        match loaded.as_ref().map_err(|miss| &**miss) {
            Ok(found) => Ok(Some(found.clone())),
            Err(Miss::Absent) => Ok(None),
            Err(Miss::Failed(error)) => Err(error.again()),
        }
    }

    /// Returns the entry if it is there, and loads nothing.
    pub(crate) async fn peek(&self, key: &K) -> Option<V> {
        self.kept.get(key).await
    }

    /// Forgets everything. Changes are rare, so nothing is lost by it.
    pub(crate) fn forget(&self) {
        self.changes.fetch_add(1, Ordering::SeqCst);
        self.kept.invalidate_all();
    }
}

/// Why there is nothing to keep.
#[derive(Debug)]
enum Miss {
    Absent,
    Failed(Error),
}

async fn found<V>(load: impl Future<Output = Result<Option<V>, Error>>) -> Result<V, Miss> {
    match load.await {
        Ok(Some(found)) => Ok(found),
        Ok(None) => Err(Miss::Absent),
        Err(error) => Err(Miss::Failed(error)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

    use std::sync::Arc;
    use std::sync::atomic::AtomicU32;

    use super::*;

    fn memory() -> Arc<Memory<u8, u32>> {
        Arc::new(Memory::new(Cache::new(10)))
    }

    #[tokio::test]
    async fn many_who_ask_at_once_load_once() {
        let (memory, loads) = (memory(), Arc::new(AtomicU32::new(0)));
        let asking: Vec<_> = (0..50)
            .map(|_| {
                let (memory, loads) = (Arc::clone(&memory), Arc::clone(&loads));
                tokio::spawn(async move {
                    let load = async {
                        tokio::task::yield_now().await;
                        Ok(Some(loads.fetch_add(1, Ordering::SeqCst)))
                    };
                    memory.get(1, load).await.unwrap()
                })
            })
            .collect();
        for one in asking {
            assert_eq!(one.await.unwrap(), Some(0));
        }
    }

    #[tokio::test]
    async fn neither_an_absence_nor_an_error_is_kept() {
        let memory = memory();
        assert!(memory.get(1, async { Ok(None) }).await.unwrap().is_none());
        let failed = async { Err(Error::Corrupt("odd".into())) };
        assert!(memory.get(1, failed).await.is_err());
        assert_eq!(memory.get(1, async { Ok(Some(7)) }).await.unwrap(), Some(7));
    }

    #[tokio::test]
    async fn what_was_read_before_a_change_is_not_kept() {
        let memory = memory();
        let load = async {
            memory.forget();
            Ok(Some(1))
        };
        assert_eq!(memory.get(1, load).await.unwrap(), Some(1));
        assert_eq!(memory.get(1, async { Ok(Some(2)) }).await.unwrap(), Some(2));
    }
}
