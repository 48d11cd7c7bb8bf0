//! `examples/clicks` against figures found with awk, and against damaged logs.

use std::fs;
use std::path::Path;

use taskflow::Result;
use tempfile::TempDir;

#[path = "../../examples/clicks/main.rs"]
mod example;

const LOG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/data/access.log.gz");

// How the figures were computed. A complete line has six quotes; `log` is
//
//   LC_ALL=C; log() { zcat examples/data/access.log.gz | awk -F'"' 'NF == 7'; }
//
// 9,999 whole lines:            log | wc -l
// the broken line is 8,899:     zcat examples/data/access.log.gz | awk -F'"' 'NF != 7 {print NR}'
// 2,747,282,505 bytes:
//     log | awk -F'"' '{split($3, s, " "); n += s[2]} END {printf "%.0f\n", n}'

/// ```sh
/// log | awk -F'"' -v idle=1800 '{split($1, a, " "); split(substr(a[4], 2), t, /[\/:]/)
///                  print a[1] "\t" $6 "\t" t[1] * 86400 + t[4] * 3600 + t[5] * 60 + t[6]}' |
///   sort -t"$(printf '\t')" -k1,1 -k2,2 -k3,3n |
///   awk -F'\t' -v idle=1800 '
///     {v = $1 FS $2; if (v != p) u++
///      if (v != p || $3 - l > idle) {n++; if (c == 1) one++; c = 0; s = $3}
///      c++; if ($3 - s > d) d = $3 - s; if (c > m) m = c; p = v; l = $3}
///     END {if (c == 1) one++; print u, n, one, d, m}'
/// ```
/// with `idle` of 30 and of 90 minutes: visitors, sessions, those of one request, longest (s), most
/// requests.
const SESSIONS: [(u32, [i64; 5]); 2] = [(30, [1861, 3223, 1774, 59, 108]), (90, [1861, 2608, 1411, 298_836, 364])];

/// ```sh
/// log | awk -F'"' '$2 ~ /^GET / && $3 ~ /^ (200|304) / {split($2, r, " "); sub(/[?#].*/, "", r[2]); print r[2]}' |
///   grep -E '/[^/.]*$|\.(html|xhtml|php)$' | sort | uniq -c | sort -k1,1nr -k2 | head
/// ```
const PAGES: [(&str, u32); 10] = [
    ("/", 572),
    ("/blog/tags/puppet", 489),
    ("/projects/xdotool/", 219),
    ("/projects/xdotool/xdotool.xhtml", 153),
    ("/articles/dynamic-dns-with-dhcp/", 135),
    ("/blog/geekery/ssl-latency.html", 77),
    ("/blog/geekery/disabling-battery-in-ubuntu-vms.html", 60),
    ("/blog/tags/firefox", 60),
    ("/articles/ssh-security/", 55),
    ("/blog/geekery/solving-good-or-bad-problems.html", 51),
];

/// ```sh
/// log | awk -F'"' '{print $4}' | sed -n 's#^[a-z]*://\([^/?:]*\).*#\1#p' |
///   grep -v -E '^(www\.)?semicomplete\.com$' | sort | uniq -c | sort -k1,1nr -k2 | head
/// ```
const REFERRERS: [(&str, u32); 10] = [
    ("www.google.com", 228),
    ("www.google.fr", 46),
    ("www.google.co.uk", 37),
    ("stackoverflow.com", 34),
    ("www.google.de", 31),
    ("s-chassis.co.nz", 29),
    ("www.google.es", 29),
    ("logstash.net", 28),
    ("www.google.co.in", 25),
    ("www.s-chassis.co.nz", 22),
];

/// ```sh
/// log | awk -F'"' '{split($1, t, ":"); split($3, s, " "); n[t[2] + 0, s[1]]++}
///   END {split("200 206 301 304 403 404 416 500", q, " ")
///        for (h = 0; h < 24; h++) {printf "%4d ", h; for (i = 1; i <= 8; i++) printf "%6d", n[h, q[i]]; print ""}}'
/// ```
const HOURS: &str = "
hour    200   206   301   304   403   404   416   500
   0    333     0    12    10     0     6     0     0
   1    313     4     0    33     0    10     0     0
   2    347     0     2     6     0    10     0     0
   3    338     2     4     3     0     6     0     1
   4    331     0     4    11     0     9     0     0
   5    342     0     7     7     0    15     0     0
   6    329     3     0    20     0    12     2     0
   7    336     0     5     9     0     7     0     0
   8    273     0     1    69     0     2     0     0
   9    257     0     0    89     0    18     0     0
  10    418     0     4     9     1    11     0     0
  11    442     0     2     4     1    10     0     0
  12    417     0    29     8     0     7     0     0
  13    403     0    20    40     0    12     0     0
  14    445     1    34     7     0    10     0     1
  15    466    16     4     4     0     5     0     1
  16    453     0     4     8     0     8     0     0
  17    442     0     2    28     0    12     0     0
  18    445     3     5    16     0     9     0     0
  19    454    16     6     7     0    10     0     0
  20    475     0     4     3     0     4     0     0
  21    431     0     5     9     0     8     0     0
  22    298     0     3    37     0     8     0     0
  23    337     0     7     8     0     4     0     0";

