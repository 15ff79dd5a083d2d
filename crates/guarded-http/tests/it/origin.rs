use std::time::Duration;

use guarded_http::{Client, Credentials, HttpError, Limits, Origin};
use proptest::prelude::*;
use tokio::time::Instant;
use url::Url;

/// Scheme, host and port as they are meant, beside the text for them.
fn meant() -> impl Strategy<Value = ((String, String, u16), String)> {
    let host = prop_oneof![
        "([a-z][a-z0-9]{0,8}(-[a-z0-9]{1,4})?\\.){0,3}[a-z]{1,8}".prop_map(|host| host),
        any::<[u8; 4]>().prop_map(|quad| std::net::Ipv4Addr::from(quad).to_string()),
    ];
    let scheme = prop_oneof![Just("http"), Just("https")];
    (scheme, host, proptest::option::of(1..u16::MAX), any::<bool>(), any::<bool>()).prop_map(
        |(scheme, host, port, upper, slash)| {
            let written = if upper { host.to_uppercase() } else { host.clone() };
            let suffix = port.map(|port| format!(":{port}")).unwrap_or_default();
            let text = format!("{scheme}://{written}{suffix}{}", if slash { "/" } else { "" });
            let default = if scheme == "http" { 80 } else { 443 };
            ((scheme.to_owned(), host, port.unwrap_or(default)), text)
        },
    )
}

proptest! {
    #[test]
    fn parsed_and_displayed_is_the_same(((scheme, host, port), text) in meant()) {
        // Hosts whose name ends in a number are addresses to the URL standard, and not in question here.
        prop_assume!(Url::parse(&text).is_ok());
        let origin: Origin = text.parse().unwrap();
        prop_assert_eq!(origin.to_string().parse::<Origin>().unwrap(), origin.clone());
        prop_assert_eq!(&origin, &Origin::of(&Url::parse(&text).unwrap()).unwrap());
        prop_assert_eq!(format!("{scheme}://{host}:{port}").parse::<Origin>().unwrap(), origin);
    }

    #[test]
    fn two_are_equal_when_all_three_parts_are((one, first) in meant(), (two, second) in meant()) {
        let origins = (first.parse::<Origin>().unwrap(), second.parse::<Origin>().unwrap());
        prop_assert_eq!(one == two, origins.0 == origins.1);
    }

    #[test]
    fn no_text_makes_it_panic(text in ".*") {
        let _ = text.parse::<Origin>();
        let _ = format!("https://{text}").parse::<Origin>();
    }
}

#[test]
fn loopback_is_an_address_or_one_name() {
    for yes in ["127.0.0.1", "127.255.0.9:5000", "[::1]", "[::1]:5000", "localhost", "LOCALHOST:80"] {
        let origin: Origin = format!("http://{yes}").parse().unwrap();
        assert!(origin.is_loopback(), "{yes}");
        assert_eq!(Origin::for_registry(&yes.parse().unwrap()), origin);
    }
    let lookalikes = [
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "localhost.",
        "localhost.localdomain",
        "local",
        "foo.local",
        "xlocalhost",
        "localhost-1",
        "0.0.0.0",
        "128.0.0.1",
        "10.0.0.1",
        "169.254.169.254",
        "[::]",
        "[::2]",
        "[::ffff:127.0.0.1]",
        "[2001:db8::1]",
        "[fe80::1]",
        "127-0-0-1.example",
        "loopback",
        "ip6-localhost",
    ];
    for no in lookalikes {
        let url = Url::parse(&format!("http://{no}/")).unwrap();
        let origin = Origin::of(&url).unwrap();
        assert!(!origin.is_loopback(), "{no}");
        let refused = Client::new(origin, &Credentials::Anonymous, limits());
        assert!(matches!(refused, Err(HttpError::PlainHttp { .. })), "{no}");
    }
}

#[test]
fn what_only_resolvers_read_as_loopback_is_no_origin() {
    let numbers =
        ["127.1", "2130706433", "0x7f.1", "0177.0.0.1", "0x7f000001", "127.0.0.1.", "１２７.0.0.1", "127。0。0。1"];
    let others = [
        "",
        "a b",
        "exa\tmple",
        "[::0001]",
        "[::1%25lo]",
        "%6cocalhost",
        "ⓛocalhost",
        "user@localhost",
        "h:0x50",
        "h:99999",
    ];
    for text in numbers.into_iter().chain(others) {
        assert!(format!("http://{text}").parse::<Origin>().is_err(), "{text}");
    }
    for text in [
        "https:///h",
        "https:h",
        "//h",
        "h",
        "ftp://h",
        "file:///h",
        "https://h/x",
        "https://h?q",
        "https://h#f",
        "https:\\\\h",
    ] {
        assert!(text.parse::<Origin>().is_err(), "{text}");
    }
}

#[test]
fn registries_elsewhere_are_spoken_to_over_https() {
    for (registry, origin) in [
        ("registry.example", "https://registry.example"),
        ("registry.example:80", "https://registry.example:80"),
        ("127.0.0.1.evil.example:5000", "https://127.0.0.1.evil.example:5000"),
        ("10.0.0.1", "https://10.0.0.1"),
        ("[2001:0db8:0::1]:5000", "https://[2001:db8::1]:5000"),
        ("[0:0:0:0:0:0:0:1]", "http://[::1]"),
        ("[::ffff:127.0.0.1]", "https://[::ffff:7f00:1]"),
    ] {
        let found = Origin::for_registry(&registry.parse().unwrap());
        assert_eq!(found.to_string(), origin);
        assert_eq!(found, Origin::of(&Url::parse(origin).unwrap()).unwrap());
    }
}

pub(crate) fn limits() -> Limits {
    Limits {
        connect: Duration::from_secs(5),
        stall: Duration::from_secs(5),
        deadline: Instant::now() + Duration::from_secs(20),
    }
}

#[test]
fn a_port_of_this_machine_is_what_its_text_says() {
    for port in [80, 5000] {
        let origin = Origin::loopback(port);
        assert!(origin.is_loopback());
        assert_eq!(origin.to_string().parse(), Ok(origin));
    }
}
