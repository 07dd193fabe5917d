/**
 * Pairings off the main thread: a fixed number of workers and three queues, the most urgent first. A worker has at most
 * one job of the less urgent kinds and no other beside it, so that what a round waits for never stands behind more than
 * one pairing of what it does not wait for.
 */
import { Worker } from 'node:worker_threads';
import { codedError, ok, refuse, type Result } from '../base/result.ts';
import { assert } from '../base/assert.ts';
import { genesisCertificate, type EpochContext } from '../qc/certificate.ts';
import { encodeValidatorSet } from '../qc/validator-set.ts';
import type { VerificationJob, VerificationOutcome } from './verification-jobs.ts';
import type { WorkerAnswer, WorkerRequest, WorkerSetup } from './verification-worker.ts';
import { endWorker } from './worker-end.ts';
import { workerEnvironment } from './worker-environment.ts';

/**
 * `consensus`: a round waits for it; bounded by who asks. `sync`: what this node asked others for. `bulk`: what others
 * push (gossip, records of the DHT, evidence), however much.
 */
export type Urgency = 'consensus' | 'sync' | 'bulk';

/** Runs jobs somewhere. In production a pool of threads; a simulation runs them in place. */
export interface Verifier {
  /** Refusal: `verification-busy`, never of `consensus` work. @throws CodedError `verification-closed`, `worker-died` */
  run(job: VerificationJob, urgency: Urgency): Promise<Result<VerificationOutcome>>;
}

const MOST_URGENT_FIRST: readonly Urgency[] = ['consensus', 'sync', 'bulk'];
/** Jobs of one kind that wait; beyond it, all but consensus work is refused. */
const MAX_QUEUED = 1024;
/** One being worked on and one behind it, so that a worker does not wait for the main thread between two. */
const CONSENSUS_JOBS_PER_WORKER = 2;

/** A worker holds a validator set and remembers digests; left to itself, V8 would let garbage grow with the machine. */
const WORKER_HEAP = { maxOldGenerationSizeMb: 128, maxYoungGenerationSizeMb: 4 };

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
  readonly #queues: Readonly<Record<Urgency, Waiting[]>> = { consensus: [], sync: [], bulk: [] };
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

  run(job: VerificationJob, urgency: Urgency): Promise<Result<VerificationOutcome>> {
    if (this.#closed !== null) return Promise.reject(this.#closed);
    const queue = this.#queues[urgency];
    if (urgency !== 'consensus' && queue.length >= MAX_QUEUED) {
      return Promise.resolve(
        refuse('verification-busy', 'too many checks are waiting; try again later', { waiting: queue.length }),
      );
    }
    return new Promise((resolve, reject) => {
      queue.push({ request: { number: this.#next++, job }, resolve, reject });
      this.#handOut();
    });
  }

  /** What is under way or waiting is rejected with `verification-closed`. */
  async close(): Promise<void> {
    this.#end(codedError('verification-closed', 'the verification pool is closed'));
    await Promise.all(this.#threads.map(({ worker }) => endWorker(worker)));
  }

  #start(setup: WorkerSetup): Thread {
    const worker = new Worker(new URL('./verification-worker.ts', import.meta.url), {
      workerData: setup,
      resourceLimits: WORKER_HEAP,
      env: workerEnvironment(),
    });
    const thread: Thread = { worker, underWay: new Map() };
    worker.on('message', (answer: WorkerAnswer) => this.#answered(thread, answer));
    worker.on('error', (error) => this.#died(error));
    worker.on('messageerror', (error) => this.#died(error));
    worker.on('exit', (code) => this.#died(`it exited with ${code}`));
    return thread;
  }

  #answered({ underWay }: Thread, { number, outcome }: WorkerAnswer): void {
    // An answer may be on its way while the pool is closed.
    if (this.#closed !== null) return;
    const waiting = underWay.get(number);
    assert(waiting !== undefined, 'a worker answers what it was asked', { number });
    underWay.delete(number);
    waiting.resolve(ok(outcome));
    this.#handOut();
  }

  #handOut(): void {
    for (;;) {
      const thread = this.#threads.reduce((least, other) =>
        other.underWay.size < least.underWay.size ? other : least,
      );
      const waiting = this.#nextFor(thread);
      if (waiting === undefined) return;
      thread.underWay.set(waiting.request.number, waiting);
      thread.worker.postMessage(waiting.request);
    }
  }

  #nextFor({ underWay }: Thread): Waiting | undefined {
    if (underWay.size >= CONSENSUS_JOBS_PER_WORKER) return undefined;
    const kinds: readonly Urgency[] = underWay.size === 0 ? MOST_URGENT_FIRST : ['consensus'];
    const kind = kinds.find((urgency) => this.#queues[urgency].length > 0);
    return kind === undefined ? undefined : this.#queues[kind].shift();
  }

  #died(reason: unknown): void {
    const text = reason instanceof Error ? reason.message : String(reason);
    this.#end(codedError('worker-died', 'a verification worker died', { reason: text }, { cause: reason }));
  }

  #end(error: Error): void {
    if (this.#closed !== null) return;
    this.#closed = error;
    const threads = this.#threads.flatMap(({ underWay }) => [...underWay.values()]);
    const queued = MOST_URGENT_FIRST.flatMap((urgency) => this.#queues[urgency].splice(0));
    for (const { underWay } of this.#threads) underWay.clear();
    for (const { reject } of [...threads, ...queued]) reject(error);
  }
}
