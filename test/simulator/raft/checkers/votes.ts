/**
 * Terms and votes: what left a machine against what its disk could still forget, and against all that it said before, in
 * all of its lives (Raft, 5.2, and figure 2: "updated on stable storage before responding to RPCs").
 */
import type { HardState } from '../../../../src/raft/contract.ts';
import type { RaftRequest, RaftResponse } from '../../../../src/raft/messages.ts';
import type { Report } from '../../checkers/violation.ts';

const NAME = 'terms and votes';

export class VoteChecker {
  readonly #report: Report;
  /** By server: the one candidate of each term that it voted for, itself included. */
  readonly #votes = new Map<string, Map<number, string>>();
  readonly #durable = new Map<string, HardState>();

  constructor(report: Report) {
    this.#report = report;
  }

  /** What a disk holds of it now. Terms never fall on it, and a vote stays what it was. */
  written(id: string, now: HardState): void {
    const before = this.#durable.get(id) ?? { term: 0, votedFor: null };
    this.#durable.set(id, now);
    const details = { id, term: now.term, before: before.term, votedFor: now.votedFor, had: before.votedFor };
    if (now.term < before.term) return this.#violated('a term on a disk never falls', details);
    if (now.term > before.term || before.votedFor === null || before.votedFor === now.votedFor) return;
    this.#violated('a vote on a disk stays what it was in its term', details);
  }

  /** @param term in which a process begins */
  started(id: string, { term }: Pick<HardState, 'term'>): void {
    const durableTerm = this.#durable.get(id)?.term ?? 0;
    if (term >= durableTerm) return;
    this.#violated('a restart begins with the term on the disk', { id, term, durableTerm });
  }

  /** A request leaves the machine. @param address of the server that sends it */
  asks(id: string, address: string, request: RaftRequest): void {
    switch (request.kind) {
      case 'requestVote':
        this.#isDurable(id, request.term, request.candidate);
        return this.#cast(id, request.term, address);
      case 'appendEntries':
      case 'installSnapshot':
        return this.#isDurable(id, request.term, null);
      case 'preVote':
      case 'timeoutNow':
        return;
    }
  }

  /** An answer leaves the machine. */
  answers(id: string, request: RaftRequest, response: RaftResponse): void {
    if (response.kind === 'timeoutNow') return;
    // A pre-vote is granted for a term in which nobody is yet: Go says that one, and not its own.
    const isOfTheFuture = request.kind === 'preVote' && response.term === request.term;
    if (!isOfTheFuture && !isBeforeObeying(request, response)) this.#isDurable(id, response.term, null);
    if (request.kind !== 'requestVote' || response.kind !== 'requestVote' || !response.granted) return;
    const details = { id, term: request.term, answered: response.term };
    if (response.term !== request.term) this.#violated('a vote is granted in the term it was asked for', details);
    this.#isDurable(id, request.term, request.candidate);
    this.#cast(id, request.term, request.candidate);
  }

  /** @param vote null: none is claimed */
  #isDurable(id: string, term: number, vote: string | null): void {
    const durable = this.#durable.get(id) ?? { term: 0, votedFor: null };
    const details = { id, term, vote, durableTerm: durable.term, durableVote: durable.votedFor };
    if (durable.term < term) return this.#violated('a term is on the disk before anybody hears of it', details);
    // Of an older term nothing is left to be forgotten: it will never vote there again.
    if (vote === null || durable.term > term || durable.votedFor === vote) return;
    this.#violated('a vote is on the disk before it leaves', details);
  }

  #cast(id: string, term: number, candidate: string): void {
    let votes = this.#votes.get(id);
    if (votes === undefined) this.#votes.set(id, (votes = new Map()));
    const before = votes.get(term);
    votes.set(term, before ?? candidate);
    if (before === undefined || before === candidate) return;
    this.#violated('a server votes once in a term', { id, term, before, candidate });
  }

  #violated(message: string, details: Readonly<Record<string, string | number | null>>): void {
    this.#report({ checker: NAME, message, details });
  }
}

/** A leader that has not shown yet what history it is of is told that something is lacking, in its own term (`history.ts`). */
function isBeforeObeying(request: RaftRequest, response: RaftResponse): boolean {
  if (request.kind !== 'appendEntries' || response.kind !== 'appendEntries') return false;
  return !response.success && response.term === request.term;
}
