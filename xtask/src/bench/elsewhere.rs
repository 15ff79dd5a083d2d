//! What peers took that are not in Debian, measured on other hardware together with skopeo: 2 cores, the same registry,
//! images of the same shape. Only their relation to skopeo is used, and where there is none, round trips: those cost the
//! same anywhere.

use super::{comparison::Setting, store::There};

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Figure {
    /// Seconds.
    Wall,
    /// Seconds.
    Cpu,
    /// MiB.
    Memory,
    /// To the destination.
    Requests,
}

/// What each took for one image in one case.
pub(super) struct Elsewhere {
    pub(super) setting: Setting,
    pub(super) there: There,
    pub(super) figure: Figure,
    /// Of skopeo 1.9.3; of 1.22 where there was a delay, for it sends the same requests.
    pub(super) skopeo: Option<f64>,
    pub(super) peers: [(&'static str, Option<f64>); 4],
}

/// crane 0.21, regctl, oras 1.3 as it comes, and oras with 16 jobs.
const fn row(
    (image, round_trip, there): (&'static str, u64, There),
    figure: Figure,
    skopeo: Option<f64>,
    [crane, regctl, oras]: [f64; 3],
    tuned: Option<f64>,
) -> Elsewhere {
    let peers = [("crane", Some(crane)), ("regctl", Some(regctl)), ("oras", Some(oras)), ("oras, 16 jobs", tuned)];
    Elsewhere { setting: Setting { image, round_trip }, there, figure, skopeo, peers }
}

use Figure::{Cpu, Memory, Requests, Wall};
use There::{AllButOneLayer as Minus, Everything as Warm, Nothing as Cold};

pub(super) const ELSEWHERE: [Elsewhere; 14] = [
    row(("a", 0, Cold), Wall, Some(1.153), [0.858, 0.846, 0.736], None),
    row(("c", 0, Cold), Wall, Some(0.561), [0.370, 0.309, 0.312], None),
    row(("c", 10, Cold), Wall, Some(1.50), [1.57, 1.57, 1.57], Some(0.64)),
    row(("c", 10, Minus), Wall, Some(0.45), [0.51, 0.47, 0.48], Some(0.26)),
    row(("c", 10, Warm), Wall, Some(0.40), [0.14, 0.085, 0.082], Some(0.086)),
    row(("c", 50, Cold), Wall, None, [5.17, 5.22, 5.35], Some(1.75)),
    row(("c", 50, Minus), Wall, None, [1.76, 1.63, 1.59], Some(0.73)),
    row(("c", 50, Warm), Wall, None, [0.54, 0.24, 0.28], Some(0.28)),
    row(("a", 0, Cold), Cpu, Some(0.960), [0.391, 0.402, 0.199], None),
    row(("c", 0, Cold), Cpu, Some(0.255), [0.112, 0.086, 0.074], None),
    row(("a", 0, Cold), Memory, Some(22.0), [14.0, 18.0, 15.0], None),
    row(("c", 0, Cold), Requests, Some(306.0), [247.0, 185.0, 186.0], None),
    row(("c", 0, Minus), Requests, Some(70.0), [70.0, 67.0, 68.0], None),
    row(("c", 0, Warm), Requests, Some(63.0), [2.0, 1.0, 2.0], None),
];

impl Elsewhere {
    /// What a peer would take here, where skopeo takes `skopeo`. Requests and round trips do not depend on the machine.
    pub(super) fn here(&self, elsewhere: f64, skopeo: f64) -> f64 {
        match self.skopeo {
            Some(there) if self.figure != Requests => elsewhere * skopeo / there,
            _ => elsewhere,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_goes_with_skopeos_and_requests_stay() {
        let find = |figure, round_trip| {
            ELSEWHERE.iter().find(|row| row.figure == figure && row.setting.round_trip == round_trip).unwrap()
        };
        assert!((find(Wall, 0).here(0.858, 2.306) - 1.716).abs() < 1e-9);
        assert!((find(Wall, 50).here(5.17, 9.0) - 5.17).abs() < 1e-9);
        assert!((find(Requests, 0).here(247.0, 612.0) - 247.0).abs() < 1e-9);
    }
}
