//! Traces as they are read, and what gets over an uplink when.

use proptest::prelude::*;
use simulator::{Columns, Cut, Trace, TraceError, TraceFormat};

fn parse(text: &str, format: &TraceFormat) -> Result<Trace, TraceError> {
    Trace::parse("test", text, format)
}

#[test]
fn formats_are_told_by_the_file_name() {
    assert_eq!(TraceFormat::of("lte.up"), TraceFormat::Mahimahi);
    assert_eq!(TraceFormat::of("wifi.txt"), TraceFormat::MbitPerSecond);
    assert_eq!(TraceFormat::of("site.csv"), TraceFormat::Csv(Columns::default()));
}

#[test]
fn the_mean_speed_of_each_format_is_right() {
    let mahimahi = parse("0\n1\n1\n2\n999\n", &TraceFormat::Mahimahi).unwrap();
    // five packets of 1500 bytes in a second
    assert!((mahimahi.mean_mbit_s() - 0.06).abs() < 1e-9);
    let steps = parse("# two seconds\n8\n\n16\n", &TraceFormat::MbitPerSecond).unwrap();
    assert!((steps.mean_mbit_s() - 12.0).abs() < 1e-9);
    assert!((steps.mbit_s(500_000, 1_500_000) - 12.0).abs() < 1e-9);
    assert!((steps.mbit_s(3_000_000, 4_000_000) - 16.0).abs() < 1e-9, "it begins anew");
    let csv = "time_s,site,mbit_s\n10,a,8\n11.5,a,0\n12,a,16\n";
    let csv = parse(csv, &TraceFormat::Csv(Columns::default())).unwrap();
    // 1.5 s of 8, half a second of nothing, and half a second of 16, as the last row holds as long
    // as the one before
    assert_eq!(csv.period(), 2_500_000);
    assert!((csv.mean_mbit_s() - (1.5 * 8.0 + 0.5 * 16.0) / 2.5).abs() < 1e-9);
    let named = Columns { time_s: "t".into(), mbit_s: "up".into() };
    assert!(
        (parse("\"t\", \"up\"\n0, 3\n", &TraceFormat::Csv(named)).unwrap().mean_mbit_s() - 3.0)
            .abs()
            < 1e-9
    );
}

#[test]
fn what_is_wrong_is_named_with_its_line() {
    let csv = TraceFormat::Csv(Columns::default());
    let cases = [
        ("1\n2\nx\n", &TraceFormat::Mahimahi, "line 3: 'x' is not a whole number of milliseconds"),
        ("5\n\n4\n", &TraceFormat::Mahimahi, "line 3: 4 ms comes after a later time"),
        (
            "1.5\n-1\n",
            &TraceFormat::MbitPerSecond,
            "line 2: '-1' is not a speed in Mbit/s from 0 to 1,000,000",
        ),
        (
            "NaN\n",
            &TraceFormat::MbitPerSecond,
            "line 1: 'NaN' is not a speed in Mbit/s from 0 to 1,000,000",
        ),
        ("time_s,rate\n", &csv, "line 1: there is no column 'mbit_s' among time_s, rate"),
        ("time_s,mbit_s\n1,2\n1,2\n", &csv, "line 3: 1 s is not later than the row before"),
        ("time_s,mbit_s\n1\n", &csv, "line 2: it has 1 columns, the header 2"),
        ("time_s,mbit_s\nnow,2\n", &csv, "line 2: 'now' is not a time in seconds"),
        ("", &TraceFormat::Mahimahi, "this trace never carries anything"),
        ("0\n0\n", &TraceFormat::MbitPerSecond, "this trace never carries anything"),
        ("", &csv, "this trace never carries anything"),
    ];
    for (text, format, message) in cases {
        assert_eq!(parse(text, format).unwrap_err().to_string(), message);
    }
}

#[test]
fn cuts_are_read_and_written() {
    let cut: Cut = "300s+60s".parse().unwrap();
    assert_eq!((cut.from_s, cut.for_s, cut.to_string()), (300.0, 60.0, "300s+60s".to_owned()));
    assert_eq!("1.5+2".parse::<Cut>().unwrap(), Cut { from_s: 1.5, for_s: 2.0 });
    for wrong in ["", "300s", "300s+", "-1s+3s", "1s+0s", "a+b", "1s+inf"] {
        assert!(wrong.parse::<Cut>().unwrap_err().to_string().contains("300s+60s"), "{wrong}");
    }
}

proptest! {
    #[test]
    fn cuts_survive_as_text(from_s in 0.0..1e6f64, for_s in 0.001..1e6f64) {
        let cut = Cut { from_s, for_s };
        prop_assert_eq!(cut.to_string().parse::<Cut>().unwrap(), cut);
    }
}
