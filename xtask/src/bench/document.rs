//! docs/bench.md.

use std::{
    error::Error,
    fmt::{self, Write as _},
    num::NonZeroUsize,
};

use super::{
    comparison::{CASES, Comparison, IMAGES, SETTINGS, Series, Setting},
    elsewhere::{ELSEWHERE, Elsewhere, Figure},
    growth::{Growth, Point},
    limits::ROUND_TRIPS,
    measured::{self, Taken},
    statistics::Spread,
    store::There,
    tool::{OURS, Tool},
};

pub(super) struct Document<'a> {
    pub(super) tools: &'a [Tool],
    /// Peers that are not on `PATH`.
    pub(super) absent: &'a [&'static str],
    pub(super) comparison: &'a Comparison,
    pub(super) growth: &'a Growth,
    /// Ours, doing nothing.
    pub(super) idle: Taken,
    pub(super) runs: NonZeroUsize,
    pub(super) machine: String,
    pub(super) cores: usize,
    /// Bytes that a second of CPU hashes.
    pub(super) hashing: f64,
    /// Where the registries had their files.
    pub(super) kept_in: &'static str,
    /// Before the first run.
    pub(super) load: String,
}

impl Document<'_> {
    pub(super) fn markdown(&self) -> Result<String, Box<dyn Error>> {
        let mut text = String::new();
        self.head(&mut text)?;
        self.aims(&mut text)?;
        self.limits(&mut text)?;
        self.spending(&mut text)?;
        self.round_trips(&mut text)?;
        self.derived(&mut text)?;
        for setting in SETTINGS {
            self.table(&mut text, setting)?;
        }
        self.growth(&mut text)?;
        Ok(text)
    }

    fn head(&self, text: &mut String) -> Result<(), Box<dyn Error>> {
        let versions: Vec<String> = self.tools.iter().map(|tool| format!("{} {}", tool.name, tool.version)).collect();
        writeln!(
            text,
            "# What a copy takes\n\n\
             `cargo xtask bench copy --write-docs` wrote this file and the picture. It needs `docker-registry` and \
             `skopeo` (Debian), and takes crane, regctl and oras too where they are on `PATH`.\n\n\
             ![Seconds for each copy, by tool](bench-copy.svg)\n\n\
             * **When and where**: {}, {}. Load before the first run: {}.\n\
             * **Tools**: {}. Absent: {}.\n\
             * **How**: two docker-registry processes on loopback, the same for all tools, their files {}. Before each run the \
             destination is put into the state that the case names; after it every blob, manifest and the tag are held \
             against the image, in the registry's own files. Tools take turns. Each figure is the median of {} runs, \
             with the least and the greatest. CPU is the tool's own, user and system. Requests are counted in the \
             registries' access logs.\n\
             * **Each at its best**: all platforms, digests kept, referrers where a tool can; oras with 16 jobs.",
            measured::today()?,
            self.machine,
            self.load,
            versions.join(", "),
            if self.absent.is_empty() { "none".to_owned() } else { self.absent.join(", ") },
            self.kept_in,
            self.runs,
        )?;
        for network in &self.comparison.networks {
            writeln!(
                text,
                "* **{} ms** is a proxy before each registry: half on the way there, half back, one round trip more to \
                 connect, bandwidth not limited, no slow start. As measured: {:.1} ms there and back; one connection \
                 carries {:.1} GB/s through it, so it limits nothing here.",
                network.round_trip,
                network.measured.as_secs_f64() * 1e3,
                network.bytes_a_second / 1e9,
            )?;
        }
        writeln!(text, "\nThe images are of random bytes:\n")?;
        for (name, what) in IMAGES {
            writeln!(text, "* **{name}**: {what}")?;
        }
        writeln!(
            text,
            "\n*cold*: the destination is empty. *minus*: all is there but the largest layer, and what it is a part of. \
             *warm*: all is there, the tag too."
        )?;
        Ok(())
    }

    fn table(&self, text: &mut String, setting: Setting) -> fmt::Result {
        if self.comparison.series.iter().all(|series| series.setting != setting) {
            return Ok(());
        }
        writeln!(text, "\n## {}, {}\n", setting.image, network(setting))?;
        writeln!(
            text,
            "| case | tool | wall s | against the best peer here | CPU s | memory MiB | requests source / destination |\n\
             | --- | --- | --- | --- | --- | --- | --- |"
        )?;
        for there in CASES {
            let best = self.best_peer(setting, there);
            for series in self.tools.iter().filter_map(|tool| self.comparison.of(tool.name, setting, there)) {
                let (Some(wall), Some(cpu), Some(memory), Some((source, destination))) =
                    (series.wall(), series.cpu(), series.memory(), series.requests())
                else {
                    continue;
                };
                let ratio = best.filter(|_| series.tool == OURS).map(|best| wall.median / best);
                writeln!(
                    text,
                    "| {there} | {} | {} | {} | {} | {} | {source} / {destination} |",
                    series.tool,
                    seconds(wall),
                    ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}")),
                    seconds(cpu),
                    mebibytes(memory),
                )?;
            }
        }
        Ok(())
    }

    /// The least median wall time of those that are not ours.
    fn best_peer(&self, setting: Setting, there: There) -> Option<f64> {
        let peers = self.tools.iter().filter(|tool| tool.name != OURS);
        let walls = peers.filter_map(|tool| self.median(tool.name, setting, there, Figure::Wall));
        walls.min_by(f64::total_cmp)
    }

    fn median(&self, tool: &str, setting: Setting, there: There, figure: Figure) -> Option<f64> {
        figure_of(self.comparison.of(tool, setting, there)?, figure)
    }

    /// How many round trips a copy lasts.
    fn round_trips(&self, text: &mut String) -> fmt::Result {
        writeln!(
            text,
            "\n## Round trips, and the floor\n\n\
             The seconds for the 60 small layers at 50 ms, in round trips; what the registries and the machine take is in \
             them. The floor has a connection for each blob: connect and look at both tags (2), connect and offer every \
             blob (2), send what is wanted (1), put the manifest (1), read the tag back (1). The read-back, which no peer \
             does, is one of them.\n\n| case | tool | round trips | floor |\n| --- | --- | --- | --- |"
        )?;
        let setting = Setting { image: "c", round_trip: 50 };
        for there in CASES {
            let floor = if there == There::Everything { 2 } else { ROUND_TRIPS };
            for tool in self.tools {
                let Some(wall) = self.median(tool.name, setting, there, Figure::Wall) else { continue };
                writeln!(text, "| {there} | {} | {:.1} | {floor} |", tool.name, wall / 0.050)?;
            }
        }
        Ok(())
    }

    fn derived(&self, text: &mut String) -> fmt::Result {
        writeln!(
            text,
            "\n## Peers that are not in Debian (derived, not measured here)\n\n\
             All of them were measured together with skopeo 1.9.3 on other hardware of 2 cores, with the same registry and \
             images of this shape. Each figure is what skopeo takes *here* times what the peer took in relation to skopeo \
             *there*. At 50 ms skopeo was not measured there: the figures stand as they were, since round trips cost the \
             same anywhere; so do requests.\n\n\
             | what | {OURS}, measured | skopeo, measured | crane | regctl | oras | oras, 16 jobs | against the best |\n\
             | --- | --- | --- | --- | --- | --- | --- | --- |"
        )?;
        for row in &ELSEWHERE {
            let Some(judged) = self.judge(row) else { continue };
            write!(text, "| {} | {} | {} |", row.what(), row.figure.show(judged.ours), row.figure.show(judged.skopeo))?;
            for (_, peer) in row.peers {
                let here = peer.map(|peer| row.figure.show(row.here(peer, judged.skopeo)));
                write!(text, " {} |", here.unwrap_or_else(|| "-".to_owned()))?;
            }
            writeln!(text, " {:.2} |", judged.ours / judged.best)?;
        }
        Ok(())
    }

    /// Ours against all, where both sides are known.
    fn judge(&self, row: &Elsewhere) -> Option<Judged> {
        let median = |tool| self.median(tool, row.setting, row.there, row.figure);
        let (ours, skopeo) = (median(OURS)?, median("skopeo")?);
        let derived = row.peers.iter().filter_map(|(_, peer)| Some(row.here((*peer)?, skopeo)));
        let here = self.tools.iter().filter(|tool| tool.name != OURS).filter_map(|tool| median(tool.name));
        let best = derived.chain(here).min_by(f64::total_cmp)?;
        let crane = row.peers.first().and_then(|(_, crane)| *crane).map(|crane| row.here(crane, skopeo))?;
        Some(Judged { ours, skopeo, best, crane })
    }

    /// The row of this figure, judged.
    pub(super) fn judged(&self, setting: Setting, there: There, figure: Figure) -> Option<Judged> {
        let row = ELSEWHERE.iter().find(|row| (row.setting, row.there, row.figure) == (setting, there, figure))?;
        self.judge(row)
    }

    fn aims(&self, text: &mut String) -> fmt::Result {
        writeln!(
            text,
            "\n## Aims\n\nAgainst the best peer, measured here or derived (see below).\n\n| aim | here | met |\n| --- | --- | --- |"
        )?;
        let find = |image, round_trip, there, figure| self.judged(Setting { image, round_trip }, there, figure);
        let best = |judged: Judged| judged.ours / judged.best;
        let crane = |judged: Judged| judged.ours / judged.crane;
        let aim = |text, judged: Option<Judged>, ratio: fn(Judged) -> f64, limit| (text, judged.map(ratio), limit);
        use Figure::{Cpu, Memory, Requests, Wall};
        use There::{Everything, Nothing};
        let aims = [
            aim("60 small layers, 10 ms, cold: wall at most 0.4", find("c", 10, Nothing, Wall), best, 0.4),
            aim("60 small layers, 50 ms, cold: wall at most 0.4", find("c", 50, Nothing, Wall), best, 0.4),
            aim("12 layers of 299 MiB, direct, cold: wall at most 1.0", find("a", 0, Nothing, Wall), best, 1.0),
            aim("nothing to do, 10 ms: wall at most 0.5", find("c", 10, Everything, Wall), best, 0.5),
            aim("nothing to do, 50 ms: wall at most 0.5", find("c", 50, Everything, Wall), best, 0.5),
            aim("12 layers of 299 MiB: CPU at most 0.5 of crane's", find("a", 0, Nothing, Cpu), crane, 0.5),
            aim("60 small layers: CPU at most 0.5 of crane's", find("c", 0, Nothing, Cpu), crane, 0.5),
            aim("12 layers of 299 MiB: memory at most 0.5 of crane's", find("a", 0, Nothing, Memory), crane, 0.5),
            aim(
                "60 new layers: requests to the destination, the lowest peer's",
                find("c", 0, Nothing, Requests),
                best,
                1.0,
            ),
            aim(
                "nothing to do: requests to the destination, the lowest peer's",
                find("c", 0, Everything, Requests),
                best,
                1.0,
            ),
        ];
        for (aim, ratio, limit) in aims {
            let Some(ratio) = ratio else { continue };
            writeln!(text, "| {aim} | {ratio:.2} | {} |", if ratio <= limit { "yes" } else { "**no**" })?;
        }
        Ok(())
    }

    fn growth(&self, text: &mut String) -> fmt::Result {
        for (title, of, points) in [
            ("How it grows with layers (1 KiB each, direct, cold)", "layers", &self.growth.layers),
            ("How it grows with size (one layer, direct, cold)", "MiB", &self.growth.size),
        ] {
            if points.is_empty() {
                continue;
            }
            writeln!(
                text,
                "\n## {title}\n\n| {of} | tool | wall s | CPU s | memory MiB | requests |\n\
                 | --- | --- | --- | --- | --- | --- |"
            )?;
            for Point { tool, of, wall, cpu, memory, requests } in points {
                writeln!(text, "| {of} | {tool} | {wall:.3} | {cpu:.3} | {memory:.1} | {requests} |")?;
            }
        }
        Ok(())
    }
}

