/**
 * Answers about old heights, of a running node: in a thread of its own, which is there only while somebody asks, and has a
 * bound on its memory of its own.
 */
import { Worker } from 'node:worker_threads';
import { codedError, refuse, type Result } from '../../base/result.ts';
import type { LogIdentity } from '../../ledger/block-log.ts';
import { haltWorker } from '../worker-end.ts';
import { workerEnvironment } from '../worker-environment.ts';

export interface PastTask {
  /** Its store is open in the node, with `threads`. */
  readonly dataDirectory: string;
  readonly genesisFile: string;
  readonly identity: LogIdentity;
}

export type ToPast =
  | { readonly kind: 'ask'; readonly id: number; readonly height: number; readonly key: string }
  | { readonly kind: 'close' };

export type FromPast = 'loaded' | { readonly id: number; readonly answer: Result<Uint8Array> };

/** The state of some height is in it: a million nodes, about. Where that is not enough, the thread ends and the node does not. */
const WORKER_HEAP = { maxOldGenerationSizeMb: 1024, maxYoungGenerationSizeMb: 16 };
const MAX_WAITING = 16;
/** What it has executed is kept for who asks again. */
const IDLE_MS = 60_000;

interface Waiting {
  readonly resolve: (answer: Result<Uint8Array>) => void;
  readonly reject: (error: Error) => void;
}

interface Thread {
  readonly worker: Worker;
  readonly loaded: Promise<void>;
  readonly exited: Promise<void>;
}

export class PastThread {
  readonly #task: PastTask;
  readonly #waiting = new Map<number, Waiting>();
  #thread: Thread | null = null;
  #idle: NodeJS.Timeout | null = null;
  #lastId = 0;
  #closed = false;

  constructor(task: PastTask) {
    this.#task = task;
  }

  /**
   * As `PastStates.answer`. Refusal: `busy` as well.
   *
   * @throws CodedError `worker-died`
   */
  answer(height: number, key: string): Promise<Result<Uint8Array>> {
    if (this.#closed || this.#waiting.size >= MAX_WAITING) {
      const details = { waiting: this.#waiting.size };
      return Promise.resolve(refuse('busy', 'too many questions about old heights wait; ask again later', details));
    }
    if (this.#idle !== null) clearTimeout(this.#idle);
    this.#idle = null;
    const { worker } = (this.#thread ??= this.#start());
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      worker.postMessage({ kind: 'ask', id, height, key } satisfies ToPast);
    });
  }

  /** What waits is answered with an error. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.reset();
  }

  /** What was executed is of a log that is about to go. What waits is answered with an error. */
  async reset(): Promise<void> {
    if (this.#idle !== null) clearTimeout(this.#idle);
    const thread = this.#thread;
    this.#thread = null;
    if (thread === null) return;
    if (this.#waiting.size === 0) thread.worker.postMessage({ kind: 'close' } satisfies ToPast);
    else await haltWorker(thread.worker, thread.loaded);
    await thread.exited;
  }

  #start(): Thread {
    const loaded = Promise.withResolvers<void>();
    const exited = Promise.withResolvers<void>();
    const worker = new Worker(new URL('./past-worker.ts', import.meta.url), {
      workerData: this.#task,
      resourceLimits: WORKER_HEAP,
      env: workerEnvironment(),
    });
    const thread = { worker, loaded: loaded.promise, exited: exited.promise };
    worker.on('message', (message: FromPast) => {
      if (message === 'loaded') return loaded.resolve();
      const { answer, id } = message;
      this.#waiting.get(id)?.resolve(answer);
      this.#waiting.delete(id);
      if (this.#waiting.size > 0 || this.#closed) return;
      this.#idle = setTimeout(() => void this.reset(), IDLE_MS).unref();
    });
    const died = (reason: string): void => {
      if (this.#thread === thread) this.#thread = null;
      for (const { reject } of this.#waiting.values()) {
        reject(codedError('worker-died', 'the thread that answers about old heights died', { reason }));
      }
      this.#waiting.clear();
    };
    worker.on('error', (error) => {
      died(String(error));
    });
    worker.on('exit', (code) => {
      // One that was asked to end leaves what came after it alone.
      if (this.#thread === thread || this.#thread === null) died(`exit ${code}`);
      exited.resolve();
    });
    return thread;
  }
}
