//! Figures of a study, as SVG and as PNG.
//!
//! Every figure has a [`Caption`] with a title and optional lines, for example about the data. All figures are legible
//! in greyscale: curves differ in dashes and markers as well as in colour, and the colours of cells darken
//! monotonically. The PNG is rendered with built-in fonts, so it looks the same on machines without fonts. The SVG uses
//! the fonts of the viewer and references no other files.

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

/// Pixels of the PNG per unit of the SVG.
const PNG_SCALE: f32 = 2.0;

/// The text around a figure: a title above it, an optional line below the title, and optional footnotes below the
/// figure.
///
/// ```
/// use longhand_report::figure::Caption;
///
/// let caption = Caption::new("Training loss by learning rate")
///     .subtitle("part b; synthetic data")
///     .footnote("LR: learning rate; N: hidden units; B: window, in steps")
///     .footnote("Training loss: mean over the epoch.");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caption {
    title: String,
    subtitle: Option<String>,
    footnotes: Vec<String>,
}

impl Caption {
    /// Creates a caption with a title only.
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), subtitle: None, footnotes: Vec::new() }
    }

    /// Adds a line below the title, such as the source of the data.
    #[must_use]
    pub fn subtitle(self, subtitle: impl Into<String>) -> Self {
        Self { subtitle: Some(subtitle.into()), ..self }
    }

    /// Adds a paragraph below the figure, such as the meaning of abbreviations. Each call adds a paragraph of its own.
    #[must_use]
    pub fn footnote(mut self, footnote: impl Into<String>) -> Self {
        self.footnotes.push(footnote.into());
        self
    }
}

/// A finished figure.
#[derive(Debug)]
pub struct Figure {
    elements: Elements,
    size: (f64, f64),
}

impl Figure {
    /// Width and height in units of the SVG: pixels at 96 per inch.
    pub fn size(&self) -> (f64, f64) {
        self.size
    }

    /// Returns the figure as an SVG document that references no other files.
    pub fn to_svg(&self) -> String {
        self.elements.document(self.size, SVG_FONTS)
    }

    /// Renders the figure as a PNG file, with two pixels per unit of the SVG.
    ///
    /// # Errors
    ///
    /// If the figure cannot be rendered.
    pub fn to_png(&self) -> Result<Vec<u8>, ReportError> {
        let render = |cause: String| ReportError::Render { cause };
        let options = Options { font_family: FONT.to_owned(), fontdb: Arc::clone(&FONTS), ..Options::default() };
        let tree = Tree::from_str(&self.to_svg(), &options).map_err(|error| render(error.to_string()))?;
        let size = tree
            .size()
            .to_int_size()
            .scale_by(PNG_SCALE)
            .ok_or_else(|| render("its size is out of range".to_owned()))?;
        encode_png(&tree, size.width(), size.height()).map_err(|error| render(error.to_string()))
    }
}

/// Rows of pixels rendered at a time.
const BAND: u32 = 256;

/// Renders a PNG file in bands of rows. Rendering all rows at once would dominate the memory of a whole run.
fn encode_png(tree: &Tree, width: u32, height: u32) -> Result<Vec<u8>, png::EncodingError> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header()?;
    let mut stream = writer.stream_writer()?;
    for top in (0..height).step_by(BAND as usize) {
        let band = Pixmap::new(width, BAND.min(height - top));
        let mut band = band.ok_or_else(|| std::io::Error::other("a band of rows has an invalid size"))?;
        let transform = Transform::from_scale(PNG_SCALE, PNG_SCALE).post_translate(0.0, -(top as f32));
        resvg::render(tree, transform, &mut band.as_mut());
        for pixel in band.pixels() {
            let colour = pixel.demultiply();
            stream.write_all(&[colour.red(), colour.green(), colour.blue(), colour.alpha()])?;
        }
    }
    stream.finish()?;
    writer.finish()?;
    Ok(file)
}

/// Font families of the SVG, starting with that of the PNG.
const SVG_FONTS: &str = "DejaVu Sans, Verdana, Liberation Sans, Arial, sans-serif";

/// Family name of the built-in font.
const FONT: &str = "DejaVu Sans";

/// The built-in font, regular and bold. System fonts are not loaded, so that the PNG is the same on all machines.
static FONTS: LazyLock<Arc<fontdb::Database>> = LazyLock::new(|| {
    let mut fonts = fontdb::Database::new();
    fonts.load_font_data(dejavu::sans::regular().to_vec());
    fonts.load_font_data(dejavu::sans::bold().to_vec());
    fonts.set_sans_serif_family(FONT);
    Arc::new(fonts)
});
