//! The bytes of blocks. When a block goes, its memory is used for a later one: fresh memory costs
//! the system as much as cutting does.

use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

/// Buffers kept for later blocks.
const KEPT: usize = 3;

/// Memory of blocks that are gone.
#[derive(Debug, Default)]
pub struct Pool(Mutex<Vec<Vec<u8>>>);

/// The bytes of one block.
#[derive(Debug)]
pub struct Buffer {
    bytes: Vec<u8>,
    pool: Arc<Pool>,
}

impl Pool {
    /// An empty buffer, perhaps with room.
    pub fn take(&self) -> Vec<u8> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }
}

impl Buffer {
    /// Bytes whose memory goes back to `pool`.
    pub fn new(bytes: Vec<u8>, pool: &Arc<Pool>) -> Self {
        Self { bytes, pool: Arc::clone(pool) }
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.clear();
        let mut kept = self.pool.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < KEPT {
            kept.push(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_comes_back_but_not_all_of_it() {
        let pool = Arc::new(Pool::default());
        let buffers: Vec<_> = (1..=9).map(|n| Buffer::new(vec![7; n * 100], &pool)).collect();
        assert_eq!(buffers[1][..], [7; 200]);
        drop(buffers);
        let kept: Vec<_> = (0..9).map(|_| pool.take()).collect();
        assert!(kept.iter().all(Vec::is_empty));
        assert_eq!(kept.iter().filter(|bytes| bytes.capacity() > 0).count(), KEPT);
    }
}
