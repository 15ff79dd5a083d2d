use jiff::SignedDuration;
use policy::{Decision, Permit, Step};

use crate::fixtures::{evaluate, facts, now, parameters, request};

fn permit() -> Permit {
    match evaluate(&parameters(), &request(), &facts()) {
        Decision::Allowed(permit) => permit,
        Decision::Denied(denial) => panic!("{:?}", denial.violations()),
    }
}

#[test]
fn it_names_what_was_asked() {
    let permit = permit();
    assert_eq!(*permit.request(), request());
    assert_eq!(permit.request().step, Step::Change);
    assert_eq!(permit.verdicts().len(), 6);
}

#[test]
fn it_is_valid_for_five_minutes_from_its_evaluation() {
    let permit = permit();
    let nanosecond = SignedDuration::from_nanos(1);
    assert_eq!(permit.expires(), now() + SignedDuration::from_mins(5));
    assert!(permit.valid(now()));
    assert!(permit.valid(permit.expires() - nanosecond));
    assert!(!permit.valid(permit.expires()));
    assert!(!permit.valid(now() - nanosecond), "a clock that was turned back");
}

#[test]
fn at_the_end_of_time_it_still_has_an_expiry() {
    let decision = policy::RuleSet::safety(&parameters()).evaluate(request(), &facts(), jiff::Timestamp::MAX);
    match decision {
        Decision::Allowed(permit) => assert_eq!(permit.expires(), jiff::Timestamp::MAX),
        Decision::Denied(denial) => panic!("{:?}", denial.violations()),
    }
}
