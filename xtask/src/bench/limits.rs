//! What keeps a copy from being faster or smaller: where the CPU of all who take part goes, and what is left without the
//! tool's own work.

use std::fmt::{self, Write as _};

use super::{
    comparison::{Series, Setting, Spent},
    document::{Document, network},
    elsewhere::Figure,
    store::There,
    tool::{OURS, PLAIN},
};

/// MiB of image a.
const LARGE: f64 = 299.0;
/// Round trips of the floor of a cold copy: see [`Document`]'s section on them.
pub(super) const ROUND_TRIPS: u32 = 7;
/// Up to this part idle, processors are as good as full: a process that waits for another leaves short gaps.
const IDLE: f64 = 0.1;
/// The part of others from which on a figure says more about them. The kernel's own work is among them.
const OTHERS: f64 = 0.2;

const SPENDING: [Setting; 4] = [
    Setting { image: "a", round_trip: 0 },
    Setting { image: "c", round_trip: 0 },
    Setting { image: "c", round_trip: 10 },
    Setting { image: "c", round_trip: 50 },
];

impl Document<'_> {
    /// What no copy of ours can do without.
    pub(super) fn limits(&self, text: &mut String) -> fmt::Result {
        writeln!(text, "\n## What limits\n")?;
        self.large(text)?;
        self.small(text)?;
        self.nothing_to_do(text)?;
        self.memory(text)
    }

    /// The cold copy of image a.
    fn large(&self, text: &mut String) -> fmt::Result {
        let setting = Setting { image: "a", round_trip: 0 };
        let series = self.cold(OURS, setting).and_then(|series| Some((series.spent()?, series.system()?.median)));
        let (Some((ours, system)), Some(plain)) = (series, self.spent(PLAIN, setting)) else { return Ok(()) };
        write!(
            text,
            "* **12 layers, direct**: {:.3} s. {} The registries' part alone would last {:.3} s if nothing else ran. A copy \
             that moves the same bytes and looks at none of them takes {:.3} s here, and {:.3} s of CPU of its own: to know \
             what was copied costs {:.3} s of CPU and {:.3} s of the clock.",
            ours.wall,
            self.shares(ours),
            ours.registries() / self.cores as f64,
            plain.wall,
            plain.tool,
            ours.tool - plain.tool,
            ours.wall - plain.wall,
        )?;
        if let Some(judged) = self.judged(setting, There::Nothing, Figure::Wall) {
            write!(
                text,
                " The best peer's {:.3} s, which the aim asks for, are {:.2} of what even that copy takes.",
                judged.best,
                judged.best / plain.wall
            )?;
        }
        write!(
            text,
            "\n* **CPU of large layers**: {:.3} s for 299 MiB. The kernel takes {system:.3} s of it to move each byte in \
             and out. To hash as many bytes takes {:.3} s, measured apart at {:.1} GB/s. Every byte is hashed; a tool that \
             leaves that out can be faster and cannot know what it copied.",
            ours.tool,
            LARGE * 1_048_576.0 / self.hashing,
            self.hashing / 1e9,
        )?;
        if let Some(judged) = self.judged(setting, There::Nothing, Figure::Cpu) {
            write!(text, " Half of crane's, which the aim asks for, is {:.3} s.", judged.crane / 2.0)?;
        }
        writeln!(text)
    }

    /// The cold copy of image c, over each network.
    fn small(&self, text: &mut String) -> fmt::Result {
        for setting in SPENDING.into_iter().filter(|setting| setting.image == "c") {
            let (Some(ours), Some(plain)) = (self.spent(OURS, setting), self.spent(PLAIN, setting)) else { continue };
            let waits = match setting.round_trip {
                0 => String::new(),
                ms => format!(" {ROUND_TRIPS} round trips are {:.3} s.", f64::from(ROUND_TRIPS) * ms as f64 / 1e3),
            };
            writeln!(
                text,
                "* **60 small layers, {}**: {:.3} s.{waits} {} To serve and to store 61 blobs, the registries need {:.3} s of \
                 CPU, which would last {:.3} s if nothing else ran; the tool needs {:.3} s. A copy that looks at nothing \
                 takes {:.3} s.",
                network(setting),
                ours.wall,
                self.shares(ours),
                ours.registries(),
                ours.registries() / self.cores as f64,
                ours.tool,
                plain.wall,
            )?;
        }
        Ok(())
    }

    /// The most that copies of image a have resident.
    fn memory(&self, text: &mut String) -> fmt::Result {
        let setting = Setting { image: "a", round_trip: 0 };
        let of = |there| Some(self.comparison.of(OURS, setting, there)?.memory()?.median);
        let (Some(cold), Some(warm)) = (of(There::Nothing), of(There::Everything)) else { return Ok(()) };
        write!(
            text,
            "* **Memory**: the program that only says its version has {:.1} MiB resident: its own pages and its \
             libraries'. The copy of 12 layers that finds all there has {warm:.1} MiB; to move them adds {:.1} MiB of \
             buffers, which do not grow with the size of a layer (see below).",
            self.idle.memory,
            cold - warm,
        )?;
        if let Some(judged) = self.judged(setting, There::Nothing, Figure::Memory) {
            write!(text, " Half of crane's, which the aim asks for, is {:.1} MiB.", judged.crane / 2.0)?;
        }
        writeln!(text)
    }

    /// Who had how much of the processors' time, and whether that is the limit.
    fn shares(&self, spent: Spent) -> String {
        let given = spent.given(self.cores);
        let share = |part: f64| 100.0 * part / given;
        let others = spent.others(self.cores);
        format!(
            "Of the {given:.3} s that {} processors have to give in it, the registries take {:.0} %, the tool {:.0} %, the \
             proxies {:.0} %, all else {:.0} %; {:.0} % are idle. {}",
            self.cores,
            share(spent.registries()),
            share(spent.tool),
            share(spent.network),
            share(others),
            share(spent.idle),
            verdict(others / given, spent.idle / given),
        )
    }

    fn nothing_to_do(&self, text: &mut String) -> fmt::Result {
        writeln!(
            text,
            "* **Nothing to do**: that both tags agree is known after 2 round trips. The others ask the source for what \
             refers to the image, by the API and then by the fallback tag, so that a signature that came later is not left \
             behind."
        )
    }

    pub(super) fn spending(&self, text: &mut String) -> fmt::Result {
        writeln!(
            text,
            "\n## Where the CPU goes (cold)\n\n\
             Seconds, medians. The registries' and the proxies' CPU is what the kernel counted for their processes during \
             a run, in hundredths. *Others* is what else ran on this machine, and the kernel on nobody's account; *idle* is \
             the part of what {} processors have to give in that time that nobody took. *{PLAIN}* is no tool but a \
             measure: it moves the same blobs and the manifest over connections that it keeps, as many at a time as \
             {OURS}, computes no digest and reads nothing back.\n\n\
             | image, network | tool | wall | its CPU | source's CPU | destination's CPU | proxies' CPU | others' CPU | idle |\n\
             | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
            self.cores
        )?;
        for setting in SPENDING {
            for tool in self.tools.iter().map(|tool| tool.name).chain([PLAIN]) {
                let Some(spent) = self.spent(tool, setting) else { continue };
                let Spent { wall, tool: own, source, destination, network: proxies, idle } = spent;
                writeln!(
                    text,
                    "| {}, {} | {tool} | {wall:.3} | {own:.3} | {source:.2} | {destination:.2} | {proxies:.2} | {:.2} | {:.0} % |",
                    setting.image,
                    network(setting),
                    spent.others(self.cores),
                    100.0 * idle / spent.given(self.cores),
                )?;
            }
        }
        Ok(())
    }

    fn cold(&self, tool: &str, setting: Setting) -> Option<&Series> {
        self.comparison.of(tool, setting, There::Nothing)
    }

    fn spent(&self, tool: &str, setting: Setting) -> Option<Spent> {
        self.cold(tool, setting)?.spent()
    }
}

