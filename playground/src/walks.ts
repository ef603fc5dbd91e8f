/** Interpolation between latents. */

const PARALLEL = 1e-6; // sine of an angle below which interpolation is linear

/**
 * Interpolate from latents `a` to `b`, (D,) each, along an arc: (D,), exact at both ends, t is 0 to 1.
 *
 * Latents from a normal distribution have nearly the same norm, which an arc preserves. If an end is zero, or both are
 * parallel, interpolation is linear (K. Shoemake, "Animating Rotation with Quaternion Curves", SIGGRAPH 1985, 3.3).
 */
export function spherical(a: Float32Array, b: Float32Array, t: number): Float32Array {
  const lengths = Math.sqrt(dot(a, a)) * Math.sqrt(dot(b, b));
  const cosine = lengths > 0 ? dot(a, b) / lengths : 1;
  const angle = Math.acos(Math.min(1, Math.max(-1, cosine)));
  const sine = Math.sin(angle);
  const arc = lengths > 0 && sine > PARALLEL;
  const before = arc ? Math.sin((1 - t) * angle) / sine : 1 - t;
  const after = arc ? Math.sin(t * angle) / sine : t;
  return a.map((value, k) => before * value + after * b[k]!);
}

function dot(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, k) => sum + value * b[k]!, 0);
}
