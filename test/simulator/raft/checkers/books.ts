/**
 * What is known of a whole Raft cluster by whoever sees everything: which entry was ever where, which are committed, and
 * what each disk holds. Checkers write into it what they found to hold, and compare the next thing with it.
 */
import { ENTRY_TYPES, type Configuration, type Entry } from '../../../../src/raft/messages.ts';
import { latin1 } from '../../latin1.ts';

/** What must be equal where index and term are: all but when a leader appended it, which older versions do not keep. */
export function contentOf({ data, extensions, type }: Entry): string {
  const text = (bytes: Uint8Array | null) => (bytes === null ? '' : latin1(bytes));
  return `${type} ${text(data)} ${text(extensions)}`;
}

export interface CommittedEntry {
  readonly index: number;
  readonly term: number;
  readonly content: string;
}

/** A log by the terms of its entries, which is all that decides whose log is more up to date. */
export interface LogTerms {
  readonly lastIndex: number;
  /** Undefined for what is not there, or compacted. */
  termAt(index: number): number | undefined;
}

export function votersOf({ servers }: Configuration): string[] {
  return servers.filter(({ suffrage }) => suffrage === 'voter').map(({ id }) => id);
}

export function majorityOf(voters: number): number {
  return Math.floor(voters / 2) + 1;
}

export function isConfiguration({ type }: Entry): boolean {
  return type === ENTRY_TYPES.configuration || type === ENTRY_TYPES.addPeer || type === ENTRY_TYPES.removePeer;
}
