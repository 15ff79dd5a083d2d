use release::Digest;

use crate::CopyError;

/// Sees how a copy goes on: what a progress bar shows. `()` sees nothing.
///
/// The methods are called between awaits and must not block.
pub trait Observer: Send + Sync {
    /// So many blobs with so many bytes will be moved where they are not there already. It may come again in one copy,
    /// for referrers bring more: the numbers add up.
    fn planned(&self, blobs: u64, bytes: u64) {
        let _ = (blobs, bytes);
    }

    /// More bytes of a blob went by.
    fn moved(&self, blob: &Digest, bytes: u64) {
        let _ = (blob, bytes);
    }

    /// A blob begins again from its first byte; what was counted of it does not count.
    fn restarted(&self, blob: &Digest, because: &CopyError) {
        let _ = (blob, because);
    }

    /// A blob is stored, or need not be moved after all.
    fn stored(&self, blob: &Digest) {
        let _ = blob;
    }
}

impl Observer for () {}
