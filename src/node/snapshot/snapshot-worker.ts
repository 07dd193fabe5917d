/**
 * The thread that makes a snapshot. It opens the store that the main thread has open, pins it as it is, and hears what
 * blocks behind the wanted height have changed by then; the rest is its own.
 */
import { once } from 'node:events';
import { parentPort, workerData } from 'node:worker_threads';
import { assert } from '../../base/assert.ts';
import { CodedError, codedError, type Refusal } from '../../base/result.ts';
import { BlockLog } from '../../ledger/block-log.ts';
import { LevelStore } from '../../store/level-store.ts';
import { stepAside } from '../thread-priority.ts';
import { FULL_SPEED, SteppingAside } from './pace.ts';
import { writeSnapshot, type WritingProgress, type WrittenSnapshot } from './snapshot-writer.ts';

export interface SnapshotWork {
  /** Of the store. */
  readonly ledger: string;
  readonly chainId: string;
  readonly height: number;
  readonly directory: string;
  /** Whether it leaves the processor to the others: a round of consensus waits for them, and nobody for this. */
  readonly stepsAside: boolean;
  /** Its first byte becomes 1 when the work is to end. */
  readonly stop: SharedArrayBuffer;
}

/** Keys as latin-1 of their UTF-8; null: a value that was not there. */
export type ValuesBefore = readonly (readonly [key: string, value: Uint8Array | null])[];

export type SnapshotNews =
  | { readonly kind: 'pinned'; readonly headHeight: number }
  | { readonly kind: 'progress'; readonly progress: WritingProgress }
  | { readonly kind: 'written'; readonly snapshot: WrittenSnapshot }
  /** @param refusal null of what is no coded error */
  | { readonly kind: 'failed'; readonly refusal: Refusal | null; readonly reason: string };

/** `nice`: a tenth of what another thread gets where both want to run. With less it might never end on a busy machine. */
const NICENESS = 10;

const port = parentPort;
assert(port !== null, 'the snapshot worker runs in a worker thread');
const { chainId, directory, height, ledger, stepsAside, stop } = workerData as SnapshotWork;
const stopped = new Uint8Array(stop);
const tell = (news: SnapshotNews): void => port.postMessage(news);

if (stepsAside) stepAside(NICENESS);
try {
  tell({ kind: 'written', snapshot: await make() });
} catch (error) {
  const refusal = error instanceof CodedError ? plain(error) : null;
  tell({ kind: 'failed', refusal, reason: error instanceof Error ? (error.stack ?? error.message) : String(error) });
}
// It listens no more, so that the thread ends.
port.close();

async function make(): Promise<WrittenSnapshot> {
  const store = await LevelStore.join(ledger);
  try {
    const view = store.pin();
    try {
      const log = BlockLog.over(view, { chainId, validatorKey: null });
      const answer = once(port as NonNullable<typeof port>, 'message') as Promise<[ValuesBefore]>;
      tell({ kind: 'pinned', headHeight: log.head().height });
      const [before] = await answer;
      const sealed = log.sealedBytesAt(height);
      if (sealed === undefined) throw codedError('height-not-held', 'the log has no block at that height', { height });
      return await writeSnapshot({
        chainId,
        view,
        sealed,
        directory,
        pace: stepsAside ? new SteppingAside() : FULL_SPEED,
        before: new Map(before.map(([key, value]) => [key, value ?? undefined])),
        onProgress: (progress) => tell({ kind: 'progress', progress }),
        checkStopped: () => {
          if (Atomics.load(stopped, 0) === 1) throw codedError('snapshot-stopped', 'the snapshot was given up');
        },
      });
    } finally {
      await view.close();
    }
  } finally {
    await store.close();
  }
}

function plain({ code, details, message }: CodedError): Refusal {
  return { code, details, message };
}