#[tokio::test]
async fn the_report_matches_awk() -> Result<()> {
    let dir = TempDir::new()?;
    let bad = dir.path().join("bad.tsv");
    for (idle_min, [visitors, sessions, single, longest, busiest]) in SESSIONS {
        let report = run(Path::new(LOG), idle_min, &bad).await?;
        for line in [
            "9999 requests, 2747 MB, bad lines: 1".to_owned(),
            format!("{visitors} visitors in {sessions} sessions, {single} of a single request"),
            format!("the longest session: {longest} s, the busiest: {busiest} requests"),
        ] {
            assert!(report.lines().any(|l| l == line), "{line}\nis not in\n{report}");
        }
        assert_eq!(section(&report, "top pages"), PAGES);
        assert_eq!(section(&report, "referrers"), REFERRERS);
        assert!(report.contains(HOURS), "{report}");
    }

    let quarantined = fs::read_to_string(&bad)?;
    assert!(quarantined.starts_with("8899\tuser agent: no closing quote\t46.118.127.106 - - "), "{quarantined}");
    assert_eq!(quarantined.lines().count(), 1);
    Ok(())
}

#[tokio::test]
async fn invalid_lines_are_quarantined_and_nothing_is_lost() -> Result<()> {
    const GOOD: &str = r##"::1 - jo [29/Feb/2016:23:59:59 +0900] "GET /a%20b?q=\"x\"#top HTTP/2" 200 - "-" "curl \\""##;
    let lines: [(&[u8], &str); 12] = [
        (GOOD.as_bytes(), ""),
        (b"", "address: missing"),
        (b"half a li", "user: missing"),
        (br#"1.2.3.4 - - [30/Feb/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 1 "-" "-""#, "time: "),
        (br#"1.2.3.4 - - [17/May/2015:10:05:03] "GET / HTTP/1.1" 200 1 "-" "-""#, "time: "),
        (br#"1.2.3.4 - - [17/May/2015:10:05:03 +0000] "-" 408 - "-" "-""#, "request: "),
        (br#"1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" OK 1 "-" "-""#, "status: "),
        (br#"1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 -1 "-" "-""#, "bytes: "),
        (br#"1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 1 "-""#, "user agent: missing"),
        (
            br#"1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 1 "-" "a\""#,
            "user agent: no closing quote",
        ),
        (br#"1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 1 "-" "-" 17"#, "after the user agent:  17"),
        (b"1.2.3.4 - - [17/May/2015:10:05:03 +0000] \"GET /\xff HTTP/1.1\" 200 1 \"-\" \"-\"", "not UTF-8"),
    ];
    let dir = TempDir::new()?;
    let log = dir.path().join("access.log");
    fs::write(&log, lines.map(|(line, _)| line).join(&b'\n'))?;
    let bad = dir.path().join("quarantine/bad.tsv");
    let report = run(&log, 30, &bad).await?;

    assert!(report.contains("1 requests, 0 MB, bad lines: 11\n"), "{report}");
    assert_eq!(section(&report, "top pages"), [("/a%20b", 1)]);
    assert!(report.contains("\n  14      1\n"), "23:59 in Tokyo is 14:59 in UTC: {report}");
    let quarantined = fs::read_to_string(&bad)?;
    assert_eq!(quarantined.lines().count(), 11);
    let bad_lines = (1..).zip(lines).filter(|(_, (_, reason))| !reason.is_empty());
    for (found, (number, (line, reason))) in quarantined.lines().zip(bad_lines) {
        let columns: Vec<&str> = found.splitn(3, '\t').collect();
        assert_eq!(columns[0], number.to_string());
        assert!(columns[1].contains(reason), "{found}");
        assert_eq!(columns[2], String::from_utf8_lossy(line));
    }
    Ok(())
}

#[tokio::test]
async fn a_visit_is_one_address_and_user_agent_without_a_long_pause() -> Result<()> {
    let line = |ip, time, agent| format!(r#"{ip} - - [17/May/2015:{time} +0000] "GET / HTTP/1.1" 200 1 "-" "{agent}""#);
    // Out of order, as servers write them; 10:00:00 to 10:30:00 is exactly half an hour.
    let lines = [
        line("1.1.1.1", "10:30:00", "a"),
        line("1.1.1.1", "10:00:00", "a"),
        line("1.1.1.1", "11:00:01", "a"),
        line("1.1.1.1", "10:00:00", "b"),
        line("2.2.2.2", "10:00:00", "b"),
    ];
    let dir = TempDir::new()?;
    let log = dir.path().join("access.log");
    fs::write(&log, lines.join("\n"))?;
    let report = run(&log, 30, &dir.path().join("bad.tsv")).await?;
    assert!(report.contains("3 visitors in 4 sessions, 3 of a single request\n"), "{report}");
    assert!(report.contains("the longest session: 1800 s, the busiest: 2 requests\n"), "{report}");
    Ok(())
}

async fn run(log: &Path, idle_min: u32, bad_lines: &Path) -> Result<String> {
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let run = example::clicks::run(text(log), idle_min, 10, "semicomplete.com".to_owned(), text(bad_lines)).await?;
    Ok(run.into_result()?.as_str().to_owned())
}

/// What was counted in a section of the report.
fn section<'a>(report: &'a str, title: &str) -> Vec<(&'a str, u32)> {
    let lines = report.lines().skip_while(|line| *line != title).skip(1).take_while(|line| !line.is_empty());
    let mut words = lines.map(str::split_whitespace);
    std::iter::from_fn(|| words.next().and_then(|mut words| Some((words.next()?, words.next()?.parse().ok()?))))
        .collect()
}
