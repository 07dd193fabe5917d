/** The pieces of a message that has not come to its end: kept as they are, the small ones copied together. */

/** A piece below this is copied: it costs less than what keeps it alive. */
const SMALL_BYTES = 4096;
const TAIL_BYTES = 16 << 10;

export class GatheredBytes {
  #pieces: Uint8Array[] = [];
  #tail = new Uint8Array(0);
  /** Of the tail, and of those that are a piece already. */
  #tailUsed = 0;
  #tailTaken = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  add(piece: Uint8Array): void {
    this.#length += piece.length;
    if (piece.length >= SMALL_BYTES) {
      this.#endTail();
      this.#pieces.push(piece);
      return;
    }
    if (this.#tailUsed + piece.length > this.#tail.length) {
      this.#endTail();
      this.#tail = new Uint8Array(TAIL_BYTES);
      this.#tailUsed = this.#tailTaken = 0;
    }
    this.#tail.set(piece, this.#tailUsed);
    this.#tailUsed += piece.length;
  }

  /** All of it, with `last` behind, in one; nothing is kept. */
  takeWith(last: Uint8Array): Uint8Array {
    if (this.#length === 0) return last;
    this.#endTail();
    const whole = new Uint8Array(this.#length + last.length);
    let at = 0;
    for (const piece of this.#pieces) {
      whole.set(piece, at);
      at += piece.length;
    }
    whole.set(last, at);
    this.#pieces = [];
    this.#tail = new Uint8Array(0);
    this.#tailUsed = this.#tailTaken = this.#length = 0;
    return whole;
  }

  #endTail(): void {
    if (this.#tailUsed === this.#tailTaken) return;
    this.#pieces.push(this.#tail.subarray(this.#tailTaken, this.#tailUsed));
    this.#tailTaken = this.#tailUsed;
  }
}
