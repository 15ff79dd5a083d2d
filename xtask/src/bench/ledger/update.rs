//! One update by each writer, each way, and the floor under ours.

use std::{error::Error, num::NonZeroUsize};

use super::{
    super::statistics::Spread,
    floor,
    host::{Host, Run, Way},
    writer::{WRITERS, Workplace, Writer},
};

pub(super) const WAYS: [Way; 3] = [Way::Direct, Way::Delayed, Way::Folder];

/// All runs of one writer on one way.
pub(super) struct Series {
    pub(super) writer: Writer,
    pub(super) way: Way,
    pub(super) runs: Vec<Run>,
}

pub(super) struct Updates {
    pub(super) series: Vec<Series>,
    /// The least that the requests of ours take, direct and delayed.
    pub(super) floors: Vec<(Way, Spread)>,
}

impl Updates {
    pub(super) fn measure(host: &Host, workplace: &Workplace, runs: NonZeroUsize) -> Result<Self, Box<dyn Error>> {
        let mut series = Vec::new();
        for way in WAYS {
            eprintln!("one update, {}", way.name());
            let mut of_way: Vec<Series> =
                WRITERS.map(|writer| Series { writer, way, runs: Vec::new() }).into_iter().collect();
            for run in 0..runs.get() {
                for series in &mut of_way {
                    series.runs.push(host.update(series.writer, way, workplace, run)?);
                }
            }
            series.extend(of_way);
        }
        let floors = floor::measure(host, workplace, &[Way::Direct, Way::Delayed], runs)?;
        Ok(Self { series, floors })
    }

    pub(super) fn of(&self, writer: Writer, way: Way) -> Option<&Series> {
        self.series.iter().find(|series| (series.writer, series.way) == (writer, way))
    }

    /// Median seconds of ours against the script's.
    pub(super) fn ratio(&self, way: Way) -> Option<f64> {
        Some(self.of(Writer::Ours, way)?.wall()?.median / self.of(Writer::Shallow, way)?.wall()?.median)
    }
}

impl Series {
    pub(super) fn wall(&self) -> Option<Spread> {
        self.spread(|run| run.taken.wall)
    }

    pub(super) fn spread(&self, figure: impl Fn(&Run) -> f64) -> Option<Spread> {
        Spread::of(self.runs.iter().map(figure))
    }
}

impl Way {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Direct => "0 ms",
            Self::Delayed => "40 ms",
            Self::Folder => "file://",
        }
    }
}
