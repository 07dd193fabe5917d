/**
 * What must hold between the servers of a cluster after every step, whatever was lost, held or crashed (Raft, figure 3):
 * election safety, log matching, leader completeness, state machine safety. A test that breaks one fails where it breaks.
 */
import { assert } from '../../src/base/assert.ts';
import type { RaftEffect } from '../../src/raft/contract.ts';
import { ENTRY_TYPES } from '../../src/raft/messages.ts';
import type { Server } from './server.ts';
import { decodeConfiguration, numberOf } from './words.ts';

export class Watch {
  readonly #servers: ReadonlyMap<number, Server>;
  /** Who leads in each term. */
  readonly #leaders = new Map<number, number>();
  /** What anybody committed, by index: its term and what it says. */
  readonly #committed: string[] = [];
  readonly #seen = new Map<number, number>();

  constructor(servers: ReadonlyMap<number, Server>) {
    this.#servers = servers;
  }

  /** Entries that somebody committed. */
  get committedIndex(): number {
    return this.#committed.length;
  }

  /** It starts again from what its disk holds. */
  forget(server: number): void {
    this.#seen.delete(server);
  }

  onEffect(server: Server, effect: RaftEffect): void {
    if (effect.kind === 'commit' && server.status.role === 'leader') this.#assertHeldByMajority(server, effect.index);
  }

  onStep(server: Server): void {
    const { role, term } = server.status;
    if (role === 'leader') this.#assertLeads(server.number, term);
    this.#assertCommitted(server);
  }

  /** Election safety, and, as it begins, leader completeness. */
  #assertLeads(number: number, term: number): void {
    const known = this.#leaders.get(term);
    assert(known === undefined || known === number, 'a term has one leader', { term, known, number });
    if (known !== undefined) return;
    this.#leaders.set(term, number);
    const server = this.#servers.get(number);
    for (let index = 1; index <= this.#committed.length; index++) {
      const own = server === undefined ? undefined : tellAt(server, index);
      const committed = this.#committed[index - 1];
      const isThere = own === undefined ? index < (server?.disk.firstIndex ?? 0) : own === committed;
      assert(isThere, 'a leader has all that was committed before it', { number, term, index, own, committed });
    }
  }

  #assertCommitted(server: Server): void {
    const from = this.#seen.get(server.number) ?? 0;
    for (let index = from + 1; index <= server.commitIndex; index++) {
      const own = tellAt(server, index);
      if (own === undefined) continue;
      const known = this.#committed[index - 1];
      assert(known === undefined || known === own, 'what is committed is the same everywhere', {
        server: server.number,
        index,
        own,
        known,
      });
      this.#committed[index - 1] = own;
    }
    this.#seen.set(server.number, Math.max(from, server.commitIndex));
  }

  /** What a leader commits is on the disks of a majority of the voters of the configuration in force at it. */
  #assertHeldByMajority(leader: Server, index: number): void {
    const term = leader.entry(index)?.term;
    const voters = leader.status.configuration.configuration.servers.filter(({ suffrage }) => suffrage === 'voter');
    const holders = voters.filter(({ id }) => {
      const server = this.#servers.get(numberOf(id));
      if (server === undefined) return false;
      return server.disk.termAt(index) === term || (server.disk.snapshot?.meta.lastIndex ?? 0) >= index;
    });
    const numbers = { leader: leader.number, index, term, holders: holders.length, voters: voters.length };
    assert(holders.length * 2 > voters.length, 'a majority has on its disks what is committed', numbers);
  }
}

function tellAt(server: Server, index: number): string | undefined {
  const entry = server.entry(index);
  if (entry === undefined) return undefined;
  const { term, type, data } = entry;
  const says =
    type === ENTRY_TYPES.configuration
      ? JSON.stringify(decodeConfiguration(data ?? new Uint8Array()))
      : Array.from(data ?? [], (byte) => byte.toString(16)).join(',');
  return `${term} ${type} ${says}`;
}
