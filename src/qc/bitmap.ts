/**
 * The signers of a certificate: validator indexes in rising order in memory, a bitmap on the wire.
 *
 * Bit i, counted from the least significant bit of the first byte, is validator i of the epoch's sorted set. The
 * bitmap ends with the byte that holds its last signer, so a set of signers has one encoding that does not depend on
 * the size of the validator set: a longer bitmap re-encodes shorter and is refused as non-canonical.
 */
import { bytes, mapped, type Shape } from '../base/codec.ts';
import { misspelt } from '../base/messagepack-reader.ts';
import { ok, refuse, type Result } from '../base/result.ts';

/** An upper bound on validators, which bounds the size of bitmaps and the work of refusing a certificate. */
export const MAX_VALIDATORS = 128;

/** Validator indexes, each once, in rising order. */
export type Signers = readonly number[];

export function bitmapOf(signers: Signers): Uint8Array {
  const last = signers.at(-1);
  const bitmap = new Uint8Array(last === undefined ? 0 : (last >>> 3) + 1);
  for (const signer of signers) bitmap[signer >>> 3] = (bitmap[signer >>> 3] as number) | (1 << (signer & 7));
  return bitmap;
}

export function signersOf(bitmap: Uint8Array): Signers {
  const signers: number[] = [];
  for (let index = 0; index < 8 * bitmap.length; index++) {
    if (((bitmap[index >>> 3] as number) >>> (index & 7)) & 1) signers.push(index);
  }
  return signers;
}

const bitmapBytes = bytes(MAX_VALIDATORS / 8);

export const signersShape: Shape<Signers> = mapped(bitmapBytes, bitmapOf, (bitmap) =>
  bitmap.at(-1) === 0 ? misspelt('a bitmap longer than its last signer needs') : signersOf(bitmap),
);

/**
 * Signers of a set of `n`: in rising order without duplicates, each a member, at least `quorum`.
 * Refusals: `signers-unordered`, `signer-unknown`, `quorum-missing`.
 */
export function checkSigners(signers: Signers, n: number, quorum: number): Result<void> {
  let previous = -1;
  for (const signer of signers) {
    if (!(signer > previous)) {
      return refuse('signers-unordered', 'signers are listed once, in rising order', { signer, previous });
    }
    previous = signer;
  }
  if (previous >= n) return refuse('signer-unknown', 'a signer is not in the validator set', { signer: previous, n });
  if (signers.length < quorum) {
    return refuse('quorum-missing', 'too few validators signed', { signers: signers.length, quorum, n });
  }
  return ok(undefined);
}
