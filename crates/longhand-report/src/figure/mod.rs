//! Figures of a study, as SVG and as PNG.
//!
//! Every figure has a [`Caption`]: its title, and lines that say what data it was made from. All of them read in
//! grey: curves differ by dashes and markers and not by colour alone, and the colours of cells darken steadily.
//! The PNG is drawn with fonts that are built in, so it looks the same on a machine without any; the SVG refers
//! to the fonts of whoever opens it and to nothing else.

mod confusion_grid;
mod loss_curves;
mod page;
mod score_comparison;
mod style;
mod svg;
mod ticks;

use std::io::Write;
use std::sync::{Arc, LazyLock};

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree, fontdb};

use crate::ReportError;
use svg::Elements;

pub use confusion_grid::{ConfusionPair, confusion_grid, confusion_matrix, confusion_pairs};
pub use loss_curves::{LossAxes, LossCurve, LossPanel, loss_curves};
pub use score_comparison::{ScoreAxis, ScoreRow, score_comparison};

/// Pixels of the PNG for each unit of the SVG.
const PNG_SCALE: f32 = 2.0;

/// What stands around a figure: a title above, and optionally lines below the title and below the figure.
///
/// ```
/// use longhand_report::figure::Caption;
///
/// let caption = Caption::new("Training loss by learning rate")
///     .subtitle("part b; synthetic data")
///     .footnote("LR: learning rate; N: hidden units; B: window, in steps");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caption {
    title: String,
    subtitle: Option<String>,
    footnote: Option<String>,
}

impl Caption {
    /// A title alone.
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), subtitle: None, footnote: None }
    }

    /// Adds a line below the title, such as what data the figure is from.
    #[must_use]
    pub fn subtitle(self, subtitle: impl Into<String>) -> Self {
        Self { subtitle: Some(subtitle.into()), ..self }
    }

    /// Adds a line below the figure, such as what its abbreviations mean.
    #[must_use]
    pub fn footnote(self, footnote: impl Into<String>) -> Self {
        Self { footnote: Some(footnote.into()), ..self }
    }
}

/// A drawn figure.
#[derive(Debug)]
pub struct Figure {
    elements: Elements,
    size: (f64, f64),
}

impl Figure {
    /// Width and height in units of the SVG, which are pixels at 96 to the inch.
    pub fn size(&self) -> (f64, f64) {
        self.size
    }

    /// The figure as an SVG document that needs no other file.
    pub fn to_svg(&self) -> String {
        self.elements.document(self.size, FONTS_OF_SVG)
    }

    /// The figure as a PNG file, two pixels for each unit of the SVG.
    ///
    /// # Errors
    ///
    /// If the picture cannot be rendered.
    pub fn to_png(&self) -> Result<Vec<u8>, ReportError> {
        let render = |cause: String| ReportError::Render { cause };
        let options = Options { font_family: FONT.to_owned(), fontdb: Arc::clone(&FONTS), ..Options::default() };
        let tree = Tree::from_str(&self.to_svg(), &options).map_err(|error| render(error.to_string()))?;
        let size = tree.size().to_int_size().scale_by(PNG_SCALE).ok_or_else(|| render("it has no size".to_owned()))?;
        png(&tree, size.width(), size.height()).map_err(|error| render(error.to_string()))
    }
}

/// Rows of pixels that are drawn at a time.
const BAND: u32 = 256;

/// The picture as a PNG file, a band of rows after the other: all pixels at once would be the largest thing that a run
/// ever holds.
fn png(tree: &Tree, width: u32, height: u32) -> Result<Vec<u8>, png::EncodingError> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header()?;
    let mut stream = writer.stream_writer()?;
    for top in (0..height).step_by(BAND as usize) {
        let band = Pixmap::new(width, BAND.min(height - top));
        let mut band = band.ok_or_else(|| std::io::Error::other("a band of it has no size"))?;
        let place = Transform::from_scale(PNG_SCALE, PNG_SCALE).post_translate(0.0, -(top as f32));
        resvg::render(tree, place, &mut band.as_mut());
        for pixel in band.pixels() {
            let colour = pixel.demultiply();
            stream.write_all(&[colour.red(), colour.green(), colour.blue(), colour.alpha()])?;
        }
    }
    stream.finish()?;
    writer.finish()?;
    Ok(file)
}

/// The fonts that the SVG asks for, first the one of the PNG.
const FONTS_OF_SVG: &str = "DejaVu Sans, Verdana, Liberation Sans, Arial, sans-serif";

/// The name of the built-in font.
const FONT: &str = "DejaVu Sans";

/// The built-in font in its two weights, and no font of the system, so that all machines draw the same.
static FONTS: LazyLock<Arc<fontdb::Database>> = LazyLock::new(|| {
    let mut fonts = fontdb::Database::new();
    fonts.load_font_data(dejavu::sans::regular().to_vec());
    fonts.load_font_data(dejavu::sans::bold().to_vec());
    fonts.set_sans_serif_family(FONT);
    Arc::new(fonts)
});
