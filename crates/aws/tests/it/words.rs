//! The words' grammars.

use aws::{AccountId, Region, RoleArn};

#[test]
fn words_are_printed_as_they_were_read() {
    assert_eq!("012345678901".parse::<AccountId>().unwrap().to_string(), "012345678901");
    for region in ["ap-southeast-2", "us-east-1", "us-gov-west-1", "cn-northwest-1", "us-iso-east-1", "me-central-12"] {
        assert_eq!(region.parse::<Region>().unwrap().to_string(), region);
    }
    for role in [
        "arn:aws:iam::123456789012:role/ConveyorDeployRole-prod-wealth",
        "arn:aws:iam::123456789012:role/teams/release/Deploy",
        "arn:aws-cn:iam::123456789012:role/a+b=c,d.e@f-g_h",
        "arn:aws-us-gov:iam::123456789012:role/x",
    ] {
        let read: RoleArn = role.parse().unwrap();
        assert_eq!(read.to_string(), role);
        assert_eq!(read.account().as_str(), "123456789012");
    }
}

#[test]
fn what_is_no_word_is_refused() {
    for account in [
        "",
        "12345678901",
        "1234567890123",
        "12345678901a",
        "１２３４５６７８９０１２",
        " 123456789012",
        "123456789012\n",
    ] {
        assert!(account.parse::<AccountId>().is_err(), "{account}");
    }
    for region in [
        "",
        "us",
        "us-east",
        "us-east-",
        "us-east-1a",
        "us-east-123",
        "US-EAST-1",
        "us--1",
        "-east-1",
        "us-1",
        "us_east_1",
        "us-east-1.evil.example",
        "us-east-1/",
        "us-east-1 ",
        "us-east-1#",
        "a-b@c-1",
        "aaaaaaaaaaaaaaaaaaaa-bbbbbbbbbbbbbb-1",
    ] {
        assert!(region.parse::<Region>().is_err(), "{region}");
    }
    for role in [
        "",
        "arn:aws:iam::123456789012:role/",
        "arn:aws:iam::123456789012:role//x",
        "arn:aws:iam::123456789012:role/x/",
        "arn:aws:iam::123456789012:user/x",
        "arn:aws:iam::12345678901:role/x",
        "arn:aws:iam:us-east-1:123456789012:role/x",
        "arn:aws-evil:iam::123456789012:role/x",
        "arn:aws:sts::123456789012:assumed-role/x/y",
        "arn:aws:iam::123456789012:role/x y",
        "arn:aws:iam::123456789012:role/x\u{1b}[31m",
        "arn:aws:iam::123456789012:role/##vso[task]",
    ] {
        assert!(role.parse::<RoleArn>().is_err(), "{role}");
    }
    let long = format!("arn:aws:iam::123456789012:role/{}", "x".repeat(65));
    assert!(long.parse::<RoleArn>().is_err());
}

#[test]
fn a_region_tells_its_partition() {
    for (region, partition) in [("ap-southeast-2", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-east-1", "aws-us-gov")] {
        assert_eq!(region.parse::<Region>().unwrap().partition(), partition);
    }
}
