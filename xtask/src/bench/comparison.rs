//! Every tool copies every image between the same two registries.

use std::{error::Error, fs, io, net::SocketAddr, num::NonZeroUsize, path::Path, process, time::Duration};

use sandbox::image::ImageSpec;

use super::{
    delay::{self, Delay},
    image::Image,
    measured::{Taken, cpu_of, idle, measure},
    registry::DockerRegistry,
    statistics::Spread,
    store::{Store, There},
    tool::Tool,
};

/// One image over one network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Setting {
    pub(super) image: &'static str,
    /// Milliseconds of round trip to each side; 0 is direct.
    pub(super) round_trip: u64,
}

/// What is told of an image.
pub(super) const IMAGES: [(&str, &str); 3] = [
    ("a", "12 layers, 299 MiB"),
    ("b", "an index of 3 platforms, 66 MiB, with an SBOM as its referrer"),
    ("c", "60 layers of 16 KiB"),
];

pub(super) const SETTINGS: [Setting; 7] = [
    Setting { image: "a", round_trip: 0 },
    Setting { image: "b", round_trip: 0 },
    Setting { image: "c", round_trip: 0 },
    Setting { image: "b", round_trip: 10 },
    Setting { image: "c", round_trip: 10 },
    Setting { image: "b", round_trip: 50 },
    Setting { image: "c", round_trip: 50 },
];

pub(super) const CASES: [There; 3] = [There::Nothing, There::AllButOneLayer, There::Everything];

/// All runs of one tool in one case.
pub(super) struct Series {
    pub(super) setting: Setting,
    pub(super) there: There,
    pub(super) tool: &'static str,
    runs: Vec<Run>,
}

/// One copy, and what others had to do for it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    pub(super) taken: Taken,
    pub(super) source: Served,
    pub(super) destination: Served,
    /// Seconds of CPU of this process, which is the proxies'.
    pub(super) network: f64,
    /// Seconds that processors had nothing to do.
    pub(super) idle: f64,
}

/// What a registry did for one copy.
#[derive(Debug, Clone, Copy)]
pub(super) struct Served {
    pub(super) requests: usize,
    /// Seconds.
    pub(super) cpu: f64,
}

/// Where the seconds of CPU went while a tool copied: medians.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spent {
    pub(super) wall: f64,
    pub(super) tool: f64,
    pub(super) source: f64,
    pub(super) destination: f64,
    pub(super) network: f64,
    pub(super) idle: f64,
}

pub(super) struct Comparison {
    pub(super) series: Vec<Series>,
    pub(super) networks: Vec<Network>,
}

/// A network as it was measured.
pub(super) struct Network {
    /// Milliseconds that were asked for.
    pub(super) round_trip: u64,
    pub(super) measured: Duration,
    pub(super) bytes_a_second: f64,
}

/// Two registries, and what stands before them.
pub(super) struct Pair {
    pub(super) source: DockerRegistry,
    pub(super) destination: DockerRegistry,
}

impl Pair {
    pub(super) fn start(directory: &Path) -> Result<Self, Box<dyn Error>> {
        let start = |name: &str| {
            let own = directory.join(name);
            fs::create_dir_all(&own)?;
            DockerRegistry::start(&own)
        };
        Ok(Self { source: start("source")?, destination: start("destination")? })
    }

    /// One copy between these addresses, from a known state, whose result is held against the image.
    pub(super) fn copy(
        &self,
        tool: &Tool,
        image: &Image,
        there: There,
        addresses: (SocketAddr, SocketAddr),
        home: &Path,
    ) -> Result<Run, Box<dyn Error>> {
        self.destination.store.reset(image, there)?;
        self.source.forget()?;
        self.destination.forget()?;
        let line = tool.line(&Store::reference(addresses.0), &Store::reference(addresses.1));
        let spent = || Ok::<_, io::Error>((self.source.cpu()?, self.destination.cpu()?, cpu_of(process::id())?));
        let (before, idle_before) = (spent()?, idle()?);
        let taken = measure(&line, home)?;
        let idle = idle()? - idle_before;
        let (source, destination) = (self.source.requests()?, self.destination.requests()?);
        let after = spent()?;
        self.destination.store.holds(image, tool.referrers, tool.name)?;
        let source = Served { requests: source, cpu: after.0 - before.0 };
        let destination = Served { requests: destination, cpu: after.1 - before.1 };
        Ok(Run { taken, source, destination, network: after.2 - before.2, idle })
    }

    pub(super) fn addresses(&self) -> (SocketAddr, SocketAddr) {
        (self.source.address(), self.destination.address())
    }
}

