/**
 * Linearizable reads at any member of a Raft cluster (Raft dissertation, 6.4): the leader names the index that must be
 * applied, once a majority has said that it still leads; whoever follows asks it for that over the read protocol, which
 * servers of the older system do not speak. What is read then shows all that was committed before the read began.
 */
import { CodedError, ok, refuse, type Refused, type Result } from '../../base/result.ts';
import type { RaftServer } from './raft-server.ts';

export interface LinearizableReadsOptions {
  readonly server: () => Pick<RaftServer<unknown>, 'appliedUpTo' | 'readIndex'>;
  /** @throws CodedError when it could not be asked */
  readonly askLeader: (id: string, deadlineMs: number) => Promise<Result<number>>;
}

/** A read that is not ready by then is refused; its reader may ask another member. */
const DEADLINE_MS = 2_000;

export class LinearizableReads {
  readonly #options: LinearizableReadsOptions;

  constructor(options: LinearizableReadsOptions) {
    this.#options = options;
  }

  /** For another member. Refusals: `not-leader` with the leader, `busy`, `leadership-lost`, `stopping`. */
  index(): Promise<Result<number>> {
    return this.#options.server().readIndex();
  }

  /**
   * Settles when the state of this member shows all that was committed before the call.
   *
   * Refusals: those of `index` at the leader; `not-leader` where nobody leads or who leads could not be asked;
   * `read-behind`, where this member has not applied in time what the leader has committed.
   */
  async ready(): Promise<Result<number>> {
    const own = await this.index();
    if (own.ok || own.refusal.code !== 'not-leader') return own;
    const { leader } = own.refusal.details;
    if (typeof leader !== 'string') return own;
    const named = await this.#ask(leader, own);
    if (!named.ok) return named;
    const index = named.value;
    const isApplied = await this.#options.server().appliedUpTo(index, DEADLINE_MS);
    if (isApplied) return ok(index);
    return refuse('read-behind', 'this member has not applied yet what the read must see; ask another', { index });
  }

  async #ask(leader: string, notLeader: Refused): Promise<Result<number>> {
    try {
      return await this.#options.askLeader(leader, DEADLINE_MS);
    } catch (error) {
      // Who cannot be asked may lead all the same: another member answers, or that one itself.
      if (error instanceof CodedError) return notLeader;
      throw error;
    }
  }
}
