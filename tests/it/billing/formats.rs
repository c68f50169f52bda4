//! Whole bills in every form, as snapshots; and the command as a user runs it.

use super::script::{ndjson, play_text};
use crate::support::catalog;
use quotagate::presentation::{Detail, csv, html, table};
use quotagate::simulate::Played;

const SCENARIO: &str = "2026-01-10 create_app 1 a&b,\u{20}\"c\"
                        2026-01-10 upgrade 1 pro history=90
                        2026-01-20 usage 1 2026-01-20 dau=9000 groups=100001
                        2026-01-20 change 1 bandwidth filter
                        2026-02-20 usage 1 2026-02-20 bandwidth_mbps=12.5 dau=20001
                        2026-03-02 usage 1 2026-02-21 bandwidth_mbps=0.75 dau=30001
                        2026-04-01T00:00:00 end";

fn sample() -> Played {
    // A name with everything that a form must quote.
    let text = ndjson(&SCENARIO.replace(" a&b,\u{20}\"c\"", " NAME"));
    let text = text.replace("NAME", "a&b, \\\"c\\\" <d>");
    play_text(&text, catalog()).expect("a valid scenario")
}

/// The revision names prices; that of the bundled catalog changes with them.
fn without_revision(text: &str) -> String {
    text.replace(&catalog().revision(), "REVISION")
}

