/** JSON from strangers: bounded in depth, and no key twice, where `JSON.parse` would keep the last and say nothing. */
import { textFromUtf8 } from '../base/bytes.ts';
import { ok, refuse, type Result } from '../base/result.ts';

/** Refusals: `undecodable` (not UTF-8, not JSON), `too-deep`, `duplicate-key`. */
export function parseJson(bytes: Uint8Array, maxDepth: number): Result<unknown> {
  let text: string;
  try {
    text = textFromUtf8(bytes);
  } catch {
    return refuse('undecodable', 'the bytes are not UTF-8', { bytes: bytes.length });
  }
  const { depth, members } = scan(text);
  // Before parsing, as the parser recurses.
  if (depth > maxDepth) return refuse('too-deep', 'the JSON is nested too deeply', { depth, maxDepth });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return refuse('undecodable', 'the bytes are not JSON', { bytes: bytes.length });
  }
  // Every member of the text has its colon; a key that was given twice is one member less in the value.
  const kept = countMembers(value);
  if (kept !== members) return refuse('duplicate-key', 'a key is given twice', { members, kept });
  return ok(value);
}

/** The deepest nesting, and the number of colons outside strings, which in valid JSON is the number of members. */
function scan(text: string): { readonly depth: number; readonly members: number } {
  let depth = 0;
  let deepest = 0;
  let members = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const char = text[i];
    if (inString) {
      if (char === '\\') i++;
      else if (char === '"') inString = false;
    } else if (char === '"') inString = true;
    else if (char === ':') members++;
    else if (char === '{' || char === '[') deepest = Math.max(deepest, ++depth);
    else if (char === '}' || char === ']') depth--;
  }
  return { depth: deepest, members };
}

function countMembers(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  const values: readonly unknown[] = Object.values(value);
  const own = Array.isArray(value) ? 0 : values.length;
  return values.reduce((sum: number, child) => sum + countMembers(child), own);
}
