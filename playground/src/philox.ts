/**
 * Philox 4x64 with ten rounds, bit-equal to numpy.random.Philox.
 *
 * Source: J. Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011. BigInt is slow, so a 64-bit word is
 * two 32-bit halves, the lower one first.
 */

const ROUNDS = 10;
const HALVES = 8; // 32-bit halves per block of four words

const TWO_32 = 2 ** 32;

// The multipliers of both words, in halves, and what is added to the key after each round.
const MULTIPLIERS = [0xe14c6c93, 0xd2e7470e, 0x95121157, 0xca5a8263] as const;
const KEY_STEPS = [0x9e3779b97f4a7c15n, 0xbb67ae8584caa73bn] as const;

/**
 * The blocks that follow a counter value, 0 to 2**256 - 1: uint32 (blocks * 8).
 *
 * As in NumPy, the counter is incremented before each block. The key consists of two 64-bit words.
 */
export function philox(key: readonly [bigint, bigint], counter: bigint, blocks: number): Uint32Array {
  const keys = roundKeys(key);
  const state = Uint32Array.from({ length: HALVES }, (_, half) => lowHalf(counter >> BigInt(32 * half)));
  const output = new Uint32Array(HALVES * blocks);
  for (let block = 0; block < blocks; block++) {
    increment(state);
    encrypt(state, keys, output, HALVES * block);
  }
  return output;
}

/** The keys of all rounds: uint32 (10 * 4). */
function roundKeys(key: readonly [bigint, bigint]): Uint32Array {
  const keys = new Uint32Array(4 * ROUNDS);
  for (let round = 0; round < ROUNDS; round++) {
    const [k0, k1] = [key[0] + BigInt(round) * KEY_STEPS[0], key[1] + BigInt(round) * KEY_STEPS[1]];
    keys.set([k0, k0 >> 32n, k1, k1 >> 32n].map(lowHalf), 4 * round);
  }
  return keys;
}

function lowHalf(word: bigint): number {
  return Number(BigInt.asUintN(32, word));
}

function increment(counter: Uint32Array): void {
  for (let half = 0; half < counter.length; half++) {
    counter[half]! += 1;
    if (counter[half] !== 0) return;
  }
}

/** Encrypt a counter (8,) into output[at] to output[at + 7]. */
function encrypt(counter: Uint32Array, keys: Uint32Array, output: Uint32Array, at: number): void {
  const product = new Uint32Array(HALVES); // of words 0 and 2 with their multipliers, 128 bits each
  let [a0, a1, b0, b1] = [counter[0]!, counter[1]!, counter[2]!, counter[3]!];
  let [c0, c1, d0, d1] = [counter[4]!, counter[5]!, counter[6]!, counter[7]!];
  for (let key = 0; key < keys.length; key += 4) {
    multiply(MULTIPLIERS[0], MULTIPLIERS[1], a0, a1, product, 0);
    multiply(MULTIPLIERS[2], MULTIPLIERS[3], c0, c1, product, 4);
    a0 = (product[6]! ^ b0 ^ keys[key]!) >>> 0;
    a1 = (product[7]! ^ b1 ^ keys[key + 1]!) >>> 0;
    b0 = product[4]!;
    b1 = product[5]!;
    c0 = (product[2]! ^ d0 ^ keys[key + 2]!) >>> 0;
    c1 = (product[3]! ^ d1 ^ keys[key + 3]!) >>> 0;
    d0 = product[0]!;
    d1 = product[1]!;
  }
  output.set([a0, a1, b0, b1, c0, c1, d0, d1], at);
}

/** The product of two 64-bit words into product[at] to product[at + 3], the lowest half first. */
function multiply(x0: number, x1: number, y0: number, y1: number, product: Uint32Array, at: number): void {
  const [low01, low10] = [Math.imul(x0, y1) >>> 0, Math.imul(x1, y0) >>> 0];
  const low00 = Math.imul(x0, y0) >>> 0;
  const low11 = Math.imul(x1, y1) >>> 0;
  const middle = highHalf(x0, y0, low00) + low01 + low10;
  const upper = highHalf(x0, y1, low01) + highHalf(x1, y0, low10) + low11 + Math.floor(middle / TWO_32);
  product[at] = low00;
  product[at + 1] = middle % TWO_32;
  product[at + 2] = upper % TWO_32;
  product[at + 3] = highHalf(x1, y1, low11) + Math.floor(upper / TWO_32);
}

/**
 * The upper half of a product of two 32-bit numbers, of which the lower half is known.
 *
 * A double rounds the product by at most 2**10, and the difference too, so dividing by 2**32 is off by less than 2**-20.
 */
function highHalf(x: number, y: number, low: number): number {
  return Math.round((x * y - low) / TWO_32);
}
