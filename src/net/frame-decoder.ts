/** Length-prefixed frames out of chunks of any size: four bytes of length, big-endian, then that many bytes. */
import { assert } from '../base/assert.ts';
import { concatBytes } from '../base/bytes.ts';
import { ok, refuse, type Result } from '../base/result.ts';

export const FRAME_HEADER_BYTES = 4;

/** Below 2^24, so that the first byte of every frame is zero, which no JSON text begins with. */
const MAX_FRAME_BYTES = (1 << 24) - 1;

export class FrameDecoder {
  readonly #maxFrameBytes: number;
  #pieces: Uint8Array[] = [];
  #pieceBytes = 0;
  /** How many bytes the pieces must reach before there is anything to do. */
  #needBytes = 0;

  constructor(maxFrameBytes: number) {
    assert(maxFrameBytes <= MAX_FRAME_BYTES, 'the first byte of a frame is zero', { maxFrameBytes });
    this.#maxFrameBytes = maxFrameBytes;
  }

  /** Whether a frame has begun that is not whole. */
  get insideFrame(): boolean {
    return this.#pieceBytes > 0;
  }

  /**
   * Appends the frames that `chunk` completes to `frames`; they are views where that keeps little else in memory.
   *
   * Refusals: `frame-too-large` (judged by its length alone), `frame-empty`. The decoder is of no use after one.
   */
  push(chunk: Uint8Array, frames: Uint8Array[]): Result<void> {
    if (this.#pieceBytes === 0) return this.#parse(chunk, frames);
    this.#pieces.push(chunk);
    this.#pieceBytes += chunk.length;
    if (this.#pieceBytes < this.#needBytes) return ok(undefined);
    const joined = concatBytes(...this.#pieces);
    this.#pieces = [];
    this.#pieceBytes = 0;
    return this.#parse(joined, frames);
  }

  #parse(bytes: Uint8Array, frames: Uint8Array[]): Result<void> {
    let offset = 0;
    while (offset < bytes.length) {
      const held = bytes.length - offset;
      if (held < FRAME_HEADER_BYTES) return this.#keep(bytes.subarray(offset), FRAME_HEADER_BYTES);
      const length = frameLength(bytes, offset);
      if (length > this.#maxFrameBytes) {
        return refuse('frame-too-large', 'a frame is larger than allowed', { length, maxBytes: this.#maxFrameBytes });
      }
      if (length === 0) return refuse('frame-empty', 'a frame has no content');
      if (held < FRAME_HEADER_BYTES + length) return this.#keep(bytes.subarray(offset), FRAME_HEADER_BYTES + length);
      offset += FRAME_HEADER_BYTES + length;
      frames.push(ownFrame(bytes.subarray(offset - length, offset)));
    }
    return ok(undefined);
  }

  #keep(rest: Uint8Array, needBytes: number): Result<void> {
    this.#pieces.push(rest);
    this.#pieceBytes = rest.length;
    this.#needBytes = needBytes;
    return ok(undefined);
  }
}

function frameLength(bytes: Uint8Array, offset: number): number {
  // Multiplied, as a shift would make the highest bit a sign.
  return (
    (bytes[offset] as number) * 0x1000000 +
    (((bytes[offset + 1] as number) << 16) | ((bytes[offset + 2] as number) << 8) | (bytes[offset + 3] as number))
  );
}

/**
 * A small view would keep the whole buffer of a read alive for as long as what is decoded from it lives. Always a plain
 * Uint8Array: what a socket gives is a Buffer, whose `slice` copies nothing.
 */
function ownFrame(frame: Uint8Array): Uint8Array {
  return frame.buffer.byteLength > 2 * frame.length + 1024
    ? new Uint8Array(frame)
    : new Uint8Array(frame.buffer, frame.byteOffset, frame.length);
}

/** Writes the header of a frame of this length at `offset`. */
export function writeFrameHeader(target: Uint8Array, offset: number, length: number): void {
  target[offset] = length >>> 24;
  target[offset + 1] = length >>> 16;
  target[offset + 2] = length >>> 8;
  target[offset + 3] = length;
}
