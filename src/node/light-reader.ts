/**
 * Verified reads without a data directory: all that is trusted is the genesis. Peers are asked in turn; an answer that
 * does not verify is a reason to ask the next one, never a result.
 */
import type { Result } from '../base/result.ts';
import type { Genesis } from '../ledger/genesis.ts';
import type { AddressBook } from './address-book.ts';
import type { ReadReport } from './read-report.ts';

export interface LightReaderOptions {
  readonly genesis: Genesis;
  readonly addresses: AddressBook;
  /** Ask only these; empty: every peer that is known, then the DHT. */
  readonly named: readonly { readonly peerId: string; readonly multiaddrs: readonly string[] }[];
}

export interface LightReadOptions {
  /** Refuse what is older, or of unknown age; undefined: any age will do. */
  readonly maxAgeMs: number | undefined;
  readonly timeoutMs: number;
}

export interface LightReader {
  /** Refusals: `peer-unreachable` when nobody answered, else why the last answer does not hold. */
  read(peerId: string, options: LightReadOptions): Promise<Result<ReadReport>>;
  close(): Promise<void>;
}

export function openLightReader(options: LightReaderOptions): Promise<LightReader> {
  throw new Error(`unfinished ${options.genesis.name}`);
}
