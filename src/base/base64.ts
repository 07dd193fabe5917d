/** Base64 with padding (RFC 4648, section 4). One text for one value: anything else is refused. */
import { base64pad } from 'multiformats/bases/base64';

export function toBase64(bytes: Uint8Array): string {
  return base64pad.baseEncode(bytes);
}

/** @returns undefined unless the text is the canonical encoding of some bytes, padding and unused bits included */
export function fromBase64(text: string): Uint8Array | undefined {
  let bytes: Uint8Array;
  try {
    bytes = base64pad.baseDecode(text);
  } catch {
    return undefined;
  }
  return toBase64(bytes) === text ? bytes : undefined;
}
