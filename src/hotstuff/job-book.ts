/** The jobs that are out on the verification pool, and what each is for. */
import type { ValidatorIndex } from '../consensus/engine.ts';
import type { BallotJob, CollectJob } from '../qc/collect.ts';
import type { Turn } from './turn.ts';

/**
 * `quorum`: a certificate or a timeout certificate is to be made. `suspect`: a ballot counts if it is good. `trial`: a
 * ballot is one half of a piece of evidence.
 */
export type JobPurpose = 'quorum' | 'suspect' | 'trial';

export class JobBook {
  readonly #open = new Map<number, { readonly work: CollectJob; readonly purpose: JobPurpose }>();
  #last = 0;

  start(work: CollectJob, purpose: JobPurpose, turn: Turn): void {
    const job = ++this.#last;
    this.#open.set(job, { work, purpose });
    turn.verify(job, work);
  }

  /** Whether a check of this suspect's ballot of this kind is out: one at a time, whatever it sends. */
  isChecking(kind: BallotJob['ballot']['kind'], suspect: ValidatorIndex): boolean {
    for (const { work, purpose } of this.#open.values()) {
      if (purpose === 'suspect' && work.kind === 'ballot' && work.ballot.kind === kind && work.signer === suspect)
        return true;
    }
    return false;
  }

  /** Undefined when no such job is out. */
  end(job: number): { readonly work: CollectJob; readonly purpose: JobPurpose } | undefined {
    const open = this.#open.get(job);
    this.#open.delete(job);
    return open;
  }
}
