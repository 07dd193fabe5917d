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