/// One figure of ours, next to others'.
#[derive(Clone, Copy)]
pub(super) struct Judged {
    ours: f64,
    skopeo: f64,
    pub(super) best: f64,
    pub(super) crane: f64,
}

impl Elsewhere {
    fn what(&self) -> String {
        let figure = match self.figure {
            Figure::Wall => "wall s",
            Figure::Cpu => "CPU s",
            Figure::Memory => "memory MiB",
            Figure::Requests => "requests to the destination",
        };
        format!("{}, {}, {}: {figure}", self.setting.image, network(self.setting), self.there)
    }
}

impl Figure {
    fn show(self, figure: f64) -> String {
        match self {
            Self::Wall | Self::Cpu => format!("{figure:.3}"),
            Self::Memory | Self::Requests => format!("{figure:.0}"),
        }
    }
}

fn figure_of(series: &Series, figure: Figure) -> Option<f64> {
    Some(match figure {
        Figure::Wall => series.wall()?.median,
        Figure::Cpu => series.cpu()?.median,
        Figure::Memory => series.memory()?.median,
        Figure::Requests => series.requests()?.1,
    })
}

pub(super) fn network(setting: Setting) -> String {
    match setting.round_trip {
        0 => "direct".to_owned(),
        milliseconds => format!("{milliseconds} ms of round trip to each side"),
    }
}

pub(super) fn seconds(Spread { median, least, greatest }: Spread) -> String {
    format!("{median:.3} ({least:.3}-{greatest:.3})")
}

pub(super) fn mebibytes(Spread { median, least, greatest }: Spread) -> String {
    format!("{median:.1} ({least:.1}-{greatest:.1})")
}
