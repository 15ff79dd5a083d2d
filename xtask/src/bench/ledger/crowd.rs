//! Many writers at once, each of a manifest of its own.

use std::{error::Error, num::NonZeroUsize};

use super::{
    super::statistics::Spread,
    host::{Host, Race, Way},
    writer::{Workplace, Writer},
};

/// How many writers at once.
const OURS: [usize; 5] = [1, 5, 10, 20, 40];
/// The script's tries grow so fast that 40 would take longer than all else.
const SCRIPT: [usize; 4] = [1, 5, 10, 20];
/// What is compared at both ways.
pub(super) const CROWD: usize = 20;
/// Few are enough, for each is made of many updates.
const MOST_RUNS: usize = 3;

/// All races of one writer in one number.
pub(super) struct Point {
    pub(super) writer: Writer,
    pub(super) way: Way,
    pub(super) writers: usize,
    races: Vec<Race>,
}

pub(super) struct Crowds {
    pub(super) points: Vec<Point>,
}

impl Crowds {
    pub(super) fn measure(host: &Host, workplace: &Workplace, runs: NonZeroUsize) -> Result<Self, Box<dyn Error>> {
        let mut points = Vec::new();
        let mut measure = |writer, way: Way, writers| {
            eprintln!("{writers} at once, {}, {}", way.name(), Writer::name(writer));
            let races = (0..runs.get().min(MOST_RUNS)).map(|run| host.race(writer, way, workplace, writers, run));
            let races = races.collect::<Result<_, _>>()?;
            points.push(Point { writer, way, writers, races });
            Ok::<_, Box<dyn Error>>(())
        };
        for writers in OURS {
            measure(Writer::Ours, Way::Direct, writers)?;
        }
        for writers in SCRIPT {
            measure(Writer::Shallow, Way::Direct, writers)?;
        }
        for writer in [Writer::Ours, Writer::Shallow] {
            measure(writer, Way::Delayed, CROWD)?;
        }
        Ok(Self { points })
    }

    pub(super) fn of(&self, writer: Writer, way: Way, writers: usize) -> Option<&Point> {
        self.points.iter().find(|point| (point.writer, point.way, point.writers) == (writer, way, writers))
    }

    /// Median seconds of ours against the script's.
    pub(super) fn ratio(&self, way: Way) -> Option<f64> {
        let wall = |writer| Some(self.of(writer, way, CROWD)?.spread(|race| race.wall)?.median);
        Some(wall(Writer::Ours)? / wall(Writer::Shallow)?)
    }

    /// How much more often each of four times as many writers tries, where 1 is linear and 4 is quadratic.
    pub(super) fn growth_of_tries(&self) -> Option<f64> {
        let each = |writers: usize| {
            let tries = self.of(Writer::Ours, Way::Direct, writers)?.spread(|race| f64::from(race.tries))?.median;
            Some(tries / writers as f64)
        };
        Some(each(40)? / each(10)?)
    }
}

impl Point {
    pub(super) fn spread(&self, figure: impl Fn(&Race) -> f64) -> Option<Spread> {
        Spread::of(self.races.iter().map(figure))
    }
}