impl Comparison {
    /// Of all images, or of one.
    pub(super) fn run(
        tools: &[Tool],
        plain: &Tool,
        only: Option<&str>,
        runs: NonZeroUsize,
        directory: &Path,
    ) -> Result<Self, Box<dyn Error>> {
        let pair = Pair::start(&directory.join("comparison"))?;
        let (mut series, mut networks) = (Vec::new(), Vec::new());
        for (name, _) in IMAGES.into_iter().filter(|(name, _)| only.is_none_or(|only| only == *name)) {
            let layout = directory.join(name);
            let image = Image::random(&specification(name), &layout)?;
            pair.source.store.reset(&image, There::Everything)?;
            for setting in SETTINGS.into_iter().filter(|setting| setting.image == name) {
                let addresses = match setting.round_trip {
                    0 => pair.addresses(),
                    milliseconds => {
                        let delayed = |to| Delay::start(to, Duration::from_millis(milliseconds));
                        let (source, destination) = pair.addresses();
                        (delayed(source)?.address(), delayed(destination)?.address())
                    }
                };
                for there in CASES {
                    eprintln!("{}", title(setting, there));
                    // It moves everything, and knows no index.
                    let plain = Some(plain).filter(|_| there == There::Nothing && image.manifests.len() == 1);
                    let tools: Vec<&Tool> = tools.iter().chain(plain).collect();
                    series.extend(case(&pair, &tools, &image, (setting, there), addresses, runs, directory)?);
                }
            }
        }
        let mut round_trips: Vec<u64> =
            SETTINGS.iter().map(|setting| setting.round_trip).filter(|ms| *ms > 0).collect();
        round_trips.sort_unstable();
        round_trips.dedup();
        for round_trip in round_trips {
            let (measured, bytes_a_second) = delay::qualities(Duration::from_millis(round_trip))?;
            networks.push(Network { round_trip, measured, bytes_a_second });
        }
        Ok(Self { series, networks })
    }

    /// The runs of a tool, where it was there.
    pub(super) fn of(&self, tool: &str, setting: Setting, there: There) -> Option<&Series> {
        self.series.iter().find(|series| (series.tool, series.setting, series.there) == (tool, setting, there))
    }
}

/// Tools take turns, so that what else the machine does hits all alike.
fn case(
    pair: &Pair,
    tools: &[&Tool],
    image: &Image,
    (setting, there): (Setting, There),
    addresses: (SocketAddr, SocketAddr),
    runs: NonZeroUsize,
    home: &Path,
) -> Result<Vec<Series>, Box<dyn Error>> {
    let empty = |tool: &&Tool| Series { setting, there, tool: tool.name, runs: Vec::new() };
    let mut all: Vec<Series> = tools.iter().map(empty).collect();
    for _ in 0..runs.get() {
        for (tool, series) in tools.iter().zip(&mut all) {
            series.runs.push(pair.copy(tool, image, there, addresses, home)?);
        }
    }
    Ok(all)
}

impl Series {
    fn spread(&self, of: impl Fn(&Run) -> f64) -> Option<Spread> {
        Spread::of(self.runs.iter().map(of))
    }

    /// Seconds.
    pub(super) fn wall(&self) -> Option<Spread> {
        self.spread(|run| run.taken.wall)
    }

    /// Seconds.
    pub(super) fn cpu(&self) -> Option<Spread> {
        self.spread(|run| run.taken.cpu)
    }

    /// The kernel's seconds of these.
    pub(super) fn system(&self) -> Option<Spread> {
        self.spread(|run| run.taken.system)
    }

    /// MiB.
    pub(super) fn memory(&self) -> Option<Spread> {
        self.spread(|run| run.taken.memory)
    }

    /// To the source and to the destination: medians.
    pub(super) fn requests(&self) -> Option<(f64, f64)> {
        let source = self.spread(|run| run.source.requests as f64)?;
        Some((source.median, self.spread(|run| run.destination.requests as f64)?.median))
    }

    /// Of the tool, and of those who served it.
    pub(super) fn spent(&self) -> Option<Spent> {
        Some(Spent {
            wall: self.wall()?.median,
            tool: self.cpu()?.median,
            source: self.spread(|run| run.source.cpu)?.median,
            destination: self.spread(|run| run.destination.cpu)?.median,
            network: self.spread(|run| run.network)?.median,
            idle: self.spread(|run| run.idle)?.median,
        })
    }
}

fn specification(image: &str) -> ImageSpec {
    let mib = |sizes: &[usize]| sizes.iter().map(|size| size << 20).collect();
    let amd64 = vec!["amd64".to_owned()];
    let (layers, architectures, referrer) = match image {
        "a" => (mib(&[80, 60, 40, 30, 25, 20, 15, 12, 8, 5, 3, 1]), amd64, false),
        "b" => (mib(&[12, 8, 2]), ["amd64", "arm64", "s390x"].map(str::to_owned).to_vec(), true),
        _ => (vec![16 << 10; 60], amd64, false),
    };
    ImageSpec { seed: 1, layers, architectures, referrer }
}

pub(super) fn title(setting: Setting, there: There) -> String {
    let network = match setting.round_trip {
        0 => "direct".to_owned(),
        milliseconds => format!("{milliseconds} ms"),
    };
    format!("{}, {network}, {there}", setting.image)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_as_they_are_told() {
        let total =
            |image| specification(image).layers.iter().sum::<usize>() * specification(image).architectures.len();
        assert_eq!((total("a") >> 20, total("b") >> 20, total("c") >> 10), (299, 66, 960));
        assert_eq!((specification("a").layers.len(), specification("c").layers.len()), (12, 60));
    }
}
