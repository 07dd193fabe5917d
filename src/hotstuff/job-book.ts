/** The jobs that are out on the verification pool, and what each is for. */
import type { CollectJob } from '../qc/collect.ts';
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

  /** Undefined when no such job is out. */
  end(job: number): { readonly work: CollectJob; readonly purpose: JobPurpose } | undefined {
    const open = this.#open.get(job);
    this.#open.delete(job);
    return open;
  }
}
