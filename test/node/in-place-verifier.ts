/** The verification pool without its threads: jobs run at once, or when the test lets them. */
import { ok, type Result } from '../../src/base/result.ts';
import {
  runVerificationJob,
  type VerificationJob,
  type VerificationOutcome,
} from '../../src/node/verification-jobs.ts';
import type { Urgency, Verifier } from '../../src/node/verification-pool.ts';
import type { EpochContext } from '../../src/qc/certificate.ts';
import type { SignatureScheme } from '../../src/qc/scheme.ts';

export class InPlaceVerifier implements Verifier {
  /** What it was asked, in order. */
  readonly jobs: { readonly kind: VerificationJob['kind']; readonly urgency: Urgency }[] = [];
  /** Answered in place of all jobs, when set. */
  refusing: Result<never> | null = null;
  /** When set, jobs wait for `letThrough`. */
  isHeld = false;
  readonly #context: EpochContext;
  readonly #scheme: SignatureScheme;
  #waiting: (() => void)[] = [];

  constructor(context: EpochContext, scheme: SignatureScheme) {
    this.#context = context;
    this.#scheme = scheme;
  }

  async run(job: VerificationJob, urgency: Urgency): Promise<Result<VerificationOutcome>> {
    this.jobs.push({ kind: job.kind, urgency });
    if (this.isHeld) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    // As it would cross to a thread.
    return this.refusing ?? ok(runVerificationJob(structuredClone(job), this.#context, this.#scheme));
  }

  letThrough(): void {
    this.isHeld = false;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
