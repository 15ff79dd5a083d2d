//! Referrers and their pages.

use serde_json::Value;

use super::{
    Bomb, Shop, bombs,
    server::{Fire, answer},
    shop::{INDEX, image, index, invented},
};

/// An image without layers, and where its referrers are listed.
fn listed(shop: &mut Shop) -> String {
    let config = shop.blob(b"{}");
    let found = shop.image(super::shop::IMAGE, image(&config, &[]));
    format!("referrers/{}", found["digest"].as_str().unwrap())
}

/// A page of these referrers, with the next one's address.
fn page(referrers: &[Value], next: &str) -> Fire {
    let (kind, link) = (format!("Content-Type: {INDEX}"), format!("Link: <{next}>; rel=\"next\""));
    Fire::Whole(answer("200 OK", &[&kind, &link], index(referrers).as_bytes()))
}

fn crowd(number: usize) -> Vec<Value> {
    (0..number).map(|number| invented(super::shop::IMAGE, number)).collect()
}

bombs! {
    referrers_10_000 => Bomb::at_source("10,000 referrers on one page", 1, "more than 1,000 referrers", |shop| {
        let (path, text) = (listed(shop), index(&crowd(10_000)));
        shop.at(&path, move || super::shop::served(INDEX, text.as_bytes()));
    });

    referrers_of_9_mib => Bomb::at_source("a page of referrers of 9 MiB", 1, "longer than", |shop| {
        let (path, text) = (listed(shop), index(&crowd(65_000)));
        shop.at(&path, move || super::shop::served(INDEX, text.as_bytes()));
    });

    pages_without_end => Bomb::at_source("pages of referrers without end", 1, "more than 100 pages", |shop| {
        let path = listed(shop);
        shop.with_query(&path, |query| {
            let number: usize = query.strip_prefix("n=").map_or(0, |number| number.parse().unwrap());
            page(&[], &format!("?n={}", number + 1))
        });
    });

    pages_that_repeat => Bomb::at_source("the next page is this page", 1, "lead back", |shop| {
        let path = listed(shop);
        shop.with_query(&path, |query| page(&[], &format!("?{query}")));
    });

    pages_in_a_circle => Bomb::at_source("two pages, each the other's next", 1, "lead back", |shop| {
        let path = listed(shop);
        shop.with_query(&path, |query| page(&[], if query == "n=1" { "?n=2" } else { "?n=1" }));
    });

    next_page_elsewhere => Bomb::at_source("the next page is on another server", 1, "another server", |shop| {
        let path = listed(shop);
        shop.at(&path, || page(&[], "http://127.0.0.2:1/next"));
    });

    link_of_60_kib => Bomb::at_source("a Link header of 60 KiB", 1, "no plain path", |shop| {
        let path = listed(shop);
        shop.at(&path, || page(&[], &format!("{}\", title=\"", "<".repeat(60 << 10))));
    });
}
