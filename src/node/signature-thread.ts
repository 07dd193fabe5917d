/**
 * Event signatures off the main thread, in batches. On libuv's pool each check costs the main thread 50 us to hand out
 * and take back, half of the check itself; a batch of them costs as much once.
 *
 * One thread keeps up: it checks 11,000 to 18,000 ed25519 signatures a second, more than the main thread can take in.
 */
import { Worker } from 'node:worker_threads';
import { assert } from '../base/assert.ts';
import { codedError } from '../base/result.ts';
import { MAX_SIGNATURE_BYTES, type SigningKey } from '../ledger/signature.ts';
import { packChecks, type SignatureCheck } from './signature-batch.ts';
import { endWorker } from './worker-end.ts';
import { workerEnvironment } from './worker-environment.ts';

interface Waiting extends SignatureCheck {
  readonly resolve: (isValid: boolean) => void;
  readonly reject: (error: Error) => void;
}

/** About 5 ms of ed25519. */
const MAX_BATCH = 64;
export interface SignatureThreadOptions {
  /**
   * Handed out at once, of 64 checks each: more of them for who turns to it seldom. Left out: one that is worked on and one
   * behind it, so that the thread does not wait for one that turns to it often.
   */
  readonly batchesUnderWay?: number;
  /** As of `stepAside`: for who has more such threads than cores. */
  readonly niceness?: number;
}

/** What the thread is told when it starts. */
export interface SignatureWorkerData {
  readonly niceness: number;
}

/** Keys, of secp256k1, are most of what it holds, and those lie outside of the heap. */
const WORKER_HEAP = { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 2 };

export class SignatureThread {
  readonly #worker: Worker;
  readonly #batchesUnderWay: number;
  #waiting: Waiting[] = [];
  /** In the order in which they were handed out, which is that of the answers. */
  readonly #underWay: (readonly Waiting[])[] = [];
  #flushQueued = false;
  #closed: Error | null = null;
  #drained: (() => void) | null = null;

  constructor({ batchesUnderWay = 2, niceness = 0 }: SignatureThreadOptions = {}) {
    this.#batchesUnderWay = batchesUnderWay;
    this.#worker = new Worker(new URL('./signature-worker.ts', import.meta.url), {
      workerData: { niceness } satisfies SignatureWorkerData,
      resourceLimits: WORKER_HEAP,
      env: workerEnvironment(),
    });
    this.#worker.on('message', (verdicts: Uint8Array) => this.#answered(verdicts));
    this.#worker.on('error', (error: unknown) => this.#died(String(error)));
    this.#worker.on('messageerror', (error) => this.#died(String(error)));
    this.#worker.on('exit', (code) => this.#died(`it exited with ${code}`));
  }

  /** The predicate of `ledger/signature.ts`. @throws CodedError `verification-closed`, `worker-died` */
  readonly verify = (
    { keyType, publicKey }: SigningKey,
    message: Uint8Array,
    signature: Uint8Array,
  ): Promise<boolean> => {
    if (this.#closed !== null) return Promise.reject(this.#closed);
    // No signature is longer, whatever the key.
    if (signature.length > MAX_SIGNATURE_BYTES) return Promise.resolve(false);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ keyType, publicKey, message, signature, resolve, reject });
      if (this.#flushQueued) return;
      this.#flushQueued = true;
      queueMicrotask(() => {
        this.#flushQueued = false;
        this.#handOut();
      });
    });
  };

  /** What waits is answered first. */
  async close(): Promise<void> {
    if (this.#waiting.length > 0 || this.#underWay.length > 0) {
      await new Promise<void>((resolve) => {
        this.#drained = resolve;
      });
    }
    this.#closed ??= codedError('verification-closed', 'the signature thread is closed');
    await endWorker(this.#worker);
  }

  #handOut(): void {
    while (this.#waiting.length > 0 && this.#underWay.length < this.#batchesUnderWay) {
      const batch = this.#waiting.splice(0, MAX_BATCH);
      this.#underWay.push(batch);
      const packed = packChecks(batch);
      this.#worker.postMessage(packed, [packed.buffer]);
    }
  }

  #answered(verdicts: Uint8Array): void {
    // An answer may be on its way while the thread is closed.
    if (this.#closed !== null) return;
    const batch = this.#underWay.shift();
    assert(batch?.length === verdicts.length, 'a batch is answered check by check', { verdicts: verdicts.length });
    this.#handOut();
    for (const [index, { resolve }] of batch.entries()) resolve(verdicts[index] === 1);
    if (this.#underWay.length === 0) this.#drained?.();
  }

  #died(reason: string): void {
    if (this.#closed !== null) return;
    const error = codedError('worker-died', 'the signature thread died', { reason });
    this.#closed = error;
    for (const { reject } of [...this.#underWay.splice(0).flat(), ...this.#waiting.splice(0)]) reject(error);
    this.#drained?.();
  }
}
