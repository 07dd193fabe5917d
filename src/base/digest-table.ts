/**
 * The digests that passed the codecs last, as text beside their bytes. A digest is 32 bytes on the wire and 64 hex
 * digits in memory, and each crosses that border many times: with every message that names a block, every certificate
 * and every copy of a record. To find one here costs a tenth of spelling it out again, and gives all who hold it the
 * same string, which compares as one pointer.
 */

const DIGEST_BYTES = 32;
const DIGEST_DIGITS = 2 * DIGEST_BYTES;
/** One slot a value of the first twelve bits: 128 KiB of bytes, as much of text. */
const SLOTS = 1 << 12;

export class DigestTable {
  readonly #bytes = new Uint8Array(SLOTS * DIGEST_BYTES);
  readonly #texts = new Array<string | undefined>(SLOTS).fill(undefined);

  /** @returns the text of the 32 bytes at `offset`, where they are known */
  textAt(bytes: Uint8Array, offset: number): string | undefined {
    const slot = slotOf(bytes, offset);
    const known = this.#bytes;
    const start = slot * DIGEST_BYTES;
    for (let i = 0; i < DIGEST_BYTES; i++) if (known[start + i] !== bytes[offset + i]) return undefined;
    return this.#texts[slot];
  }

  /** @returns whether it is known, and was written at `offset` */
  copyTo(text: string, target: Uint8Array, offset: number): boolean {
    const slot = slotOfText(text);
    if (this.#texts[slot] !== text) return false;
    const known = this.#bytes;
    const start = slot * DIGEST_BYTES;
    for (let i = 0; i < DIGEST_BYTES; i++) target[offset + i] = known[start + i] as number;
    return true;
  }

  /** @param text of the 32 bytes at `offset`, in lowercase hex digits */
  keep(text: string, bytes: Uint8Array, offset: number): void {
    const slot = slotOf(bytes, offset);
    this.#texts[slot] = text;
    this.#bytes.set(bytes.subarray(offset, offset + DIGEST_BYTES), slot * DIGEST_BYTES);
  }
}

/** The bytes of a digest in hex digits, written at `offset`. @returns false where `text` is none */
export function writeDigits(text: string, target: Uint8Array, offset: number): boolean {
  if (text.length !== DIGEST_DIGITS) return false;
  for (let i = 0; i < DIGEST_BYTES; i++) {
    const byte = 16 * digitAt(text, 2 * i) + digitAt(text, 2 * i + 1);
    if (Number.isNaN(byte)) return false;
    target[offset + i] = byte;
  }
  return true;
}

function slotOf(bytes: Uint8Array, offset: number): number {
  return ((bytes[offset] as number) << 4) | ((bytes[offset + 1] as number) >> 4);
}

/** The same slot as that of its bytes; any other for what is no digest. */
function slotOfText(text: string): number {
  return ((digitAt(text, 0) << 8) | (digitAt(text, 1) << 4) | digitAt(text, 2)) & (SLOTS - 1);
}

/** @returns NaN for what is no lowercase hex digit */
function digitAt(text: string, place: number): number {
  const code = text.charCodeAt(place);
  if (code >= 48 && code <= 57) return code - 48;
  return code >= 97 && code <= 102 ? code - 87 : NaN;
}
