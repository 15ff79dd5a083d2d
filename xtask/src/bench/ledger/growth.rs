//! How one update grows with the repository.

use std::{error::Error, fs, num::NonZeroUsize, path::Path};

use super::{
    super::{picture::Bar, statistics::Spread},
    floor,
    host::{Host, Way},
    repository::Shape,
    writer::{Workplace, Writer},
};

/// The largest of this row is the caller's.
const COMMITS: [Shape; 2] = [Shape { manifests: 2_000, commits: 100 }, Shape { manifests: 2_000, commits: 1_000 }];
const MANIFESTS: [Shape; 3] = [
    Shape { manifests: 200, commits: 1_000 },
    Shape { manifests: 2_000, commits: 1_000 },
    Shape { manifests: 20_000, commits: 1_000 },
];
const WRITERS: [Writer; 2] = [Writer::Ours, Writer::Shallow];

/// One writer on a repository of one size.
pub(super) struct Point {
    pub(super) writer: Writer,
    pub(super) shape: Shape,
    pub(super) wall: Spread,
    pub(super) cpu: f64,
    pub(super) memory: f64,
    /// The least that the requests of ours take.
    pub(super) floor: Option<Spread>,
}

#[derive(Default)]
pub(super) struct Growth {
    /// The same manifests, more and more commits.
    pub(super) commits: Vec<Point>,
    /// The same commits, more and more manifests.
    pub(super) manifests: Vec<Point>,
}

impl Growth {
    /// `largest` has the most commits.
    pub(super) fn measure(
        largest: (&Host, Shape),
        workplace: &Workplace,
        runs: NonZeroUsize,
        directory: &Path,
    ) -> Result<Self, Box<dyn Error>> {
        let grown = |shape| {
            let own = directory.join("growth");
            let host = Host::start(&own, shape)?;
            let points = points(&host, shape, workplace, runs)?;
            fs::remove_dir_all(own)?;
            Ok::<_, Box<dyn Error>>(points)
        };
        let mut growth = Self::default();
        for shape in COMMITS {
            growth.commits.extend(grown(shape)?);
        }
        growth.commits.extend(points(largest.0, largest.1, workplace, runs)?);
        for shape in MANIFESTS {
            growth.manifests.extend(grown(shape)?);
        }
        Ok(growth)
    }

    /// The bars of both rows, for the picture.
    pub(super) fn groups(&self) -> Vec<(String, Vec<Bar>)> {
        let bars = |points: &[Point], size: fn(&Shape) -> String| {
            let bar = |point: &Point| Bar {
                name: format!("{}, {}", point.writer.name(), size(&point.shape)),
                seconds: point.wall.median,
                ours: point.writer == Writer::Ours,
            };
            points.iter().map(bar).collect()
        };
        vec![
            ("2,000 manifests".to_owned(), bars(&self.commits, |shape| format!("{} commits", shape.commits))),
            ("1,000 commits".to_owned(), bars(&self.manifests, |shape| format!("{} manifests", shape.manifests))),
        ]
    }
}

/// The seconds of the last point of ours against those of the first.
pub(super) fn last_to_first(points: &[Point]) -> Option<f64> {
    let mut ours = points.iter().filter(|point| point.writer == Writer::Ours);
    let first = ours.next()?.wall.median;
    Some(ours.next_back()?.wall.median / first)
}

fn points(host: &Host, shape: Shape, workplace: &Workplace, runs: NonZeroUsize) -> Result<Vec<Point>, Box<dyn Error>> {
    let mut all = WRITERS.map(|writer| (writer, Vec::new()));
    for run in 0..runs.get() {
        for (writer, taken) in &mut all {
            taken.push(host.update(*writer, Way::Direct, workplace, run)?.taken);
        }
    }
    let floor = floor::measure(host, workplace, &[Way::Direct], runs)?.pop().map(|(_, floor)| floor);
    let mut points = Vec::new();
    for (writer, taken) in all {
        let wall = Spread::of(taken.iter().map(|taken| taken.wall)).ok_or("no run")?;
        let cpu = Spread::of(taken.iter().map(|taken| taken.cpu)).ok_or("no run")?.median;
        let memory = Spread::of(taken.iter().map(|taken| taken.memory)).ok_or("no run")?.median;
        let floor = floor.filter(|_| writer == Writer::Ours);
        points.push(Point { writer, shape, wall, cpu, memory, floor });
    }
    Ok(points)
}
