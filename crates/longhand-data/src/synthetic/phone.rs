//! The phone in the pocket: converts the motion of the thigh to sensor readings.

use super::draws::Draws;
use super::motion::Motion;

/// Standard gravity in m/s^2.
const G: f64 = 9.806_65;
/// The sensor measures from `-RANGE` to `RANGE`, in g.
const RANGE: f64 = 8.0;
/// Quantisation steps per g: 12 bits over the whole range.
const STEPS_PER_G: f64 = 4_096.0 / (2.0 * RANGE);
/// Standard deviation of the sensor's white noise in g.
const NOISE: f64 = 0.008;

/// A phone and its position in the pocket.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Phone {
    /// Rotation of the phone relative to the thigh in rad: about its long side, its screen's normal and its short side.
    pub(crate) angles: [f64; 3],
    /// Distance of the pocket from the hip joint in m.
    pub(crate) hip_distance: f64,
    /// Offset of each axis in g.
    pub(crate) offset: [f64; 3],
    /// Gain of each axis.
    pub(crate) gain: [f64; 3],
}

impl Phone {
    /// Returns a function that maps a motion to the three readings in g.
    pub(crate) fn sensor(self) -> impl Fn(&Motion, &mut Draws) -> [f32; 3] {
        let [long, normal, short] = self.angles;
        let thigh_to_phone = product(rotation(2, normal), product(rotation(1, long), rotation(0, short)));
        move |motion, draws| {
            let force = apply(thigh_to_phone, self.specific_force_at_thigh(motion));
            std::array::from_fn(|axis| {
                let reading = self.gain[axis] * force[axis] + self.offset[axis] + draws.normal(0.0, NOISE);
                let steps = (reading * STEPS_PER_G).round();
                (steps.clamp(-RANGE * STEPS_PER_G, RANGE * STEPS_PER_G - 1.0) / STEPS_PER_G) as f32
            })
        }
    }

    /// Specific force in g along the axes of the thigh: left, up along the bone, and forward.
    fn specific_force_at_thigh(&self, motion: &Motion) -> [f64; 3] {
        let [forward, left, up] = motion.acceleration;
        let up = up + 1.0;
        // The lean rotates left and up; then the flexion rotates up and forward.
        let (lean_sine, lean_cosine) = libm::sincos(motion.lean);
        let (left, up) = (lean_cosine * left + lean_sine * up, lean_cosine * up - lean_sine * left);
        let (sine, cosine) = libm::sincos(motion.flexion);
        let (along, front) = (cosine * up - sine * forward, sine * up + cosine * forward);
        // The pocket moves on a circle around the hip: centripetal and tangential acceleration.
        let inwards = self.hip_distance * motion.flexion_rate * motion.flexion_rate / G;
        let tangential = self.hip_distance * motion.flexion_acceleration / G;
        [left, along + inwards, front + tangential]
    }
}

/// Rotation matrix about axis 0, 1 or 2, for an angle in rad.
fn rotation(axis: usize, angle: f64) -> [[f64; 3]; 3] {
    let (sine, cosine) = libm::sincos(angle);
    let (next, last) = ((axis + 1) % 3, (axis + 2) % 3);
    let mut matrix = [[0.0; 3]; 3];
    matrix[axis][axis] = 1.0;
    matrix[next][next] = cosine;
    matrix[last][last] = cosine;
    matrix[next][last] = -sine;
    matrix[last][next] = sine;
    matrix
}

fn product(a: [[f64; 3]; 3], b: [[f64; 3]; 3]) -> [[f64; 3]; 3] {
    let column = |j: usize| apply(a, [b[0][j], b[1][j], b[2][j]]);
    let columns = [column(0), column(1), column(2)];
    std::array::from_fn(|i| std::array::from_fn(|j| columns[j][i]))
}

fn apply(matrix: [[f64; 3]; 3], vector: [f64; 3]) -> [f64; 3] {
    matrix.map(|row| row[0] * vector[0] + row[1] * vector[1] + row[2] * vector[2])
}
