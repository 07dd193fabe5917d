/** Pages of byte strings, as a running node serves its ledger to other processes of its user: each after its length. */
import { codedError } from '../base/result.ts';

const LENGTH_BYTES = 4;

export function pageOf(parts: readonly Uint8Array[]): Buffer {
  const page = Buffer.allocUnsafe(parts.reduce((sum, { length }) => sum + LENGTH_BYTES + length, 0));
  let at = 0;
  for (const part of parts) {
    at = page.writeUInt32BE(part.length, at);
    page.set(part, at);
    at += part.length;
  }
  return page;
}

/** Views of the page. @throws CodedError `control-failed`: it was cut off */
export function partsOf(page: Buffer): readonly Uint8Array[] {
  const parts: Uint8Array[] = [];
  for (let at = 0; at < page.length;) {
    const from = at + LENGTH_BYTES;
    const end = from <= page.length ? from + page.readUInt32BE(at) : Infinity;
    if (end > page.length) {
      throw codedError('control-failed', 'a page of the node ends in the middle', { bytes: page.length });
    }
    parts.push(new Uint8Array(page.buffer, page.byteOffset + from, end - from));
    at = end;
  }
  return parts;
}
