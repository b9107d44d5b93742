//! One chart as SVG. Written by hand: axes, lines and a legend need no library.
//!
//! It has no background and takes its colours so that it can be read on light and on dark pages.

use std::fmt::Write;

use super::axis::Axis;
use crate::figures::report::grouped;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 360.0;
const LEFT: f64 = 84.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 64.0;
const BOTTOM: f64 = 56.0;
/// Okabe and Ito: told apart by the colour-blind as well.
const COLOURS: &[&str] = &["#0072b2", "#d55e00", "#009e73", "#cc79a7"];

/// Lines over one scale.
#[derive(Debug)]
pub(super) struct Chart {
    pub(super) title: &'static str,
    pub(super) x: &'static str,
    pub(super) y: &'static str,
    pub(super) lines: Vec<Line>,
}

/// A line: where, and the least, the middle and the most there.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) name: &'static str,
    pub(super) points: Vec<(f64, [f64; 3])>,
}

impl Chart {
    pub(super) fn svg(&self) -> String {
        let points = || self.lines.iter().flat_map(|line| &line.points);
        let x = Axis::to(points().map(|(at, _)| *at).fold(0.0, f64::max));
        let y = Axis::to(points().map(|(_, [.., most])| *most).fold(0.0, f64::max));
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
             font-family=\"system-ui, sans-serif\" font-size=\"13\" fill=\"#808080\">\n\
             <title>{0}</title>\n<text x=\"{LEFT}\" y=\"22\" font-size=\"16\">{0}</text>\n",
            self.title
        );
        self.axes(&mut svg, &x, &y);
        let mut legend = LEFT;
        for (line, colour) in self.lines.iter().zip(COLOURS.iter().cycle()) {
            draw(&mut svg, line, colour, &x, &y);
            let _ = writeln!(
                svg,
                "<rect x=\"{legend:.0}\" y=\"36\" width=\"14\" height=\"4\" fill=\"{colour}\"/>\
                 <text x=\"{:.0}\" y=\"43\">{}</text>",
                legend + 20.0,
                line.name
            );
            // A letter is about seven wide; there is no font here to ask.
            legend += 44.0 + 7.0 * line.name.chars().count() as f64;
        }
        svg += "</svg>\n";
        svg
    }

    fn axes(&self, svg: &mut String, x: &Axis, y: &Axis) {
        let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
        for tick in y.ticks() {
            let at = down(y, tick);
            let _ = writeln!(
                svg,
                "<line x1=\"{LEFT}\" y1=\"{at:.1}\" x2=\"{right}\" y2=\"{at:.1}\" \
                 stroke=\"#808080\" stroke-opacity=\"0.3\"/>\
                 <text x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                LEFT - 8.0,
                at + 4.0,
                grouped(tick)
            );
        }
        for tick in x.ticks() {
            let _ = writeln!(
                svg,
                "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
                across(x, tick),
                bottom + 20.0,
                grouped(tick)
            );
        }
        let _ = writeln!(
            svg,
            "<text x=\"{:.0}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            f64::midpoint(LEFT, right),
            HEIGHT - 12.0,
            self.x
        );
        let middle = f64::midpoint(TOP, bottom);
        let _ = writeln!(
            svg,
            "<text x=\"16\" y=\"{middle:.0}\" text-anchor=\"middle\" \
             transform=\"rotate(-90 16 {middle:.0})\">{}</text>",
            self.y
        );
    }
}

/// The middles as a line, and from the least to the most a stroke at each place.
fn draw(svg: &mut String, line: &Line, colour: &str, x: &Axis, y: &Axis) {
    let mut path = String::new();
    for (at, [least, middle, most]) in &line.points {
        let (left, top) = (across(x, *at), down(y, *middle));
        let _ = write!(path, "{left:.1},{top:.1} ");
        let _ = writeln!(
            svg,
            "<line x1=\"{left:.1}\" y1=\"{:.1}\" x2=\"{left:.1}\" y2=\"{:.1}\" \
             stroke=\"{colour}\" stroke-opacity=\"0.5\"/>\
             <circle cx=\"{left:.1}\" cy=\"{top:.1}\" r=\"3.5\" fill=\"{colour}\"/>",
            down(y, *least),
            down(y, *most)
        );
    }
    let _ = writeln!(
        svg,
        "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
        path.trim_end()
    );
}

fn across(axis: &Axis, value: f64) -> f64 {
    LEFT + axis.share(value) * (WIDTH - LEFT - RIGHT)
}

fn down(axis: &Axis, value: f64) -> f64 {
    HEIGHT - BOTTOM - axis.share(value) * (HEIGHT - TOP - BOTTOM)
}
