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
    /// A buffer that holds whatever it held before, and has at least `size` bytes.
    pub fn take(&self, size: usize) -> Vec<u8> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut bytes = kept.pop().unwrap_or_default();
        drop(kept);
        if bytes.capacity() < size {
            // What it holds is not wanted: nothing is copied, and fresh memory is zeros already.
            bytes = vec![0; size];
        }
        bytes.resize(size.max(bytes.len()), 0);
        bytes
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
        let bytes = std::mem::take(&mut self.bytes);
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
        let kept: Vec<_> = (0..9).map(|_| pool.take(0)).collect();
        assert_eq!(kept.iter().filter(|bytes| !bytes.is_empty()).count(), KEPT);
        assert_eq!(pool.take(50).len(), 50);
    }
}
