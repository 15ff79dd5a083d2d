use std::{borrow::Cow, collections::BTreeMap};

use conveyor::release::Digest;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// How many blobs have a line of their own.
const LINES: usize = 5;

/// A bar for the whole copy, and a line for each of the first blobs that are under way.
#[derive(Debug)]
pub(super) struct Bars {
    screen: MultiProgress,
    total: Option<ProgressBar>,
    blobs: BTreeMap<Digest, ProgressBar>,
}

impl Bars {
    pub(super) fn new() -> Self {
        Self { screen: MultiProgress::new(), total: None, blobs: BTreeMap::new() }
    }

    /// So many bytes are to be moved in all.
    pub(super) fn planned(&mut self, bytes: u64) {
        let total = self.total.get_or_insert_with(|| {
            let bar = style("[{bar:30}] {bytes}/{total_bytes}  {bytes_per_sec}  {eta} to go  {msg}");
            self.screen.add(ProgressBar::no_length().with_style(bar.progress_chars("=> ")))
        });
        total.set_length(bytes);
    }

    /// So many blobs are done.
    pub(super) fn done(&self, blobs: u64, of: u64) {
        if let Some(total) = &self.total {
            total.set_message(format!("{blobs}/{of} blobs"));
        }
    }

    /// This much of a blob has moved by now, and this much in all.
    pub(super) fn moved(&mut self, blob: &Digest, bytes: u64, in_all: u64) {
        if let Some(total) = &self.total {
            total.set_position(in_all);
        }
        if !self.blobs.contains_key(blob) && self.blobs.len() < LINES {
            let name: Cow<'static, str> = format!("sha256:{}", blob.hex().get(..12).unwrap_or_default()).into();
            let line = ProgressBar::no_length().with_style(style("  {prefix}  {bytes}  {bytes_per_sec}"));
            self.blobs.insert(*blob, self.screen.add(line.with_prefix(name)));
        }
        if let Some(line) = self.blobs.get(blob) {
            line.set_position(bytes);
        }
    }

    /// A blob is no longer under way, or begins again.
    pub(super) fn ended(&mut self, blob: &Digest) {
        if let Some(line) = self.blobs.remove(blob) {
            self.screen.remove(&line);
        }
    }

    /// Draws again, as time goes on.
    pub(super) fn tick(&self) {
        for bar in self.total.iter().chain(self.blobs.values()) {
            bar.tick();
        }
    }

    /// Takes everything off the screen while something else is written to it.
    pub(super) fn aside(&self, write: impl FnOnce()) {
        self.screen.suspend(write);
    }

    /// Takes everything off the screen.
    pub(super) fn clear(&mut self) {
        for bar in self.total.take().into_iter().chain(std::mem::take(&mut self.blobs).into_values()) {
            bar.finish_and_clear();
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
