/**
 * Configurations change by one server at a time, each only when the one before it is committed and its leader has
 * committed something in its own term (Raft dissertation, 4.1, and Ongaro's correction of July 2015).
 */
import type { Entry, LoggedConfiguration, Server } from '../../../../src/raft/messages.ts';
import type { Report } from '../../checkers/violation.ts';
import { isConfiguration, votersOf } from './books.ts';

const NAME = 'configurations';

/** What a leader knew when it appended a configuration. */
export interface Appending {
  readonly id: string;
  readonly term: number;
  readonly commitIndex: number;
  /** Of the entry at its commit index. */
  readonly commitTerm: number;
}

export class ConfigurationChecker {
  readonly #report: Report;

  constructor(report: Report) {
    this.#report = report;
  }

  /** The configuration in force is the last one in the log. @param entry of the log at its index; undefined: compacted */
  inForce(id: string, { index }: LoggedConfiguration, lastIndex: number, entry: Entry | undefined): void {
    const isThere = entry === undefined || isConfiguration(entry);
    if (index <= lastIndex && isThere) return;
    this.#violated('the configuration in force is in the log', { id, index, lastIndex, type: entry?.type ?? -1 });
  }

  /** One follows another in a log. @param by its leader, when it was appended just now; null: it came from elsewhere */
  follows(before: LoggedConfiguration, after: LoggedConfiguration, by: Appending | null): void {
    const place = { before: before.index, after: after.index };
    const changed = changesOf(before.configuration.servers, after.configuration.servers);
    if (changed.length > 1) {
      this.#violated('a change is of one server', { ...place, changed: changed.join(' ') });
    }
    const voters = votersOf(after.configuration);
    if (voters.length === 0) this.#violated('a configuration has a voter', place);
    if (by === null) return;
    const { commitIndex, commitTerm, id, term } = by;
    if (commitIndex < before.index) {
      this.#violated('a change waits for the one before it', { ...place, id, term, commitIndex });
    }
    if (commitTerm !== term) {
      this.#violated('a change waits for a commit of its term', { ...place, id, term, commitIndex, commitTerm });
    }
  }

  #violated(message: string, details: Readonly<Record<string, string | number>>): void {
    this.#report({ checker: NAME, message, details });
  }
}

/** Ids of those that are in one of them only, or not as the same. */
function changesOf(before: readonly Server[], after: readonly Server[]): string[] {
  const textOf = ({ address, suffrage }: Server) => `${suffrage} ${address}`;
  const was = new Map(before.map((server) => [server.id, textOf(server)]));
  const is = new Map(after.map((server) => [server.id, textOf(server)]));
  return [...new Set([...was.keys(), ...is.keys()])].filter((id) => was.get(id) !== is.get(id));
}
