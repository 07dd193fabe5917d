/**
 * Pairings off the main thread. A fixed number of workers, a bounded queue, first come first served; jobs go to the
 * worker with the fewest under way, and only one more than it works on is handed to a worker, so that a late urgent
 * job does not wait behind a hundred others.
 */
import { Worker } from 'node:worker_threads';
import { codedError, ok, refuse, type Result } from '../base/result.ts';
import { assert } from '../base/assert.ts';
import { genesisCertificate, type EpochContext } from '../qc/certificate.ts';
import { encodeValidatorSet } from '../qc/validator-set.ts';
import type { VerificationJob, VerificationOutcome } from './verification-jobs.ts';
import type { WorkerAnswer, WorkerRequest, WorkerSetup } from './verification-worker.ts';

/** Runs jobs somewhere. In production a pool of threads; a simulation runs them in place. */
export interface Verifier {
  /** Refusal: `verification-busy` when the queue is full. Rejects when the verifier is closed or a worker died. */
  run(job: VerificationJob, urgency: 'consensus' | 'bulk'): Promise<Result<VerificationOutcome>>;
}

/** Jobs waiting besides those that a worker has. Beyond it, bulk work is refused; consensus work never is. */
const MAX_QUEUED_BULK = 1024;
/** One being worked on and one behind it, so that a worker never waits for the main thread. */
const JOBS_PER_WORKER = 2;

interface Waiting {
  readonly request: WorkerRequest;
  readonly resolve: (answer: Result<VerificationOutcome>) => void;
  readonly reject: (error: Error) => void;
}

interface Thread {
  readonly worker: Worker;
  readonly underWay: Map<number, Waiting>;
}

export class VerificationPool implements Verifier {
  readonly #threads: Thread[];
  readonly #urgent: Waiting[] = [];
  readonly #bulk: Waiting[] = [];
  #next = 0;
  #closed: Error | null = null;

  constructor(epoch: EpochContext, threads: number) {
    assert(threads >= 1, 'a pool has a thread', { threads });
    const setup: WorkerSetup = {
      chainId: epoch.chainId,
      validatorSet: encodeValidatorSet(epoch.validators),
      validatorSetDigest: epoch.validators.digest,
      genesisBlockId: epoch.genesis.vote.blockId,
    };
    assert(
      genesisCertificate(epoch.validators.epoch, setup.genesisBlockId).epoch === epoch.genesis.epoch,
      'the genesis certificate is of the validators epoch',
    );
    this.#threads = Array.from({ length: threads }, () => this.#start(setup));
  }

  run(job: VerificationJob, urgency: 'consensus' | 'bulk'): Promise<Result<VerificationOutcome>> {
    if (this.#closed !== null) return Promise.reject(this.#closed);
    if (urgency === 'bulk' && this.#bulk.length >= MAX_QUEUED_BULK) {
      return Promise.resolve(
        refuse('verification-busy', 'too many checks are waiting; try again later', { waiting: this.#bulk.length }),
      );
    }
    return new Promise((resolve, reject) => {
      const waiting: Waiting = { request: { number: this.#next++, job }, resolve, reject };
      (urgency === 'consensus' ? this.#urgent : this.#bulk).push(waiting);
      this.#handOut();
    });
  }

  async close(): Promise<void> {
    this.#fail(codedError('verification-closed', 'the verification pool is closed'));
    await Promise.all(this.#threads.map(({ worker }) => worker.terminate()));
  }

  #start(setup: WorkerSetup): Thread {
    const source = import.meta.url.endsWith('.ts') ? './verification-worker.ts' : './verification-worker.js';
    const worker = new Worker(new URL(source, import.meta.url), { workerData: setup });
    const thread: Thread = { worker, underWay: new Map() };
    worker.on('message', (answer: WorkerAnswer) => {
      const waiting = thread.underWay.get(answer.number);
      assert(waiting !== undefined, 'a worker answers what it was asked', { number: answer.number });
      thread.underWay.delete(answer.number);
      waiting.resolve(ok(answer.outcome));
      this.#handOut();
    });
    worker.on('error', (error) => {
      this.#fail(error instanceof Error ? error : new Error(String(error)));
    });
    return thread;
  }

  #handOut(): void {
    for (;;) {
      const thread = this.#threads.reduce((least, other) =>
        other.underWay.size < least.underWay.size ? other : least,
      );
      if (thread.underWay.size >= JOBS_PER_WORKER) return;
      const waiting = this.#urgent.shift() ?? this.#bulk.shift();
      if (waiting === undefined) return;
      thread.underWay.set(waiting.request.number, waiting);
      thread.worker.postMessage(waiting.request);
    }
  }

  #fail(error: Error): void {
    if (this.#closed !== null) return;
    this.#closed = error;
    const lost = [...this.#urgent, ...this.#bulk, ...this.#threads.flatMap(({ underWay }) => [...underWay.values()])];
    this.#urgent.length = 0;
    this.#bulk.length = 0;
    for (const { underWay } of this.#threads) underWay.clear();
    for (const { reject } of lost) reject(error);
  }
}
