/**
 * Which MessagePack may be decoded at all: nested arrays of numbers, booleans, null, text and bytes, no deeper than any
 * format needs, that end where the bytes end.
 *
 * msgpackr's decoder knows more, and has no option that takes all of it out: an extension by which six bytes stand for
 * a value that was given before, so that 1 MiB becomes gigabytes when it is encoded again to be compared; one that reads
 * the same text over and over. So bytes from outside are walked through first, without making anything of them.
 */

/** Twice what the messages of consensus need. */
const MAX_DEPTH = 12;

const REFUSED = -1;

/** @returns what is wrong, or undefined; the work is linear in the number of bytes, whatever lengths they claim */
export function whyNotPlain(bytes: Uint8Array): string | undefined {
  /** How many values each open array still lacks; the innermost is `lacking`. */
  const outer: number[] = [];
  let lacking = 1;
  let position = 0;
  for (;;) {
    while (lacking === 0) {
      const next = outer.pop();
      if (next === undefined) return position === bytes.length ? undefined : 'more than one value';
      lacking = next;
    }
    lacking--;
    const token = bytes[position++];
    if (token === undefined) return 'cut off';
    const width = lengthWidth(token);
    if (width > bytes.length - position) return 'cut off';
    const length = width === 0 ? ownLength(token) : bigEndian(bytes, position, width);
    if (length === REFUSED) return 'a map or an extension';
    position += width;
    // An item of an array is a byte or more.
    if (length > bytes.length - position) return 'cut off';
    if (isArray(token)) {
      if (outer.length === MAX_DEPTH) return 'nested too deeply';
      outer.push(lacking);
      lacking = length;
    } else {
      position += length;
    }
  }
}

function isArray(token: number): boolean {
  return (token & 0xf0) === 0x90 || token === 0xdc || token === 0xdd;
}

/** How many bytes after the token say how long the value is: of bytes, text and arrays that are not tiny. */
function lengthWidth(token: number): number {
  switch (token) {
    case 0xc4:
    case 0xd9:
      return 1;
    case 0xc5:
    case 0xda:
    case 0xdc:
      return 2;
    case 0xc6:
    case 0xdb:
    case 0xdd:
      return 4;
    default:
      return 0;
  }
}

/** Of the others: bytes after the token, or items of a short array. */
function ownLength(token: number): number {
  if (token < 0x80 || token >= 0xe0) return 0;
  if (token < 0x90) return REFUSED;
  if (token < 0xa0) return token & 0x0f;
  if (token < 0xc0) return token & 0x1f;
  switch (token) {
    case 0xc0:
    case 0xc2:
    case 0xc3:
      return 0;
    case 0xcc:
    case 0xd0:
      return 1;
    case 0xcd:
    case 0xd1:
      return 2;
    case 0xca:
    case 0xce:
    case 0xd2:
      return 4;
    case 0xcb:
    case 0xcf:
    case 0xd3:
      return 8;
    default:
      return REFUSED;
  }
}

function bigEndian(bytes: Uint8Array, position: number, width: number): number {
  let value = 0;
  for (let i = 0; i < width; i++) value = value * 256 + (bytes[position + i] as number);
  return value;
}