impl Spent {
    fn registries(&self) -> f64 {
        self.source + self.destination
    }

    /// What so many processors have to give while it lasts, in seconds.
    fn given(&self, cores: usize) -> f64 {
        cores as f64 * self.wall
    }

    /// What nobody of those who take part had, in seconds.
    fn others(&self, cores: usize) -> f64 {
        (self.given(cores) - self.idle - self.tool - self.registries() - self.network).max(0.0)
    }
}

/// What the parts of others, and of nobody, mean.
fn verdict(others: f64, idle: f64) -> &'static str {
    if others > OTHERS {
        "So much else ran that this says little: it wants a quiet machine."
    } else if idle <= IDLE {
        "The processors are full, and that is the limit."
    } else {
        "The processors are not full: one waits for another."
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_part_had_and_was_not_idle_was_others() {
        let spent = Spent { wall: 2.0, tool: 0.5, source: 0.25, destination: 1.0, network: 0.25, idle: 5.0 };
        assert!((spent.given(4) - 8.0).abs() < 1e-9);
        assert!((spent.others(4) - 1.0).abs() < 1e-9);
        assert!(Spent { idle: 7.0, ..spent }.others(4).abs() < 1e-9, "what was idle is told in hundredths");
        assert!((spent.registries() - 1.25).abs() < 1e-9);
    }

    #[test]
    fn a_limit_is_named_only_where_it_was_measured() {
        assert!(verdict(0.05, 0.04).contains("that is the limit"));
        assert!(verdict(0.05, 0.40).contains("not full"));
        assert!(verdict(0.60, 0.00).contains("quiet machine"));
    }
}
