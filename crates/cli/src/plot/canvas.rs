//! Draws a chart on pixels or as SVG. No fonts of the system are needed: the one for labels on
//! pictures is part of the program.

use super::chart::{Axis, Chart, Kind, Mark, Series};
use anyhow::{Context, anyhow};
use plotters::coord::Shift;
use plotters::coord::ranged1d::{AsRangedCoord, Ranged, ValueFormatter};
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontStyle, TextStyle, register_font};
use std::path::Path;
use std::sync::LazyLock;

const WIDTH: u32 = 1200;
const HEIGHT: u32 = 640;
/// Pixels at the right that the legend has.
const LEGEND: u32 = 210;
const FONT: &str = "sans-serif";

/// Whether the font could be used.
static REGISTERED: LazyLock<bool> = LazyLock::new(|| {
    [FontStyle::Normal, FontStyle::Bold]
        .into_iter()
        .all(|style| register_font(FONT, style, annotate::FONT).is_ok())
});

pub(super) fn svg(chart: &Chart, path: &Path) -> anyhow::Result<()> {
    let mut text = String::new();
    draw(chart, SVGBackend::with_string(&mut text, (WIDTH, HEIGHT)).into_drawing_area())?;
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

pub(super) fn png(chart: &Chart, path: &Path) -> anyhow::Result<()> {
    let mut pixels = vec![0; (WIDTH * HEIGHT * 3) as usize];
    draw(chart, BitMapBackend::with_buffer(&mut pixels, (WIDTH, HEIGHT)).into_drawing_area())?;
    let file =
        std::fs::File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
    let mut encoder = png::Encoder::new(std::io::BufWriter::new(file), WIDTH, HEIGHT);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder
        .write_header()?
        .write_image_data(&pixels)
        .with_context(|| format!("cannot write {}", path.display()))
}

/// The backends' errors borrow from what is drawn on; only their text is of use.
fn failed(error: impl std::fmt::Display) -> anyhow::Error {
    anyhow!("cannot draw: {error}")
}

fn draw<DB: DrawingBackend>(chart: &Chart, area: DrawingArea<DB, Shift>) -> anyhow::Result<()> {
    anyhow::ensure!(*REGISTERED, "the built-in font cannot be read");
    area.fill(&WHITE).map_err(failed)?;
    let (left, right) = area.split_horizontally(WIDTH - LEGEND);
    let linear = |axis: &Axis| -> RangedCoordf64 { axis.range.clone().into() };
    match (chart.x.logarithmic, chart.y.logarithmic) {
        (false, false) => plot(chart, &left, linear(&chart.x), linear(&chart.y)),
        (true, false) => plot(chart, &left, chart.x.range.clone().log_scale(), linear(&chart.y)),
        (false, true) => plot(chart, &left, linear(&chart.x), chart.y.range.clone().log_scale()),
        (true, true) => {
            plot(chart, &left, chart.x.range.clone().log_scale(), chart.y.range.clone().log_scale())
        }
    }?;
    legend(chart, &right)?;
    area.present().map_err(failed)
}

fn plot<DB, X, Y>(
    chart: &Chart,
    area: &DrawingArea<DB, Shift>,
    x: impl AsRangedCoord<CoordDescType = X, Value = f64>,
    y: impl AsRangedCoord<CoordDescType = Y, Value = f64>,
) -> anyhow::Result<()>
where
    DB: DrawingBackend,
    X: Ranged<ValueType = f64> + ValueFormatter<f64>,
    Y: Ranged<ValueType = f64> + ValueFormatter<f64>,
{
    let mut context = ChartBuilder::on(area)
        .caption(&chart.title, (FONT, 21))
        .margin(14)
        .x_label_area_size(52)
        .y_label_area_size(76)
        .build_cartesian_2d(x, y)
        .map_err(failed)?;
    let (low, high) = (chart.y.range.start, chart.y.range.end);
    for (from, until) in chart.spans.iter().flat_map(|(_, spans)| spans) {
        let corners = [(*from, low), (until.min(chart.x.range.end), high)];
        context.draw_series([Rectangle::new(corners, SPAN.filled())]).map_err(failed)?;
    }
    context
        .configure_mesh()
        .x_desc(&chart.x.name)
        .y_desc(&chart.y.name)
        .axis_desc_style((FONT, 16))
        .label_style((FONT, 14))
        .light_line_style(WHITE.mix(0.0))
        .bold_line_style(RGBColor(225, 225, 225))
        .x_labels(12)
        .y_labels(if chart.y.logarithmic { 20 } else { 10 })
        .x_label_formatter(&|value| tick(*value))
        .y_label_formatter(&|value| tick(*value))
        .draw()
        .map_err(failed)?;
    if let Some((_, mark)) = &chart.mark {
        let ends = match *mark {
            Mark::X(x) => [(x, low), (x, high)],
            Mark::Y(y) => [(chart.x.range.start, y), (chart.x.range.end, y)],
        };
        context
            .draw_series(DashedLineSeries::new(ends, 7, 5, MARK.stroke_width(2)))
            .map_err(failed)?;
    }
    // the first series lies on top
    for Series { points, colour, kind, .. } in chart.series.iter().rev() {
        match kind {
            Kind::Line => context
                .draw_series(LineSeries::new(points.iter().copied(), colour.stroke_width(2)))
                .map(drop),
            Kind::Dots => context
                .draw_series(points.iter().map(|point| Circle::new(*point, 7, colour.filled())))
                .map(drop),
            Kind::Bars => context
                .draw_series(points.iter().map(|(x, y)| {
                    Rectangle::new([(x - 0.5, low), (x + 0.5, *y)], colour.mix(0.7).filled())
                }))
                .map(drop),
        }
        .map_err(failed)?;
    }
    Ok(())
}

const SPAN: RGBColor = RGBColor(243, 240, 225);
const MARK: RGBColor = RGBColor(200, 30, 30);

fn legend<DB: DrawingBackend>(chart: &Chart, area: &DrawingArea<DB, Shift>) -> anyhow::Result<()> {
    let mut y = 70;
    let style = TextStyle::from((FONT, 15)).pos(Pos::new(HPos::Left, VPos::Center));
    let name = |text: &str, y: i32| {
        area.draw(&Text::new(text.to_owned(), (40, y), style.clone())).map_err(failed)
    };
    for series in &chart.series {
        match series.kind {
            Kind::Line => area
                .draw(&PathElement::new([(6, y), (32, y)], series.colour.stroke_width(3)))
                .map_err(failed)?,
            Kind::Dots => {
                area.draw(&Circle::new((19, y), 7, series.colour.filled())).map_err(failed)?
            }
            Kind::Bars => area
                .draw(&Rectangle::new([(6, y - 7), (32, y + 7)], series.colour.mix(0.7).filled()))
                .map_err(failed)?,
        }
        name(&series.name, y)?;
        y += 26;
    }
    if let Some((text, _)) = &chart.mark {
        for x in [6, 16, 26] {
            area.draw(&PathElement::new([(x, y), (x + 6, y)], MARK.stroke_width(2)))
                .map_err(failed)?;
        }
        name(text, y)?;
        y += 26;
    }
    if let Some((text, _)) = &chart.spans {
        area.draw(&Rectangle::new([(6, y - 8), (32, y + 8)], SPAN.filled())).map_err(failed)?;
        name(text, y)?;
    }
    Ok(())
}

/// As few digits as tell the ticks apart.
fn tick(value: f64) -> String {
    let text = match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.5}"),
    };
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_short() {
        assert_eq!([0.0, 0.05, 2.5, 10.0, 1234.0].map(tick), ["0", "0.05", "2.5", "10", "1234"]);
    }
}