#[test]
fn bills_as_tables() {
    let shown = table(sample().books.bills(), &catalog());
    insta::assert_snapshot!(without_revision(&shown), @r#"
    a&b, "c" <d> 2026-01: 149.99 USD, pushed 2026-02-01
    ┌────────────────────────────────────────────────────────────────────────────────────────────────────────┐
    │ app   item                quantity   unit price   amount   because                                     │
    ╞════════════════════════════════════════════════════════════════════════════════════════════════════════╡
    │ 1     group_overage              1       149.99   149.99   peak 100001, 100000 free, blocks of 100000  │
    │ 1     plan                                          free   month of activation                         │
    │ 1     dau_overage                                   free   peak 9000, within the free 10000            │
    │ 1     content_filtering                             free   bought in the month of the edition's change │
    │ 1     history                                       free   bought in the month of the edition's change │
    └────────────────────────────────────────────────────────────────────────────────────────────────────────┘

    a&b, "c" <d> 2026-02: 758.58 USD, pushed 2026-03-01
    ┌────────────────────────────────────────────────────────────────────────────────────────────────────┐
    │ app   item                quantity   unit price   amount   because                                 │
    ╞════════════════════════════════════════════════════════════════════════════════════════════════════╡
    │ 1     plan                       1       149.99   149.99   Pro, calendar month                     │
    │ 1     dau_overage                2       149.99   299.98   peak 20001, 10000 free, blocks of 10000 │
    │ 1     content_filtering          1       149.99   149.99   calendar month                          │
    │ 1     history                    1       149.99   149.99   calendar month                          │
    │ 1     comment_bandwidth       12.5         0.69     8.63   Mbps, summed over the peaks of 1 day    │
    └────────────────────────────────────────────────────────────────────────────────────────────────────┘

    a&b, "c" <d> 2026-03: 150.50 USD, pushed 2026-04-01
    ┌────────────────────────────────────────────────────────────────────────────────────────────────────────────┐
    │ app   item         quantity   unit price   amount   because                                                │
    ╞════════════════════════════════════════════════════════════════════════════════════════════════════════════╡
    │ 1     adjustment          1       149.99   149.99   2026-02 dau_overage: usage that arrived late           │
    │ 1     adjustment       0.75         0.69     0.51   2026-02 comment_bandwidth: usage that arrived late     │
    │ 1     plan                                   free   suspended at the month's start, and not restored in it │
    └────────────────────────────────────────────────────────────────────────────────────────────────────────────┘

    Prices by catalog REVISION
    "#);
}

#[test]
fn bills_as_csv() {
    let shown = csv(sample().books.bills(), &catalog());
    assert!(shown.lines().count() > 5 && shown.ends_with("\r\n"));
    insta::assert_snapshot!(without_revision(&shown.replace("\r\n", "\n")), @r#"
    account,month,pushed,app,item,quantity,unit_price,amount,currency,because,catalog
    "a&b, ""c"" <d>",2026-01,2026-02-01,1,group_overage,1,149.99,149.99,USD,"peak 100001, 100000 free, blocks of 100000",REVISION
    "a&b, ""c"" <d>",2026-01,2026-02-01,1,plan,,,0.00,USD,month of activation,REVISION
    "a&b, ""c"" <d>",2026-01,2026-02-01,1,dau_overage,,,0.00,USD,"peak 9000, within the free 10000",REVISION
    "a&b, ""c"" <d>",2026-01,2026-02-01,1,content_filtering,,,0.00,USD,bought in the month of the edition's change,REVISION
    "a&b, ""c"" <d>",2026-01,2026-02-01,1,history,,,0.00,USD,bought in the month of the edition's change,REVISION
    "a&b, ""c"" <d>",2026-02,2026-03-01,1,plan,1,149.99,149.99,USD,"Pro, calendar month",REVISION
    "a&b, ""c"" <d>",2026-02,2026-03-01,1,dau_overage,2,149.99,299.98,USD,"peak 20001, 10000 free, blocks of 10000",REVISION
    "a&b, ""c"" <d>",2026-02,2026-03-01,1,content_filtering,1,149.99,149.99,USD,calendar month,REVISION
    "a&b, ""c"" <d>",2026-02,2026-03-01,1,history,1,149.99,149.99,USD,calendar month,REVISION
    "a&b, ""c"" <d>",2026-02,2026-03-01,1,comment_bandwidth,12.5,0.69,8.63,USD,"Mbps, summed over the peaks of 1 day",REVISION
    "a&b, ""c"" <d>",2026-03,2026-04-01,1,adjustment,1,149.99,149.99,USD,2026-02 dau_overage: usage that arrived late,REVISION
    "a&b, ""c"" <d>",2026-03,2026-04-01,1,adjustment,0.75,0.69,0.51,USD,2026-02 comment_bandwidth: usage that arrived late,REVISION
    "a&b, ""c"" <d>",2026-03,2026-04-01,1,plan,,,0.00,USD,"suspended at the month's start, and not restored in it",REVISION
    "#);
}

#[test]
fn bills_as_json() {
    let shown = sample().json(Detail::Full).expect("JSON");
    let shown = shown.replace("},{", "},\n{").replace(":[{", ":[\n{");
    insta::assert_snapshot!(without_revision(&shown), @r#"
    {"bills":[
    {"account":"a&b, \"c\" <d>","month":"2026-01","pushed":"2026-02-01","total":"149.99","lines":[
    {"app":1,"item":"group_overage","quantity":"1","unit_price":"149.99","amount":"149.99","because":"peak 100001, 100000 free, blocks of 100000"}],"free":[
    {"app":1,"item":"plan","because":"month of activation"},
    {"app":1,"item":"dau_overage","because":"peak 9000, within the free 10000"},
    {"app":1,"item":"content_filtering","because":"bought in the month of the edition's change"},
    {"app":1,"item":"history","because":"bought in the month of the edition's change"}],"currency":"USD","catalog":"REVISION"},
    {"account":"a&b, \"c\" <d>","month":"2026-02","pushed":"2026-03-01","total":"758.58","lines":[
    {"app":1,"item":"plan","quantity":"1","unit_price":"149.99","amount":"149.99","because":"Pro, calendar month"},
    {"app":1,"item":"dau_overage","quantity":"2","unit_price":"149.99","amount":"299.98","because":"peak 20001, 10000 free, blocks of 10000"},
    {"app":1,"item":"content_filtering","quantity":"1","unit_price":"149.99","amount":"149.99","because":"calendar month"},
    {"app":1,"item":"history","quantity":"1","unit_price":"149.99","amount":"149.99","because":"calendar month"},
    {"app":1,"item":"comment_bandwidth","quantity":"12.5","unit_price":"0.69","amount":"8.63","because":"Mbps, summed over the peaks of 1 day"}],"free":[],"currency":"USD","catalog":"REVISION"},
    {"account":"a&b, \"c\" <d>","month":"2026-03","pushed":"2026-04-01","total":"150.50","lines":[
    {"app":1,"item":"adjustment","quantity":"1","unit_price":"149.99","amount":"149.99","because":"2026-02 dau_overage: usage that arrived late"},
    {"app":1,"item":"adjustment","quantity":"0.75","unit_price":"0.69","amount":"0.51","because":"2026-02 comment_bandwidth: usage that arrived late"}],"free":[
    {"app":1,"item":"plan","because":"suspended at the month's start, and not restored in it"}],"currency":"USD","catalog":"REVISION"}],"states":[
    {"at":"2026-02-08T00:00:00+08:00","account":"a&b, \"c\" <d>","app":1,"state":"SUSPENDED"}],"refused":[]}
    "#);
}

#[test]
fn the_report_as_its_format_says() {
    let shown = sample().json(Detail::Plain).expect("JSON");
    let shown = shown.replace("},{", "},\n{").replace(":[{", ":[\n{");
    insta::assert_snapshot!(shown, @r#"
    {"bills":[
    {"account":"a&b, \"c\" <d>","month":"2026-01","pushed":"2026-02-01","total":"149.99","lines":[
    {"app":1,"item":"group_overage","quantity":"1","unit_price":"149.99","amount":"149.99"}]},
    {"account":"a&b, \"c\" <d>","month":"2026-02","pushed":"2026-03-01","total":"758.58","lines":[
    {"app":1,"item":"plan","quantity":"1","unit_price":"149.99","amount":"149.99"},
    {"app":1,"item":"dau_overage","quantity":"2","unit_price":"149.99","amount":"299.98"},
    {"app":1,"item":"content_filtering","quantity":"1","unit_price":"149.99","amount":"149.99"},
    {"app":1,"item":"history","quantity":"1","unit_price":"149.99","amount":"149.99"},
    {"app":1,"item":"comment_bandwidth","quantity":"12.5","unit_price":"0.69","amount":"8.63"}]},
    {"account":"a&b, \"c\" <d>","month":"2026-03","pushed":"2026-04-01","total":"150.50","lines":[
    {"app":1,"item":"adjustment","quantity":"1","unit_price":"149.99","amount":"149.99"},
    {"app":1,"item":"adjustment","quantity":"0.75","unit_price":"0.69","amount":"0.51"}]}],"states":[
    {"at":"2026-02-08T00:00:00+08:00","account":"a&b, \"c\" <d>","app":1,"state":"SUSPENDED"}],"refused":[]}
    "#);
}

#[test]
fn bills_as_a_page() {
    let played = sample();
    let page = html(&played.books.bills()[2..], &catalog(), "+08:00");
    let (_, body) = page.split_once("</head>").expect("a head");
    insta::assert_snapshot!(without_revision(body), @r#"
    <body>
    <main>
    <header>
    <h1>Bill <span>2026-03</span></h1>
    <dl>
    <dt>Account</dt><dd>a&amp;b, &quot;c&quot; &lt;d&gt;</dd>
    <dt>Pushed</dt><dd>2026-04-01</dd>
    <dt>Total</dt><dd class="total">150.50 USD</dd>
    </dl>
    </header>
    <table>
    <thead><tr><th>App</th><th>Item</th><th class="n">Quantity</th><th class="n">Unit price</th><th class="n">Amount</th></tr></thead>
    <tbody>
    <tr><td>1</td><td>Adjustment<small>2026-02 dau_overage: usage that arrived late</small></td><td class="n">1</td><td class="n">149.99</td><td class="n">149.99</td></tr>
    <tr><td>1</td><td>Adjustment<small>2026-02 comment_bandwidth: usage that arrived late</small></td><td class="n">0.75</td><td class="n">0.69</td><td class="n">0.51</td></tr>
    </tbody>
    <tfoot><tr><th colspan="4">Total</th><td class="n">150.50 USD</td></tr></tfoot>
    </table>
    <h2>Free of charge</h2>
    <table>
    <thead><tr><th>App</th><th>Item</th><th>Why</th></tr></thead>
    <tbody>
    <tr><td>1</td><td>Plan</td><td>suspended at the month&#39;s start, and not restored in it</td></tr>
    </tbody>
    </table>
    <footer>Calendar month 2026-03 in UTC+08:00. Every line is rounded once, half up. Prices by catalog <code>REVISION</code>.</footer>
    </main>
    </body>
    </html>
    "#);
    let all = html(played.books.bills(), &catalog(), "+08:00");
    assert_eq!(all.matches("<main>").count(), 3, "a sheet for each bill");
    for outside in ["http", "<script", "@import", "url(", "src="] {
        assert!(!all.contains(outside), "{outside}");
    }
}

#[test]
fn nothing_looks_like_nothing() {
    assert_eq!(table(&[], &catalog()), "");
    assert_eq!(csv(&[], &catalog()).lines().count(), 1);
    assert!(html(&[], &catalog(), "+08:00").contains("There is nothing to bill."));
}

/// A revision names prices: another price, another name; the same prices, the same name.
#[test]
fn the_revision_follows_the_prices() {
    let bundled = (*catalog()).clone();
    let mut other = bundled.clone();
    assert_eq!(other.revision(), bundled.revision());
    assert_eq!(other.revision().len(), 16);
    other.currency = "EUR".into();
    assert_ne!(other.revision(), bundled.revision());
}
