//! The motion of a person at one sample, and the sampling rate.

/// Sampling rate in Hz.
pub(crate) const SAMPLING_RATE: f64 = 50.0;
/// Sampling period in seconds.
pub(crate) const DT: f64 = 1.0 / SAMPLING_RATE;

/// Motion of thigh and trunk at one sample.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Motion {
    /// Acceleration of the hip in g, without gravity: forward, left and up.
    pub(crate) acceleration: [f64; 3],
    /// Angle of the thigh in rad, forward from hanging down: 0 in standing, about pi / 2 in sitting.
    pub(crate) flexion: f64,
    /// Rate of the flexion in rad/s.
    pub(crate) flexion_rate: f64,
    /// Angular acceleration of the flexion in rad/s^2.
    pub(crate) flexion_acceleration: f64,
    /// Lean of the thigh to the left in rad.
    pub(crate) lean: f64,
}
