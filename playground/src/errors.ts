/** An error for users: its message is one clear sentence. */
export class DigitsError extends Error {
  override readonly name = "DigitsError";
}

/** A value for a message, shortened. */
export function shown(value: unknown): string {
  const text = typeof value === "string" ? JSON.stringify(value) : String(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

/** A whole number from low to high. Throws DigitsError. */
export function wholeNumber(name: string, value: number, low: number, high: number): number {
  if (Number.isInteger(value) && value >= low && value <= high) return value;
  throw new DigitsError(`${name}: expected a whole number from ${low} to ${high}, got ${shown(value)}`);
}

/** A number from low to high. Throws DigitsError, for NaN too. */
export function realNumber(name: string, value: number, low: number, high: number): number {
  if (typeof value === "number" && value >= low && value <= high) return value;
  throw new DigitsError(`${name}: expected a number from ${low} to ${high}, got ${shown(value)}`);
}
