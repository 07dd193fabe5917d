/** What can happen to bytes without a look at what they mean. All functions here are pure. */
import { concatBytes } from '../../src/base/bytes.ts';

/** One change, as plain numbers: fast-check makes and shrinks them; what they come to depends on what they are given. */
export interface Change {
  /** Which of the kinds of change. */
  readonly kind: number;
  /** Where. */
  readonly at: number;
  /** How much, or to what. */
  readonly by: number;
}

export interface MutationInput {
  readonly bytes: Uint8Array;
  /** Another valid encoding of the same decoder. */
  readonly other: Uint8Array;
  /** The largest encoding that the decoder takes. */
  readonly maxBytes: number;
}

type ByteMutation = (input: MutationInput, change: Change) => Uint8Array;

/** Decoders that take megabytes are shown larger input than this seldom: most of the time would go into copying it. */
const OFTEN_BYTES = 64 << 10;

export const byteMutations: Readonly<Record<string, ByteMutation>> = {
  'flip a bit': ({ bytes }, { at, by }) => replaced(bytes, at, (byte) => byte ^ (1 << (by % 8))),
  'set a byte': ({ bytes }, { at, by }) => replaced(bytes, at, () => by & 0xff),
  'insert a byte': ({ bytes }, { at, by }) => spliced(bytes, at % (bytes.length + 1), 0, Uint8Array.of(by & 0xff)),
  'delete bytes': ({ bytes }, { at, by }) => spliced(bytes, at % (bytes.length + 1), 1 + (by % 8)),
  'cut off': ({ bytes }, { at }) => bytes.slice(0, at % (bytes.length + 1)),
  'repeat a part': ({ bytes }, { at, by }) => {
    const start = at % (bytes.length + 1);
    return spliced(bytes, start, 0, bytes.subarray(start, start + 1 + (by % 64)));
  },
  'splice two encodings': ({ bytes, other }, { at, by }) =>
    concatBytes(bytes.subarray(0, at % (bytes.length + 1)), other.subarray(by % (other.length + 1))),
  'append an encoding': ({ bytes, other }) => concatBytes(bytes, other),
  'pad to a boundary': ({ bytes, maxBytes }, { at, by }) => {
    const largest = by % 16 === 0 ? maxBytes : Math.min(maxBytes, OFTEN_BYTES);
    const lengths = [0, 1, 31, 32, 33, 127, 128, 255, 256, 65_535, 65_536, largest - 1, largest, largest + 1];
    const padded = new Uint8Array(lengths[at % lengths.length] as number).fill(by & 0xff);
    padded.set(bytes.subarray(0, padded.length));
    return padded;
  },
  'something else': (_, { at, by }) => Uint8Array.from({ length: at % 64 }, (_byte, i) => (by * (i + 7)) >>> (i % 8)),
};

function replaced(bytes: Uint8Array, at: number, by: (byte: number) => number): Uint8Array {
  const copy = bytes.slice();
  if (copy.length > 0) copy[at % copy.length] = by(copy[at % copy.length] as number);
  return copy;
}

export function spliced(
  bytes: Uint8Array,
  start: number,
  remove: number,
  insert: Uint8Array = new Uint8Array(0),
): Uint8Array {
  return concatBytes(bytes.subarray(0, start), insert, bytes.subarray(start + remove));
}
