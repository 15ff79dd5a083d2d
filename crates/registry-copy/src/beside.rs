use std::{future::ready, pin::pin};

use futures_util::{
    FutureExt,
    future::{BoxFuture, Either, select},
};

/// Waits for `main` alone, while `aside` goes on too; also returns what is left of that.
pub(crate) async fn beside<'a, Main, Aside>(
    main: impl Future<Output = Main>,
    aside: BoxFuture<'a, Aside>,
) -> (Main, BoxFuture<'a, Aside>)
where
    Aside: Send + 'a,
{
    match select(pin!(main), aside).await {
        Either::Left(ended) => ended,
        Either::Right((aside, main)) => (main.await, ready(aside).boxed()),
    }
}
