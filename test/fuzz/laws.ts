/** What must hold of every decoder for every input. */
import { readFileSync } from 'node:fs';
import { equalBytes, toHex } from '../../src/base/bytes.ts';
import type { Refusal } from '../../src/base/result.ts';
import type { Decoder, Verdict } from './decoder.ts';

/** Codes that docs/errors.md has a row for. */
const documented: ReadonlySet<string> = new Set(
  readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8').match(/(?<=^\| `)[^`]+/gm),
);

/** What a decoded value may weigh, for each byte of the input: a hash is twice as long as text, an event is held as JSON too. */
const MAX_WEIGHT_PER_BYTE = 16;
const MAX_OWN_WEIGHT = 16 << 10;
/** Characters of a refusal. */
const MAX_REFUSAL_WEIGHT = 1024;
/** Memory outside of the heap that one input may cost, beyond some copies of itself. */
const MAX_BUFFERS = 16 << 20;

const pristine = prototypes();

export class LawBroken extends Error {
  constructor(law: string, bytes: Uint8Array, detail = '') {
    const shown = bytes.length > 400 ? `${toHex(bytes.subarray(0, 400))}... (${bytes.length} bytes)` : toHex(bytes);
    super(`${law}${detail === '' ? '' : `: ${detail}`}\ninput: ${shown}`);
  }
}

export function checkCode(code: string, bytes: Uint8Array): void {
  if (!documented.has(code)) throw new LawBroken('a refusal has a code that docs/errors.md lists', bytes, code);
}

/**
 * Decodes once.
 *
 * @param known for decoders that are one to one without an encoder: what had which value before
 * @throws LawBroken, or what the decoder threw
 */
export function checkLaws(decoder: Decoder, bytes: Uint8Array, known: Map<string, string>): Verdict['kind'] {
  const before = bytes.slice();
  const buffersBefore = process.memoryUsage().arrayBuffers;
  const verdict = decoder.judge(bytes);
  const buffers = process.memoryUsage().arrayBuffers - buffersBefore;
  if (buffers > MAX_BUFFERS + 4 * bytes.length) {
    throw new LawBroken('an input costs memory in proportion to its length', bytes, `${buffers} bytes`);
  }
  if (!equalBytes(before, bytes)) throw new LawBroken('the input is not changed', before);
  if (prototypes() !== pristine) throw new LawBroken('no prototype is changed', bytes);
  if (verdict.kind === 'refused') checkRefusal(decoder, bytes, verdict.refusal);
  else checkAccepted(decoder, bytes, verdict, known);
  return verdict.kind;
}

/** It is logged, and told to whoever sent the input. */
function checkRefusal({ isBounded }: Decoder, bytes: Uint8Array, { code, details, message }: Refusal): void {
  checkCode(code, bytes);
  const weight = message.length + weigh(details);
  // A file's owner may be told more of it.
  if (weight > MAX_REFUSAL_WEIGHT + (isBounded ? 0 : 4 * bytes.length)) {
    throw new LawBroken('a refusal is short', bytes, `weight ${weight}`);
  }
}

function checkAccepted(
  { isBounded, isOneToOne, maxBytes }: Decoder,
  bytes: Uint8Array,
  { again, value }: Extract<Verdict, { kind: 'accepted' }>,
  known: Map<string, string>,
): void {
  if (isBounded && bytes.length > maxBytes) throw new LawBroken('an input above the bound is refused', bytes);
  if (again !== null && !equalBytes(again, bytes)) {
    throw new LawBroken('what is accepted is the one encoding of its value', bytes, toHex(again.subarray(0, 400)));
  }
  const weight = weigh(value);
  if (weight > MAX_WEIGHT_PER_BYTE * bytes.length + MAX_OWN_WEIGHT) {
    throw new LawBroken('a value is in proportion to its encoding', bytes, `weight ${weight}`);
  }
  if (!isOneToOne) return;
  const [name, own] = [describe(value), toHex(bytes)];
  const other = known.get(name) ?? own;
  if (other !== own) throw new LawBroken('no two inputs have one value', bytes, other);
  known.set(name, own);
}

/** Own properties of what everything inherits from. */
function prototypes(): string {
  return [Object, Array, Uint8Array, Function, Map, String]
    .map(({ prototype }) => Object.getOwnPropertyNames(prototype).length)
    .join(' ');
}

/** Bytes, characters and items, as often as they are met. */
function weigh(value: unknown): number {
  if (typeof value === 'string') return value.length;
  if (ArrayBuffer.isView(value)) return value.byteLength;
  if (typeof value !== 'object' || value === null) return 1;
  return Object.values(value).reduce((sum: number, member) => sum + weigh(member), 1);
}

function describe(value: unknown): string {
  return JSON.stringify(value, (_key, member: unknown) => {
    if (typeof member === 'bigint') return `${member}n`;
    return member instanceof Uint8Array ? toHex(member) : member;
  });
}
