/** The bytes of a snapshot on their way from a connection to whoever takes them, no more of them waiting than allowed. */
import { assert } from '../../base/assert.ts';
import type { CodedError } from '../../base/result.ts';

export class SnapshotBody implements AsyncIterable<Uint8Array> {
  readonly #maxWaitingBytes: number;
  readonly #onTaken: () => void;
  #pieces: Uint8Array[] = [];
  #waitingBytes = 0;
  #isEnded = false;
  #isPassedOver = false;
  #failure: CodedError | undefined;
  #wake: (() => void) | undefined;

  /** @param onTaken there is room again */
  constructor(maxWaitingBytes: number, onTaken: () => void) {
    this.#maxWaitingBytes = maxWaitingBytes;
    this.#onTaken = onTaken;
  }

  /** Whether more should not come yet. */
  get isFull(): boolean {
    return this.#waitingBytes >= this.#maxWaitingBytes;
  }

  push(bytes: Uint8Array): void {
    assert(!this.#isEnded, 'a snapshot has not ended while bytes of it come');
    if (this.#isPassedOver) return;
    this.#pieces.push(bytes);
    this.#waitingBytes += bytes.length;
    this.#woken();
  }

  end(): void {
    this.#isEnded = true;
    this.#woken();
  }

  fail(reason: CodedError): void {
    this.#failure ??= reason;
    this.#pieces = [];
    this.#woken();
  }

  /** Nobody takes any more: what comes is forgotten. */
  passOver(): void {
    this.#isPassedOver = true;
    this.#pieces = [];
    this.#waitingBytes = 0;
    this.#onTaken();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (;;) {
      const piece = this.#pieces.shift();
      if (piece !== undefined) {
        this.#waitingBytes -= piece.length;
        this.#onTaken();
        yield piece;
      } else if (this.#failure !== undefined) throw this.#failure;
      else if (this.#isEnded || this.#isPassedOver) return;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  #woken(): void {
    this.#wake?.();
    this.#wake = undefined;
  }
}
