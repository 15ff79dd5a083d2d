//! How what a copy takes grows with the number of layers and with their size.

use std::{error::Error, fs, num::NonZeroUsize, path::Path};

use sandbox::image::ImageSpec;

use super::{
    comparison::{Pair, Run},
    image::Image,
    statistics::Spread,
    store::There,
    tool::Tool,
};

/// With the configuration, the last is the 1,000 things that a manifest may list.
const LAYERS: [usize; 5] = [10, 30, 100, 300, 999];
const MEBIBYTES: [u64; 4] = [64, 256, 1_024, 5_120];

/// What one tool took for one image, cold and direct.
pub(super) struct Point {
    pub(super) tool: &'static str,
    /// Layers, or MiB.
    pub(super) of: u64,
    pub(super) wall: f64,
    pub(super) cpu: f64,
    pub(super) memory: f64,
    pub(super) requests: f64,
}

#[derive(Default)]
pub(super) struct Growth {
    /// Small layers.
    pub(super) layers: Vec<Point>,
    /// One layer of so many MiB.
    pub(super) size: Vec<Point>,
}

impl Growth {
    pub(super) fn run(tools: &[Tool], runs: NonZeroUsize, directory: &Path) -> Result<Self, Box<dyn Error>> {
        let pair = Pair::start(&directory.join("growth"))?;
        let (mut layers, mut size) = (Vec::new(), Vec::new());
        for count in LAYERS {
            let spec = ImageSpec { layers: vec![1 << 10; count], ..ImageSpec::of_seed(2) };
            let image = Image::random(&spec, &directory.join("layers"))?;
            layers.extend(points(&pair, tools, &image, count as u64, runs, directory)?);
            fs::remove_dir_all(directory.join("layers"))?;
        }
        for mebibytes in MEBIBYTES {
            let image = Image::of_zeros(mebibytes << 20, &directory.join("size"))?;
            // Gigabytes take long enough to be measured once.
            let runs = if mebibytes > 1_000 { NonZeroUsize::MIN } else { runs };
            size.extend(points(&pair, tools, &image, mebibytes, runs, directory)?);
            pair.destination.store.reset(&image, There::Nothing)?;
            fs::remove_dir_all(directory.join("size"))?;
        }
        Ok(Self { layers, size })
    }
}

fn points(
    pair: &Pair,
    tools: &[Tool],
    image: &Image,
    of: u64,
    runs: NonZeroUsize,
    home: &Path,
) -> Result<Vec<Point>, Box<dyn Error>> {
    eprintln!("growth, {of}");
    pair.source.store.reset(image, There::Everything)?;
    let mut points = Vec::new();
    for tool in tools {
        let mut all = Vec::new();
        for _ in 0..runs.get() {
            all.push(pair.copy(tool, image, There::Nothing, pair.addresses(), home)?);
        }
        let median = |of: fn(&Run) -> f64| Spread::of(all.iter().map(of)).map(|spread| spread.median).ok_or("no run");
        points.push(Point {
            tool: tool.name,
            of,
            wall: median(|run| run.taken.wall)?,
            cpu: median(|run| run.taken.cpu)?,
            memory: median(|run| run.taken.memory)?,
            requests: median(|run| (run.source.requests + run.destination.requests) as f64)?,
        });
    }
    Ok(points)
}
