/**
 * How a thread leaves the processor and the disk to the others: it works for some milliseconds, then rests for as long as
 * it worked. A write that others wait for is then held up by one small piece at most, and by that in half of all cases.
 */

export interface Pace {
  /** How much is written between two syncs; null: files are synced once, at the end. */
  readonly pieceBytes: number | null;
  /** Called often, between pieces of work. May block the thread. */
  rest(): void;
}

/** Where nobody else is at work. */
export const FULL_SPEED: Pace = { pieceBytes: null, rest: () => undefined };

/** A round of consensus has more than ten of these. */
const WORK_MS = 4;
/** Where the disk or the processor kept it waiting, it did no harm meanwhile. */
const MAX_REST_MS = 20;
/**
 * The kernel would write what lies unsynced in one go, and a sync of the store would wait for all of it: in the journal
 * of ext4 it stands behind the blocks of other files. This much takes a disk about as long as one commit.
 */
const PIECE_BYTES = 128 * 1024;

export class SteppingAside implements Pace {
  readonly pieceBytes = PIECE_BYTES;
  readonly #sleeper = new Int32Array(new SharedArrayBuffer(4));
  #sinceMs = performance.now();

  rest(): void {
    const workedMs = performance.now() - this.#sinceMs;
    if (workedMs < WORK_MS) return;
    Atomics.wait(this.#sleeper, 0, 0, Math.min(workedMs, MAX_REST_MS));
    this.#sinceMs = performance.now();
  }
}
