use tokio::sync::watch;

/// Whether a destination that is offered blobs will want the next ones, as far as its answers tell.
#[derive(Default)]
pub(crate) struct Guess {
    /// How many more were wanted than not.
    balance: watch::Sender<i64>,
}

impl Guess {
    pub(crate) fn answered(&self, wanted: bool) {
        self.balance.send_modify(|balance| *balance += if wanted { 1 } else { -1 });
    }

    /// Waits until it probably will.
    pub(crate) async fn likely(&self) {
        // The sender outlives who waits here.
        drop(self.balance.subscribe().wait_for(|balance| *balance > 0).await);
    }
}
