/**
 * Answers about old heights, of a running node: in a thread of its own, which is there only while somebody asks, and has a
 * bound on its memory of its own.
 */
import { Worker } from 'node:worker_threads';
import { codedError, refuse, type Result } from '../../base/result.ts';
import type { LogIdentity } from '../../ledger/block-log.ts';
import { endWorker, haltWorker } from '../worker-end.ts';
import { workerEnvironment } from '../worker-environment.ts';

export interface PastTask {
  /** Its store is open in the node, with `threads`. */
  readonly dataDirectory: string;
  readonly genesisFile: string;
  readonly identity: LogIdentity;
}

export interface ToPast {
  readonly id: number;
  readonly height: number;
  readonly key: string;
}

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
  readonly waiting: Map<number, Waiting>;
  readonly loaded: Promise<void>;
  readonly exited: Promise<void>;
}

export class PastThread {
  readonly #task: PastTask;
  #thread: Thread | null = null;
  #ending: Promise<void> | null = null;
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
  async answer(height: number, key: string): Promise<Result<Uint8Array>> {
    while (this.#ending !== null) await this.#ending;
    const waits = this.#thread?.waiting.size ?? 0;
    if (this.#closed || waits >= MAX_WAITING) {
      const details = { waiting: waits };
      return refuse('busy', 'too many questions about old heights wait; ask again later', details);
    }
    this.#clearIdle();
    const { waiting, worker } = (this.#thread ??= this.#start());
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      waiting.set(id, { resolve, reject });
      worker.postMessage({ id, height, key } satisfies ToPast);
    });
  }

  /** As `reset`, for good. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.reset();
  }

  /** What was executed is of a log that is about to go. What still waits when it resolves was answered with an error. */
  reset(): Promise<void> {
    this.#clearIdle();
    this.#ending ??= this.#end().finally(() => {
      this.#ending = null;
    });
    return this.#ending;
  }

  async #end(): Promise<void> {
    const thread = this.#thread;
    this.#thread = null;
    if (thread === null) return;
    const { exited, loaded, waiting, worker } = thread;
    await (waiting.size === 0 ? endWorker(worker) : haltWorker(worker, loaded));
    await exited;
  }

  #start(): Thread {
    const loaded = Promise.withResolvers<void>();
    const exited = Promise.withResolvers<void>();
    const waiting = new Map<number, Waiting>();
    const worker = new Worker(new URL('./past-worker.ts', import.meta.url), {
      workerData: this.#task,
      resourceLimits: WORKER_HEAP,
      env: workerEnvironment(),
    });
    const thread = { worker, waiting, loaded: loaded.promise, exited: exited.promise };
    worker.on('message', (message: FromPast) => {
      if (message === 'loaded') return loaded.resolve();
      const { answer, id } = message;
      waiting.get(id)?.resolve(answer);
      waiting.delete(id);
      if (waiting.size > 0 || this.#thread !== thread) return;
      this.#idle = setTimeout(() => void this.reset(), IDLE_MS).unref();
    });
    const died = (reason: string): void => {
      if (this.#thread === thread) this.#thread = null;
      for (const { reject } of waiting.values()) {
        reject(codedError('worker-died', 'the thread that answers about old heights died', { reason }));
      }
      waiting.clear();
    };
    worker.on('error', (error) => {
      died(String(error));
    });
    worker.on('exit', (code) => {
      died(`exit ${code}`);
      exited.resolve();
    });
    return thread;
  }

  #clearIdle(): void {
    if (this.#idle !== null) clearTimeout(this.#idle);
    this.#idle = null;
  }
}
