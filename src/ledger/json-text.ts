/**
 * JSON from outside: bounded in depth, and without duplicate keys, of which `JSON.parse` silently keeps the last while
 * other programs keep the first, so that two readers of one text would see two events.
 */
import { textFromUtf8 } from '../base/bytes.ts';
import { ok, refuse, type Refused, type Result } from '../base/result.ts';

/** Refusals: `too-large`, `undecodable`, `duplicate-key`, `too-deep`. */
export function parseJson(
  bytes: Uint8Array,
  limits: { readonly maxBytes: number; readonly maxDepth: number },
): Result<unknown> {
  if (bytes.length > limits.maxBytes) {
    return refuse('too-large', 'the text is larger than allowed', { bytes: bytes.length, maxBytes: limits.maxBytes });
  }
  let text: string;
  let value: unknown;
  try {
    text = textFromUtf8(bytes);
    value = JSON.parse(text);
  } catch {
    return refuse('undecodable', 'the bytes do not decode', { reason: 'not JSON in UTF-8' });
  }
  return scan(text, limits.maxDepth) ?? ok(value);
}

/**
 * Whether a text is RFC 8785 JSON: names sorted by their UTF-16 units, strings well-formed, and all else as
 * `JSON.stringify` writes it (RFC 8785, sections 3.2.2 and 3.2.3). A third of the cost of writing it anew to compare.
 *
 * @param value what `JSON.parse` makes of the text, in bounded depth. It keeps the order of names, unless they are
 *   numbers, which may be refused here for no reason; of duplicate names it keeps one, so that the texts differ.
 */
export function isCanonicalJson(text: string, value: unknown): boolean {
  return isInOrder(value) && JSON.stringify(value) === text;
}

function isInOrder(value: unknown): boolean {
  if (typeof value === 'string') return value.isWellFormed();
  if (typeof value !== 'object' || value === null) return true;
  if (Array.isArray(value)) return value.every(isInOrder);
  let before: string | undefined;
  for (const name of Object.keys(value)) {
    if ((before !== undefined && before >= name) || !name.isWellFormed()) return false;
    if (!isInOrder((value as Readonly<Record<string, unknown>>)[name])) return false;
    before = name;
  }
  return true;
}

/** A string literal, or one of the marks that the structure is made of. */
const TOKENS = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\]:]/g;

/** @param text valid JSON: `JSON.parse` has seen it, so only its structure is followed here */
function scan(text: string, maxDepth: number): Refused | undefined {
  const open: (Set<string> | null)[] = []; // the keys of each open object; null for an array
  let literal = '';
  for (const [token] of text.matchAll(TOKENS)) {
    if (token === '{' || token === '[') {
      if (open.push(token === '{' ? new Set() : null) > maxDepth) {
        return refuse('too-deep', 'the JSON is nested too deeply', { maxDepth });
      }
    } else if (token === '}' || token === ']') {
      open.pop();
    } else if (token === ':') {
      const key = JSON.parse(literal) as string; // "a" and "\u0061" are one key
      const keys = open.at(-1);
      if (keys?.has(key) === true)
        return refuse('duplicate-key', 'an object names a key twice', { key: key.slice(0, 64) });
      keys?.add(key);
    } else {
      literal = token;
    }
  }
  return undefined;
}
